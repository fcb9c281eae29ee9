//! Property strings, such as `local-zfs:vm-107-disk-0,cache=none,size=32G`: one text that holds several sub-options.
//!
//! A write replaces the whole text, so whatever is left out is reset. Here a sub-option is changed in its place and every
//! other byte stays: unknown sub-options, blank parts, the order, and the spelling of the changed key itself.

use std::fmt;

/// How the sub-options of one kind of string are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grammar {
    /// The sub-option that a part without `=` gives.
    pub(crate) default_key: &'static str,
    /// Other names of sub-options: `(other, name)`.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
    /// Names that stand for a value of the default key and carry another sub-option: `virtio=MAC` gives `model` and
    /// `macaddr`.
    pub(crate) joined: Option<Joined>,
    /// What separates parts; some strings take blanks as well.
    pub(crate) separators: &'static [char],
}

/// Two sub-options in one part: `virtio=BC:24:11:00:00:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joined {
    /// The values of the default key that may stand before the `=`.
    pub(crate) values: &'static [&'static str],
    /// The sub-option that then stands after it.
    pub(crate) carries: &'static str,
}

/// A property string, part by part.
///
/// Invariant: printing what was parsed gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PropertyString {
    grammar: Grammar,
    parts: Vec<Part>,
}

/// What stands between two separators, and the separator after it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    text: String,
    separator: Option<char>,
}

/// One part taken apart: what its key means, and its value.
enum Meaning<'a> {
    Blank,
    One(&'a str, &'a str),
    /// The value of the default key, then the sub-option that it carries.
    Two(&'a str, &'static str, &'a str),
}

impl PropertyString {
    /// Takes a text apart; every text can be.
    pub(crate) fn parse(grammar: Grammar, text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(grammar.separators) {
            let separator = rest[at..].chars().next();
            parts.push(Part { text: rest[..at].to_owned(), separator });
            rest = &rest[at + separator.map_or(0, char::len_utf8)..];
        }
        parts.push(Part { text: rest.to_owned(), separator: None });
        Self { grammar, parts }
    }

    /// Returns the value of a sub-option.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.entries().into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Returns every sub-option by its own name, in the order of the text.
    pub(crate) fn entries(&self) -> Vec<(&str, &str)> {
        let mut entries = Vec::new();
        for part in &self.parts {
            match self.meaning(&part.text) {
                Meaning::Blank => {}
                Meaning::One(key, value) => entries.push((key, value)),
                Meaning::Two(value, carried, with) => {
                    entries.extend([(self.grammar.default_key, value), (carried, with)]);
                }
            }
        }
        entries
    }

    /// Sets a sub-option: in its place where it is there, else at the end.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        for index in 0..self.parts.len() {
            let text = &self.parts[index].text;
            let new = match self.meaning(text) {
                Meaning::One(name, _) if name == key => match text.split_once('=') {
                    Some((written, _)) => format!("{written}={value}"),
                    None => value.to_owned(),
                },
                Meaning::Two(_, _, with) if key == self.grammar.default_key => format!("{value}={with}"),
                Meaning::Two(model, carried, _) if key == carried => format!("{model}={value}"),
                _ => continue,
            };
            self.parts[index].text = new;
            return;
        }
        let text = if key == self.grammar.default_key && self.is_empty() {
            value.to_owned()
        } else {
            format!("{key}={value}")
        };
        // A text that ends in a separator has a blank part at its end, which takes the new one.
        match self.parts.last_mut() {
            Some(last) if last.text.is_empty() => last.text = text,
            Some(last) => {
                last.separator = Some(',');
                self.parts.push(Part { text, separator: None });
            }
            None => self.parts.push(Part { text, separator: None }),
        }
    }

    /// Takes a sub-option away, with the separator before it.
    pub(crate) fn remove(&mut self, key: &str) {
        let stands = |part: &Part| matches!(self.meaning(&part.text), Meaning::One(name, _) if name == key);
        let Some(index) = self.parts.iter().position(stands) else { return };
        let removed = self.parts.remove(index);
        if removed.separator.is_none()
            && let Some(last) = self.parts.last_mut()
        {
            last.separator = None;
        }
    }

    /// Returns whether no sub-option is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.text.trim().is_empty())
    }

    fn meaning<'a>(&self, part: &'a str) -> Meaning<'a>
    where
        Grammar: 'static,
    {
        if part.trim().is_empty() {
            return Meaning::Blank;
        }
        let grammar = self.grammar;
        match part.split_once('=') {
            None => Meaning::One(grammar.default_key, part),
            Some((written, value)) => {
                if let Some(joined) = grammar.joined
                    && joined.values.contains(&written)
                {
                    return Meaning::Two(written, joined.carries, value);
                }
                Meaning::One(grammar.own_name(written), value)
            }
        }
    }
}

