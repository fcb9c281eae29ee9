//! Real etcd processes on the loopback, killed by their handles.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tune_core::Value;

/// How long anything may take before a test gives up; much longer than it takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Returns whether etcd is installed; says aloud that the test is skipped where it is not, unless it is required.
pub(crate) fn is_installed(test: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = |program: &str| env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let found = ["etcd", "etcdctl", "setpriv"].into_iter().all(on_path);
    if !found {
        let required = env::var("TUNE_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|tier| tier == "etcd"), "etcd is required and not installed");
        // Written past the capture of the test harness.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: etcd is not installed");
        if let Some(file) = env::var_os("TUNE_SKIPS") {
            let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
            writeln!(file, "{test}: etcd is not installed").unwrap();
        }
    }
    found
}

/// The ports of one member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) client: u16,
    peer: u16,
    pub(crate) metrics: u16,
}

/// A cluster. Everything ends and vanishes with it.
pub(crate) struct Cluster {
    /// The configuration's folder; holds the certificates.
    pub(crate) folder: TempDir,
    is_encrypted: bool,
    ports: Vec<Ports>,
    running: Vec<Option<Child>>,
    extra: Vec<String>,
}

impl Cluster {
    /// Starts the members `m0`, `m1` …
    pub(crate) fn start(count: usize, is_encrypted: bool, extra: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_encrypted {
            certificates(&folder);
        }
        let ports =
            (0..count).map(|_| Ports { client: free_port(), peer: free_port(), metrics: free_port() }).collect();
        let extra = extra.iter().map(|word| (*word).to_owned()).collect();
        let mut cluster = Self { folder, is_encrypted, ports, running: (0..count).map(|_| None).collect(), extra };
        for at in 0..count {
            cluster.run(at, "new");
        }
        cluster
    }

    /// Returns the ports of a member.
    pub(crate) fn ports(&self, at: usize) -> Ports {
        self.ports[at]
    }

    /// Returns the client URLs of all members, or their URLs for metrics.
    pub(crate) fn endpoints(&self) -> Value {
        Value::List((0..self.ports.len()).map(|at| Value::String(self.client_url(at))).collect())
    }

    /// Starts a member that was killed, with what it had.
    pub(crate) fn run(&mut self, at: usize, state: &str) {
        let scheme = self.scheme();
        let peers: Vec<String> = (0..self.ports.len()).map(|at| format!("m{at}={}", self.peer_url(at))).collect();
        let log = File::create(self.path(&format!("m{at}.log"))).unwrap();
        let path = |name: &str| self.path(name).display().to_string();
        // The member ends with this process, even when that is killed.
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "KILL",
            "etcd",
            "--name",
            &format!("m{at}"),
            "--data-dir",
            &path(&format!("m{at}")),
        ]);
        let own = format!("{scheme}://127.0.0.1:{}", self.ports[at].client);
        command.args(["--listen-client-urls", &own, "--advertise-client-urls", &own]);
        command.args(["--listen-peer-urls", &self.peer_url(at), "--initial-advertise-peer-urls", &self.peer_url(at)]);
        command.args(["--listen-metrics-urls", &format!("http://127.0.0.1:{}", self.ports[at].metrics)]);
        command.args(["--initial-cluster", &peers.join(","), "--initial-cluster-state", state]);
        // A loaded machine must not cause elections.
        command.args(["--heartbeat-interval", "500", "--election-timeout", "5000"]).args(&self.extra);
        if self.is_encrypted {
            command.args(["--cert-file", &path("server.pem"), "--key-file", &path("server.key")]);
            command.args(["--client-cert-auth", "--trusted-ca-file", &path("ca.pem")]);
        }
        command.env("ETCD_UNSUPPORTED_ARCH", env::consts::ARCH).stdin(Stdio::null());
        self.running[at] = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Kills a member as a power cut would.
    pub(crate) fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.running[at].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops a member where it is, so that it falls behind: its port stays open and nothing answers.
    pub(crate) fn signal(&self, at: usize, signal: &str) {
        let pid = self.running[at].as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Adds a learner that the cluster knows, and starts it.
    pub(crate) async fn add_learner(&mut self) -> usize {
        let at = self.ports.len();
        self.ports.push(Ports { client: free_port(), peer: free_port(), metrics: free_port() });
        self.running.push(None);
        let url = self.peer_url(at);
        // Refused until the members have been connected for five seconds.
        self.until("a learner is taken in", |cluster| {
            cluster.ctl(&["member", "add", &format!("m{at}"), "--learner", "--peer-urls", &url])
        })
        .await;
        self.run(at, "existing");
        at
    }

    /// Runs etcdctl and returns whether it succeeded.
    pub(crate) fn ctl(&self, words: &[&str]) -> bool {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.client_url(0)]).args(words);
        if self.is_encrypted {
            let path = |name: &str| self.path(name);
            command.arg("--cacert").arg(path("ca.pem")).arg("--cert").arg(path("client.pem"));
            command.arg("--key").arg(path("client.key"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, test: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !test(self) {
            assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The last words of every member, for a test that fails.
    pub(crate) fn logs(&self) -> String {
        let log = |at: usize| fs::read_to_string(self.path(&format!("m{at}.log"))).unwrap_or_default();
        let last = |text: String| text.lines().rev().take(5).collect::<Vec<_>>().join("\n");
        (0..self.ports.len()).map(|at| format!("m{at}: {}", last(log(at)))).collect::<Vec<_>>().join("\n")
    }

    fn scheme(&self) -> &'static str {
        if self.is_encrypted { "https" } else { "http" }
    }

    pub(crate) fn client_url(&self, at: usize) -> String {
        format!("{}://127.0.0.1:{}", self.scheme(), self.ports[at].client)
    }

    fn peer_url(&self, at: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[at].peer)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for at in 0..self.running.len() {
            self.kill(at);
        }
    }
}

/// Returns a port below those that the system gives to outgoing connections, so that it stays free until it is used; each
/// test process begins elsewhere.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 600).unwrap() * 20;
    for _ in 0..12_000 {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// Writes an issuer, a certificate for the members and one for clients; and a second issuer that nobody trusts.
fn certificates(folder: &TempDir) {
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    let issuer = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        write(name, params.self_signed(&key).unwrap().pem());
        Issuer::new(params, key)
    };
    let (ours, other) = (issuer("ca.pem"), issuer("other-ca.pem"));
    let names = || vec!["127.0.0.1".to_owned(), "etcd.test".to_owned()];
    for (name, issuer, names) in
        [("server", &ours, names()), ("client", &ours, vec!["tune".to_owned()]), ("stranger", &other, names())]
    {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, issuer).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}
