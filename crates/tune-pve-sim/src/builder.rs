//! Describing a cluster and starting it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::access::{ROOT, Rule, Token, User};
use crate::clock::{Clock, Speed};
use crate::control::Control;
use crate::faults::Fault;
use crate::guest::Flags;
use crate::shared::{PowerHook, Shared};
use crate::storage::Storage;
use crate::tls::{self, TlsError};
use crate::world::{Power, Timing, Vm, World};

/// How much of an answer waits for its reader.
const BUFFER: usize = 64 * 1024;
/// When the cluster's calendar begins unless told otherwise: 2026-11-01.
const EPOCH: i64 = 1_793_491_200;

/// Why a cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("the cluster cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificates cannot be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The state does not make sense.
    #[error("the state of the cluster cannot be used: {0}")]
    State(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Front {
    Plain,
    Signed,
    SelfSigned,
}

/// A cluster that is not started yet: `pve1` alone, with `root@pam` and nothing else.
pub struct Cluster {
    world: World,
    speed: Speed,
    front: Front,
    hooks: Vec<PowerHook>,
    faults: Vec<Fault>,
    latency: Duration,
    listen: Option<SocketAddr>,
    in_process: bool,
    control: bool,
    problem: Option<String>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("world", &self.world).field("speed", &self.speed).finish_non_exhaustive()
    }
}

impl Cluster {
    /// An empty cluster of the node `pve1`.
    pub fn builder() -> Self {
        Cluster {
            world: World::new(0x7475_6e65, EPOCH),
            speed: Speed::Real,
            front: Front::Signed,
            hooks: Vec::new(),
            faults: Vec::new(),
            latency: Duration::ZERO,
            listen: None,
            in_process: false,
            control: false,
            problem: None,
        }
    }

