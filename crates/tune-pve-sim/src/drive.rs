//! Drives: parsing with the rules that go beyond single sub-options, printing, and what kind of drive it is.

use crate::conf::Section;
use crate::schema::drive::{all_drive_props, drive_props, split_key};
use crate::schema::formats::{parse_size, pattern};
use crate::schema::property::{Parsed, parse_property_string, print_property_string};
use crate::schema::truthy;

pub(crate) use crate::schema::drive::is_drive_key;

/// A drive string taken apart. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drive {
    pub(crate) bus: &'static str,
    pub(crate) index: u32,
    pub(crate) options: Parsed,
}

/// Why a drive string was refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Refused {
    /// There is no such drive.
    Key,
    /// A sub-option does not fit the schema; the text is that of the parser.
    Schema(String),
    /// Each sub-option fits, but not together.
    Together,
}

impl Drive {
    /// Parses a value as it stands in a configuration file.
    pub(crate) fn parse(key: &str, data: &str) -> Option<Self> {
        Drive::try_parse(key, data, false).ok()
    }

    /// Parses a value as a call may give it, with the syntax that allocates volumes.
    pub(crate) fn parse_new(key: &str, data: &str) -> Option<Self> {
        Drive::try_parse(key, data, true).ok()
    }

    /// Parses, and says why not.
    pub(crate) fn try_parse(key: &str, data: &str, alloc: bool) -> Result<Self, Refused> {
        let (bus, index) = split_key(key).ok_or(Refused::Key)?;
        let props = drive_props(bus, alloc).ok_or(Refused::Key)?;
        let mut options = parse_property_string(props, data, key).map_err(Refused::Schema)?;
        old_throttles(&mut options)?;
        together(bus, &options)?;
        if let Some(size) = options.get("size").filter(|size| truthy(size)) {
            let bytes = parse_size(size).ok_or(Refused::Together)?;
            options.insert("size".to_owned(), bytes.to_string());
        }
        Ok(Drive { bus, index, options })
    }

    /// The property string.
    pub(crate) fn print(&self) -> String {
        print_property_string(all_drive_props(), &self.options)
    }

    /// The volume, path, `none` or `cdrom`.
    pub(crate) fn file(&self) -> &str {
        self.options.get("file").map_or("", String::as_str)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.options.insert(key.to_owned(), value.into());
    }

    /// The size in bytes, if it is given.
    pub(crate) fn size(&self) -> Option<u64> {
        self.options.get("size")?.parse().ok()
    }

    pub(crate) fn is_cdrom(&self) -> bool {
        self.get("media") == Some("cdrom")
    }

    /// Whether it is the drive from which cloud-init reads.
    pub(crate) fn is_cloudinit(&self) -> bool {
        pattern!(r"[:/](?:vm-\d+-)?cloudinit(?:\.(?:raw|qcow|qcow2|qed|vmdk|cloop))?$").is_match(self.file())
    }

    /// The storage and the size in GiB of a volume that is yet to be allocated.
    pub(crate) fn new_volume(&self) -> Option<(Option<&str>, f64)> {
        let found = pattern!(r"^(([^/:\s]+):)?(\d+(\.\d+)?)$").captures(self.file())?;
        let storage = found.get(2).map(|storage| storage.as_str());
        Some((storage, found[3].parse().ok()?))
    }

    /// Fills in the medium that `none` and `cdrom` imply.
    pub(crate) fn imply_media(&mut self) {
        if self.get("media").is_none_or(|media| !truthy(media)) && matches!(self.file(), "cdrom" | "none") {
            self.set("media", "cdrom");
        }
    }
}

/// The old throttles in bytes become zero megabytes: the conversion has been broken for years, and is kept so.
fn old_throttles(options: &mut Parsed) -> Result<(), Refused> {
    for key in ["bps", "bps_rd", "bps_wr"] {
        if options.remove(key).is_some() {
            let new = format!("m{key}");
            if options.contains_key(&new) {
                return Err(Refused::Together);
            }
            options.insert(new, "0.000".to_owned());
        }
    }
    Ok(())
}

