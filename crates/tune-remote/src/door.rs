//! Ways to ports that a host can reach.

use std::fmt;

use tune_core::contract::ConnectionError;
use tune_core::source::Door;
use tune_core::text::visible;

use crate::connection::HostConnection;
use crate::error::{DOOR, not_sent};

/// A port as a host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    /// A name, or an address; one of IPv6 without brackets.
    pub(crate) name: String,
    pub(crate) number: u16,
}

impl HostConnection {
    /// Opens a way to a port.
    pub(crate) async fn open(&self, to: &str) -> Result<Door, ConnectionError> {
        let port = Port::parse(to).ok_or_else(|| {
            let message = format!("`{}` is no port that a host could reach", visible(to, 80));
            not_sent(DOOR, message, "Write `NAME:PORT`, for example `127.0.0.1:2379`.")
        })?;
        self.transport.door(&port).await
    }
}

impl Port {
    /// Returns the port of `NAME:PORT`; an address of IPv6 stands in brackets.
    fn parse(text: &str) -> Option<Self> {
        let (name, number) = text.rsplit_once(':')?;
        let number = number.parse().ok().filter(|number| *number != 0 && !text.contains('+'))?;
        if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            let name = address.parse::<std::net::Ipv6Addr>().ok()?.to_string();
            return Some(Self { name, number });
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let named = !name.is_empty() && name.len() <= 253 && !name.starts_with('-') && name.chars().all(plain);
        named.then(|| Self { name: name.to_owned(), number })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.number)
        } else {
            write!(f, "{}:{}", self.name, self.number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_name_and_a_number() {
        for text in ["127.0.0.1:2379", "localhost:80", "[::1]:443", "etcd-1.lan_x:65535"] {
            assert_eq!(Port::parse(text).map(|port| port.to_string()).as_deref(), Some(text));
        }
        for text in [
            "",
            ":80",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+80",
            "::1:80",
            "[x]:80",
            "-o:80",
            "a b:1",
            "a:b:1",
            "/a:1",
        ] {
            assert_eq!(Port::parse(text), None, "{text}");
        }
    }
}
