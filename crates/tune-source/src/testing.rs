//! Hosts for the tests of sources: one whose programs and ports are set by the test, and the machine itself.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tune_core::address::Address;
use tune_core::contract::{Batch, Connection, ConnectionError, Outcome, Pending, ReadRequest, Sent};
use tune_core::problem::Code;
use tune_core::reading::{Facts, HostReading};
use tune_core::source::{Command, CommandOutput, Door, DoorAddress, Reach, Source};

/// The code of every error that a pretended host gives.
pub const AWAY: Code = Code("tune::test::away");

/// Hosts by address; one that is not in it is not in the configuration.
pub type Hosts = BTreeMap<Address, Arc<dyn Connection>>;

/// What a pretended host does with a command.
pub type Answering = Box<dyn Fn(&Command) -> Result<CommandOutput, String> + Send + Sync>;

/// Reaches the hosts of a map.
#[derive(Debug, Default)]
pub struct Known(pub Hosts);

impl Reach for Known {
    fn connection<'a>(&'a self, address: &'a Address) -> Pending<'a, Option<Arc<dyn Connection>>> {
        Box::pin(async move { self.0.get(address).cloned() })
    }
}

/// A host that does what a test says.
pub struct Pretended {
    /// What is true of it.
    pub facts: Facts,
    /// Where its ports are really, by `NAME:PORT` as the host sees them; any other one cannot be reached.
    pub doors: BTreeMap<String, DoorAddress>,
    /// What its programs answer; an error means that the host is away.
    pub answering: Answering,
}

impl Debug for Pretended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pretended").field("doors", &self.doors).finish_non_exhaustive()
    }
}

impl Pretended {
    /// Returns a host with these ports, on which every program is missing.
    pub fn with_doors<const N: usize>(doors: [(&str, DoorAddress); N]) -> Arc<dyn Connection> {
        let doors = doors.into_iter().map(|(to, at)| (to.to_owned(), at)).collect();
        let missing = |_: &Command| Ok(CommandOutput { status: 127, output: Vec::new(), complaint: Vec::new() });
        Arc::new(Self { facts: Facts::default(), doors, answering: Box::new(missing) })
    }

    /// Returns a host without ports whose programs answer as `answering` says.
    pub fn with_programs(
        answering: impl Fn(&Command) -> Result<CommandOutput, String> + Send + Sync + 'static,
    ) -> Arc<dyn Connection> {
        Arc::new(Self { facts: Facts::default(), doors: BTreeMap::new(), answering: Box::new(answering) })
    }
}

impl Connection for Pretended {
    fn read<'a>(&'a self, _: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async { Ok(HostReading { facts: self.facts.clone(), readings: Vec::new() }) })
    }

    fn apply<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(async { Err(away("a source never writes")) })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async { Err(away("a source never writes")) })
    }

    fn command<'a>(&'a self, command: &'a Command) -> Pending<'a, Result<CommandOutput, ConnectionError>> {
        Box::pin(async { (self.answering)(command).map_err(|message| away(&message)) })
    }

    fn door<'a>(&'a self, to: &'a str) -> Pending<'a, Result<Door, ConnectionError>> {
        Box::pin(async move {
            let at = self.doors.get(to).cloned().ok_or_else(|| away(&format!("no way to `{to}`")))?;
            Ok(Door { at, guard: Box::new(()) })
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

/// The machine that the tests run on.
#[derive(Debug)]
pub struct Here;

impl Connection for Here {
    fn read<'a>(&'a self, _: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async { Err(away("not read in this test")) })
    }

    fn apply<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(async { Err(away("a source never writes")) })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async { Err(away("a source never writes")) })
    }

    fn command<'a>(&'a self, command: &'a Command) -> Pending<'a, Result<CommandOutput, ConnectionError>> {
        Box::pin(async move {
            let (program, arguments) = command.words.split_first().ok_or_else(|| away("no program"))?;
            let run = tokio::process::Command::new(program).args(arguments).output().await;
            let run = run.map_err(|error| away(&error.to_string()))?;
            let status = run.status.code().unwrap_or(128);
            Ok(CommandOutput { status, output: run.stdout, complaint: run.stderr })
        })
    }

    fn door<'a>(&'a self, to: &'a str) -> Pending<'a, Result<Door, ConnectionError>> {
        Box::pin(async move { Ok(Door { at: DoorAddress::Tcp(to.to_owned()), guard: Box::new(()) }) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

/// Checks that the published schema of a source, `schema/source/KIND.json`, is the one of the code. With the variable
/// `TUNE_REGENERATE` it is written anew.
pub fn check_schema(source: &dyn Source) {
    let kind = source.schema().kind;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/source");
    let current = serde_json::json!({ "attributes": source.schema().json, "answer": source.answer().json });
    let (file, current) = (folder.join(format!("{kind}.json")), format!("{current:#}\n"));
    if std::env::var_os("TUNE_REGENERATE").is_some() {
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, &current));
        assert!(written.is_ok(), "{written:?}");
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(published == current, "schema/source/{kind}.json is stale: run the tests once with TUNE_REGENERATE=1");
}

/// Returns the error of a host that is away.
pub fn away(message: &str) -> ConnectionError {
    ConnectionError { code: AWAY, sent: Sent::No, transient: true, message: message.to_owned(), help: None }
}