impl Grammar {
    /// Returns the name that another spelling stands for.
    pub(crate) fn own_name<'a>(&self, written: &'a str) -> &'a str {
        self.aliases.iter().find(|(other, _)| *other == written).map_or(written, |(_, name)| name)
    }
}

impl fmt::Display for PropertyString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            f.write_str(&part.text)?;
            if let Some(separator) = part.separator {
                write!(f, "{separator}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::{DRIVE, NET};

    fn drive(text: &str) -> PropertyString {
        PropertyString::parse(DRIVE, text)
    }

    #[test]
    fn a_sub_option_changes_in_its_place() {
        let mut scsi0 = drive("zfs:vm-1-disk-0,,discard=on,x-new=7,cache=none,size=32G");
        scsi0.set("cache", "writeback");
        scsi0.set("iothread", "1");
        assert_eq!(scsi0.to_string(), "zfs:vm-1-disk-0,,discard=on,x-new=7,cache=writeback,size=32G,iothread=1");
        scsi0.remove("discard");
        scsi0.remove("iothread");
        scsi0.remove("not-there");
        assert_eq!(scsi0.to_string(), "zfs:vm-1-disk-0,,x-new=7,cache=writeback,size=32G");
    }

    #[test]
    fn aliases_keep_their_spelling() {
        let mut scsi0 = drive("cache=none,volume=zfs:vm-1-disk-0,bps_rd_length=3");
        assert_eq!(scsi0.get("file"), Some("zfs:vm-1-disk-0"));
        scsi0.set("bps_rd_max_length", "5");
        assert_eq!(scsi0.to_string(), "cache=none,volume=zfs:vm-1-disk-0,bps_rd_length=5");
    }

    #[test]
    fn a_network_device_keeps_its_address() {
        let mut net0 = PropertyString::parse(NET, "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1");
        assert_eq!((net0.get("model"), net0.get("macaddr")), (Some("virtio"), Some("BC:24:11:00:00:01")));
        net0.set("model", "e1000");
        net0.set("queues", "4");
        assert_eq!(net0.to_string(), "e1000=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,queues=4");
        let mut net1 = PropertyString::parse(NET, "macaddr=BC:24:11:00:00:01,model=virtio");
        net1.set("model", "e1000");
        assert_eq!(net1.to_string(), "macaddr=BC:24:11:00:00:01,model=e1000");
    }

    /// Any string that a machine may have: known and unknown sub-options, blank parts, odd bytes.
    fn any_string() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(String::new()),
            "[a-z]{1,4}:[a-z0-9-]{1,8}",
            "(cache|iothread|size|discard|volume|x-[a-z]{1,3})=[ -+\\--~é]{0,6}",
            "\\PC{0,6}",
        ];
        proptest::collection::vec(part, 0..7).prop_map(|parts| parts.join(","))
    }

    proptest! {
        #[test]
        fn what_was_parsed_prints_as_it_was(text in any_string()) {
            prop_assert_eq!(drive(&text).to_string(), text.clone());
            prop_assert_eq!(PropertyString::parse(NET, &text).to_string(), text);
        }

        #[test]
        fn a_change_touches_no_other_sub_option(text in any_string(), key in "(cache|iothread|queues|x-abc)", value in "[a-z0-9]{1,6}") {
            let before = drive(&text);
            let others = |string: &PropertyString| -> Vec<(String, String)> {
                let mut first = true;
                let entries = string.entries().into_iter();
                // The API takes no key twice; of two the first is changed.
                let kept = entries.filter(|(name, _)| *name != key || !std::mem::take(&mut first));
                kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            };
            let mut set = before.clone();
            set.set(&key, &value);
            prop_assert_eq!(set.get(&key), Some(value.as_str()));
            prop_assert_eq!(others(&set), others(&before));
            let mut removed = set.clone();
            removed.remove(&key);
            prop_assert_eq!(removed.entries().len(), set.entries().len() - 1);
        }

        #[test]
        fn an_added_sub_option_goes_without_a_trace(text in "[a-z]{1,4}:[a-z0-9-]{1,8}(,x-[a-z]{1,3}=[a-z]{1,3}){0,3}") {
            let mut string = drive(&text);
            string.set("queues", "4");
            string.remove("queues");
            prop_assert_eq!(string.to_string(), text);
        }
    }
}
