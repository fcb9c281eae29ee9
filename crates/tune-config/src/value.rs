//! Values while expressions are evaluated: what [`tune_core::Value`] holds, and beside that what only evaluation knows,
//! namely secrets, values that are not known yet and the trace of a mistake.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tune_core::{Address, Number};

use crate::types::Type;

/// Entries of a map or an object.
pub(crate) type Entries = BTreeMap<Arc<str>, Value>;

/// A value; cloning one is cheap, because everything that can be large is shared.
#[derive(Clone)]
pub(crate) struct Value {
    pub data: Data,
    /// Whether this very value is a secret. Its parts may be secrets of their own, see [`Value::has_secret`].
    pub sensitive: bool,
}

#[derive(Clone)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Arc<Number>),
    String(Arc<str>),
    List(Arc<Items>),
    /// Invariant: sorted, without duplicates, and no element is a secret (the whole set is, then).
    Set(Arc<Items>),
    Map(Arc<Map>),
    /// Only while a configuration is checked without values for its variables.
    Unknown(Arc<Type>),
    /// What a mistake leaves behind. Whatever is made of it is poison too, so that one mistake is reported once.
    Poison,
}

#[derive(Clone)]
pub(crate) struct Items {
    pub items: Vec<Value>,
    facts: Facts,
}

#[derive(Clone)]
pub(crate) struct Map {
    pub entries: Entries,
    /// The host block instance that this object describes.
    pub host: Option<Address>,
    facts: Facts,
}

/// What is true of a value and everything in it, kept so that asking costs nothing.
#[derive(Clone, Copy, Default)]
struct Facts {
    /// How much there is to visit. Parts may be shared, so this can be far more than the memory in use.
    weight: u64,
    depth: u32,
    sensitive: bool,
    unknown: bool,
    poison: bool,
}

impl Value {
    pub(crate) const NULL: Self = Self { data: Data::Null, sensitive: false };
    pub(crate) const POISON: Self = Self { data: Data::Poison, sensitive: false };

    pub(crate) fn new(data: Data) -> Self {
        Self { data, sensitive: false }
    }

    pub(crate) fn string(text: impl Into<Arc<str>>) -> Self {
        Self::new(Data::String(text.into()))
    }

    pub(crate) fn number(number: Number) -> Self {
        Self::new(Data::Number(Arc::new(number)))
    }

    pub(crate) fn integer(integer: impl TryInto<i64>) -> Self {
        Self::number(Number::from(integer.try_into().unwrap_or(i64::MAX)))
    }

    pub(crate) fn bool(value: bool) -> Self {
        Self::new(Data::Bool(value))
    }

    pub(crate) fn unknown(of_type: Type) -> Self {
        Self::new(Data::Unknown(Arc::new(of_type)))
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        let facts = Facts::of(items.iter());
        Self::new(Data::List(Arc::new(Items { items, facts })))
    }

    pub(crate) fn set(items: Vec<Self>) -> Self {
        let sensitive = items.iter().any(Self::has_secret);
        let mut items: Vec<Self> = if sensitive { items.iter().map(Self::without_secrets).collect() } else { items };
        items.sort_by(Self::order);
        items.dedup_by(|a, b| a.order(b) == Ordering::Equal);
        let facts = Facts::of(items.iter());
        Self::new(Data::Set(Arc::new(Items { items, facts }))).mark(sensitive)
    }

    pub(crate) fn map(entries: Entries) -> Self {
        Self::object(entries, None)
    }

    pub(crate) fn object(entries: Entries, host: Option<Address>) -> Self {
        let mut facts = Facts::of(entries.values());
        facts.weight = entries.keys().fold(facts.weight, |weight, key| weight.saturating_add(text_weight(key)));
        Self::new(Data::Map(Arc::new(Map { entries, host, facts })))
    }