    /// Sets the seed of everything random: the order in which keys are written, addresses of cards, faults with a chance.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.world.random = crate::random::Random::new(seed);
        self
    }

    /// Sets how time passes.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// Sets how long things take.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.world.timing = timing;
        self
    }

    /// Sets the time of day at the start, in seconds since 1970.
    #[must_use]
    pub fn epoch(mut self, epoch: i64) -> Self {
        self.world.epoch = epoch;
        self
    }

    /// Serves plain HTTP instead of HTTPS.
    #[must_use]
    pub fn plain_http(mut self) -> Self {
        self.front = Front::Plain;
        self
    }

    /// Gives each node a certificate that it signed itself, instead of one of the cluster's authority.
    #[must_use]
    pub fn self_signed(mut self) -> Self {
        self.front = Front::SelfSigned;
        self
    }

    /// Listens on this address instead of a free port of 127.0.0.1; only the first node does.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Listens nowhere: [`Running::open`] is the only way in. So a test can pause tokio's clock, and hours pass in no time.
    #[must_use]
    pub fn in_process(mut self) -> Self {
        self.in_process = true;
        self
    }

    /// Answers `POST /_control`, by which another process brings the cluster into a state and does what happens behind
    /// the API.
    #[must_use]
    pub fn control_endpoint(mut self) -> Self {
        self.control = true;
        self
    }

    /// Takes a whole state in the form of the recordings: nodes, users, tokens, roles, access list, storages, volumes and
    /// machines.
    #[must_use]
    pub fn state(mut self, state: &Json) -> Self {
        if let Err(problem) = self.world.load_state(state) {
            self.problem = Some(problem);
        }
        self
    }

    /// Adds a node.
    #[must_use]
    pub fn node(mut self, name: &str) -> Self {
        self.world.nodes.insert(name.to_owned(), true);
        self
    }

    /// Adds a machine with the text of its configuration file.
    #[must_use]
    pub fn vm(mut self, vmid: u32, node: &str, config: &str) -> Self {
        self.world.nodes.entry(node.to_owned()).or_insert(true);
        self.world.vms.insert(vmid, Vm::new(node, config.as_bytes().to_vec()));
        self
    }

    /// Adds a container, which takes its number and has a row in the listing of the cluster.
    #[must_use]
    pub fn container(mut self, vmid: u32, node: &str) -> Self {
        let mut vm = Vm::new(node, Vec::new());
        vm.container = true;
        self.world.vms.insert(vmid, vm);
        self
    }

    /// Lets a machine run; it was started before its `[PENDING]` section was written.
    #[must_use]
    pub fn running(mut self, vmid: u32) -> Self {
        if let Some(node) = self.world.vms.get(&vmid).map(|vm| vm.node.clone()) {
            self.world.was_running(&node, vmid);
        }
        self
    }

    /// Sets how the guest of a machine behaves.
    #[must_use]
    pub fn flags(mut self, vmid: u32, flags: Flags) -> Self {
        if let Some(vm) = self.world.vms.get_mut(&vmid) {
            vm.flags = flags;
        }
        self
    }

    /// Puts a machine under the HA manager, with its requested state.
    #[must_use]
    pub fn ha(mut self, vmid: u32, state: &str) -> Self {
        self.world.ha.insert(vmid, state.to_owned());
        self
    }

    /// Adds a storage that keeps files, with its content types.
    #[must_use]
    pub fn storage(mut self, name: &str, content: &str) -> Self {
        let content = crate::schema::split_list(content).into_iter().map(str::to_owned).collect();
        let path = format!("/mnt/pve/{name}");
        let storage = Storage { kind: "dir".to_owned(), path, content, ..Storage::default() };
        self.world.storages.0.insert(name.to_owned(), storage);
        self
    }

    /// Adds a volume with its size in bytes; its storage must be there already.
    #[must_use]
    pub fn volume(mut self, volid: &str, bytes: u64) -> Self {
        let added = match volid.split_once(':') {
            Some((storage, name)) => {
                self.world.storages.add(storage, name, bytes).map_err(|failure| failure.task_text())
            }
            None => Err(format!("`{volid}` is not the name of a volume")),
        };
        if let Err(problem) = added {
            self.problem = Some(problem);
        }
        self
    }

    /// Adds a bridge; there is `vmbr0` already.
    #[must_use]
    pub fn bridge(mut self, name: &str) -> Self {
        self.world.bridges.insert(name.to_owned());
        self
    }

    /// Adds a user with a password.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        let user = User { enabled: true, expire: 0, password: Some(password.to_owned()) };
        self.world.access.users.insert(name.to_owned(), user);
        self
    }

    /// Adds a token that has all rights of its user, and the user where there is none yet.
    #[must_use]
    pub fn token(self, name: &str, secret: &str) -> Self {
        self.any_token(name, secret, false)
    }

    /// Adds a token that has only what both its own and its user's access list allow.
    #[must_use]
    pub fn separated_token(self, name: &str, secret: &str) -> Self {
        self.any_token(name, secret, true)
    }

    fn any_token(mut self, name: &str, secret: &str, separated: bool) -> Self {
        let access = &mut self.world.access;
        let owner = crate::access::Access::owner(name).to_owned();
        access.users.entry(owner).or_insert(User { enabled: true, expire: 0, password: None });
        access.tokens.insert(name.to_owned(), Token { separated, expire: 0, secret: secret.to_owned() });
        self
    }

    /// Adds a role with its privileges.
    #[must_use]
    pub fn role(mut self, name: &str, privileges: &[&str]) -> Self {
        let privileges = privileges.iter().map(|privilege| (*privilege).to_owned()).collect();
        self.world.access.roles.insert(name.to_owned(), privileges);
        self
    }

    /// Gives a role to a user, or to a token by its full name, on a path and all below it.
    #[must_use]
    pub fn grant(mut self, path: &str, who: &str, role: &str) -> Self {
        let kind = if who.contains('!') { "token" } else { "user" };
        let [path, kind, who, role] = [path, kind, who, role].map(str::to_owned);
        self.world.access.add_rule(Rule { path, kind, who, role, propagate: true });
        self
    }

    /// Calls a function soon after a machine went up or down, in the order in which it happened.
    #[must_use]
    pub fn on_power(mut self, hook: impl Fn(u32, Power) + Send + Sync + 'static) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Adds something that goes wrong with requests.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Lets each request take this much longer.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Starts a server for each node and lets time pass, until the result is dropped.
    pub async fn start(mut self) -> Result<Running, Error> {
        if let Some(problem) = self.problem {
            return Err(Error::State(problem));
        }
        self.world.access.users.entry(ROOT.to_owned()).or_insert(User { enabled: true, expire: 0, password: None });
        let nodes: Vec<String> = self.world.nodes.keys().cloned().collect();
        let first = if nodes.contains(&self.world.local) { self.world.local.clone() } else { nodes[0].clone() };
        let mut identities = match self.front {
            Front::Plain => None,
            front => Some(tls::identities(nodes.iter(), front == Front::SelfSigned)?),
        };
        let ca_pem = identities.as_ref().and_then(|identities| identities.ca_pem.clone());
        for (node, identity) in identities.iter().flat_map(|identities| &identities.nodes) {
            self.world.fingerprints.insert(node.clone(), identity.fingerprint.clone());
        }
        let fingerprints = self.world.fingerprints.clone();
        let clock = Clock::new(self.speed);
        let shared = Shared::new(self.world, clock, self.hooks, self.control);
        {
            let mut traffic = shared.traffic();
            traffic.faults = self.faults;
            traffic.latency = self.latency;
        }
        let ticking = Arc::clone(&shared);
        let mut work = vec![tokio::spawn(async move { ticking.run().await })];
        let (mut urls, mut doors) = (BTreeMap::new(), BTreeMap::new());
        for (port, node) in (8006..).zip(nodes) {
            if self.in_process {
                let acceptor = identities.as_mut().and_then(|identities| identities.nodes.remove(&node));
                let scheme = if acceptor.is_some() { "https" } else { "http" };
                urls.insert(node.clone(), format!("{scheme}://127.0.0.1:{port}"));
                doors.insert(port, Door { node, acceptor: acceptor.map(|identity| identity.acceptor) });
                continue;
            }
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let address = self.listen.filter(|_| node == first).unwrap_or(any);
            let failed = |source| Error::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let acceptor = identities.as_mut().and_then(|identities| identities.nodes.remove(&node));
            let scheme = if acceptor.is_some() { "https" } else { "http" };
            urls.insert(node.clone(), format!("{scheme}://{address}"));
            let acceptor = acceptor.map(|identity| identity.acceptor);
            let shared = Arc::clone(&shared);
            work.push(tokio::spawn(crate::serve::serve(listener, acceptor, node, shared)));
        }
        Ok(Running { shared, urls, doors, runtime: Handle::current(), first, ca_pem, fingerprints, work })
    }
}

