//! A host of the test's own: a directory that scripts take for its root, with plain files for the values of the kernel.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tune_core::activation::Activation;
use tune_core::address::Address;
use tune_core::contract::*;
use tune_core::item::{Change, FileState, ItemKey, Raw};
use tune_core::ledger::{Ledger, LedgerEntry};
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::{HostReading, ItemReading, Layer, Unreadable};
use tune_core::resource::{Become, Host, Resource, Transport};
use tune_core::schema::KindSchema;
use tune_core::source;
use tune_remote::{Evidence, Found, HostKind, HostKinds, Options, SshConnector, Target, TestGround};

pub(crate) const LINEAGE: &str = "3f1c-test";

/// A kind without opinions. Its keys say where an item is: `value:/path`, `either:/one:/other`, `file:/path`,
/// `reported:/path:/table:field`.
#[derive(Debug)]
pub(crate) struct Plain;

impl Kind for Plain {
    fn schema(&self) -> &KindSchema {
        static SCHEMA: OnceLock<KindSchema> = OnceLock::new();
        SCHEMA.get_or_init(|| KindSchema {
            provider: None,
            kind: "plain",
            doc: String::new(),
            attributes: BTreeMap::new(),
            json: serde_json::Value::Null,
        })
    }
    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }
    fn desired(&self, _: &Resource) -> Result<Desired, Vec<Problem>> {
        Ok(Desired { host: Address::new("host", "test"), guest: None, items: Vec::new() })
    }
    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        raw.clone()
    }
    fn impact(&self, _: &Question<'_>) -> Impact {
        Impact::default()
    }
}

impl HostKind for Plain {
    fn target(&self, key: &ItemKey) -> Option<Target> {
        let (word, path) = key.0.split_once(':')?;
        match word {
            "value" => Some(Target::Value { path: path.to_owned() }),
            "file" => Some(Target::File { path: path.to_owned() }),
            "reported" => {
                let (path, rest) = path.split_once(':')?;
                let (table, field) = rest.split_once(':')?;
                Some(Target::Reported { path: path.to_owned(), table: table.to_owned(), field: field.to_owned() })
            }
            "either" => {
                let (one, other) = path.split_once(':')?;
                Some(Target::Either {
                    first: ("one".to_owned(), one.to_owned()),
                    second: ("other".to_owned(), other.to_owned()),
                })
            }
            _ => None,
        }
    }
    fn evidence(&self) -> &'static [&'static str] {
        &["/etc/sysctl.d/*.conf", "/closed/*.conf"]
    }
    fn times(&self) -> &'static [&'static str] {
        &["/boot/*", "/etc/sysctl.d", "/none/*"]
    }
    fn beside(&self, key: &ItemKey) -> Vec<String> {
        key.0.strip_prefix("value:").map(|path| vec![format!("{path}.beside"), "/../x".to_owned()]).unwrap_or_default()
    }
    fn layers(&self, _: &ItemKey, found: &Found, _: &Evidence) -> Result<ItemReading, Unreadable> {
        Ok(ItemReading {
            raw: found.raw.clone(),
            running: Layer { value: found.mode.map(|mode| format!("{mode:o}")), source: None },
            configured: Layer::default(),
            next_start: Layer::default(),
            writable: found.writable,
        })
    }
}

/// Shells that hosts have as `sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Dash,
    Bash,
    /// With the tools of busybox and no others, and therefore without `flock`.
    Busybox,
}

impl Shell {
    /// Every shell that this machine has; says aloud which it lacks.
    pub(crate) fn all() -> Vec<Self> {
        let (here, lacking): (Vec<_>, Vec<_>) =
            [Self::Dash, Self::Bash, Self::Busybox].into_iter().partition(|shell| shell.exists());
        for shell in lacking {
            eprintln!("skipped: this machine has no {shell:?}");
        }
        here
    }

    fn exists(self) -> bool {
        Command::new(&self.words()[0]).args(&self.words()[1..]).args(["-c", ":"]).output().is_ok()
    }

