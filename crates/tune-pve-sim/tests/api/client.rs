//! A small HTTP client for the tests of the simulator, which shows exactly what was answered.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tune_pve_sim::{Cluster, Control, Running};

/// The token that all tests use unless they need another one.
pub(crate) const TOKEN: &str = "root@pam!adm=11111111-2222-3333-4444-555555555555";

/// Longest time to wait for anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// A cluster over plain HTTP with one machine, `100`, that has a disk of its own.
pub(crate) fn small() -> Cluster {
    Cluster::builder()
        .plain_http()
        .storage("imgs", "images")
        .volume("imgs:100/vm-100-disk-0.raw", 8 << 30)
        .token("root@pam!adm", "11111111-2222-3333-4444-555555555555")
        .vm(
            100,
            "pve1",
            "boot: order=scsi0\ncores: 2\nmemory: 1024\nname: web\nscsi0: imgs:100/vm-100-disk-0.raw,size=8G\n\
             scsihw: virtio-scsi-single\n",
        )
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of `data`.
    pub(crate) fn data(&self) -> Value {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"));
        body["data"].clone()
    }

    /// The errors by parameter.
    pub(crate) fn errors(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()["errors"].clone()
    }
}

/// A client of one running cluster.
pub(crate) struct Client<'a> {
    pub(crate) cluster: &'a Running,
    token: String,
}

impl<'a> Client<'a> {
    pub(crate) fn new(cluster: &'a Running) -> Self {
        Client::with(cluster, TOKEN)
    }

    pub(crate) fn with(cluster: &'a Running, token: &str) -> Self {
        Client { cluster, token: token.to_owned() }
    }

    pub(crate) fn control(&self) -> Control {
        self.cluster.control()
    }

    /// Sends a request; nothing if the connection broke without an answer.
    pub(crate) async fn try_send(&self, method: &str, path: &str, form: &str) -> Option<Answer> {
        let address = self.cluster.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        exchange(&mut stream, method, path, form, &self.token).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, form: &str) -> Answer {
        self.try_send(method, path, form).await.unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub(crate) async fn put(&self, path: &str, form: &str) -> Answer {
        self.send("PUT", path, form).await
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        self.send("POST", path, form).await
    }

    /// Waits until a task has ended, and returns how. A clock that is moved by hand is moved.
    pub(crate) async fn ended(&self, upid: &Value) -> String {
        let upid = upid.as_str().unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let task = self.control().tasks().into_iter().find(|task| task.upid == upid).unwrap();
            if let Some(status) = task.status {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "the task goes on: {task:?}");
            self.control().advance(Duration::from_millis(50));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The keys that wait, with what becomes of them.
    pub(crate) async fn pending(&self, vmid: u32) -> Vec<Value> {
        let rows = self.get(&format!("/nodes/pve1/qemu/{vmid}/pending")).await.data();
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter().filter(|row| row.get("pending").is_some() || row.get("delete").is_some()).collect()
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Sends one request over a connection and reads its answer.
pub(crate) async fn exchange<S>(stream: &mut S, method: &str, path: &str, form: &str, token: &str) -> Option<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let length = if form.is_empty() && method != "POST" && method != "PUT" {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", form.len())
    };
    let request = format!(
        "{method} /api2/json{path} HTTP/1.1\r\nHost: pve\r\nAuthorization: PVEAPIToken={token}\r\n{length}\
         Connection: close\r\n\r\n{form}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A connection that breaks is one of the things that the tests want to see.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer or the end in time");
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut first = head.split("\r\n").next().unwrap().splitn(3, ' ').skip(1);
    let status = first.next().unwrap().parse().unwrap();
    Some(Answer { status, reason: first.next().unwrap_or_default().to_owned(), body: body.to_owned() })
}
