//! Hosts by which something is reached: a source asks all of them side by side, and one that is away is a part of the
//! answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::address::Address;
use tune_core::contract::Connection;
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::reading::Unreadable;
use tune_core::schema::HostReference;
use tune_core::source::Reach;
use tune_core::value::Value;

use crate::codes::NO_HOST;
use crate::{bad_block, unreadable};

/// The name of a host, as `name` of a host in an expression has it.
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
pub fn host_name(reach: &dyn Reach, host: &HostReference) -> HostName {
    HostName(host.0.parse().map_or_else(|_| host.0.clone(), |address| reach.name(&address)))
}

/// Returns the way to a host, or why there is none.
pub async fn connection(reach: &dyn Reach, host: &HostReference) -> Result<Asked, Unreadable> {
    let unknown = || {
        let message = format!("there is no host `{}`", tune_core::text::visible(&host.0, 200));
        unreadable(NO_HOST, message, "Refer to a host block of the configuration.")
    };
    let address: Address = host.0.parse().map_err(|_| unknown())?;
    let connection = reach.connection(&address).await.ok_or_else(unknown)?;
    Ok(Asked { name: HostName(reach.name(&address)), address, connection })
}

/// Returns what is wrong with the attributes `host` and `hosts` of a block that takes one of the two.
pub fn check_hosts(attributes: &BTreeMap<String, Value>) -> Option<Problem> {
    let written = |name: &str| attributes.get(name).is_some_and(|value| *value != Value::Null);
    let none = |name: &str| attributes.get(name) == Some(&Value::List(Vec::new()));
    match (written("host"), written("hosts")) {
        (true, true) => {
            let path = AttributePath::attribute("hosts");
            let message = "`host` and `hosts` exclude each other";
            Some(bad_block(path, message, "`host` names one already", "write all hosts into `hosts`"))
        }
        (false, false) => {
            let message = "no host is named";
            Some(bad_block(AttributePath::default(), message, "nobody to ask", "write `host` or `hosts`"))
        }
        (false, true) if none("hosts") => {
            let path = AttributePath::attribute("hosts");
            Some(bad_block(path, "no host is named", "an empty list", "name at least one host"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tune_core::contract::Pending;

    use super::*;

    /// Hosts of which one has a name of its own.
    #[derive(Debug)]
    struct Named;

    impl Reach for Named {
        fn connection<'a>(&'a self, _: &'a Address) -> Pending<'a, Option<Arc<dyn Connection>>> {
            Box::pin(async { None })
        }

        fn name(&self, address: &Address) -> String {
            if address.name == "k3s" { format!("k3s-vm-{}", address.own_name()) } else { address.own_name() }
        }
    }

    #[test]
    fn a_host_is_called_as_in_expressions() {
        let name = |text: &str| host_name(&Named, &HostReference(text.to_owned())).0;
        assert_eq!(["host.nas", "host.k3s[\"pve\"]", "no address"].map(name), ["nas", "k3s-vm-pve", "no address"]);
    }

    #[test]
    fn one_of_the_two_names_the_hosts() {
        let (one, list) = (Value::from("host.a"), Value::List(vec![Value::from("host.a")]));
        let check = |pairs: &[(&str, &Value)]| {
            let attributes = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
            check_hosts(&attributes).map(|problem| problem.message)
        };
        assert_eq!(check(&[("host", &one)]), None);
        assert_eq!(check(&[("hosts", &list), ("host", &Value::Null)]), None);
        assert!(check(&[("hosts", &list), ("host", &one)]).is_some() && check(&[]).is_some());
        assert!(check(&[("hosts", &Value::List(Vec::new()))]).is_some());
    }
}
