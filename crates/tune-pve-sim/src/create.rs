//! The longer jobs: making, copying, moving and removing machines, and growing their disks.

use crate::access::ROOT;
use crate::conf::{Conf, Section};
use crate::disks::Act;
use crate::drive::{Drive, is_drive_key};
use crate::errors::Failure;
use crate::options_check::{check_clipboard, check_machine, pin_machine, print_boot_order};
use crate::schema::formats::{format_size, parse_size, split_volume_id};
use crate::schema::property::{parse_property_string, print_property_string};
use crate::schema::{Params, Value, truthy};
use crate::tasks::{Job, Progress};
use crate::world::{Vm, World, check_lock};

/// Growing a disk.
#[derive(Clone, Debug)]
pub(crate) struct Resize {
    pub(crate) vmid: u32,
    pub(crate) disk: String,
    pub(crate) size: String,
    pub(crate) digest: Option<String>,
    pub(crate) skip_lock: bool,
}

impl Resize {
    pub(crate) fn run(&self, world: &mut World, act: &Act<'_>) -> Result<(), Failure> {
        let mut conf = world.load(act.node, act.vmid)?;
        if self.digest.as_ref().is_some_and(|digest| truthy(digest) && *digest != conf.digest) {
            return Err(Failure::internal("checksum mismatch (file change by other user?)"));
        }
        if !self.skip_lock {
            check_lock(&conf)?;
        }
        let Some(value) = conf.main.get(&self.disk) else {
            return Err(Failure::internal(format!("disk '{}' does not exist", self.disk)));
        };
        let mut drive = Drive::parse(&self.disk, value)
            .ok_or_else(|| Failure::internal(format!("disk '{}' has no associated volume", self.disk)))?;
        if drive.is_cdrom() || split_volume_id(drive.file()).is_none() {
            return Err(Failure::internal("you can't resize a cdrom"));
        }
        let volid = drive.file().to_owned();
        let storage = split_volume_id(&volid).map_or("", |(storage, _)| storage);
        world.access.check(act.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
        let current = world.storages.size(&volid)?;
        let (plus, amount) = self.size.strip_prefix('+').map_or((false, self.size.as_str()), |rest| (true, rest));
        let amount = parse_size(amount).ok_or_else(|| Failure::internal("internal error"))?;
        let wanted = (if plus { current + amount } else { amount }).div_ceil(1024) * 1024;
        if wanted < current {
            return Err(Failure::internal("shrinking disks is not supported"));
        }
        if wanted == current {
            return Ok(());
        }
        if !world.running(act.node, act.vmid)? {
            world.say(act, "Image resized.");
        }
        world.storages.resize(&volid, wanted);
        drive.set("size", wanted.to_string());
        conf.main.insert(self.disk.clone(), drive.print());
        world.save(act.node, act.vmid, &mut conf)
    }
}

/// Making a machine.
#[derive(Clone, Debug)]
pub(crate) struct Create {
    pub(crate) vmid: u32,
    pub(crate) params: Params,
    pub(crate) pool: Option<String>,
    pub(crate) start: bool,
    pub(crate) ha: bool,
}

impl Create {
    pub(crate) fn run(&mut self, world: &mut World, act: &Act<'_>) -> Result<(), Failure> {
        let before = world.storages.clone();
        if let Err(failure) = self.fill(world, act) {
            world.vms.remove(&self.vmid);
            world.storages = before;
            return Err(failure);
        }
        if let Some(pool) = &self.pool {
            world.access.pools.entry(pool.clone()).or_default().vms.insert(self.vmid);
        }
        if self.ha {
            world.say(act, "Add as HA resource");
            world.ha.insert(self.vmid, if self.start { "started" } else { "stopped" }.to_owned());
        }
        if self.start {
            world.say(act, "Execute autostart");
            world.new_task(
                act.node,
                "qmstart",
                &act.vmid.to_string(),
                act.who,
                Job::Start { vmid: act.vmid, machine: None },
            );
        }
        Ok(())
    }