    pub(crate) fn words(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Dash => &["dash"],
            Self::Bash => &["bash", "--posix"],
            Self::Busybox => &["busybox", "sh"],
        };
        words.iter().map(|&word| word.to_owned()).collect()
    }

    /// A directory with the tools of busybox only.
    fn tools(self) -> Option<String> {
        static APPLETS: OnceLock<TempDir> = OnceLock::new();
        (self == Self::Busybox).then(|| {
            let directory = APPLETS.get_or_init(|| {
                let directory = tempfile::tempdir().unwrap();
                let busybox = which("busybox");
                let list = Command::new(&busybox).arg("--list").output().unwrap();
                for applet in String::from_utf8(list.stdout).unwrap().lines() {
                    let _ = symlink(&busybox, directory.path().join(applet));
                }
                directory
            });
            directory.path().to_str().unwrap().to_owned()
        })
    }
}

fn which(tool: &str) -> PathBuf {
    std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|path| path.join(tool))
        .find(|path| path.exists())
        .unwrap()
}

/// The host.
pub(crate) struct Ground {
    pub(crate) root: TempDir,
    pub(crate) shell: Shell,
    /// The only directories where its scripts look for tools.
    tools: Option<String>,
    runtime: tokio::runtime::Runtime,
    connection: Arc<dyn Connection>,
}

impl Ground {
    pub(crate) fn new(shell: Shell) -> Self {
        Self::with(shell, |_| {})
    }

    pub(crate) fn with(shell: Shell, change: impl FnOnce(&mut Options)) -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc/sysctl.d", "proc/sys/kernel/random", "proc/sys/vm", "run", "var/lib"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let ground = Self::at(root, shell, change);
        ground.write("/proc/sys/kernel/hostname", "pve\n");
        ground.write("/proc/sys/vm/swappiness", "60\n");
        ground
    }

    fn at(root: TempDir, shell: Shell, change: impl FnOnce(&mut Options)) -> Self {
        let mut tools = None;
        let connection = connection(root.path(), shell, |options| {
            change(options);
            tools.clone_from(&options.ground.as_ref().unwrap().tools);
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { root, shell, tools, runtime, connection }
    }

    /// Another connection to the same host.
    fn beside(&self, change: impl FnOnce(&mut Options)) -> Arc<dyn Connection> {
        connection(self.root.path(), self.shell, |options| {
            options.ground.as_mut().unwrap().tools.clone_from(&self.tools);
            change(options);
        })
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(path), content).unwrap();
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Puts a file there, and the directory that it stands in.
    pub(crate) fn put_file(&self, path: &str, file: &FileState) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), &file.content).unwrap();
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(file.mode)).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(crate) fn request(&self, request: &ReadRequest) -> Result<HostReading, ConnectionError> {
        self.runtime.block_on(self.connection.read(request))
    }

    pub(crate) fn read(&self, keys: &[&str]) -> HostReading {
        self.request(&lookups(keys, None)).unwrap()
    }

    /// The restorable form of one item.
    pub(crate) fn raw(&self, key: &str) -> Raw {
        self.item(key).unwrap().raw
    }

    pub(crate) fn item(&self, key: &str) -> Result<ItemReading, Unreadable> {
        self.read(&[key]).readings.remove(0).items.remove(&ItemKey::from(key)).unwrap()
    }

    pub(crate) fn fence(&self, run: u64, sequence: u64) -> Result<HostReading, ConnectionError> {
        self.fence_and_read(run, sequence, &[])
    }

    pub(crate) fn fence_and_read(
        &self,
        run: u64,
        sequence: u64,
        keys: &[&str],
    ) -> Result<HostReading, ConnectionError> {
        let fence =
            Fence { lineage: LINEAGE.to_owned(), epoch: Epoch { run, sequence }, patience: Duration::from_secs(10) };
        self.request(&lookups(keys, Some(fence)))
    }

    pub(crate) fn apply(&self, batch: &Batch) -> Result<Vec<Outcome>, ConnectionError> {
        self.runtime.block_on(self.connection.apply(batch))
    }

    pub(crate) fn sight(&self, activation: &Activation) -> Result<Sight, ConnectionError> {
        self.runtime.block_on(self.connection.sight(activation))
    }

    pub(crate) fn activate(&self, order: &Order) -> Result<(), ConnectionError> {
        self.runtime.block_on(self.connection.activate(order))
    }

    pub(crate) fn command(&self, command: &source::Command) -> Result<source::CommandOutput, ConnectionError> {
        self.runtime.block_on(self.connection.command(command))
    }

    pub(crate) fn door(&self, to: &str) -> Result<source::Door, ConnectionError> {
        self.runtime.block_on(self.connection.door(to))
    }

    pub(crate) fn confirm(&self, batch: &Batch) -> Result<(), ConnectionError> {
        self.runtime.block_on(self.connection.confirm(batch))
    }

    /// Runs `undo.sh` as a person on the host would, with nothing in the environment.
    pub(crate) fn undo(&self, arguments: &[&str]) -> Output {
        let script = self.path(&format!("/var/lib/tune/{LINEAGE}/undo.sh"));
        let words = self.shell.words();
        Command::new(which(&words[0])).args(&words[1..]).arg(script).args(arguments).env_clear().output().unwrap()
    }

    /// Everything on the host but `/run`, which a reboot empties: path, mode, owner, content.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        walk(self.root.path(), self.root.path(), &mut all);
        all
    }
}

