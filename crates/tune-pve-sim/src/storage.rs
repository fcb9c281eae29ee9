//! Storages and the volumes on them, as the directory plugin keeps them.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Access, ROOT};
use crate::errors::Failure;
use crate::schema::formats::{pattern, split_volume_id};

/// A storage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Storage {
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) content: Vec<String>,
    pub(crate) disabled: bool,
    /// Bytes of each volume by its name after the colon.
    pub(crate) volumes: BTreeMap<String, u64>,
}

/// All storages of the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Storages(pub(crate) BTreeMap<String, Storage>);

/// What a volume's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// `images`, `iso`, `snippets`, …
    pub(crate) kind: &'static str,
    /// The machine that it belongs to.
    pub(crate) owner: Option<u32>,
    pub(crate) format: String,
    /// Whether it is the base of linked clones.
    pub(crate) base: bool,
}

impl Storage {
    /// The first number that no image of a machine has, nor a base made of one.
    fn free_number(&self, vmid: u32) -> u32 {
        let number = |volume: &str| {
            let (folder, file) = volume.rsplit_once('/')?;
            let folder = folder.rsplit('/').next()?;
            let rest = file.strip_prefix("vm-").or_else(|| file.strip_prefix("base-"))?;
            let rest = rest.strip_prefix(folder)?.strip_prefix("-disk-")?;
            let digits = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
            (folder == vmid.to_string()).then(|| rest[..digits].parse().ok())?
        };
        let taken: BTreeSet<u32> = self.volumes.keys().filter_map(|volume| number(volume)).collect();
        (0..u32::MAX).find(|number| !taken.contains(number)).unwrap_or(0)
    }
}

impl Storages {
    /// The storage, which must exist.
    pub(crate) fn get(&self, name: &str) -> Result<&Storage, Failure> {
        self.0.get(name).ok_or_else(|| Failure::internal(format!("storage '{name}' does not exist")))
    }

    /// The storage, which must exist and be enabled.
    pub(crate) fn enabled(&self, name: &str) -> Result<&Storage, Failure> {
        let storage = self.get(name)?;
        if storage.disabled {
            return Err(Failure::internal(format!("storage '{name}' is disabled")));
        }
        Ok(storage)
    }

    /// Takes a volume id apart.
    pub(crate) fn parse(&self, volid: &str) -> Result<Volume, Failure> {
        let Some((storage, name)) = split_volume_id(volid) else {
            return Err(Failure::internal(format!("unable to parse volume ID '{volid}'")));
        };
        self.get(storage)?;
        parse_name(name).map_err(Failure::internal)
    }

    /// The size of a volume in bytes; it must exist on an enabled storage.
    pub(crate) fn size(&self, volid: &str) -> Result<u64, Failure> {
        let (storage, name) =
            split_volume_id(volid).ok_or_else(|| Failure::internal(format!("unable to parse volume ID '{volid}'")))?;
        let found = self.enabled(storage)?.volumes.get(name).copied();
        found.ok_or_else(|| Failure::internal(format!("volume '{volid}' does not exist")))
    }

    /// Makes a disk image and returns its volume id.
    pub(crate) fn allocate(&mut self, name: &str, vmid: u32, format: &str, bytes: u64) -> Result<String, Failure> {
        self.enabled(name)?;
        let storage = self.0.get_mut(name).expect("the storage was just found");
        let volume = format!("{vmid}/vm-{vmid}-disk-{}.{format}", storage.free_number(vmid));
        parse_name(&volume).map_err(Failure::internal)?;
        storage.volumes.insert(volume.clone(), bytes);
        Ok(format!("{name}:{volume}"))
    }

    /// Makes a linked clone of a base image and returns its volume id.
    pub(crate) fn link(&mut self, base: &str, vmid: u32) -> Result<String, Failure> {
        let bytes = self.size(base)?;
        let (name, image) = split_volume_id(base).unwrap_or_default();
        let storage = self.0.get_mut(name).expect("the storage was just found");
        let volume = format!("{image}/{vmid}/vm-{vmid}-disk-{}.qcow2", storage.free_number(vmid));
        storage.volumes.insert(volume.clone(), bytes);
        Ok(format!("{name}:{volume}"))
    }

    /// Makes an image the base of linked clones, and returns its new volume id.
    pub(crate) fn make_base(&mut self, volid: &str) -> String {
        let base = volid.replacen("/vm-", "/base-", 1);
        if let (Some((storage, name)), Some((_, new))) = (split_volume_id(volid), split_volume_id(&base))
            && let Some(storage) = self.0.get_mut(storage)
            && let Some(bytes) = storage.volumes.remove(name)
        {
            storage.volumes.insert(new.to_owned(), bytes);
        }
        base
    }

    /// Makes a volume of a given name.
    pub(crate) fn add(&mut self, storage: &str, volume: &str, bytes: u64) -> Result<(), Failure> {
        self.enabled(storage)?;
        self.0.get_mut(storage).expect("the storage was just found").volumes.insert(volume.to_owned(), bytes);
        Ok(())
    }

    /// Changes a volume's size.
    pub(crate) fn resize(&mut self, volid: &str, bytes: u64) {
        if let Some((storage, name)) = split_volume_id(volid)
            && let Some(size) = self.0.get_mut(storage).and_then(|storage| storage.volumes.get_mut(name))
        {
            *size = bytes;
        }
    }

