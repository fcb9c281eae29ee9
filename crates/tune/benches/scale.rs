//! What many resources cost: three shapes of configurations over a provider that does nothing, and beside it the same
//! shapes in Terraform with `terraform_data`, where one is installed.
//!
//! `cargo bench -p tune --bench scale` prints one table: CPU seconds (median of the rounds) and peak memory of each
//! command, each in a process of its own, state and durable journal included, printing the plan left out; and CPU per
//! resource, which stays the same where cost grows in step with size. `TUNE_BENCH_SIZES=1000,10000` chooses the sizes,
//! `TUNE_BENCH_SHAPES=wide` the shapes, and `TUNE_BENCH_ROUNDS=3` how often.
//!
//! Terraform takes part once, with what it does within minutes; what takes it longer is quoted, with a `*`.
//! `TUNE_BENCH_TERRAFORM=5000` lets it do everything up to that size instead, and 0 leaves it out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod measure;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs};

use schemars::JsonSchema;
use tune_config::{Inputs, Resolved, Vocabulary};
use tune_core::contract::{
    Batch, Connection, ConnectionError, Connector, Desired, DesiredItem, Impact, Kind, Kinds, Outcome, Pending,
    Question, ReadRequest,
};
use tune_core::item::{ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::plan::{Operation, Request, Rolling, Selection};
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::{Facts, HostReading, ItemReading, Layer, Reading};
use tune_core::resource::{Host, Resource};
use tune_core::schema::{HostReference, KindSchema};
use tune_engine::store::Holder;
use tune_engine::{Conduct, Engine, Limits, LocalStore, Silent, Stop, Store as _, SystemClock};

use crate::measure::{Cost, measure, peak_kib};

/// As in the program, so that it costs what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPES: [&str; 3] = ["wide", "chain", "each"];
const COMMANDS: [&str; 5] = ["validate", "plan", "apply", "plan again", "destroy"];

/// What Terraform is measured with, wherever one is installed: the first commands of a shape of a size.
const MEASURED: [(&str, usize, usize); 4] =
    [("wide", 1_000, 5), ("wide", 10_000, 2), ("chain", 1_000, 2), ("each", 1_000, 5)];

/// What a command costs in Terraform, by shape and size: CPU seconds and MB.
type Known = (&'static str, usize, &'static str, f64, u64);

/// What takes it many minutes, measured once with 1.11.4 on an idle machine with two cores.
const QUOTED: [Known; 2] = [("chain", 1_000, "apply", 162.0, 508), ("chain", 1_000, "destroy", 391.0, 1_843)];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    // `cargo test` starts benchmark programs with this flag only to see that they run.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let Some(position) = arguments.iter().position(|argument| argument == "--one") {
        let folder = Path::new(&arguments[position + 2]);
        one(&arguments[position + 1], folder);
        // A short process is gone before anybody else could look.
        let peak = peak_kib("self").expect("Linux says so of every process");
        fs::write(folder.join("peak"), peak.to_string()).expect("the folder is ours");
        return;
    }
    let list = |name: &str, default: &str| -> Vec<String> {
        let text = env::var(name).unwrap_or_else(|_| default.to_owned());
        text.split(',').map(|entry| entry.trim().to_owned()).collect()
    };
    let number = |text: &String| text.parse::<usize>().expect("sizes and rounds are numbers");
    let sizes: Vec<usize> = list("TUNE_BENCH_SIZES", "1000,10000,50000").iter().map(number).collect();
    let rounds = number(&list("TUNE_BENCH_ROUNDS", "3")[0]);
    let theirs = env::var("TUNE_BENCH_TERRAFORM").ok().map(|size| number(&size));
    println!(
        "{:>6} {:>6} {:<11} {:>9} {:>8} {:>7} {:>12} {:>10} {:>7}",
        "shape", "N", "command", "tune CPU", "each", "peak", "terraform", "peak", "ratio"
    );
    for shape in list("TUNE_BENCH_SHAPES", &SHAPES.join(",")) {
        for size in &sizes {
            let measured = MEASURED.iter().find(|(of, n, _)| (*of, n) == (shape.as_str(), size));
            let n_theirs = match theirs {
                Some(most) if *size <= most => COMMANDS.len(),
                Some(_) => 0,
                None => measured.map_or(0, |(.., n_commands)| *n_commands),
            };
            table(&shape, *size, rounds, n_theirs, if theirs.is_none() { &QUOTED } else { &[] });
        }
    }
    if theirs.is_none() {
        println!(
            "\n* Terraform 1.11.4 on an idle machine with two cores, measured earlier; everything else was measured now"
        );
    }
}

