//! A simulated cluster with many machines, the guests in them as hosts, and a person who applies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fmt, io};

use tokio::time::Instant;
use tune_core::contract::{Batch, Connection, ConnectionError, Connector, Kinds, Outcome, Pending, ReadRequest, Sent};
use tune_core::plan::{Mistake, Operation, Plan, Request, Rolling, Selection};
use tune_core::problem::Code;
use tune_core::reading::{Facts, HostReading, Reading};
use tune_core::resource::{Api, Become, Host, Lifecycle, Provider, Resource, SshDestination, Transport};
use tune_core::rollout::{Cap, Rollout};
use tune_core::source::Sources;
use tune_core::{Address, Value};
use tune_engine::{Clock, Conduct, Engine, EngineError, Limits, Report, Settled, Silent, Stop};
use tune_proxmox::{Dial, Stream, connector_through};
use tune_pve_sim::{Cluster, Control, Power, Running};
use tune_testkit::store::Disk;

/// How many members may be down at a time.
pub(crate) const TOGETHER: usize = 5;
/// How long a guest boots, after its machine started.
const BOOT: Duration = Duration::from_secs(12);
const TOKEN: &str = "tune@pve!tok";
const SECRET: &str = "11111111-2222-3333-4444-000000000002";

/// The nodes of the cluster.
pub(crate) const NODES: [&str; 4] = ["pve1", "pve2", "pve3", "pve4"];

/// Who is down, as the world itself sees it.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Since when each machine's guest boots; `None` while it is off.
    booting: BTreeMap<u32, Option<Instant>>,
    /// The most that were down at a time.
    pub(crate) most: usize,
    /// How often one went down.
    pub(crate) cycles: usize,
}

impl Watched {
    fn turned(&mut self, vmid: u32, power: Power) {
        self.booting.retain(|_, since| since.is_none_or(|since| since.elapsed() < BOOT));
        match power {
            Power::Down => {
                self.cycles += 1;
                self.booting.insert(vmid, None);
            }
            Power::Up => {
                self.booting.insert(vmid, Some(Instant::now()));
            }
        }
        self.most = self.most.max(self.booting.len());
    }

    fn answers(&self, vmid: u32) -> bool {
        self.booting.get(&vmid).is_none_or(|since| since.is_some_and(|since| since.elapsed() >= BOOT))
    }
}

pub(crate) type Shared = Arc<Mutex<Watched>>;

/// A cluster, and what the person has written down and remembers.
pub(crate) struct Lab {
    pub(crate) control: Control,
    pub(crate) watched: Shared,
    pub(crate) vmids: Vec<u32>,
    running: Arc<Running>,
    disk: Disk,
    clock: Arc<Names>,
    resources: BTreeMap<Address, Resource>,
    rollouts: BTreeMap<Address, Rollout>,
}

/// What became of a command.
#[derive(Debug)]
#[expect(dead_code, reason = "a failing test shows what was settled")]
pub(crate) struct Ended {
    settled: Option<Settled>,
    pub(crate) outcome: Result<Report, Failed>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "a failing test shows them")]
pub(crate) enum Failed {
    Plan(Vec<Mistake>),
    Run(EngineError),
}

pub(crate) fn config(vmid: u32) -> String {
    format!(
        "boot: order=scsi0;net0\ncores: 2\nmemory: 2048\nname: vm{vmid}\nnet0: \
         virtio=BC:24:11:00:{:02X}:{:02X},bridge=vmbr0\nscsi0: \
         imgs:{vmid}/vm-{vmid}-disk-0.raw,discard=on,size=32G,ssd=1\nscsihw: virtio-scsi-single\n",
        vmid / 256,
        vmid % 256
    )
}

impl Lab {
    /// Starts a cluster of `count` machines, all of which run; `change` adds what goes wrong.
    pub(crate) async fn start(count: u32, change: impl FnOnce(Cluster) -> Cluster) -> Self {
        let watched = Shared::default();
        let hook = Arc::clone(&watched);
        let vmids: Vec<u32> = (200..200 + count).collect();
        let mut cluster = Cluster::builder()
            .in_process()
            .plain_http()
            .storage("imgs", "images")
            .token(TOKEN, SECRET)
            .grant("/", "tune@pve", "Administrator")
            .on_power(move |vmid, power| hook.lock().unwrap().turned(vmid, power));
        for (index, vmid) in vmids.iter().enumerate() {
            cluster = cluster
                .volume(&format!("imgs:{vmid}/vm-{vmid}-disk-0.raw"), 32 << 30)
                .vm(*vmid, NODES[index % NODES.len()], &config(*vmid))
                .running(*vmid);
        }
        let running = Arc::new(change(cluster).start().await.unwrap());
        let members: Vec<Address> = vmids.iter().map(|vmid| guest(*vmid)).collect();
        let mut rollout = Rollout::new(Address::new("rollout", "all"), members);
        rollout.max_unavailable = Cap::Count(TOGETHER);
        let lab = Self {
            control: running.control(),
            watched,
            vmids,
            running,
            disk: Disk::default(),
            clock: Arc::default(),
            resources: BTreeMap::new(),
            rollouts: [(rollout.address.clone(), rollout)].into(),
        };
        // What the hook hears of the beginning is no power cycle.
        tokio::time::sleep(BOOT * 2).await;
        *lab.watched.lock().unwrap() = Watched::default();
        lab
    }