    /// Removes a volume.
    pub(crate) fn free(&mut self, volid: &str) {
        if let Some((storage, name)) = split_volume_id(volid)
            && let Some(storage) = self.0.get_mut(storage)
        {
            storage.volumes.remove(name);
        }
    }

    /// The storage's file path of a volume, for messages.
    pub(crate) fn path(&self, volid: &str) -> String {
        let Some((storage, name)) = split_volume_id(volid) else { return volid.to_owned() };
        let root = self.0.get(storage).map_or("", |storage| storage.path.as_str());
        format!("{root}/images/{name}")
    }

    /// The volume id of an absolute path, with the kind of volume.
    pub(crate) fn volume_of_path(&self, path: &str) -> Option<(&'static str, String)> {
        for (name, storage) in self.0.iter().filter(|(_, storage)| !storage.path.is_empty()) {
            let Some(rest) = path.strip_prefix(&format!("{}/", storage.path)) else { continue };
            let volume = match (rest.strip_prefix("images/"), rest.strip_prefix("template/iso/")) {
                (Some(image), _) => image.to_owned(),
                (None, Some(iso)) => format!("iso/{iso}"),
                (None, None) => continue,
            };
            let Ok(parsed) = parse_name(&volume) else { continue };
            // Of a path among the images it matters whether it is there; other paths only have to look right.
            if parsed.kind != "images" || storage.volumes.contains_key(&volume) {
                return Some((parsed.kind, format!("{name}:{volume}")));
            }
        }
        None
    }

    /// Whether a machine owns a volume.
    pub(crate) fn owns(&self, vmid: u32, volid: &str) -> bool {
        self.parse(volid).is_ok_and(|volume| volume.owner == Some(vmid))
    }

    /// Requires that somebody may attach a volume to a machine.
    pub(crate) fn check_access(
        &self,
        access: &Access,
        who: &str,
        vmid: u32,
        volid: &str,
        kind: Option<&str>,
    ) -> Result<(), Failure> {
        let Some((storage, _)) = split_volume_id(volid) else {
            return if who == ROOT {
                Ok(())
            } else {
                Err(Failure::internal("Only root can pass arbitrary filesystem paths. at Storage.pm line 537.\n"))
            };
        };
        let volume = self.parse(volid)?;
        if let Some(kind) = kind.filter(|kind| *kind != volume.kind) {
            let message = format!("unable to use volume {volid} - content type needs to be '{kind}'");
            return Err(Failure::internal(message));
        }
        let path = format!("/storage/{storage}");
        if access.allows(who, &path, &["Datastore.Allocate"]) {
            return Ok(());
        }
        match (volume.kind, volume.owner) {
            ("iso" | "vztmpl" | "import", _) => {
                access.check_any(who, &path, &["Datastore.AllocateSpace", "Datastore.Audit"])
            }
            (_, Some(owner)) if owner == vmid => Ok(()),
            ("images", Some(owner)) => {
                access.check(who, &path, &["Datastore.Audit"])?;
                access.check(who, &format!("/vms/{owner}"), &["VM.Config.Disk"])
            }
            ("backup", Some(owner)) => {
                access.check(who, &path, &["Datastore.AllocateSpace"])?;
                access.check(who, &format!("/vms/{owner}"), &["VM.Backup"])
            }
            _ => Err(Failure::internal(format!("missing privileges to access {volid}"))),
        }
    }
}

/// What a volume's name says; the error ends with a line feed.
pub(crate) fn parse_name(name: &str) -> Result<Volume, String> {
    let image = pattern!(r"^(\d+)/(?:\S+/\d+/)?([^/\s]+\.(raw|qcow2|vmdk|subvol))$");
    if let Some(found) = image.captures(name) {
        let owner = name.rsplit('/').nth(1).and_then(|owner| owner.parse().ok());
        let base = found[2].starts_with("base-");
        return Ok(Volume { kind: "images", owner, format: found[3].to_owned(), base });
    }
    if let Some(found) = pattern!(r"^(\d+)/(\S+)$").captures(name) {
        return Err(format!("unable to parse volume filename '{}'\n", &found[2]));
    }
    let plain = |kind, format: &str| Ok(Volume { kind, owner: None, format: format.to_owned(), base: false });
    match name.split_once('/') {
        Some(("iso", file)) if pattern!(r"^(?i:[^/]+\.(iso|img))$").is_match(file) => plain("iso", "raw"),
        Some(("vztmpl", file)) if pattern!(r"^[^/]+\.tar\.(gz|xz|zst|bz2)$").is_match(file) => plain("vztmpl", "raw"),
        Some(("snippets", file)) if !file.is_empty() && !file.contains('/') => plain("snippets", "raw"),
        Some(("backup", file)) if pattern!(r"^[^/]+\.(tgz|(tar|vma)(\.(gz|lzo|zst|bz2))?)$").is_match(file) => {
            plain("backup", "raw")
        }
        Some(("import", file)) => {
            let format = file.rsplit('.').next().unwrap_or("raw");
            plain("import", if file.contains(".ova/") { "ova+vmdk" } else { format })
        }
        _ => Err(format!("unable to parse directory volume name '{name}'\n")),
    }
}
