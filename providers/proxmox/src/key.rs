//! The names of items: `107/cores`, `107/scsi0/cache`. A name says what the item is, wherever its machine lives now.

use tune_core::item::ItemKey;

use crate::property::Grammar;
use crate::table::{self, Bus, DRIVE, DRIVE_SUBS, NET, NET_SUBS, OptionRow, Row, Shape};

/// The smallest and the largest number of a machine.
pub(crate) const VMIDS: std::ops::RangeInclusive<u32> = 100..=999_999_999;

/// What an item is: an option of a machine, or a sub-option of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The machine's number.
    pub(crate) vmid: u32,
    /// The option's name as the API has it, `scsi0`.
    pub(crate) option: String,
    /// The sub-option of its property string.
    pub(crate) sub: Option<String>,
}

/// What kind of option a name stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Disk(Bus),
    Net,
    Option(&'static OptionRow),
}

impl Place {
    /// Returns what an option's name stands for; `None` if it is none that is managed here.
    pub(crate) fn of(option: &str) -> Option<Self> {
        if let Some(bus) = Bus::of(option) {
            return Some(Self::Disk(bus));
        }
        if table::is_net(option) {
            return Some(Self::Net);
        }
        table::option(option).map(Self::Option)
    }

    /// Returns the grammar and the sub-options of a property string, `None` for a bare value.
    pub(crate) fn string(self) -> Option<(Grammar, &'static [Row])> {
        match self {
            Self::Disk(_) => Some((DRIVE, DRIVE_SUBS)),
            Self::Net => Some((NET, NET_SUBS)),
            Self::Option(option) => match option.shape {
                Shape::Value => None,
                Shape::String(grammar, subs) => Some((grammar, subs)),
            },
        }
    }
}

impl Key {
    /// Takes an item's name apart; `None` if no item of this kind has it.
    pub(crate) fn parse(item: &ItemKey) -> Option<Self> {
        let mut parts = item.0.split('/');
        let vmid = parts.next().and_then(table::index).filter(|vmid| VMIDS.contains(vmid))?;
        let option = parts.next()?.to_owned();
        let sub = parts.next().map(str::to_owned);
        let key = Self { vmid, option, sub };
        (parts.next().is_none() && key.row().is_some()).then_some(key)
    }

    /// Returns the item's name.
    pub(crate) fn item(&self) -> ItemKey {
        let sub = self.sub.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
        ItemKey(format!("{}/{}{sub}", self.vmid, self.option))
    }

    /// Returns what is known of the item.
    pub(crate) fn row(&self) -> Option<&'static Row> {
        let place = Place::of(&self.option)?;
        match (place.string(), &self.sub, place) {
            (Some((_, subs)), Some(sub), Place::Disk(bus)) => {
                subs.iter().find(|row| row.name == sub && table::buses_of(sub).contains(&bus))
            }
            (Some((_, subs)), Some(sub), _) => subs.iter().find(|row| row.name == sub),
            (None, None, Place::Option(option)) => Some(&option.row),
            _ => None,
        }
    }

    /// Returns what a person calls the item: `cores`, `scsi0.cache`, and `memory` for the sub-option that it is about.
    pub(crate) fn label(&self) -> String {
        match (&self.sub, Place::of(&self.option)) {
            (Some(sub), Some(Place::Option(OptionRow { shape: Shape::String(grammar, _), .. })))
                if sub == grammar.default_key =>
            {
                self.option.clone()
            }
            (Some(sub), _) => format!("{}.{sub}", self.option),
            (None, _) => self.option.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_put_together() {
        for (name, label) in [
            ("107/cores", "cores"),
            ("107/scsi0/cache", "scsi0.cache"),
            ("107/memory/current", "memory"),
            ("107/agent/type", "agent.type"),
            ("107/net0/queues", "net0.queues"),
            ("107/numa/", ""),
            ("107/serial0", "serial0"),
            ("107/sata0/iothread", ""),
            ("107/scsi0", ""),
            ("107/scsi0/file", ""),
            ("107/net0/macaddr", ""),
            ("107/cores/x", ""),
            ("107/memory", ""),
            ("99/cores", ""),
            ("0107/cores", ""),
            ("107/cores/", ""),
            ("107/lock", ""),
            ("cores", ""),
        ] {
            let key = Key::parse(&ItemKey::from(name));
            assert_eq!(key.as_ref().map(Key::label).unwrap_or_default(), label, "{name}");
            if let Some(key) = key {
                assert_eq!(key.item().0, name);
            }
        }
    }
}