    /// Returns the value as a secret if `sensitive`; a secret stays one.
    #[must_use]
    pub(crate) fn mark(mut self, sensitive: bool) -> Self {
        self.sensitive |= sensitive;
        self
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// Returns whether this very value, not one of its parts, is the trace of a mistake.
    pub(crate) fn is_poison(&self) -> bool {
        matches!(self.data, Data::Poison)
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.data, Data::Unknown(_))
    }

    /// Returns whether this value or a part of it is a secret.
    pub(crate) fn has_secret(&self) -> bool {
        self.sensitive || self.facts().sensitive
    }

    pub(crate) fn has_unknown(&self) -> bool {
        self.facts().unknown
    }

    pub(crate) fn has_poison(&self) -> bool {
        self.facts().poison
    }

    pub(crate) fn weight(&self) -> u64 {
        self.facts().weight
    }

    pub(crate) fn depth(&self) -> u32 {
        self.facts().depth
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Data::String(text) = &self.data { Some(text) } else { None }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Data::Bool(value) = self.data { Some(value) } else { None }
    }

    pub(crate) fn as_number(&self) -> Option<&Number> {
        if let Data::Number(number) = &self.data { Some(number) } else { None }
    }

    /// Returns the elements of a list or a set.
    pub(crate) fn as_items(&self) -> Option<&[Self]> {
        if let Data::List(list) | Data::Set(list) = &self.data { Some(&list.items) } else { None }
    }

    pub(crate) fn as_entries(&self) -> Option<&Entries> {
        if let Data::Map(map) = &self.data { Some(&map.entries) } else { None }
    }

    /// Returns the host block instance that this value describes.
    pub(crate) fn as_host(&self) -> Option<&Address> {
        if let Data::Map(map) = &self.data { map.host.as_ref() } else { None }
    }

    /// Returns the word that messages use for the value's type, with its article.
    pub(crate) fn described(&self) -> &'static str {
        match &self.data {
            Data::Null => "`null`",
            Data::Bool(_) => "a bool",
            Data::Number(_) => "a number",
            Data::String(_) => "a string",
            Data::List(_) => "a list",
            Data::Set(_) => "a set",
            Data::Map(map) if map.host.is_some() => "a host",
            Data::Map(_) => "a map",
            Data::Unknown(_) | Data::Poison => "a value that is not known yet",
        }
    }

    /// Returns a scalar as messages may show it, never a secret; `None` where only the type should be named.
    pub(crate) fn shown(&self) -> Option<String> {
        match &self.data {
            _ if self.has_secret() => None,
            Data::Bool(value) => Some(value.to_string()),
            Data::Number(number) => Some(crate::diagnostic::shown(&number.to_string())),
            Data::String(text) => Some(tune_core::text::visible(&tune_core::text::quoted(text), 60)),
            _ => None,
        }
    }

    /// Returns the same value with every mark removed, in all its depth.
    pub(crate) fn without_secrets(&self) -> Self {
        if !self.has_secret() {
            return self.clone();
        }
        match &self.data {
            Data::List(list) => Self::list(list.items.iter().map(Self::without_secrets).collect()),
            Data::Map(map) => {
                let entries = map.entries.iter().map(|(key, value)| (key.clone(), value.without_secrets()));
                Self::object(entries.collect(), map.host.clone())
            }
            data => Self::new(data.clone()),
        }
    }

    /// A total order of values, used for equality and for sets: by type, then by content; marks do not count.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (&self.data, &other.data) {
            (Data::Bool(a), Data::Bool(b)) => a.cmp(b),
            (Data::Number(a), Data::Number(b)) => a.cmp(b),
            (Data::String(a), Data::String(b)) => a.cmp(b),
            (Data::List(a), Data::List(b)) | (Data::Set(a), Data::Set(b)) => {
                if Arc::ptr_eq(a, b) {
                    return Ordering::Equal;
                }
                let pairs = a.items.iter().zip(&b.items);
                first_difference(pairs.map(|(a, b)| a.order(b)), a.items.len().cmp(&b.items.len()))
            }
            (Data::Map(a), Data::Map(b)) => {
                if Arc::ptr_eq(a, b) {
                    return Ordering::Equal;
                }
                let pairs = a.entries.iter().zip(&b.entries);
                let orders = pairs.map(|((a_key, a), (b_key, b))| a_key.cmp(b_key).then_with(|| a.order(b)));
                first_difference(orders, a.entries.len().cmp(&b.entries.len()))
            }
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    /// Returns the value as the rest of `tune` knows it. Sets become sorted lists.
    ///
    /// Callers have made sure that nothing in it is unknown or poison.
    pub(crate) fn to_core(&self) -> tune_core::Value {
        match &self.data {
            Data::Null | Data::Unknown(_) | Data::Poison => tune_core::Value::Null,
            Data::Bool(value) => tune_core::Value::Bool(*value),
            Data::Number(number) => tune_core::Value::Number(Number::clone(number)),
            Data::String(text) => tune_core::Value::String(text.to_string()),
            Data::List(list) | Data::Set(list) => {
                tune_core::Value::List(list.items.iter().map(Self::to_core).collect())
            }
            Data::Map(map) => tune_core::Value::Map(
                map.entries.iter().map(|(key, value)| (key.to_string(), value.to_core())).collect(),
            ),
        }
    }

    fn facts(&self) -> Facts {
        let mut facts = match &self.data {
            Data::List(list) | Data::Set(list) => list.facts,
            Data::Map(map) => map.facts,
            Data::String(text) => Facts { weight: text_weight(text), ..Facts::default() },
            Data::Unknown(_) => Facts { weight: 1, unknown: true, ..Facts::default() },
            Data::Poison => Facts { weight: 1, poison: true, ..Facts::default() },
            Data::Null | Data::Bool(_) | Data::Number(_) => Facts { weight: 1, ..Facts::default() },
        };
        facts.sensitive |= self.sensitive;
        facts
    }
}

