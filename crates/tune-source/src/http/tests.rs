//! Real sockets on the loopback, with servers that answer badly.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

use super::*;
use crate::codes::TIMEOUT;
use crate::within;

/// Serves one connection: reads a request, then writes each piece. Gives the place.
async fn serves(pieces: Vec<Vec<u8>>, stays: bool) -> Place {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        for piece in pieces {
            if stream.write_all(&piece).await.is_err() {
                return;
            }
        }
        if stays {
            std::future::pending::<()>().await;
        }
    });
    Place { host: "127.0.0.1".to_owned(), port }
}

fn get(limit: usize) -> Ask<'static> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    Ask { method: Method::GET, path: "/", headers: &NONE, body: b"", limit }
}

async fn asks(place: &Place, limit: usize) -> Result<Reply, Unreadable> {
    Link::open(place, None).await?.ask(get(limit)).await
}

#[tokio::test]
async fn answers_come_with_status_headers_and_body() {
    let place = serves(vec![b"HTTP/1.1 503 No\r\nA: 1\r\na: 2\r\nContent-Length: 2\r\n\r\nhi".to_vec()], true).await;
    let reply = asks(&place, 100).await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice(), reply.truncated), (503, b"hi".as_slice(), false));
    assert_eq!(reply.headers["a"], "1, 2");
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let mut pieces = vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()];
    pieces.extend(std::iter::repeat_n(vec![b'x'; 1 << 20], 100));
    let reply = asks(&serves(pieces, true).await, 1000).await.unwrap();
    assert_eq!((reply.body.len(), reply.truncated), (1000, true));
}

#[tokio::test]
async fn bad_answers_have_their_own_codes() {
    let code = async |pieces: &[&str]| {
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        asks(&serves(pieces, false).await, 1000).await.unwrap_err().code
    };
    assert_eq!(code(&["SSH-2.0-OpenSSH_9.2p1\r\n\r\n"]).await, NOT_HTTP);
    assert_eq!(code(&["\u{1}\u{2}\u{3}garbage\r\n\r\n"]).await, NOT_HTTP);
    assert_eq!(code(&["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"]).await, BROKEN_OFF);
    assert_eq!(code(&["HTTP/1.1 200 OK\r\nConte"]).await, BROKEN_OFF);
    assert_eq!(code(&[]).await, BROKEN_OFF);
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(2 << 20));
    assert_eq!(code(&[&endless]).await, NOT_HTTP);
}

#[tokio::test]
async fn silence_ends_with_the_time_and_a_closed_port_at_once() {
    let silent = serves(Vec::new(), true).await;
    let error = within(Duration::from_millis(50), "`it`", asks(&silent, 10)).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (TIMEOUT, "`it` did not answer within 50ms"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = asks(&Place { host: "127.0.0.1".to_owned(), port }, 10).await.unwrap_err();
    assert_eq!((error.code, error.message), (CONNECT, format!("`127.0.0.1:{port}` refuses connections")));
}

#[tokio::test]
async fn a_door_is_a_unix_socket_or_an_address() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("s").display().to_string();
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let count = stream.read(&mut request).await.unwrap();
        assert!(String::from_utf8_lossy(&request[..count]).contains("host: 127.0.0.1:2379"));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    let to = Place { host: "127.0.0.1".to_owned(), port: 2379 };
    let mut link = Link::through(&DoorAddress::Unix(path), &to, None, "`etcd`".to_owned()).await.unwrap();
    assert_eq!(link.ask(get(10)).await.unwrap().status, 200);
    let nowhere = DoorAddress::Unix(place.path().join("none").display().to_string());
    let error = Link::through(&nowhere, &to, None, "`etcd`".to_owned()).await.unwrap_err();
    assert_eq!(error.code, CONNECT);
}

#[tokio::test]
async fn a_link_that_failed_keeps_failing() {
    let place = serves(Vec::new(), false).await;
    let mut link = Link::open(&place, None).await.unwrap();
    for _ in 0..3 {
        assert_eq!(link.ask(get(10)).await.unwrap_err().code, BROKEN_OFF);
    }
}
