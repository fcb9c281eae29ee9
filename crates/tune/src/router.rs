//! Leads each connection to whoever makes it: hosts to OpenSSH or a local shell, APIs to their provider. Providers are
//! known once the configuration's `provider` blocks have values, which may take hosts to be read before.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tune_core::Address;
use tune_core::contract::{Connection, Connector};
use tune_core::plan::Mistake;
use tune_core::resource::{Api, Become, Host, Provider, Transport};
use tune_proxmox::ProxmoxConnector;
use tune_remote::SshConnector;

/// All connectors of the program.
#[derive(Debug)]
pub(crate) struct Router {
    hosts: SshConnector,
    proxmox: Mutex<Option<Arc<ProxmoxConnector>>>,
}

impl Router {
    /// Returns a router that knows no provider yet.
    pub(crate) fn new(hosts: SshConnector) -> Self {
        Self { hosts, proxmox: Mutex::default() }
    }

    /// Takes the configuration's providers in, or returns every mistake in them. Files that they name
    /// lie below `folder`, the configuration's. Nothing is sent.
    pub(crate) fn configure(&self, providers: &BTreeMap<Address, Provider>, folder: &Path) -> Result<(), Vec<Mistake>> {
        let connector = tune_proxmox::connector(providers, folder).map_err(|problems| {
            let mistake = |(address, problem)| Mistake { address, problem, related: None };
            problems.into_iter().map(mistake).collect::<Vec<_>>()
        })?;
        *self.proxmox.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(connector));
        Ok(())
    }
}

impl Connector for Router {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        if let Transport::Api(api) = &host.transport
            && api.provider == "proxmox"
            && let Some(proxmox) = &*self.proxmox.lock().unwrap_or_else(PoisonError::into_inner)
        {
            return proxmox.connect(host);
        }
        self.hosts.connect(host)
    }
}

/// Returns the APIs of providers as what the engine connects to.
pub(crate) fn apis(providers: &BTreeMap<Address, Provider>) -> BTreeMap<Address, Host> {
    let host = |(address, provider): (&Address, &Provider)| {
        let api = Api { provider: address.name.clone(), endpoint: endpoint(provider) };
        let host = Host {
            name: address.own_name(),
            address: address.clone(),
            transport: Transport::Api(api),
            become_: Become::No,
        };
        (address.clone(), host)
    };
    providers.iter().map(host).collect()
}

/// Where an API answers, for people and for the state.
fn endpoint(provider: &Provider) -> String {
    let first = match provider.attributes.get("endpoints") {
        Some(tune_core::Value::List(endpoints)) => endpoints.first(),
        _ => None,
    };
    let endpoint = provider.attributes.get("endpoint").or(first).and_then(tune_core::Value::as_str);
    endpoint.unwrap_or_default().to_owned()
}
