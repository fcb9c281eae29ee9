//! Makes connections to clusters, one for each `provider` block.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tune_core::address::Address;
use tune_core::contract::{Batch, Connection, ConnectionError, Connector, Outcome, Pending, ReadRequest, Sent};
use tune_core::problem::Problem;
use tune_core::reading::HostReading;
use tune_core::resource::{Host, Provider};
use tune_source::Folder;

use crate::codes::NOT_CONFIGURED;
use crate::connection::ClusterConnection;
use crate::dial::{Dial, Network};
use crate::settings::settings;

/// Opens connections to Proxmox clusters.
#[derive(Debug)]
pub struct ProxmoxConnector {
    clusters: BTreeMap<Address, Arc<ClusterConnection>>,
}

/// Returns a connector for the `provider "proxmox"` blocks among the given ones, or every mistake in them. Files that
/// they name lie below `folder`, the configuration's. Nothing is sent yet.
pub fn connector(
    providers: &BTreeMap<Address, Provider>,
    folder: &Path,
) -> Result<ProxmoxConnector, Vec<(Address, Problem)>> {
    connector_through(providers, folder, &(Arc::new(Network) as Arc<dyn Dial>))
}

/// As [`connector`], with another way to the endpoints than the network, for simulated clusters.
pub fn connector_through(
    providers: &BTreeMap<Address, Provider>,
    folder: &Path,
    dial: &Arc<dyn Dial>,
) -> Result<ProxmoxConnector, Vec<(Address, Problem)>> {
    let mut clusters = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (address, provider) in providers.iter().filter(|(address, _)| address.name == "proxmox") {
        match settings(provider, &Folder::new(folder)) {
            Ok(settings) => {
                let cluster = ClusterConnection::new(settings, Arc::clone(dial));
                clusters.insert(address.clone(), Arc::new(cluster));
            }
            Err(problems) => mistakes.extend(problems.into_iter().map(|problem| (address.clone(), problem))),
        }
    }
    if mistakes.is_empty() { Ok(ProxmoxConnector { clusters }) } else { Err(mistakes) }
}

impl Connector for ProxmoxConnector {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        match self.clusters.get(&host.address) {
            Some(cluster) => Arc::clone(cluster) as Arc<dyn Connection>,
            None => Arc::new(Unconfigured { address: host.address.clone() }),
        }
    }
}

/// A cluster that only the state remembers: how to log in is never recorded.
#[derive(Debug)]
struct Unconfigured {
    address: Address,
}

impl Unconfigured {
    fn error(&self) -> ConnectionError {
        ConnectionError {
            code: NOT_CONFIGURED,
            sent: Sent::No,
            transient: false,
            message: format!("no block `{}` says how to log in", self.address),
            help: Some("put the provider block back into the configuration".to_owned()),
        }
    }
}

impl Connection for Unconfigured {
    fn read<'a>(&'a self, _: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async { Err(self.error()) })
    }

    fn apply<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(async { Err(self.error()) })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async { Err(self.error()) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}
