//! Hosts: what a `host` block says about one machine.

use std::sync::Arc;

use tune_core::resource::{Become, Host, SshDestination, Transport};
use tune_core::{Address, AttributePath, InstanceKey};

use super::instance::Instance;
use super::{Dependencies, Resolution};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::module::InstanceBlock;
use crate::source::confined;
use crate::types::Type;
use crate::value::{Data, Entries, Value};

/// The attributes of one host, each with its value; poison after a mistake, `null` where nothing was written.
struct Attributes<'r, 'm> {
    resolution: &'r mut Resolution<'m>,
    block: &'r InstanceBlock,
    instance: &'r Instance,
    dependencies: &'r mut Dependencies,
    /// Whether anything was wrong, or is not known yet.
    incomplete: bool,
}

impl Resolution<'_> {
    /// Evaluates one host and returns the object that a reference to it gives. Without an address it is only checked.
    pub(super) fn host(
        &mut self,
        address: Option<Address>,
        block: &InstanceBlock,
        instance: &Instance,
        dependencies: &mut Dependencies,
    ) -> Value {
        let mut attributes = Attributes { resolution: self, block, instance, dependencies, incomplete: false };
        let destination = attributes.text("address");
        let hostname = attributes.text("name");
        let user = attributes.text("user");
        let port = attributes.port();
        let is_local = attributes.word("connection", &["ssh", "local"]).is_some_and(|word| &*word == "local");
        let become_ = match attributes.word("become", &["sudo"]) {
            Some(_) => Become::Sudo,
            None => Become::No,
        };
        let config = attributes.config();
        if is_local {
            attributes.refuse_ssh();
        } else {
            attributes.refuse_options("address", &destination);
            attributes.refuse_options("user", &user);
            if destination.is_null() {
                let attribute = block.content.attributes.get("address").copied();
                attributes.resolution.missing("address", "a host that is reached by ssh", block.header, attribute);
                attributes.incomplete = true;
            }
        }
        let incomplete = attributes.incomplete;
        let Some(address) = address else { return Value::POISON };
        let key = match &address.key {
            InstanceKey::Single => Value::NULL,
            InstanceKey::Index(index) => Value::integer(i64::try_from(*index).unwrap_or(i64::MAX)),
            InstanceKey::Name(key) => Value::string(key.as_str()),
        };
        let short = || Value::string(address.own_name());
        let hostname = match (&hostname.data, &destination.data) {
            (Data::Null, Data::String(destination)) => hostname_of(destination).map_or_else(short, Value::string),
            (Data::Null, Data::Null) => short(),
            (Data::Null, _) => destination.clone(),
            _ => hostname,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if !incomplete {
            let transport = if is_local {
                Transport::Local
            } else {
                let (address, user) = (text(&destination).unwrap_or_default(), text(&user));
                Transport::Ssh(SshDestination { address, user, port, config })
            };
            let name = text(&hostname).unwrap_or_else(|| address.own_name());
            let host = Host { address: address.clone(), name, transport, become_ };
            self.configuration.hosts.insert(address.clone(), host);
        }
        let entries = [("address", destination), ("key", key), ("name", hostname), ("user", user)];
        let entries: Entries = entries.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
        Value::object(entries, Some(address))
    }
}

impl Attributes<'_, '_> {
    fn value(&mut self, name: &str, of_type: &Type) -> Value {
        let Some(attribute) = self.block.content.attributes.get(name) else { return Value::NULL };
        let path = AttributePath::attribute(name);
        let value = self.resolution.attribute(&path, *attribute, (of_type, false), self.instance, self.dependencies);
        self.incomplete |= value.has_poison() || value.has_unknown();
        value
    }

    fn text(&mut self, name: &str) -> Value {
        self.value(name, &Type::String)
    }

    fn port(&mut self) -> Option<u16> {
        let value = self.value("port", &Type::Integer);
        let number = value.as_number()?;
        let port = number.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        if port.is_none() {
            self.refuse("port", "`port` cannot have this value", "a port is between 1 and 65535", None);
        }
        port
    }

    /// Returns the value of an attribute that takes one of a few words.
    fn word(&mut self, name: &str, words: &[&str]) -> Option<Arc<str>> {
        let value = self.text(name);
        let word = value.as_str()?;
        if !words.contains(&word) {
            let known: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            let help = match crate::diagnostic::closest(word, words.iter().copied()) {
                Some(close) => format!("did you mean `\"{close}\"`?"),
                None => format!("write {}", known.join(" or ")),
            };
            let message = format!("`{name}` cannot have this value");
            self.refuse(name, &message, &format!("only {} can stand here", known.join(" and ")), Some(help));
            return None;
        }
        Some(word.into())
    }

    /// Returns the path of the ssh configuration, relative to the configuration's folder.
    fn config(&mut self) -> Option<String> {
        let value = self.text("ssh_config");
        let path = value.as_str()?;
        let confined = confined(path);
        if confined.is_err() {
            let label = "this leads out of the folder of the configuration";
            self.refuse("ssh_config", "the ssh configuration is outside the folder", label, None);
        }
        confined.ok()
    }

    /// Nothing that ssh could take for an option, and nothing that a shell or a terminal would make something else of.
    fn refuse_options(&mut self, name: &str, value: &Value) {
        let Some(text) = value.as_str() else { return };
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
        if text.is_empty() || text.starts_with('-') || !text.chars().all(is_plain) {
            let message = format!("`{name}` is nothing that ssh can be given");
            let label = "it must not be empty, start with `-`, or hold spaces or control characters";
            self.refuse(name, &message, label, None);
        }
    }

    /// A machine that is not reached by ssh has no use for what is only said to ssh.
    fn refuse_ssh(&mut self) {
        for name in ["user", "port", "ssh_config"] {
            if let Some(attribute) = self.block.content.attributes.get(name) {
                let message = format!("`{name}` has no meaning with `connection = \"local\"`");
                let label = "only ssh would make use of this";
                self.resolution
                    .diagnostics
                    .push(Diagnostic::error(code::INVALID, attribute.name, message, label).help("remove it"));
                self.incomplete = true;
            }
        }
    }

    fn refuse(&mut self, name: &str, message: &str, label: &str, help: Option<String>) {
        self.incomplete = true;
        if let Some(attribute) = self.block.content.attributes.get(name) {
            let span = self.resolution.place(*attribute, &[]);
            let diagnostic = Diagnostic::error(code::INVALID, span, message, label);
            self.resolution.diagnostics.push(diagnostic.maybe_help(help));
        }
    }
}

/// Returns what the machine is called in an address that ssh takes: without a user, a port and `ssh://`. `None` for an
/// IP address, which is no name.
fn hostname_of(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("ssh://");
    let name = rest.unwrap_or(address);
    let name = name.rsplit_once('@').map_or(name, |(_, name)| name);
    let name = match name.rsplit_once(':') {
        Some((name, port)) if rest.is_some() && port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => name,
    };
    let number = name.trim_matches(['[', ']']);
    number.parse::<std::net::IpAddr>().is_err().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::hostname_of;

    #[test]
    fn a_host_is_called_as_its_address_says() {
        let names = ["pve.maas", "root@pve", "ssh://root@pve:22", "ssh://pve", "a:1"].map(hostname_of);
        assert_eq!(names, [Some("pve.maas"), Some("pve"), Some("pve"), Some("pve"), Some("a:1")]);
        assert_eq!(["10.0.0.1", "root@10.0.0.1", "fe80::1", "ssh://[::1]:22"].map(hostname_of), [None; 4]);
    }
}