/// Prints the rows of a shape of a size; Terraform takes part in the first `n_theirs` commands.
fn table(shape: &str, size: usize, rounds: usize, n_theirs: usize, known: &[Known]) {
    let ours: Vec<[Cost; COMMANDS.len()]> = (0..rounds).map(|_| round(shape, size)).collect();
    let terraform = (n_theirs > 0).then(|| terraform(shape, size)).flatten();
    for (index, command) in COMMANDS.iter().enumerate() {
        let Cost { cpu, peak_kib } = median(ours.iter().map(|costs| costs[index]).collect());
        #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
        let each = cpu * 1e6 / size as f64;
        let mut line =
            format!("{shape:>6} {size:>6} {command:<11} {cpu:>7.2} s {each:>5.0} µs {:>4} MB", peak_kib / 1024);
        let measured = terraform.as_ref().filter(|_| index < n_theirs);
        let measured = measured.map(|folder| (measure(&mut terraform_command(command, folder.path())).0, ' '));
        let quoted = known.iter().find(|(of, n, by, ..)| (*of, *n, *by) == (shape, size, *command));
        let quoted = quoted.map(|(.., cpu, mb)| (Cost { cpu: *cpu, peak_kib: mb * 1024 }, '*'));
        if let Some((them, mark)) = measured.or(quoted) {
            let ratio = them.cpu / cpu.max(0.01);
            let _ = write!(line, " {:>10.2} s {:>7} MB {ratio:>6.0}x{mark}", them.cpu, them.peak_kib / 1024);
        }
        println!("{}", line.trim_end());
    }
}

/// All commands one after another, on a state of their own.
fn round(shape: &str, size: usize) -> [Cost; COMMANDS.len()] {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("main.tune.hcl"), tune_hcl(shape, size)).expect("the folder is ours");
    let this = env::current_exe().expect("this program has a path");
    COMMANDS.map(|command| {
        let (cost, _) = measure(Command::new(&this).args(["--one", command]).arg(folder.path()));
        let peak = fs::read_to_string(folder.path().join("peak")).expect("it was written before the process ended");
        Cost { peak_kib: peak.parse().expect("it is a number"), ..cost }
    })
}

/// By CPU seconds; the peaks hardly differ.
fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
    costs[costs.len() / 2]
}

fn tune_hcl(shape: &str, size: usize) -> String {
    let mut text = "host \"memory\" {\n  connection = \"local\"\n}\n\n".to_owned();
    if shape == "each" {
        let _ = write!(
            text,
            "resource \"noop\" \"r\" {{\n  for_each = toset([for n in range({size}) : tostring(n)])\n  host     = host.memory\n  value    = each.key\n}}\n"
        );
        return text;
    }
    for number in 0..size {
        let _ = write!(text, "resource \"noop\" \"r{number}\" {{\n  host  = host.memory\n  value = \"v{number}\"\n");
        depends_on(shape, number, "noop", &mut text);
        text.push_str("}\n\n");
    }
    text
}

fn terraform_hcl(shape: &str, size: usize) -> String {
    if shape == "each" {
        return format!(
            "resource \"terraform_data\" \"r\" {{\n  for_each = toset([for n in range({size}) : tostring(n)])\n  input    = each.key\n}}\n"
        );
    }
    let mut text = String::new();
    for number in 0..size {
        let _ = write!(text, "resource \"terraform_data\" \"r{number}\" {{\n  input = \"v{number}\"\n");
        depends_on(shape, number, "terraform_data", &mut text);
        text.push_str("}\n\n");
    }
    text
}

/// In a chain each one depends on the ten before it.
fn depends_on(shape: &str, number: usize, kind: &str, text: &mut String) {
    let before: Vec<String> = (number.saturating_sub(10)..number).map(|other| format!("{kind}.r{other}")).collect();
    if shape == "chain" && !before.is_empty() {
        let _ = writeln!(text, "  depends_on = [{}]", before.join(", "));
    }
}

/// The same in Terraform, initialised; `None` where there is none.
fn terraform(shape: &str, size: usize) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("main.tf"), terraform_hcl(shape, size)).expect("the folder is ours");
    let mut init = Command::new("terraform");
    init.args(["init", "-input=false"]).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    init.status().ok().filter(std::process::ExitStatus::success).map(|_| folder)
}

fn terraform_command(command: &str, folder: &Path) -> Command {
    let mut terraform = Command::new("terraform");
    let arguments: &[&str] = match command {
        "validate" => &["validate"],
        "apply" => &["apply", "-auto-approve", "-input=false"],
        "destroy" => &["destroy", "-auto-approve", "-input=false"],
        _ => &["plan", "-input=false"],
    };
    terraform.args(arguments).current_dir(folder);
    terraform
}