    fn fill(&mut self, world: &mut World, act: &Act<'_>) -> Result<(), Failure> {
        let failed = |failure: Failure| match failure {
            Failure::Error { message, .. } => {
                Failure::internal(format!("unable to create VM {} - {message}", act.vmid))
            }
            locked @ Failure::Locked(_) => locked,
        };
        let mut conf = Conf::default();
        conf.main.insert("meta".to_owned(), format!("creation-qemu={},ctime={}", world.qemu_version, world.unix()));
        for (key, value) in &self.params {
            let Some(text) = value.text() else { continue };
            let stored = if is_drive_key(key) {
                world.create_disk(act, &conf, key, text).map_err(failed)?
            } else {
                Some(text.to_owned())
            };
            conf.main.extend(stored.map(|stored| (key.clone(), stored)));
        }
        if !conf.main.get("boot").is_some_and(|boot| truthy(boot)) {
            conf.main.insert("boot".to_owned(), print_boot_order(&default_boot(&conf.main)));
        }
        check_clipboard(conf.main.get("vga").map_or("", String::as_str)).map_err(failed)?;
        if !conf.main.get("smbios1").is_some_and(|value| truthy(value)) {
            let uuid = format!("uuid={}", world.random.uuid());
            conf.main.insert("smbios1".to_owned(), uuid);
        }
        if conf.main.get("vmgenid").is_none_or(|id| id == "1") {
            let id = world.random.uuid();
            conf.main.insert("vmgenid".to_owned(), id);
        }
        let kind = conf.main.get("machine").cloned().unwrap_or_default();
        check_machine(&kind).map_err(failed)?;
        let ostype = conf.main.get("ostype").cloned().unwrap_or_default();
        if let Some((machine, pinned)) = pin_machine(&kind, &ostype, &world.qemu_version) {
            if pinned {
                world.say(act, &format!("pinning machine type to '{machine}' for Windows guest OS"));
            }
            if truthy(&machine) {
                conf.main.insert("machine".to_owned(), machine);
            }
        }
        if let Some(tags) = conf.main.get("tags").cloned() {
            world.check_tags(act.who, act.vmid, "", &tags).map_err(failed)?;
            let tags = world.unique_tags(&tags);
            conf.main.insert("tags".to_owned(), tags);
        }
        world.save(act.node, act.vmid, &mut conf).map_err(failed)
    }
}

/// The devices that a new machine boots from: the first disk, the first CD drive, the first card.
fn default_boot(section: &Section) -> Vec<String> {
    let drives: Vec<(String, Drive)> = crate::schema::drive::drive_keys()
        .filter(|key| !key.starts_with("efidisk") && !key.starts_with("tpmstate"))
        .filter_map(|key| {
            let drive = Drive::parse(&key, section.get(&key)?)?;
            Some((key, drive))
        })
        .collect();
    let first = |cdrom: bool| drives.iter().find(|(_, drive)| drive.is_cdrom() == cdrom).map(|(key, _)| key.clone());
    let card = (0..32).map(|number| format!("net{number}")).find(|key| section.contains_key(key));
    [first(false), first(true), card].into_iter().flatten().collect()
}

/// Removing a machine and what it owns.
#[derive(Clone, Debug)]
pub(crate) struct Destroy {
    pub(crate) vmid: u32,
    pub(crate) purge: bool,
    pub(crate) skip_lock: bool,
    pub(crate) unreferenced: bool,
}

impl Destroy {
    /// What is checked before the task, and again in it.
    pub(crate) fn check(&self, world: &mut World, node: &str) -> Result<bool, Failure> {
        let vmid = self.vmid;
        let conf = world.load(node, vmid)?;
        if conf.truthy("protection").is_some() {
            return Err(Failure::internal(format!("can't remove VM {vmid} - protection mode enabled")));
        }
        let managed = world.ha.contains_key(&vmid);
        if managed && !self.purge {
            return Err(Failure::internal(format!(
                "unable to remove VM {vmid} - used in HA resources and purge parameter not set."
            )));
        }
        if world.running(node, vmid)? {
            return Err(Failure::internal(format!("VM {vmid} is running - destroy failed")));
        }
        Ok(managed)
    }

