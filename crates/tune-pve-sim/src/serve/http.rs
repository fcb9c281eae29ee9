//! Reading HTTP/1 requests off a connection. It is done by hand because the API server has its own answers to methods, bodies
//! and encodings that an HTTP library would refuse or repair.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest head of a request.
const HEAD_LIMIT: usize = 64 * 1024;

/// The largest body that is taken; the server says so for more.
pub(super) const BODY_LIMIT: usize = 512 * 1024;

/// Where the simulation itself is steered from.
pub(super) const CONTROL: &str = "/_control";

/// The largest body there: the state of a cluster with a hundred thousand machines.
const CONTROL_LIMIT: usize = 64 * 1024 * 1024;

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    old_version: bool,
    headers: Vec<(String, String)>,
    /// Whether the body came in chunks, which is not taken and was not read.
    pub(super) chunked: bool,
    /// The announced length of the body.
    pub(super) length: usize,
    /// The body, empty where it is too large.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The first header of a name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the client wants to go on with the connection.
    pub(super) fn keeps_connection(&self) -> bool {
        let wish = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        if self.old_version { wish.contains("keep-alive") } else { !wish.contains("close") }
    }
}

fn bad(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_owned())
}

/// Reads the next request; nothing at the end of the connection.
pub(super) async fn read<S>(stream: &mut S, buffer: &mut Vec<u8>) -> io::Result<Option<Request>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = loop {
        while buffer.starts_with(b"\r\n") {
            buffer.drain(..2);
        }
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > HEAD_LIMIT {
            return Err(bad("the head of the request is too large"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut request = parse_head(&head)?;
    if request.chunked {
        return Ok(Some(request));
    }
    if request.header("expect").is_some_and(|expect| expect.trim_end().eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        stream.flush().await?;
    }
    let limit = if request.target == CONTROL { CONTROL_LIMIT } else { BODY_LIMIT };
    let mut left = request.length;
    while left > 0 {
        if buffer.is_empty() && stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
        let part: Vec<u8> = buffer.drain(..left.min(buffer.len())).collect();
        left -= part.len();
        if request.length <= limit {
            request.body.extend(part);
        }
    }
    Ok(Some(request))
}

fn parse_head(head: &str) -> io::Result<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (first.next(), first.next(), first.next(), first.next())
    else {
        return Err(bad("the first line is not that of a request"));
    };
    if !version.starts_with("HTTP/1.") {
        return Err(bad("the version is not HTTP/1"));
    }
    let mut headers = Vec::new();
    for line in lines {
        let (key, value) = line.split_once(':').ok_or_else(|| bad("a header has no colon"))?;
        // A blank at the end belongs to the value, as far as tokens are concerned.
        headers.push((key.trim().to_ascii_lowercase(), value.trim_start().to_owned()));
    }
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        old_version: version == "HTTP/1.0",
        headers,
        chunked: false,
        length: 0,
        body: Vec::new(),
    };
    let coding = request.header("transfer-encoding").unwrap_or_default();
    request.chunked = coding.to_ascii_lowercase().contains("chunked");
    if let Some(length) = request.header("content-length") {
        request.length = length.trim_end().parse().map_err(|_| bad("the length of the body is not a number"))?;
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_requests_on_one_connection_are_read_one_after_the_other() {
        let (mut client, mut server) = tokio::io::duplex(1024);
        let sent = b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nx=1GET /b HTTP/1.0\r\n\r\n";
        client.write_all(sent).await.unwrap();
        drop(client);
        let mut buffer = Vec::new();
        let first = read(&mut server, &mut buffer).await.unwrap().unwrap();
        assert_eq!((first.method.as_str(), first.body.as_slice()), ("PUT", b"x=1".as_slice()));
        assert!(first.keeps_connection());
        let second = read(&mut server, &mut buffer).await.unwrap().unwrap();
        assert_eq!(second.target, "/b");
        assert!(!second.keeps_connection());
        assert!(read(&mut server, &mut buffer).await.unwrap().is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        for head in ["", "GET /", "GET / HTTP/2.0", "GET / HTTP/1.1\r\nno colon", "GET / HTTP/1.1\r\nContent-Length: x"]
        {
            assert!(parse_head(head).is_err(), "{head:?}");
        }
    }
}
