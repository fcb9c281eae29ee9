//! What a person asked for, after every expression has been evaluated: hosts and resources.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::value::Value;

/// How commands reach a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// The system's OpenSSH client.
    Ssh(SshDestination),
    /// A shell on the machine that runs `tune`.
    Local,
    /// An API, as a `provider` block configures it. How to log in is not part of it and is never recorded.
    Api(Api),
}

/// An API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Api {
    /// The provider that knows how to talk to it: `proxmox`.
    pub provider: String,
    /// Where it answers, as the configuration has it, for people and for the state.
    pub endpoint: String,
}

/// A `provider` block with every expression evaluated. Not recorded anywhere, because it may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name: `provider.proxmox`, and with an alias `provider.proxmox["lab"]`.
    pub address: Address,
    /// The attributes that were written, converted to the types of the provider's schema; some may be secrets.
    pub attributes: BTreeMap<String, Value>,
}

/// Shows no value, because any may be a secret.
impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.attributes.keys().collect();
        f.debug_struct("Provider").field("address", &self.address).field("attributes", &names).finish()
    }
}

/// What is handed to OpenSSH; everything else comes from the user's ssh configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshDestination {
    /// Any destination that `ssh` takes: a name, an address or an alias.
    pub address: String,
    /// The remote user; `None` leaves it to ssh.
    pub user: Option<String>,
    /// The remote port; `None` leaves it to ssh.
    pub port: Option<u16>,
    /// An ssh configuration file to use instead of the user's, as an absolute path.
    pub config: Option<String>,
}

/// How commands get their privileges on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Become {
    /// They run as the login user.
    No,
    /// They run through `sudo -n`, which fails at once where a password would be asked for.
    Sudo,
}

/// A machine: a connection, and a failure domain. An API stands in the same place, as a connection only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name in the configuration, `host.k3s["pve"]`.
    pub address: Address,
    /// What it is called: `name` of the host in an expression, and in what sources answer.
    pub name: String,
    /// How it is reached.
    pub transport: Transport,
    /// How commands get their privileges.
    pub become_: Become,
}

/// A danger that the user may accept for one resource, rule 26.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// Acknowledged data may be lost.
    DataLoss,
    /// The change cannot be undone.
    Irreversible,
    /// A raise that would lower the live value.
    Decrease,
    /// Quorum or all members are down for a while.
    Outage,
    /// Somebody else's pending change would be activated.
    ForeignPending,
}

impl Consent {
    /// Every consent with the word that `lifecycle.accept` takes.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::DataLoss, "data_loss"),
        (Self::Irreversible, "irreversible"),
        (Self::Decrease, "decrease"),
        (Self::Outage, "outage"),
        (Self::ForeignPending, "foreign_pending"),
    ];

    /// Returns the word that `lifecycle.accept` takes.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(consent, _)| *consent == self).map_or("", |(_, word)| word)
    }
}

/// The `lifecycle` block of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lifecycle {
    /// Refuses to put the originals back; copied into the state, where it outlives the block.
    pub prevent_revert: bool,
    /// Dangers that the user accepted.
    pub accept: BTreeSet<Consent>,
}

/// One desired thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the configuration; the kind is part of it.
    pub address: Address,
    /// The attributes that were written, converted to the types of the schema. Attributes of type *host* hold the
    /// host's address as a string. A `null` is left out.
    pub attributes: BTreeMap<String, Value>,
    /// The `provider` block that configures the API it lives in; `None` for kinds on hosts.
    pub provider: Option<Address>,
    /// Resource instances that must be settled before this one: explicit `depends_on` and references alike.
    pub depends_on: BTreeSet<Address>,
    /// Promises and consents.
    pub lifecycle: Lifecycle,
}