    pub(crate) fn run(&self, world: &mut World, act: &Act<'_>) -> Result<(), Failure> {
        let managed = self.check(world, act.node)?;
        let conf = world.load(act.node, act.vmid)?;
        if !self.skip_lock && conf.main.get("lock").is_none_or(|lock| lock != "suspended") {
            check_lock(&conf)?;
        }
        for section in [&conf.main, &conf.pending] {
            for (key, value) in section {
                let file = if key.starts_with("unused") || is_drive_key(key) {
                    Drive::parse(key, value).filter(|drive| !drive.is_cdrom() || drive.is_cloudinit())
                } else {
                    None
                };
                if let Some(drive) = file.filter(|drive| world.storages.owns(act.vmid, drive.file())) {
                    world.storages.free(drive.file());
                }
            }
        }
        if self.unreferenced {
            let own = format!("{}/", act.vmid);
            for storage in world.storages.0.values_mut() {
                storage.volumes.retain(|volume, _| !volume.starts_with(&own));
            }
        }
        world.access.forget_vm(act.vmid);
        if self.purge {
            world.say(act, &format!("purging VM {} from related configurations..", act.vmid));
            if managed {
                world.ha.remove(&act.vmid);
                world.say(act, &format!("NOTE: removed VM {} from HA resource configuration.", act.vmid));
            }
        }
        world.vms.remove(&act.vmid);
        Ok(())
    }
}

/// Copying a machine.
#[derive(Clone, Debug)]
pub(crate) struct Clone {
    pub(crate) vmid: u32,
    pub(crate) new: u32,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) pool: Option<String>,
    /// Whether images are copied, instead of linked to those of a template.
    pub(crate) full: bool,
}

impl Clone {
    /// What is checked before the task.
    pub(crate) fn check(&self, world: &World, conf: &Conf) -> Result<(), Failure> {
        for (key, drive) in crate::guest::drives(conf).filter(|(_, drive)| !self.full && !drive.is_cdrom()) {
            if !world.storages.parse(drive.file())?.base {
                let message = format!("Linked clone feature is not supported for drive '{key}'");
                return Err(Failure::internal(message));
            }
        }
        Ok(())
    }

    pub(crate) fn run(&self, world: &mut World, act: &Act<'_>) -> Result<(), Failure> {
        let mut conf = world.load(act.node, act.vmid)?;
        conf.pending.clear();
        conf.snapshots.clear();
        conf.special.clear();
        conf.main
            .retain(|key, _| !key.starts_with("unused") && !matches!(key.as_str(), "template" | "lock" | "parent"));
        for (key, value) in conf.main.clone() {
            if is_drive_key(&key)
                && let Some(mut drive) = Drive::parse(&key, &value).filter(|drive| !drive.is_cdrom())
                && let Some(storage) = split_volume_id(drive.file()).map(|(storage, _)| storage.to_owned())
            {
                let kind = if self.full { "full" } else { "linked" };
                world.say(act, &format!("create {kind} clone of drive {key} ({})", drive.file()));
                let volid = if self.full {
                    let bytes = world.storages.size(drive.file())?;
                    let format = world.storages.parse(drive.file())?.format;
                    let volid = world.storages.allocate(&storage, self.new, &format, bytes)?;
                    world.say(act, &format!("transferred {} of {}", format_size(bytes), format_size(bytes)));
                    volid
                } else {
                    world.storages.link(drive.file(), self.new)?
                };
                drive.set("file", volid);
                conf.main.insert(key, drive.print());
            } else if key.starts_with("net")
                && let Some(mut net) = crate::net::parse(&value)
            {
                net.remove("macaddr");
                let net = crate::net::with_mac(net, &world.random, world.datacenter.mac_prefix.as_deref());
                conf.main.insert(key, crate::net::print(&net));
            }
        }
        let old = conf.main.get("name").cloned().unwrap_or_else(|| act.vmid.to_string());
        let name = self.name.clone().unwrap_or_else(|| format!("Copy-of-VM-{old}"));
        conf.main.insert("name".to_owned(), name);
        if let Some(description) = &self.description {
            conf.main.insert("description".to_owned(), description.clone());
        }
        if conf.truthy("vmgenid").is_some() {
            let id = world.random.uuid();
            conf.main.insert("vmgenid".to_owned(), id);
        }
        let props = crate::schema::options::smbios1();
        let text = conf.main.get("smbios1").map_or("", String::as_str);
        let mut smbios = parse_property_string(&props, text, "").unwrap_or_default();
        smbios.insert("uuid".to_owned(), world.random.uuid());
        conf.main.insert("smbios1".to_owned(), print_property_string(&props, &smbios));
        world.save(act.node, self.new, &mut conf)?;
        if let Some(pool) = &self.pool {
            world.access.pools.entry(pool.clone()).or_default().vms.insert(self.new);
        }
        Ok(())
    }
}