    /// Writes the first runbook into the configuration, for every machine.
    pub(crate) fn configure(&mut self) {
        let disk = Value::Map([("cache".to_owned(), "writeback".into()), ("iothread".to_owned(), true.into())].into());
        for vmid in &self.vmids {
            let attributes = [
                ("vmid", Value::from(i64::from(*vmid))),
                ("guest", Value::from(guest(*vmid).to_string().as_str())),
                ("cores", Value::from(4)),
                ("onboot", Value::from(true)),
                ("disk", Value::Map([("scsi0".to_owned(), disk.clone())].into())),
            ];
            let resource = Resource {
                provider: Some(api().address),
                address: Address::new("proxmox_vm", format!("vm{vmid}").as_str()),
                attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
                depends_on: BTreeSet::new(),
                lifecycle: Lifecycle::default(),
            };
            self.resources.insert(resource.address.clone(), resource);
        }
    }

    fn hosts(&self) -> BTreeMap<Address, Host> {
        let guests = self.vmids.iter().map(|vmid| {
            let address = guest(*vmid);
            let destination = SshDestination { address: address.name.clone(), user: None, port: None, config: None };
            Host { name: address.name.clone(), address, transport: Transport::Ssh(destination), become_: Become::No }
        });
        guests.chain([api()]).map(|host| (host.address.clone(), host)).collect()
    }

    /// Runs a command as the program does, in a process of its own.
    pub(crate) async fn run(&self, operation: &Operation) -> Ended {
        let engine = self.engine();
        let mut store = self.disk.open();
        let settled = match engine.settle(&mut store, &Silent).await {
            Ok(settled) => settled,
            Err(error) => return Ended { settled: None, outcome: Err(Failed::Run(error)) },
        };
        let outcome = match self.plan_with(&engine, operation).await {
            Ok(plan) => {
                let (sources, hosts, stop) = (Sources::new(), self.hosts(), Stop::default());
                let conduct = Conduct { sources: &sources, hosts: &hosts, ..Conduct::none() };
                let run = engine.run(&mut store, &plan, &conduct, "apply", "me@here", &Silent, &stop);
                run.await.map_err(Failed::Run)
            }
            Err(mistakes) => Err(Failed::Plan(mistakes)),
        };
        engine.close().await;
        Ended { settled, outcome }
    }

    pub(crate) async fn plan(&self, operation: &Operation) -> Result<Plan, Vec<Mistake>> {
        self.plan_with(&self.engine(), operation).await
    }

    async fn plan_with(&self, engine: &Engine, operation: &Operation) -> Result<Plan, Vec<Mistake>> {
        let (hosts, checks, sources) = (self.hosts(), BTreeMap::new(), Sources::new());
        let content = self.disk.content();
        let request = Request {
            operation,
            kinds: &engine.kinds,
            hosts: &hosts,
            resources: &self.resources,
            state: &content.state,
            runs: &content.runs,
            selection: &Selection::default(),
            rolling: Rolling { rollouts: &self.rollouts, checks: &checks, sources: &sources, controller: None },
        };
        engine.plan(&request, &Silent).await
    }

    fn engine(&self) -> Engine {
        let block = [("endpoint", self.running.url()), ("api_token", &format!("{TOKEN}={SECRET}"))];
        let attributes = block.map(|(name, text)| (name.to_owned(), Value::from(text))).into();
        let provider = Provider { address: api().address, attributes };
        let way: Arc<dyn Dial> = Arc::new(Way(Arc::clone(&self.running)));
        let cluster = connector_through(&[(provider.address.clone(), provider)].into(), Path::new("."), &way).unwrap();
        let door = Everywhere { cluster, watched: Arc::clone(&self.watched) };
        let kinds: Kinds = [("proxmox_vm", tune_proxmox::kind())].into();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Engine::new(Arc::new(door), kinds, clock, Limits::default())
    }
}

fn api() -> Host {
    let api = Api { provider: "proxmox".to_owned(), endpoint: "https://pve".to_owned() };
    Host {
        address: Address::new("provider", "proxmox"),
        name: "proxmox".to_owned(),
        transport: Transport::Api(api),
        become_: Become::No,
    }
}

pub(crate) fn guest(vmid: u32) -> Address {
    Address::new("host", format!("g{vmid}").as_str())
}

/// Times and names from a counter.
#[derive(Debug, Default)]
struct Names(AtomicU64);

impl Clock for Names {
    fn now(&self) -> String {
        "2026-11-01T00:00:00Z".to_owned()
    }

    fn new_id(&self) -> String {
        format!("lineage-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// The way to the cluster without a socket.
struct Way(Arc<Running>);

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}

impl Dial for Way {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> Pending<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(self.0.open(port)?) as Box<dyn Stream>) })
    }
}

/// Leads to the cluster through the real provider, and to guests that are up when their machines are.
#[derive(Debug)]
struct Everywhere {
    cluster: tune_proxmox::ProxmoxConnector,
    watched: Shared,
}

impl Connector for Everywhere {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        match host.address.name.strip_prefix('g').and_then(|number| number.parse().ok()) {
            Some(vmid) => Arc::new(Guest { vmid, watched: Arc::clone(&self.watched) }),
            None => self.cluster.connect(host),
        }
    }
}

#[derive(Debug)]
struct Guest {
    vmid: u32,
    watched: Shared,
}

impl Guest {
    fn away(&self) -> ConnectionError {
        let message = format!("`g{}` does not answer", self.vmid);
        ConnectionError { code: Code("guest::away"), sent: Sent::No, transient: true, message, help: None }
    }
}

impl Connection for Guest {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async move {
            if !self.watched.lock().unwrap().answers(self.vmid) {
                return Err(self.away());
            }
            let facts = Facts {
                machine_id: Some(format!("guest {}", self.vmid)),
                ledgers: Some(Vec::new()),
                ..Facts::default()
            };
            Ok(HostReading { facts, readings: request.lookups.iter().map(|_| Reading::default()).collect() })
        })
    }

    fn apply<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(async { Err(self.away()) })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}