impl Data {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::String(_) => 3,
            Self::List(_) => 4,
            Self::Set(_) => 5,
            Self::Map(_) => 6,
            Self::Unknown(_) => 7,
            Self::Poison => 8,
        }
    }
}

impl Facts {
    fn of<'a>(parts: impl Iterator<Item = &'a Value>) -> Self {
        let mut sum = Self { weight: 1, ..Self::default() };
        for part in parts {
            let part = part.facts();
            sum.weight = sum.weight.saturating_add(part.weight);
            sum.depth = sum.depth.max(part.depth.saturating_add(1));
            sum.sensitive |= part.sensitive;
            sum.unknown |= part.unknown;
            sum.poison |= part.poison;
        }
        sum
    }
}

/// Shows what a value is made of, for tests and logs; a secret is never printed.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_secret() {
            return f.write_str("(sensitive)");
        }
        match &self.data {
            Data::Unknown(of_type) => write!(f, "(unknown {of_type})"),
            Data::Poison => f.write_str("(poison)"),
            Data::Set(list) => write!(f, "toset({:?})", list.items),
            Data::List(list) => write!(f, "{:?}", list.items),
            Data::Map(map) => f.debug_map().entries(map.entries.iter()).finish(),
            _ => write!(f, "{}", self.to_core()),
        }
    }
}

impl From<&tune_core::Value> for Value {
    fn from(value: &tune_core::Value) -> Self {
        match value {
            tune_core::Value::Null => Self::NULL,
            tune_core::Value::Bool(value) => Self::bool(*value),
            tune_core::Value::Number(number) => Self::number(number.clone()),
            tune_core::Value::String(text) => Self::string(text.as_str()),
            tune_core::Value::List(items) => Self::list(items.iter().map(Self::from).collect()),
            tune_core::Value::Map(entries) => {
                Self::map(entries.iter().map(|(key, value)| (Arc::from(key.as_str()), Self::from(value))).collect())
            }
        }
    }
}

/// A text counts by its length, so that a value of few but long texts is not taken for a small one.
fn text_weight(text: &str) -> u64 {
    1 + text.len() as u64 / 16
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>, otherwise: Ordering) -> Ordering {
    orders.find(|order| *order != Ordering::Equal).unwrap_or(otherwise)
}
