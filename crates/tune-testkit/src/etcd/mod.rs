//! A real etcd cluster on booted hosts of the lab: Debian's own package and unit on each, the members joined over the
//! lab's network, the data on the host's own disk, and started by every boot.
//!
//! Each host also has a module `zfs` of its own with [`MODULE`]'s parameters, so that a change can need a reboot.

#![expect(clippy::missing_panics_doc, reason = "said once, where `Host` is: a broken lab fails the test that uses it")]

mod api;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

pub use api::{Status, ask, put, range, status};

use crate::lab::{Host, Lab};

/// The parameters of the hosts' module `zfs`: name, mode and default. The second is taken only when it is loaded.
pub const MODULE: [(&str, u32, &str); 2] = [("zfs_txg_timeout", 0o644, "5"), ("zvol_threads", 0o444, "32")];

/// Where clients reach a member, on its loopback and in the lab's network.
pub const CLIENT_PORT: u16 = 2379;

/// How long a cluster may take until all members agree, on a machine that does much else.
const HEALTHY: Duration = Duration::from_mins(3);

/// How long a member may take to answer before it is asked again.
const ANSWER: Duration = Duration::from_secs(20);

/// Two loaded cores are slow to send a heartbeat: an election must not be called for that. Both are milliseconds. Nor must
/// one be called by a member that was cut off and comes back, as later versions have it without being told.
const HEARTBEAT: u32 = 500;
const ELECTION: u32 = 5000;

/// An etcd cluster. Its hosts end with it.
#[derive(Debug)]
pub struct Cluster {
    lab: Lab,
    members: BTreeMap<String, SocketAddr>,
}

impl Cluster {
    /// Boots a host for each name and returns when every member of their cluster is healthy.
    #[track_caller]
    pub fn start(names: &[&str]) -> Cluster {
        let lab = Lab::joined(names);
        let members: BTreeMap<String, SocketAddr> = names
            .iter()
            .map(|name| {
                let address = lab.host(name).lan_address().unwrap_or(Ipv4Addr::LOCALHOST);
                ((*name).to_owned(), SocketAddr::from((address, CLIENT_PORT)))
            })
            .collect();
        let peers: Vec<String> = members.iter().map(|(name, at)| format!("{name}=http://{}:2380", at.ip())).collect();
        let cluster = Cluster { lab, members };
        thread::scope(|scope| {
            for host in cluster.lab.hosts() {
                let settings = settings(cluster.address(host.name()), &peers);
                scope.spawn(move || {
                    host.set_module("zfs", &MODULE);
                    host.write_file("/etc/default/etcd", settings);
                    // The image's owner of the directory is the lab's, because accounts were added to it afterwards.
                    let _ = host.exec("chown -R etcd: /var/lib/etcd && systemctl enable etcd.service").success();
                    // It is ready only once others are there, so it is not waited for here.
                    let _ = host.exec("systemctl start --no-block etcd.service").success();
                });
            }
        });
        cluster.wait_until_healthy();
        cluster
    }

    /// The lab that the hosts belong to.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Returns a host by its name, which is its member's too.
    #[track_caller]
    pub fn host(&self, name: &str) -> &Host {
        self.lab.host(name)
    }

    /// Where the members serve clients in the lab's network, by name.
    pub fn members(&self) -> &BTreeMap<String, SocketAddr> {
        &self.members
    }

    /// Does something on a thread of its own from which the members are reached.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.lab.enter_network();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Returns what each member says of itself; nothing of one that does not answer.
    pub fn statuses(&self) -> BTreeMap<&str, Status> {
        let ask = |(name, at): (&'_ String, &SocketAddr)| Some((name.clone(), status(*at, ANSWER).ok()?));
        let found: BTreeMap<String, Status> = self.within(|| self.members.iter().filter_map(ask).collect());
        self.members.keys().filter_map(|name| Some((name.as_str(), found.get(name)?.clone()))).collect()
    }

    /// Returns the member that leads, where all that answer agree on one.
    pub fn leader(&self) -> Option<&str> {
        let statuses = self.statuses();
        let leader = statuses.values().next()?.leader.clone()?;
        let agreed = statuses.values().all(|status| status.leader.as_ref() == Some(&leader));
        let found = statuses.iter().find(|(_, status)| status.id == leader)?;
        agreed.then_some(*found.0)
    }

    /// Waits until every member answers and all agree on a leader.
    #[track_caller]
    pub fn wait_until_healthy(&self) {
        let start = Instant::now();
        while self.statuses().len() < self.members.len() || self.leader().is_none() {
            assert!(start.elapsed() < HEALTHY, "the cluster is not healthy within {HEALTHY:?}: {}", self.complaints());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn address(&self, name: &str) -> SocketAddr {
        self.members[name]
    }

    /// What the members' logs end with, for the message of a failed test.
    fn complaints(&self) -> String {
        let script =
            "systemctl --no-pager --lines=0 status etcd.service; journalctl --no-pager -u etcd.service | tail -n 5";
        let on = self.lab.hosts().filter(|host| host.is_on());
        on.map(|host| format!("{}: {:?}", host.name(), host.exec(script))).collect::<Vec<_>>().join("\n")
    }
}

/// The file that Debian's unit takes its settings from.
fn settings(at: SocketAddr, peers: &[String]) -> String {
    let (ip, port) = (at.ip(), at.port());
    format!(
        "ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:{port},http://{ip}:{port}\n\
         ETCD_ADVERTISE_CLIENT_URLS=http://{ip}:{port}\n\
         ETCD_LISTEN_PEER_URLS=http://{ip}:2380\n\
         ETCD_INITIAL_ADVERTISE_PEER_URLS=http://{ip}:2380\n\
         ETCD_INITIAL_CLUSTER={}\n\
         ETCD_INITIAL_CLUSTER_STATE=new\n\
         ETCD_HEARTBEAT_INTERVAL={HEARTBEAT}\n\
         ETCD_ELECTION_TIMEOUT={ELECTION}\n\
         ETCD_PRE_VOTE=true\n\
         ETCD_LOGGER=zap\n",
        peers.join(",")
    )
}