fn together(bus: &str, options: &Parsed) -> Result<(), Refused> {
    let set = |key: &str| options.get(key).is_some_and(|value| truthy(value));
    let needs = [
        ("mbps_max", "mbps"),
        ("mbps_rd_max", "mbps_rd"),
        ("mbps_wr_max", "mbps_wr"),
        ("bps_max_length", "mbps_max"),
        ("bps_rd_max_length", "mbps_rd_max"),
        ("bps_wr_max_length", "mbps_wr_max"),
        ("iops_max_length", "iops_max"),
        ("iops_rd_max_length", "iops_rd_max"),
        ("iops_wr_max_length", "iops_wr_max"),
    ];
    let missing = needs.iter().any(|(option, other)| set(option) && !set(other));
    let total_and_part =
        ["mbps", "iops"].iter().any(|total| set(total) && (set(&format!("{total}_rd")) || set(&format!("{total}_wr"))));
    let cdrom = options.get("media").is_some_and(|media| media == "cdrom");
    let odd_cdrom = cdrom && (set("snapshot") || set("format") || bus == "virtio");
    if missing || total_and_part || odd_cdrom { Err(Refused::Together) } else { Ok(()) }
}

/// The key of the cloud-init drive among some options, `skip` left out.
pub(crate) fn cloudinit_key(section: &Section, skip: &str) -> Option<String> {
    let drives = section.iter().filter(|(key, _)| is_drive_key(key) && key.as_str() != skip);
    let mut parsed = drives.filter_map(|(key, value)| Some((key, Drive::parse(key, value)?)));
    parsed.find(|(_, drive)| drive.is_cloudinit()).map(|(key, _)| key.clone())
}

/// The drives that the boot order names.
pub(crate) fn boot_disks(section: &Section) -> Vec<String> {
    let props = crate::schema::options::boot();
    let boot = section.get("boot").filter(|boot| truthy(boot));
    let boot = boot.and_then(|boot| parse_property_string(&props, boot, "").ok());
    match boot {
        Some(boot) if !boot.get("legacy").is_some_and(|legacy| truthy(legacy)) => {
            let order = boot.get("order").map_or("", String::as_str);
            crate::schema::split_list(order).into_iter().filter(|key| is_drive_key(key)).map(str::to_owned).collect()
        }
        _ => section.get("bootdisk").filter(|disk| truthy(disk)).cloned().into_iter().collect(),
    }
}

/// The size in bytes of the first disk that the machine boots from.
pub(crate) fn boot_disk_size(section: &Section) -> Option<u64> {
    let keys = boot_disks(section);
    let mut drives = keys.iter().filter_map(|key| Drive::parse(key, section.get(key)?));
    let disk = drives.find(|drive| !drive.is_cdrom() && !drive.file().is_empty())?;
    disk.size()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(key: &str, input: &str) -> String {
        Drive::parse_new(key, input).unwrap().print()
    }

    #[test]
    fn a_drive_prints_its_volume_first_and_the_rest_in_order() {
        assert_eq!(printed("scsi0", "discard=on,imgs:1/a.raw,cache=none,,"), "imgs:1/a.raw,cache=none,discard=on");
        assert_eq!(printed("scsi0", "volume=imgs:1/a.raw,size=32768M,ssd=yes"), "imgs:1/a.raw,size=32G,ssd=1");
        assert_eq!(printed("scsi0", "imgs:1/a.raw,size=33280M"), "imgs:1/a.raw,size=33280M");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_servers_words() {
        let refused = |key: &str, input: &str| Drive::try_parse(key, input, true).unwrap_err();
        let schema = |text: &str| Refused::Schema(text.to_owned());
        assert_eq!(refused("scsi31", "none"), Refused::Key);
        assert_eq!(refused("scsi0", "none,mbps=1,mbps_rd=1"), Refused::Together);
        assert_eq!(refused("scsi0", "none,mbps_max=1"), Refused::Together);
        assert_eq!(
            refused("scsi0", "imgs:1/a.raw,imgs:1/b.raw"),
            schema("duplicate key in comma-separated list property: file\n")
        );
        assert_eq!(refused("scsi0", "none,cache="), schema("missing key in comma-separated list property\n"));
    }

    proptest! {
        #[test]
        fn printing_again_changes_nothing(
            cache in prop::sample::select(vec!["none", "writeback", "unsafe"]),
            flags in prop::collection::vec(prop::sample::select(vec!["ssd=1", "discard=on", "iothread=0", "ro=1", "backup=0", "size=4G", "mbps=2.5", "queues=3"]), 0..4),
            key in prop::sample::select(vec!["scsi0", "virtio3", "sata1", "ide0"]),
        ) {
            let input = format!("imgs:1/a.raw,cache={cache},{}", flags.join(","));
            if let Some(drive) = Drive::parse(key, &input) {
                let first = drive.print();
                prop_assert_eq!(Drive::parse(key, &first).map(|drive| drive.print()), Some(first));
            }
        }
    }
}
