//! Names of things in a configuration: `sysctl.etcd["pve"]`, `host.k3s[0]`. An address is what a person reads and
//! types; what a thing *is* in the world is its identity, see [`crate::item`].

use std::fmt;
use std::str::FromStr;

use crate::text;

/// Which instance of a block with `count` or `for_each`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// The block has neither `count` nor `for_each`.
    Single,
    /// A position under `count`.
    Index(u64),
    /// A key under `for_each`.
    Name(String),
}

/// The name of one block instance in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The kind of a resource, or `host` for hosts.
    pub kind: String,
    /// The block's own name.
    pub name: String,
    /// The instance, under `count` or `for_each`.
    pub key: InstanceKey,
}

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address; write it like `sysctl.etcd` or `sysctl.etcd[\"pve\"]`")]
pub struct AddressError(String);

impl Address {
    /// Returns the address of a block without `count` and `for_each`.
    pub fn new(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), key: InstanceKey::Single }
    }

    /// Returns the same block's instance under a `for_each` key.
    #[must_use]
    pub fn with_name(mut self, key: &str) -> Self {
        self.key = InstanceKey::Name(key.to_owned());
        self
    }

    /// Returns the same block's instance at a `count` position.
    #[must_use]
    pub fn with_index(mut self, index: u64) -> Self {
        self.key = InstanceKey::Index(index);
        self
    }

    /// Returns whether this address selects `other`: itself, or every instance when it names the whole block.
    pub fn selects(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name && (self.key == InstanceKey::Single || self.key == other.key)
    }

    /// Returns the address of the block, without the instance.
    #[must_use]
    pub fn block(&self) -> Self {
        Self { kind: self.kind.clone(), name: self.name.clone(), key: InstanceKey::Single }
    }

    /// Returns the name and the instance without the kind: `k3s["pve"]`.
    pub fn short(&self) -> String {
        format!("{}{}", self.name, self.key)
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => Ok(()),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Name(name) => write!(f, "[{}]", text::quoted(name)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{}", self.kind, self.name, self.key)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(source: &str) -> Result<Self, AddressError> {
        parse(source).ok_or_else(|| AddressError(text::visible(source, 120)))
    }
}

fn parse(source: &str) -> Option<Address> {
    let (kind, rest) = source.split_once('.')?;
    let (name, key) = match rest.find('[') {
        None => (rest, InstanceKey::Single),
        Some(open) => (&rest[..open], parse_key(rest[open + 1..].strip_suffix(']')?)?),
    };
    let identifier = |word: &str| {
        word.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    (identifier(kind) && identifier(name)).then(|| Address { kind: kind.to_owned(), name: name.to_owned(), key })
}

fn parse_key(source: &str) -> Option<InstanceKey> {
    let Some(inner) = source.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return source.parse().ok().map(InstanceKey::Index);
    };
    let mut key = String::new();
    let mut characters = inner.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next()? {
                'n' => key.push('\n'),
                't' => key.push('\t'),
                'r' => key.push('\r'),
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    key.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                escaped => key.push(escaped),
            },
            '"' => return None,
            // `$${` is how a literal `${` is written.
            '$' | '%' if characters.peek() == Some(&c) => {
                let mut ahead = characters.clone();
                ahead.next();
                if ahead.peek() == Some(&'{') {
                    characters.next();
                }
                key.push(c);
            }
            c => key.push(c),
        }
    }
    Some(InstanceKey::Name(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn selects_instances_of_a_block() {
        let block: Address = "sysctl.etcd".parse().unwrap();
        let one: Address = "sysctl.etcd[\"pve\"]".parse().unwrap();
        assert!(block.selects(&one) && one.selects(&one) && !one.selects(&block));
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in ["", "sysctl", "sysctl.", ".x", "sysctl.a[", "sysctl.a[x]", "sysctl.a[\"x]", "a b.c", "a.b]"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(key in "\\PC{0,12}|[\"\\\\$%{\\n\\u{1b}a]{0,8}") {
            let address = Address::new("sysctl", "etcd").with_name(&key);
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}
