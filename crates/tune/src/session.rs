//! What every command that looks at hosts shares: the engine, the reading, and what is said while it lasts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tune_core::Address;
use tune_core::contract::Connector;
use tune_core::plan::{Operation, Plan, Request, Rolling, Selection};
use tune_core::resource::Host;
use tune_core::rollout::Query;
use tune_core::source::Sources;
use tune_core::state::{RunRecord, State};
use tune_engine::look::Looked;
use tune_engine::store::Holder;
use tune_engine::store::local::Export;
use tune_engine::{Clock as _, Engine, Limits, LocalStore, Recorder, SystemClock, Watch};
use tune_remote::{Options, SshConnector};

use crate::args::{Global, SelectionOptions};
use crate::exit::{Exit, Failure};
use crate::kinds;
use crate::project::Project;
use crate::render::diagnostic::{self, Notice};
use crate::router::Router;
use crate::signals::Signals;
use crate::terminal;

/// The ssh configuration for hosts that name none.
const SSH_CONFIG: &str = "TUNE_SSH_CONFIG";
/// How long closing connections may take; nothing depends on it any more.
const CLOSING: Duration = Duration::from_secs(5);

/// Runs something that waits, on one thread: hosts are waited for side by side, and there is little to compute.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A question that nobody answered any more must not be waited for.
    runtime.shutdown_background();
    result
}

/// What a command that looks at hosts works with.
#[derive(Debug)]
pub(crate) struct Session {
    /// Plans and runs.
    pub(crate) engine: Engine,
    /// Learns of providers when the configuration is read.
    pub(crate) router: Arc<Router>,
    /// Keeps what is read, where a recording is wanted.
    pub(crate) recorder: Option<Arc<Recorder>>,
}

/// Returns a session; it opens nothing yet.
pub(crate) fn begin(global: &Global) -> Session {
    begin_with(global, false)
}

/// The same; with `record`, everything that is read is kept.
pub(crate) fn begin_with(global: &Global, record: bool) -> Session {
    let mut options = Options::new(runtime_dir(), by());
    options.ssh_config = std::env::var_os(SSH_CONFIG).filter(|path| !path.is_empty()).map(absolute);
    let router = Arc::new(Router::new(SshConnector::new(kinds::on_hosts(), options)));
    let limits = Limits { parallelism: global.parallelism, ..Limits::default() };
    let mut connector = Arc::clone(&router) as Arc<dyn Connector>;
    let recorder = record.then(|| Arc::new(Recorder::new(Arc::clone(&connector))));
    if let Some(recorder) = &recorder {
        connector = Arc::clone(recorder) as Arc<dyn Connector>;
    }
    Session { engine: Engine::new(connector, kinds::all(), Arc::new(SystemClock), limits), router, recorder }
}

/// Returns who runs this: `user@machine`.
pub(crate) fn by() -> String {
    Holder::this_process("", String::new()).by()
}

/// Opens the state and holds its lock; says what had to be mended.
pub(crate) fn open_store(path: &Path, command: &str, global: &Global) -> Result<LocalStore, Failure> {
    let holder = Holder::this_process(command, SystemClock.now());
    let store = LocalStore::open(path, &holder, global.lock_timeout)?;
    let warnings: Vec<Notice> = store.warnings().iter().map(|text| Notice::warning(text.as_str())).collect();
    terminal::complain(&diagnostic::text(&warnings, terminal::width()));
    Ok(store)
}

/// Returns the last export; an empty one if there is no state yet. Creates nothing and takes no lock.
pub(crate) fn read_export(path: &Path) -> Result<Export, Failure> {
    let empty = || Export { state: State::default(), runs: Vec::new(), open_run: None };
    Ok(tune_engine::local::read_export(path)?.unwrap_or_else(empty))
}

/// Returns what the options select.
pub(crate) fn selection(options: &SelectionOptions) -> Selection {
    Selection {
        target: options.target.clone(),
        exclude: options.exclude.clone(),
        skip_gates: options.skip_gate.iter().cloned().collect(),
        allow_self: options.allow_self,
        ..Selection::default()
    }
}

/// Reads the hosts and returns the plan. It may still hold problems that forbid an apply.
///
/// Nothing is written anywhere, so Ctrl-C simply ends it.
pub(crate) async fn plan(
    engine: &Engine,
    project: &Project,
    (operation, selection): (&Operation, &Selection),
    (state, runs): (&State, &[RunRecord]),
    watch: &dyn Watch,
) -> Result<Plan, Failure> {
    let controller = boot_id();
    let request = request(project, (operation, selection), (state, runs), controller.as_deref());
    let mut signals = Signals::listen()?;
    let planned = tokio::select! {
        planned = engine.plan(&request, watch) => planned,
        () = signals.next() => {
            close(engine).await;
            return Err(Failure::new(Notice::error("interrupted; nothing was changed")));
        }
    };
    planned.map_err(|mistakes| Failure {
        exit: Exit::Error,
        notices: diagnostic::of_mistakes(&mistakes, &project.configuration),
    })
}

/// Returns what is planned. `controller` is the boot id of the machine that runs `tune`.
pub(crate) fn request<'a>(
    project: &'a Project,
    (operation, selection): (&'a Operation, &'a Selection),
    (state, runs): (&'a State, &'a [RunRecord]),
    controller: Option<&'a str>,
) -> Request<'a> {
    Request {
        rolling: Rolling {
            rollouts: &project.configuration.rollouts,
            checks: &project.configuration.checks,
            sources: &project.sources,
            controller,
        },
        operation,
        kinds: &project.kinds,
        hosts: &project.configuration.hosts,
        resources: &project.configuration.resources,
        state,
        runs,
        selection,
    }
}

/// Asks what `data` blocks ask. Ctrl-C simply ends it.
pub(crate) async fn look(
    engine: &Engine,
    sources: &Sources,
    queries: &[Query],
    hosts: &BTreeMap<Address, Host>,
    watch: &dyn Watch,
) -> Result<Looked, Failure> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        looked = engine.look(sources, queries, hosts, watch) => Ok(looked),
        () = signals.next() => {
            close(engine).await;
            Err(Failure::new(Notice::error("interrupted; nothing was changed")))
        }
    }
}

/// Returns the kernel's id of this machine's boot, by which it is recognised among the hosts.
pub(crate) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Closes every connection.
pub(crate) async fn close(engine: &Engine) {
    // A connection that cannot be closed in time ends with the process.
    let _ = tokio::time::timeout(CLOSING, engine.close()).await;
}

/// A short folder for sockets: a socket's whole path has at most 108 bytes.
fn runtime_dir() -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    folder.filter(|folder| folder.is_dir() && folder.as_os_str().len() < 40).unwrap_or_else(|| PathBuf::from("/tmp"))
}

fn absolute(path: std::ffi::OsString) -> PathBuf {
    std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path))
}