/// The way to one node of a cluster that listens nowhere.
struct Door {
    node: String,
    acceptor: Option<TlsAcceptor>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("node", &self.node).finish_non_exhaustive()
    }
}

/// A running cluster; dropping it stops its servers.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    urls: BTreeMap<String, String>,
    doors: BTreeMap<u16, Door>,
    runtime: Handle,
    first: String,
    ca_pem: Option<String>,
    fingerprints: BTreeMap<String, String>,
    work: Vec<JoinHandle<()>>,
}

impl Running {
    /// Where the first node answers, without `/api2`.
    pub fn url(&self) -> &str {
        &self.urls[&self.first]
    }

    /// Where each node answers.
    pub fn urls(&self) -> &BTreeMap<String, String> {
        &self.urls
    }

    /// Opens a connection to the node at a port of a cluster that is [`in_process`](Cluster::in_process); fails as the
    /// system does where nobody listens.
    pub fn open(&self, port: u16) -> io::Result<DuplexStream> {
        let door = self.doors.get(&port).filter(|door| crate::serve::is_online(&self.shared, &door.node));
        let door = door.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let (acceptor, shared) = (door.acceptor.clone(), Arc::clone(&self.shared));
        self.runtime.spawn(async move { crate::serve::connection(theirs, acceptor, &shared).await });
        Ok(ours)
    }

    /// The certificate of the authority that signed the nodes' certificates, where there is one.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// SHA-256 of the first node's certificate in upper-case pairs with colons; absent with plain HTTP.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprints.get(&self.first).map(String::as_str)
    }

    /// SHA-256 of each node's certificate.
    pub fn fingerprints(&self) -> &BTreeMap<String, String> {
        &self.fingerprints
    }

    /// A handle to look behind the API and to make things go wrong.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.shared))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for work in &self.work {
            work.abort();
        }
    }
}