/// One command, as the program would carry it out, in a process of its own.
fn one(command: &str, folder: &Path) {
    let kinds: Kinds =
        BTreeMap::from([("noop", Arc::new(Noop(KindSchema::of::<Attributes>("noop"))) as Arc<dyn Kind>)]);
    let text = fs::read_to_string(folder.join("main.tune.hcl")).expect("it was written before");
    let files = BTreeMap::from([("main.tune.hcl".to_owned(), text)]);
    let vocabulary = Vocabulary { kinds: kinds.values().map(|kind| kind.schema()).collect(), ..Vocabulary::default() };
    let module = tune_config::load(&files, &vocabulary, env!("CARGO_PKG_VERSION"));
    if command == "validate" {
        let configuration = tune_config::check(&module, &Inputs::default()).expect("the shapes have no mistake");
        tune_core::plan::desired(&kinds, &configuration.resources).expect("nor have the resources");
        return;
    }
    let resolved = tune_config::resolve(&module, &Inputs::default(), &BTreeMap::new()).expect("no mistake");
    let Resolved::Ready(configuration) = resolved else { unreachable!("the shapes read no data") };
    let memory = Memory::open(folder.join("memory.json"));
    let engine = Engine::new(Arc::new(memory.clone()), kinds, Arc::new(SystemClock), Limits::default());
    let operation = if command == "destroy" { Operation::Destroy } else { Operation::Apply };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let writes = command == "apply" || command == "destroy";
        let holder = Holder::this_process(command, String::new());
        let mut store =
            writes.then(|| LocalStore::open(folder, &holder, Duration::ZERO).expect("the state can be opened"));
        let (state, runs) = match &store {
            Some(store) => (store.state().clone(), store.runs().to_vec()),
            None => tune_engine::local::read_export(folder)
                .expect("the export can be read")
                .map(|export| (export.state, export.runs))
                .unwrap_or_default(),
        };
        let request = Request {
            operation: &operation,
            kinds: &engine.kinds,
            hosts: &configuration.hosts,
            resources: &configuration.resources,
            state: &state,
            runs: &runs,
            selection: &Selection::default(),
            rolling: Rolling::none(),
        };
        let plan = engine.plan(&request, &Silent).await.expect("nothing is claimed twice");
        assert!(plan.problems.is_empty(), "{:?}", plan.problems);
        assert_eq!(plan.has_work(), command != "plan again");
        if let Some(store) = &mut store {
            let report = engine.run(store, &plan, &Conduct::none(), command, "bench", &Silent, &Stop::default()).await;
            assert!(report.expect("the run ends").is_complete());
            memory.keep();
        }
    });
}

/// A resource that does nothing.
#[derive(serde::Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Attributes {
    /// Where.
    host: HostReference,
    /// What.
    value: String,
}

#[derive(Debug)]
struct Noop(KindSchema);

impl Kind for Noop {
    fn schema(&self) -> &KindSchema {
        &self.0
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let text = |name: &str| resource.attributes[name].as_str().unwrap_or_default().to_owned();
        let item = DesiredItem {
            key: ItemKey(resource.address.to_string()),
            path: AttributePath::attribute("value"),
            want: Raw::Text(text("value")),
        };
        let host = text("host").parse().map_err(|_| Vec::new())?;
        Ok(Desired { host, guest: None, items: vec![item] })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        raw.clone()
    }

    fn impact(&self, _: &Question<'_>) -> Impact {
        Impact::default()
    }
}

/// One host that is a map in a file.
#[derive(Debug, Clone)]
struct Memory {
    path: PathBuf,
    values: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Memory {
    fn open(path: PathBuf) -> Self {
        let text = fs::read(&path).unwrap_or_else(|_| b"{}".to_vec());
        Self { path, values: Arc::new(Mutex::new(serde_json::from_slice(&text).expect("it was written here"))) }
    }

    fn keep(&self) {
        let values = self.values.lock().expect("nobody panics with it");
        fs::write(&self.path, serde_json::to_vec(&*values).expect("strings")).expect("the folder is ours");
    }
}

impl Connector for Memory {
    fn connect(&self, _: &Host) -> Arc<dyn Connection> {
        Arc::new(self.clone())
    }
}

impl Connection for Memory {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        let values = self.values.lock().expect("nobody panics with it");
        let item = |key: &ItemKey| {
            let raw = values.get(&key.0).map_or(Raw::Absent, |value| Raw::Text(value.clone()));
            let layer = Layer::default;
            ItemReading { raw, running: layer(), configured: layer(), next_start: layer(), writable: true }
        };
        let readings = request.lookups.iter().map(|lookup| Reading {
            items: lookup.keys.iter().map(|key| (key.clone(), Ok(item(key)))).collect(),
            ..Reading::default()
        });
        let facts = Facts { machine_id: Some("memory".to_owned()), ledgers: Some(Vec::new()), ..Facts::default() };
        let reading = HostReading { facts, readings: readings.collect() };
        Box::pin(async { Ok(reading) })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        let mut values = self.values.lock().expect("nobody panics with it");
        for item in &batch.items {
            match &item.change.after {
                Raw::Text(text) => values.insert(item.key.0.clone(), text.clone()),
                _ => values.remove(&item.key.0),
            };
        }
        let outcomes = batch.items.iter().map(|_| Outcome::Done).collect();
        Box::pin(async { Ok(outcomes) })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}