fn connection(root: &Path, shell: Shell, change: impl FnOnce(&mut Options)) -> Arc<dyn Connection> {
    connect(root, shell, Transport::Local, Become::No, change)
}

pub(crate) fn connect(
    root: &Path,
    shell: Shell,
    transport: Transport,
    become_: Become,
    change: impl FnOnce(&mut Options),
) -> Arc<dyn Connection> {
    let mut options = Options::new(std::env::temp_dir(), "ada@desk");
    options.lock_patience = Duration::from_secs(1);
    options.ground = Some(TestGround { root: root.to_owned(), tools: shell.tools(), shell: Some(shell.words()) });
    change(&mut options);
    let kinds: HostKinds = BTreeMap::from([("plain", Arc::new(Plain) as Arc<dyn HostKind>)]);
    let host = Host { name: "test".to_owned(), address: Address::new("host", "test"), transport, become_ };
    SshConnector::new(kinds, options).connect(&host)
}

/// The script of a batch, caught on its way, so that it can be sent late, in part, or be killed.
pub(crate) struct Recorder {
    caught: TempDir,
    words: Vec<String>,
}

impl Recorder {
    pub(crate) fn new(ground: &Ground, batch: &Batch) -> Self {
        Self::catch(ground, |sender, runtime| drop(runtime.block_on(sender.apply(batch)).unwrap_err()))
    }

    pub(crate) fn of_order(ground: &Ground, order: &Order) -> Self {
        Self::catch(ground, |sender, runtime| drop(runtime.block_on(sender.activate(order)).unwrap_err()))
    }

    fn catch(ground: &Ground, send: impl FnOnce(&dyn Connection, &tokio::runtime::Runtime)) -> Self {
        let caught = tempfile::tempdir().unwrap();
        let file = caught.path().join("script");
        let sender = ground.beside(|options| {
            options.lock_patience = Duration::from_mins(1);
            let test = options.ground.as_mut().unwrap();
            test.shell = Some(vec!["sh".into(), "-c".into(), format!("cat >'{}'", file.display())]);
        });
        send(&*sender, &ground.runtime);
        Self { caught, words: ground.shell.words() }
    }

    pub(crate) fn script(&self) -> String {
        fs::read_to_string(self.caught.path().join("script")).unwrap()
    }

