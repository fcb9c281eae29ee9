//! What a change of drives does to volumes: making them, freeing them, and keeping detached ones as `unusedN`.

use std::collections::BTreeMap;

use crate::access::Access;
use crate::conf::Conf;
use crate::drive::{Drive, cloudinit_key, is_drive_key};
use crate::errors::Failure;
use crate::schema::drive::UNUSED;
use crate::schema::formats::split_volume_id;
use crate::tasks::TaskId;
use crate::world::World;

/// Who changes which machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act<'a> {
    pub(crate) node: &'a str,
    pub(crate) vmid: u32,
    /// The user or the token's full name.
    pub(crate) who: &'a str,
    /// The task that does it, if it is not a call.
    pub(crate) task: Option<TaskId>,
}

/// The size in bytes of the drive for EFI variables.
fn efi_size(drive: &Drive) -> u64 {
    if drive.get("efitype") == Some("4m") { 540_672 } else { 131_072 }
}

impl World {
    /// Writes a line into the log of the acting task.
    pub(crate) fn say(&mut self, act: &Act<'_>, line: &str) {
        if let Some(task) = act.task {
            self.tasks.log(task, line);
        }
    }

    /// Makes or finds the volume of a drive parameter, and returns the text to be stored. A value that does not pass a
    /// second time, such as `none` with its implied medium for a drive that has no medium, is passed over in silence.
    pub(crate) fn create_disk(
        &mut self,
        act: &Act<'_>,
        conf: &Conf,
        key: &str,
        value: &str,
    ) -> Result<Option<String>, Failure> {
        let Some(mut drive) = Drive::parse_new(key, value) else { return Ok(None) };
        let volid = drive.file().to_owned();
        if matches!(volid.as_str(), "none" | "cdrom") {
            drive.options.remove("size");
        } else if let Some((storage, "cloudinit")) = split_volume_id(&volid) {
            self.create_cloudinit(act, conf, key, storage, &mut drive)?;
        } else if let Some((storage, gigabytes)) = drive.new_volume() {
            let storage = storage
                .ok_or_else(|| Failure::internal("no storage ID specified (and no default storage)"))?
                .to_owned();
            self.create_volume(act, &storage, gigabytes, &mut drive)?;
            if conf.is_template() {
                drive.set("file", self.storages.make_base(drive.file()));
            }
            let line = format!("{key}: successfully created disk '{}'", drive.print());
            self.say(act, &line);
        } else {
            self.use_volume(act, conf, key, &mut drive)?;
        }
        Ok(Some(drive.print()))
    }

    fn create_cloudinit(
        &mut self,
        act: &Act<'_>,
        conf: &Conf,
        key: &str,
        storage: &str,
        drive: &mut Drive,
    ) -> Result<(), Failure> {
        one_cloudinit(conf, key)?;
        let format = drive.get("format").unwrap_or("qcow2").to_owned();
        let volume = format!("{}/vm-{}-cloudinit.{format}", act.vmid, act.vmid);
        let volid = format!("{storage}:{volume}");
        if self.storages.get(storage)?.volumes.contains_key(&volume) {
            let path = self.storages.path(&volid);
            return Err(Failure::internal(format!("disk image '{path}' already exists")));
        }
        self.storages.add(storage, &volume, 4 * 1024 * 1024)?;
        drive.set("file", volid);
        drive.set("media", "cdrom");
        drive.options.remove("format");
        let line = format!("{key}: successfully created disk '{}'", drive.print());
        self.say(act, &line);
        Ok(())
    }

    fn create_volume(
        &mut self,
        act: &Act<'_>,
        storage: &str,
        gigabytes: f64,
        drive: &mut Drive,
    ) -> Result<(), Failure> {
        let source = drive.options.remove("import-from");
        let bytes = match (&source, drive.bus) {
            (Some(source), _) => self.storages.size(source)?,
            (None, "efidisk") => efi_size(drive),
            (None, "tpmstate") => 4 * 1024 * 1024,
            (None, _) => whole_kib(gigabytes),
        };
        let format = drive.get("format").unwrap_or("raw").to_owned();
        let volid = self.storages.allocate(storage, act.vmid, &format, bytes)?;
        if source.is_none() {
            let path = self.storages.path(&volid);
            self.say(act, &format!("Formatting '{path}', fmt={format} size={bytes} preallocation=off"));
        }
        drive.set("file", volid);
        drive.set("size", bytes.to_string());
        drive.options.remove("format");
        Ok(())
    }

