//! What the options of a virtual machine are: their types, defaults, when a change takes effect, and the privilege that
//! it needs. Data, taken from the API's own schema and from what it was observed to do. One more option is one more row.

mod drive;
mod net;
mod option;

pub(crate) use self::drive::{SUBS as DRIVE_SUBS, buses_of};
pub(crate) use self::net::SUBS as NET_SUBS;
pub(crate) use self::option::OPTIONS;

use crate::property::{Grammar, Joined};

/// The type of a bare value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    /// 0 or 1.
    Bool,
    /// A whole number in a range.
    Int(i64, i64),
    /// A number in a range.
    Number(f64, f64),
    /// A whole number of MiB, at least so many.
    Mebibytes(i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text for which the test holds; the second part says what it tests.
    Text(fn(&str) -> bool, &'static str),
    /// Words in any order, each once, joined by the character.
    Set(char, fn(&str) -> bool, &'static str),
    /// Words whose order matters, joined by the character.
    List(char, fn(&str) -> bool, &'static str),
}

/// When a change of a running machine takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// At once.
    Live,
    /// At once if `hotplug` lists the feature, else with the next power cycle.
    LiveWith(&'static str),
    /// The device is taken out and put in again if `hotplug` lists the feature, else with the next power cycle.
    Replugged(&'static str),
    /// With the next power cycle; until then the API shows it as pending.
    Pending,
    /// With the next power cycle, but the API shows it as done already.
    Silent,
}

/// One option of a machine, or one sub-option of a property string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its name; for indexed options without the number.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) of: Type,
    /// What the API takes its absence for; `None` where that depends on something else.
    pub(crate) default: Option<&'static str>,
    /// When a change takes effect.
    pub(crate) when: When,
    /// What it is for.
    pub(crate) doc: &'static str,
}

/// How an option holds its value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A bare value.
    Value,
    /// A property string of these sub-options.
    String(Grammar, &'static [Row]),
}

/// One option of a machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OptionRow {
    /// Name, type, default, time and purpose; of a property string, the type of its default sub-option.
    pub(crate) row: Row,
    /// How it holds its value.
    pub(crate) shape: Shape,
    /// The highest number of an indexed option such as `ipconfig0`.
    pub(crate) last: Option<u32>,
    /// The privilege on the machine that a change needs; `root` where only root@pam itself may.
    pub(crate) privilege: &'static str,
}

/// Who may change an option that needs no privilege but root's own login.
pub(crate) const ROOT: &str = "root";

/// The grammar of drives.
pub(crate) const DRIVE: Grammar = Grammar {
    default_key: "file",
    aliases: &[
        ("volume", "file"),
        ("bps_rd_length", "bps_rd_max_length"),
        ("bps_wr_length", "bps_wr_max_length"),
        ("iops_rd_length", "iops_rd_max_length"),
        ("iops_wr_length", "iops_wr_max_length"),
    ],
    joined: None,
    separators: &[','],
};

/// The models of network devices, any of which may stand where the key does: `virtio=MAC`.
pub(crate) const MODELS: &[&str] = &[
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "virtio",
    "vmxnet3",
];

/// The grammar of network devices.
pub(crate) const NET: Grammar = Grammar {
    default_key: "model",
    aliases: &[],
    joined: Some(Joined { values: MODELS, carries: "macaddr" }),
    separators: &[','],
};

/// Returns the grammar of an option's property string.
pub(crate) const fn grammar(default_key: &'static str) -> Grammar {
    Grammar { default_key, aliases: &[], joined: None, separators: &[','] }
}

/// Returns the row of an option, `cores` or `ipconfig3`.
pub(crate) fn option(name: &str) -> Option<&'static OptionRow> {
    OPTIONS.iter().find(|option| match option.last {
        None => option.row.name == name,
        Some(last) => name.strip_prefix(option.row.name).and_then(index).is_some_and(|index| index <= last),
    })
}

/// Returns a number that is written without leading zeros.
pub(crate) fn index(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A drive's bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    Ide,
    Sata,
    Scsi,
    Virtio,
}

impl Bus {
    const ALL: [(Self, &'static str, u32); 4] =
        [(Self::Ide, "ide", 3), (Self::Sata, "sata", 5), (Self::Scsi, "scsi", 30), (Self::Virtio, "virtio", 15)];

    /// Returns the bus of a drive's key, `scsi0`.
    pub(crate) fn of(key: &str) -> Option<Self> {
        let matching = |(_, name, last): &&(Self, &str, u32)| {
            key.strip_prefix(name).and_then(index).is_some_and(|index| index <= *last)
        };
        Self::ALL.iter().find(matching).map(|(bus, _, _)| *bus)
    }

    /// Returns the bus's name in keys.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(bus, _, _)| *bus == self).map_or("", |(_, name, _)| name)
    }
}

/// Returns whether a key names a network device, `net0` to `net31`.
pub(crate) fn is_net(key: &str) -> bool {
    key.strip_prefix("net").and_then(index).is_some_and(|index| index <= 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn keys_are_those_of_the_api() {
        assert_eq!(Bus::of("scsi30"), Some(Bus::Scsi));
        assert_eq!(Bus::of("virtio15"), Some(Bus::Virtio));
        for wrong in ["scsi31", "scsi00", "scsi", "virtio16", "ide4", "sata6", "efidisk0", "unused0", "cdrom"] {
            assert_eq!(Bus::of(wrong), None, "{wrong}");
        }
        assert!(is_net("net0") && is_net("net31") && !is_net("net32") && !is_net("net"));
        assert!(option("cores").is_some() && option("ipconfig3").is_some() && option("ipconfig").is_none());
        assert!(option("cipassword").is_none() && option("ipconfig99").is_none());
    }

    #[test]
    fn every_row_has_a_purpose_and_its_default_is_of_its_type() {
        let subs = OPTIONS.iter().filter_map(|option| match option.shape {
            Shape::String(_, rows) => Some(rows),
            Shape::Value => None,
        });
        let rows = subs.flatten().chain(DRIVE_SUBS).chain(NET_SUBS).chain(OPTIONS.iter().map(|option| &option.row));
        for row in rows {
            assert!(row.doc.ends_with('.'), "{}", row.name);
            if let Some(default) = row.default {
                assert_eq!(value::check(row.of, default).as_deref(), Ok(default), "{}", row.name);
            }
        }
    }
}