    /// Runs a script to its end.
    pub(crate) fn run(&self, script: &str) {
        let part = self.caught.path().join("part");
        fs::write(&part, script).unwrap();
        self.command(&part).status().unwrap();
    }

    /// Starts the whole script in a process group of its own.
    pub(crate) fn start(&self) -> Child {
        self.command(&self.caught.path().join("script")).process_group(0).spawn().unwrap()
    }

    fn command(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).arg("-s").stdin(fs::File::open(script).unwrap());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

fn walk(root: &Path, directory: &Path, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let meta = path.symlink_metadata().unwrap();
        let what = if meta.is_dir() {
            "directory".to_owned()
        } else if meta.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if meta.is_file() {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
        } else {
            "special".to_owned()
        };
        if meta.is_dir() && name != "run" {
            walk(root, &path, all);
        }
        all.insert(name, format!("{:o} {}:{} {what}", meta.mode(), meta.uid(), meta.gid()));
    }
}

pub(crate) fn lookups(keys: &[&str], fence: Option<Fence>) -> ReadRequest {
    let keys = keys.iter().map(|&key| ItemKey::from(key)).collect();
    ReadRequest { lookups: vec![Lookup { kind: "plain".to_owned(), keys }], fence }
}

pub(crate) fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

/// A file of the user that runs the test.
pub(crate) fn file(content: impl Into<Vec<u8>>, mode: u32) -> Raw {
    let meta = fs::metadata("/proc/self").unwrap();
    Raw::File(FileState { content: content.into(), mode, uid: meta.uid(), gid: meta.gid() })
}

/// A batch whose items each are a group of their own, with a ledger that covers them.
pub(crate) fn batch(run: u64, sequence: u64, changes: &[(&str, Raw, Raw)]) -> Batch {
    let items: Vec<BatchItem> = changes
        .iter()
        .enumerate()
        .map(|(group, (key, before, after))| BatchItem {
            kind: "plain".to_owned(),
            key: ItemKey::from(*key),
            change: Change { before: before.clone(), after: after.clone() },
            group,
        })
        .collect();
    let ledger = ledger(run, changes.iter().map(|(key, before, after)| (*key, before, vec![before, after])));
    Batch {
        lineage: LINEAGE.to_owned(),
        epoch: Epoch { run, sequence },
        items,
        ledger_after: Some(ledger.clone()),
        ledger,
        deadline: Duration::from_secs(30),
        restore_after: None,
    }
}

pub(crate) fn ledger<'a>(run: u64, entries: impl IntoIterator<Item = (&'a str, &'a Raw, Vec<&'a Raw>)>) -> Ledger {
    let entry = |(key, original, ours): (&str, &Raw, Vec<&Raw>)| {
        let entry = LedgerEntry {
            address: "plain.test".to_owned(),
            original: Some(original.clone()),
            ours: ours.into_iter().cloned().collect(),
        };
        (("plain".to_owned(), ItemKey::from(key)), entry)
    };
    Ledger {
        lineage: LINEAGE.to_owned(),
        epoch: run,
        writer: "ada@desk".to_owned(),
        host_id: "host-1".to_owned(),
        entries: entries.into_iter().map(entry).collect(),
    }
}

/// Changes every entry of a ledger.
pub(crate) fn each(ledger: &mut Ledger, change: impl Fn(&mut LedgerEntry)) {
    let changed = ledger.entries.iter().map(|(key, entry)| {
        let mut entry = entry.clone();
        change(&mut entry);
        (key.clone(), entry)
    });
    ledger.entries = changed.collect();
}

/// The batch that undoes another, and removes the ledger.
pub(crate) fn inverse(batch: &Batch, sequence: u64) -> Batch {
    let mut inverse = batch.clone();
    inverse.epoch.sequence = sequence;
    inverse.items.reverse();
    for item in &mut inverse.items {
        item.change = item.change.clone().inverse();
    }
    inverse.ledger_after = None;
    inverse
}
