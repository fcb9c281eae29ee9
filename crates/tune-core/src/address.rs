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

/// One step into a module: `module.x["k"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The name of the `module` block.
    pub name: String,
    /// Which instance of it, under `count` or `for_each`.
    pub key: InstanceKey,
}

/// The name of one block instance in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The modules that the block stands in, the outermost first; empty for the configuration itself.
    pub module: Vec<ModuleStep>,
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
    /// Returns the address of a block without `count` and `for_each`, in no module.
    pub fn new(kind: &str, name: &str) -> Self {
        Self { module: Vec::new(), kind: kind.to_owned(), name: name.to_owned(), key: InstanceKey::Single }
    }

    /// Returns the same address in a module.
    #[must_use]
    pub fn within(mut self, module: &[ModuleStep]) -> Self {
        self.module = module.to_vec();
        self
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

    /// Returns the key of the instance, or the name of a block without instances: what a thing is called among its like.
    pub fn own_name(&self) -> String {
        match &self.key {
            InstanceKey::Single => self.name.clone(),
            InstanceKey::Index(index) => index.to_string(),
            InstanceKey::Name(name) => name.clone(),
        }
    }

    /// Returns whether this address selects `other`: itself, or every instance when it names the whole block. In the same
    /// way a module that is named without an instance stands for all its instances.
    pub fn selects(&self, other: &Self) -> bool {
        let key = |of: &InstanceKey, other: &InstanceKey| *of == InstanceKey::Single || of == other;
        let mut steps = self.module.iter().zip(&other.module);
        self.kind == other.kind
            && self.name == other.name
            && key(&self.key, &other.key)
            && self.module.len() == other.module.len()
            && steps.all(|(step, other)| step.name == other.name && key(&step.key, &other.key))
    }

    /// Returns the address of the block, without the instance.
    #[must_use]
    pub fn block(&self) -> Self {
        Self { key: InstanceKey::Single, ..self.clone() }
    }

    /// Returns the name and the instance without the kind: `k3s["pve"]`, in a module `module.x.k3s["pve"]`.
    pub fn short(&self) -> String {
        let mut steps: Vec<String> = self.module.iter().map(ToString::to_string).collect();
        steps.push(format!("{}{}", self.name, self.key));
        steps.join(".")
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

impl fmt::Display for ModuleStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module.{}{}", self.name, self.key)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.module {
            write!(f, "{step}.")?;
        }
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
    let (mut module, mut rest) = (Vec::new(), source);
    while let Some(after) = rest.strip_prefix("module.") {
        let (name, key, after) = parse_name(after)?;
        module.push(ModuleStep { name: name.to_owned(), key });
        rest = after.strip_prefix('.')?;
    }
    let (kind, rest) = rest.split_once('.')?;
    let (name, key, rest) = parse_name(rest)?;
    (is_identifier(kind) && rest.is_empty()).then(|| Address {
        module,
        kind: kind.to_owned(),
        name: name.to_owned(),
        key,
    })
}

/// Takes a name with an instance from the start of a text.
fn parse_name(source: &str) -> Option<(&str, InstanceKey, &str)> {
    let end = source.find(['.', '[']).unwrap_or(source.len());
    let (name, rest) = source.split_at(end);
    if !is_identifier(name) {
        return None;
    }
    let Some(inner) = rest.strip_prefix('[') else { return Some((name, InstanceKey::Single, rest)) };
    let close = closing(inner)?;
    Some((name, parse_key(&inner[..close])?, &inner[close + 1..]))
}

/// Returns where the bracket closes that was opened before a text.
fn closing(source: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    source.char_indices().find_map(|(at, c)| {
        let closes = c == ']' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
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
    fn is_called_by_its_key_or_its_name() {
        let name = |text: &str| text.parse::<Address>().unwrap().own_name();
        assert_eq!(["host.nas", "host.k3s[\"pve\"]", "module.x[0].host.k3s[2]"].map(name), ["nas", "pve", "2"]);
    }

    #[test]
    fn selects_instances_of_a_module() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let one = address("module.x[\"k\"].module.y.sysctl.etcd[0]");
        assert!(address("module.x.module.y.sysctl.etcd").selects(&one));
        assert!(address("module.x[\"k\"].module.y.sysctl.etcd[0]").selects(&one));
        for other in
            ["sysctl.etcd", "module.x.sysctl.etcd", "module.x[0].module.y.sysctl.etcd", "module.y.module.x.sysctl.etcd"]
        {
            assert!(!address(other).selects(&one), "{other}");
        }
        assert_eq!(one.block(), address("module.x[\"k\"].module.y.sysctl.etcd"));
        assert_eq!(one.short(), "module.x[\"k\"].module.y.etcd[0]");
    }

    #[test]
    fn what_is_in_no_module_comes_first() {
        let mut addresses = ["module.a.b.c", "z.z", "a.b[1]", "module.a[\"x\"].b.c", "a.b"];
        addresses.sort_by_key(|text| text.parse::<Address>().unwrap());
        assert_eq!(addresses, ["a.b", "a.b[1]", "z.z", "module.a.b.c", "module.a[\"x\"].b.c"]);
    }

    #[test]
    fn refuses_what_is_no_address() {
        let modules =
            ["module.a", "module.a.b", "module.a.", "module.a[.b.c", "module.a[\"x\"]b.c", "module..b.c", "a.b[0].c"];
        let plain = ["", "sysctl", "sysctl.", ".x", "sysctl.a[", "sysctl.a[x]", "sysctl.a[\"x]", "a b.c", "a.b]"];
        for text in plain.into_iter().chain(modules) {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(key in "\\PC{0,12}|[\"\\\\$%{\\n\\u{1b}a]{0,8}") {
            let module = ModuleStep { name: "m".to_owned(), key: InstanceKey::Name(key.clone()) };
            let address = Address::new("sysctl", "etcd").with_name(&key);
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address.clone());
            let address = address.within(&[module, ModuleStep { name: "n".to_owned(), key: InstanceKey::Index(7) }]);
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}
