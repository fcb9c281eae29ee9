//! What listens on a guest while K3s runs there: the API server, for the stand-in of `kubectl`, and the metrics of etcd.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tune_testkit::lab::Host;

use super::k3s::K3s;
use super::{Clock, lock};

/// The port of the API server.
const API: u16 = 6443;
/// The port of etcd's metrics.
const METRICS: u16 = 2381;

/// What stands in for the programs of one guest. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Servers {
    _tasks: JoinSet<()>,
}

/// What the answers come from.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) server: String,
    pub(super) k3s: Arc<Mutex<K3s>>,
    pub(super) clock: Clock,
}

/// Listens on a guest that is on, from within the runtime.
pub(super) fn serve(host: &Host, answers: &Answers) -> io::Result<Servers> {
    let mut tasks = JoinSet::new();
    for port in [API, METRICS] {
        let listener = host.listen(port)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let answers = answers.clone();
        tasks.spawn(async move {
            let mut conversations = JoinSet::new();
            // A connection that broke before it was taken is no reason to stop.
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    let answers = answers.clone();
                    conversations.spawn(async move {
                        // Whoever hangs up in the middle does not want the rest.
                        let _ =
                            if port == API { kubectl(stream, &answers).await } else { etcd(stream, &answers).await };
                    });
                }
                while conversations.try_join_next().is_some() {}
            }
        });
    }
    Ok(Servers { _tasks: tasks })
}

/// Takes one line with the words of a command, and answers with a line that holds its status, and what it says.
async fn kubectl(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(&mut stream).read_line(&mut line).await?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let said = lock(&answers.k3s).kubectl(&answers.server, &words, answers.clock.now());
    stream.write_all(format!("{}\n{}", said.status, said.text).as_bytes()).await
}

/// Answers requests of HTTP until the other side hangs up.
async fn etcd(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    while let Some(request) = lines.next_line().await? {
        while lines.next_line().await?.is_some_and(|header| !header.is_empty()) {}
        let now = answers.clock.now();
        let (status, body) = {
            let mut k3s = answers.k3s.lock().unwrap_or_else(PoisonError::into_inner);
            match request.split_whitespace().nth(1) {
                Some("/metrics") => (200, k3s.metrics(&answers.server, now).unwrap_or_default()),
                Some("/health") => {
                    let health = k3s.health(&answers.server, now).unwrap_or((503, ""));
                    (health.0, health.1.to_owned())
                }
                _ => (404, "404 page not found\n".to_owned()),
            }
        };
        let reason = if status == 200 { "OK" } else { "Not OK" };
        let head = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\n\r\n", body.len());
        writing.write_all((head + &body).as_bytes()).await?;
    }
    Ok(())
}