/// Moving a machine to another node.
#[derive(Clone, Debug)]
pub(crate) struct Migrate {
    pub(crate) vmid: u32,
    target: String,
    begun: bool,
}

impl Migrate {
    pub(crate) fn new(vmid: u32, target: &str) -> Self {
        Migrate { vmid, target: target.to_owned(), begun: false }
    }

    pub(crate) fn step(&mut self, world: &mut World, act: &Act<'_>) -> Result<Progress, Failure> {
        world.lock_for_now(act.vmid, act.task)?;
        let mut conf = world.load(act.node, act.vmid)?;
        if !self.begun {
            check_lock(&conf)?;
            conf.main.insert("lock".to_owned(), "migrate".to_owned());
            world.save(act.node, act.vmid, &mut conf)?;
            let line = format!("starting migration of VM {} to node '{}'", act.vmid, self.target);
            world.say(act, &line);
            self.begun = true;
            return Ok(Progress::After(world.timing.migration));
        }
        conf.main.remove("lock");
        world.save(act.node, act.vmid, &mut conf)?;
        if let Some(vm) = world.vm(act.node, act.vmid) {
            vm.node.clone_from(&self.target);
        }
        world.say(act, "migration finished successfully (duration 00:00:05)");
        Ok(Progress::Done)
    }
}

/// Reserves a number for a machine that is about to be made.
pub(crate) fn reserve(world: &mut World, node: &str, vmid: u32, lock: &str) -> Result<(), Failure> {
    if let Some(other) = world.vms.get(&vmid) {
        let kind = if other.container { "CT" } else { "VM" };
        let message = format!("unable to create VM {vmid} - {kind} {vmid} already exists on node '{}'", other.node);
        return Err(Failure::internal(message));
    }
    world.vms.insert(vmid, Vm::new(node, format!("lock: {lock}\n").into_bytes()));
    Ok(())
}

/// The parameters of a new machine, checked.
pub(crate) fn prepare(world: &mut World, act: &Act<'_>, mut params: Params) -> Result<Create, Failure> {
    use crate::options_check as check;
    let mut take = |key: &str| params.remove(key);
    let text = |value: Option<Value>| value.and_then(|value| value.text().map(str::to_owned));
    let flag = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let (pool, storage) = (text(take("pool")), text(take("storage")));
    let (start, ha) = (flag(take("start")), flag(take("ha-managed")));
    let archive = text(take("archive")).is_some_and(|archive| truthy(&archive));
    for key in ["force", "unique", "live-restore", "bwlimit", "import-working-storage", "vmid"] {
        take(key);
    }
    check::check_ssh_keys(&params)?;
    crate::update::clamp_cpu_units(&mut params);
    crate::update::resolve_cdrom(&mut params);
    if let Some(pool) = pool.as_ref().filter(|pool| !world.access.pools.contains_key(*pool)) {
        return Err(Failure::permission(&format!("pool '{pool}' does not exist")));
    }
    if let Some(storage) = storage {
        world.access.check(act.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    }
    if ha {
        world.access.check(act.who, "/", &["Sys.Console"])?;
    }
    if start {
        world.access.check_vm(act.who, act.vmid, &["VM.PowerMgmt"])?;
    }
    let in_pool =
        pool.as_ref().is_some_and(|pool| world.access.allows(act.who, &format!("/pool/{pool}"), &["VM.Allocate"]));
    if act.who != ROOT && !in_pool && world.access.check_vm(act.who, act.vmid, &["VM.Allocate"]).is_err() {
        return Err(Failure::Error { code: 403, message: "Permission check failed\n".to_owned(), errors: [].into() });
    }
    if archive {
        if let Some(key) = params.keys().find(|key| is_drive_key(key)) {
            return Err(Failure::parameter(key, "option conflicts with option 'archive'"));
        }
        let message = "the simulator has no backups to restore".to_owned();
        return Err(Failure::Error { code: 501, message, errors: [].into() });
    }
    check::check_storage_access(world, act, &params)?;
    check::check_privileges(world, act, params.keys().map(String::as_str))?;
    for (key, value) in &params {
        if let Some(value) = value.text() {
            check::check_value_privileges(world, act, key, value, "set")?;
        }
    }
    check::check_bridges(world, act, &params)?;
    check::check_drives(world, &mut params)?;
    check::complete(world, &mut params)?;
    Ok(Create { vmid: act.vmid, params, pool, start, ha })
}