    fn use_volume(&mut self, act: &Act<'_>, conf: &Conf, key: &str, drive: &mut Drive) -> Result<(), Failure> {
        let volid = drive.file().to_owned();
        self.storages.check_access(&self.access, act.who, act.vmid, &volid, None)?;
        if split_volume_id(&volid).is_none() {
            return Ok(());
        }
        let volume = self.storages.parse(&volid)?;
        if !matches!(volume.kind, "images" | "iso") {
            let message = format!("cannot use volume {volid} - content type needs to be 'images' or 'iso'");
            return Err(Failure::internal(message));
        }
        if let Some(format) = drive.get("format").filter(|format| *format != volume.format) {
            return Err(Failure::internal(format!(
                "drive '{key}' - volume '{volid}' - 'format={format}' option different from storage format '{}'",
                volume.format
            )));
        }
        if drive.is_cloudinit() {
            one_cloudinit(conf, key)?;
        }
        let bytes = self.storages.size(&volid)?;
        drive.set("size", bytes.to_string());
        Ok(())
    }

    /// Keeps a drive's volume as `unusedN`, if the machine owns it.
    pub(crate) fn register_unused(&mut self, act: &Act<'_>, conf: &mut Conf, drive: &Drive) -> Result<(), Failure> {
        if drive.is_cloudinit() {
            self.storages.free(drive.file());
            conf.special.remove("cloudinit");
            return Ok(());
        }
        if drive.is_cdrom() || !self.storages.owns(act.vmid, drive.file()) {
            return Ok(());
        }
        let keys: Vec<String> = (0..UNUSED).map(|number| format!("unused{number}")).collect();
        if keys.iter().any(|key| conf.main.get(key).is_some_and(|volume| volume == drive.file())) {
            return Ok(());
        }
        let free = keys.into_iter().find(|key| !conf.main.contains_key(key));
        let free = free.ok_or_else(|| Failure::internal("Too many unused volumes - please delete them first."))?;
        conf.main.insert(free, drive.file().to_owned());
        Ok(())
    }

    /// Takes a drive away: its volume is kept as `unusedN`, or freed with `force`.
    pub(crate) fn detach(
        &mut self,
        act: &Act<'_>,
        conf: &mut Conf,
        key: &str,
        value: &str,
        force: bool,
    ) -> Result<(), Failure> {
        let Some(drive) = Drive::parse(key, value) else { return Ok(()) };
        if !force {
            return self.register_unused(act, conf, &drive);
        }
        self.access.check_vm(act.who, act.vmid, &["VM.Config.Disk"])?;
        self.free_drive(act, conf, key, &drive, true).map(|_| ())
    }

    /// Frees a drive's volume if the machine owns it and nothing else uses it. Says whether the drive may go.
    pub(crate) fn free_drive(
        &mut self,
        act: &Act<'_>,
        conf: &Conf,
        key: &str,
        drive: &Drive,
        force: bool,
    ) -> Result<bool, Failure> {
        if !(force || key.starts_with("unused")) || (drive.is_cdrom() && !drive.is_cloudinit()) {
            return Ok(false);
        }
        let volid = drive.file();
        if self.storages.owns(act.vmid, volid) {
            let storage = split_volume_id(volid).map_or("", |(storage, _)| storage);
            self.access.check(act.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
            let uses = |section: &BTreeMap<String, String>, skip: &str| {
                section.iter().filter(|(other, _)| is_drive_key(other) && other.as_str() != skip).any(
                    |(other, value)| {
                        Drive::parse(other, value).is_some_and(|drive| !drive.is_cdrom() && drive.file() == volid)
                    },
                )
            };
            if uses(&conf.main, key) || conf.snapshots.values().any(|section| uses(section, "")) {
                let message = format!("unable to delete '{volid}' - volume is still in use (snapshot?)");
                return Err(Failure::internal(message));
            }
            self.storages.free(volid);
        }
        Ok(true)
    }
}

fn one_cloudinit(conf: &Conf, key: &str) -> Result<(), Failure> {
    let other = cloudinit_key(&conf.main, key).or_else(|| cloudinit_key(&conf.pending, key));
    match other {
        Some(other) => Err(Failure::internal(format!("{key} - cloud-init drive is already attached at '{other}'"))),
        None => Ok(()),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole_kib(gigabytes: f64) -> u64 {
    (gigabytes * 1024.0 * 1024.0).ceil() as u64 * 1024
}

/// The privileges that attaching or detaching a drive takes.
pub(crate) fn check_drive_privileges(
    access: &Access,
    who: &str,
    vmid: u32,
    key: &str,
    value: &str,
) -> Result<(), Failure> {
    let drive = Drive::parse_new(key, value);
    let wanted: &[&str] = match drive {
        Some(drive) if drive.is_cloudinit() => &["VM.Config.Cloudinit", "VM.Config.CDROM"],
        Some(drive) if drive.is_cdrom() => &["VM.Config.CDROM"],
        _ => &["VM.Config.Disk"],
    };
    access.check_vm(who, vmid, wanted)
}
