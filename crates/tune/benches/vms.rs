//! What planning many virtual machines costs, where each request to their cluster takes 20 ms.
//!
//! `cargo bench -p tune --bench vms` serves the simulated cluster over TLS from a process of its own, plans all its machines
//! with the real program, and prints one table. *Needed* is the time that the requests take with 32 of them in flight all
//! the time; *wall* is that of the fastest round, since whatever else the machine does only adds to it, and CPU and peak
//! memory are those of `tune` in the same round. `TUNE_BENCH_VMS=100,1000` and `TUNE_BENCH_ROUNDS` change the sizes.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod measure;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs, io};

use tune_pve_sim::Cluster;

use crate::measure::{Cost, measure};

const TOKEN: &str = "tune@pve!bench";
const SECRET: &str = "0f1e2d3c-0000-4000-8000-000000000000";
const LATENCY: Duration = Duration::from_millis(20);
/// As many as the provider has under way at most.
const IN_FLIGHT: u32 = 32;
const FIRST: u32 = 1000;
const NODES: [&str; 3] = ["pve1", "pve2", "pve3"];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    // `cargo test` starts benchmark programs with this flag only to see that they run.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let Some(position) = arguments.iter().position(|argument| argument == "--serve") {
        let machines = arguments[position + 2].parse().expect("it is a number");
        serve(Path::new(&arguments[position + 1]), machines);
        return;
    }
    let text = env::var("TUNE_BENCH_VMS").unwrap_or_else(|_| "100,1000,4000".to_owned());
    let sizes: Vec<u32> = text.split(',').map(|size| size.trim().parse().expect("sizes are numbers")).collect();
    let rounds = env::var("TUNE_BENCH_ROUNDS").map_or(5, |text| text.parse().expect("rounds are a number"));
    println!(
        "{:>6} {:>9} {:>9} {:>9} {:>6} {:>9} {:>9} {:>7}",
        "N", "requests", "needed", "wall", "ratio", "median", "CPU", "peak"
    );
    for size in sizes {
        row(size, rounds);
    }
}

fn row(machines: u32, rounds: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Server::start(folder.path(), machines);
    fs::write(folder.path().join("fleet.tune.hcl"), configuration(&server.url, machines)).expect("the folder is ours");
    let mut rounds: Vec<(Duration, Cost, u32)> = (0..rounds)
        .map(|_| {
            let (cost, wall) = plan(folder.path());
            (wall, cost, server.requests())
        })
        .collect();
    rounds.sort_by_key(|(wall, ..)| *wall);
    let ((wall, cost, requests), (median, ..)) = (rounds[0], rounds[rounds.len() / 2]);
    let [wall, median] = [wall, median].map(|time| time.as_secs_f64());
    let needed = (LATENCY * requests / IN_FLIGHT).as_secs_f64();
    println!(
        "{machines:>6} {requests:>9} {needed:>7.2} s {wall:>7.2} s {:>6.2} {median:>7.2} s {:>7.2} s {:>4} MB",
        wall / needed,
        cost.cpu,
        cost.peak_kib / 1024,
    );
}

/// Every machine has a disk whose cache is to be another one, as in the runbook.
fn configuration(url: &str, machines: u32) -> String {
    let end = FIRST + machines;
    format!(
        r#"provider "proxmox" {{
  endpoint  = "{url}"
  api_token = "{TOKEN}={SECRET}"
  ca_file   = "ca.pem"
}}

resource "proxmox_vm" "fleet" {{
  for_each = toset([for vmid in range({FIRST}, {end}) : tostring(vmid)])
  vmid     = tonumber(each.key)
  disk "scsi0" {{
    cache    = "writeback"
    iothread = true
  }}
}}
"#
    )
}

/// Plans once, and says what that took. The server goes on meanwhile, so what it took is not in it.
fn plan(folder: &Path) -> (Cost, Duration) {
    let mut tune = Command::new(env!("CARGO_BIN_EXE_tune"));
    measure(tune.arg(format!("-chdir={}", folder.display())).args(["plan", "-json"]))
}

/// The cluster, in a process of its own: its memory and its CPU are not those of `tune`.
struct Server {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    url: String,
}

impl Server {
    fn start(folder: &Path, machines: u32) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .arg("--serve")
            .arg(folder)
            .arg(machines.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut server = Self { child, questions, answers, url: String::new() };
        server.url = server.line();
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the server answers");
        line.trim_end().to_owned()
    }

    /// Returns how many requests there were since this was asked last.
    fn requests(&mut self) -> u32 {
        writeln!(self.questions.as_mut().expect("it is piped")).expect("the server listens");
        self.line().parse().expect("it is a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server goes when nobody can ask it any more.
        self.questions = None;
        let _ = self.child.wait();
    }
}

/// Serves until the standard input ends; each line of it is answered with the number of requests since the last one.
fn serve(folder: &Path, machines: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let mut cluster = Cluster::builder().latency(LATENCY).storage("imgs", "images").token(TOKEN, SECRET).grant(
        "/",
        "tune@pve",
        "Administrator",
    );
    for (vmid, node) in (FIRST..FIRST + machines).zip(NODES.iter().cycle()) {
        let disk = format!("imgs:{vmid}/vm-{vmid}-disk-0.raw");
        let options = format!(
            "agent: 1\nboot: order=scsi0\ncores: 2\nmemory: 2048\nname: guest{vmid}\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\n\
             onboot: 1\nostype: l26\nscsi0: {disk},size=32G\nscsihw: virtio-scsi-single\n"
        );
        cluster = cluster.volume(&disk, 32 << 30).vm(vmid, node, &options).running(vmid);
    }
    let running = runtime.block_on(cluster.start()).expect("a cluster can be started");
    fs::write(folder.join("ca.pem"), running.ca_pem().expect("it serves TLS")).expect("the folder is ours");
    println!("{}", running.url());
    for _ in io::stdin().lines() {
        println!("{}", running.control().requests().len());
        running.control().forget_requests();
    }
}
