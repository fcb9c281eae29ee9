//! Hosts by which something is reached: a source asks all of them side by side, and one that is away is a part of the
//! answer.

use std::sync::Arc;

use tune_core::address::{Address, InstanceKey};
use tune_core::contract::Connection;
use tune_core::reading::Unreadable;
use tune_core::schema::HostReference;
use tune_core::source::Reach;

use crate::codes::NO_HOST;
use crate::unreadable;

/// The name of a host, as `name` of a host in an expression has it: the key of the instance, or the name of the block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(pub String);

/// A host that is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its name.
    pub name: HostName,
    /// Its address in the configuration, for messages.
    pub address: Address,
    /// The way to it.
    pub connection: Arc<dyn Connection>,
}

/// Returns the name that a host has in expressions.
pub fn host_name(address: &Address) -> HostName {
    HostName(match &address.key {
        InstanceKey::Single => address.name.clone(),
        InstanceKey::Index(index) => index.to_string(),
        InstanceKey::Name(name) => name.clone(),
    })
}

/// Returns the way to a host, or why there is none.
pub async fn connection(reach: &dyn Reach, host: &HostReference) -> Result<Asked, Unreadable> {
    let unknown = || {
        let message = format!("there is no host `{}`", tune_core::text::visible(&host.0, 200));
        unreadable(NO_HOST, message, "Refer to a host block of the configuration.")
    };
    let address: Address = host.0.parse().map_err(|_| unknown())?;
    let connection = reach.connection(&address).await.ok_or_else(unknown)?;
    Ok(Asked { name: host_name(&address), address, connection })
}
