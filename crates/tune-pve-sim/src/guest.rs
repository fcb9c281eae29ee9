//! The emulator of a running machine and what is in it: starting, stopping, and how its guest behaves.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::conf::Conf;
use crate::disks::Act;
use crate::drive::Drive;
use crate::errors::Failure;
use crate::options_check::is_set;
use crate::schema::drive::drive_keys;
use crate::schema::options;
use crate::schema::property::parse_property_string;
use crate::tasks::Job;
use crate::world::{Event, Power, World, check_lock};

/// How the guest of a machine behaves.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent misbehaviour")]
pub struct Flags {
    /// Whether the guest agent answers.
    pub guest_agent: bool,
    /// Seconds from the request to shut down until the guest is off.
    pub guest_shutdown_seconds: f64,
    /// The guest does nothing about a request to shut down.
    pub guest_ignores_shutdown: bool,
    /// Seconds from the guest being off until the host cleans up and, for a reboot, starts it again.
    pub restart_delay_seconds: f64,
    /// The emulator refuses to start.
    pub start_fails: bool,
    /// The guest never lets go of a device.
    pub unplug_busy: bool,
    /// The emulator silently does not add a device.
    pub plug_fails: bool,
    /// No start follows a reboot's shutdown.
    pub no_restart_leg: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Flags {
            guest_agent: false,
            guest_shutdown_seconds: 2.0,
            guest_ignores_shutdown: false,
            restart_delay_seconds: 1.0,
            start_fails: false,
            unplug_busy: false,
            plug_fails: false,
            no_restart_leg: false,
        }
    }
}

/// A running emulator.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// Which run of the machine it is; different for each start.
    pub(crate) boot: u64,
    pub(crate) pid: u64,
    pub(crate) started: Duration,
    pub(crate) paused: bool,
    pub(crate) frozen: bool,
    pub(crate) devices: BTreeSet<String>,
    pub(crate) vcpus: u64,
    pub(crate) machine: String,
    /// Whether memory can be taken back from the guest.
    pub(crate) balloon: bool,
    /// The configuration that the emulator was started with.
    pub(crate) conf: Conf,
    /// Exit codes of the commands that ran in the guest, by process number.
    pub(crate) commands: std::collections::BTreeMap<u64, u64>,
}

/// The SCSI controller of a disk, as its name in the emulator.
pub(crate) fn controller_of(conf: &Conf, key: &str) -> Option<String> {
    let index: u32 = key.strip_prefix("scsi")?.parse().ok()?;
    Some(match conf.main.get("scsihw").map_or("lsi", String::as_str) {
        "virtio-scsi-single" => format!("virtioscsi{index}"),
        model if model.starts_with("lsi") => format!("scsihw{}", index / 7),
        _ => format!("scsihw{}", index / 256),
    })
}

/// Whether the guest agent is enabled in a configuration.
pub(crate) fn agent_enabled(conf: &Conf) -> bool {
    let parsed = conf.truthy("agent").and_then(|agent| parse_property_string(&options::agent(), agent, "").ok());
    parsed.is_some_and(|agent| agent.get("enabled").is_some_and(|enabled| enabled == "1"))
}

/// The drives of a machine in the order in which they are looked at.
pub(crate) fn drives(conf: &Conf) -> impl Iterator<Item = (String, Drive)> + '_ {
    drive_keys().filter_map(|key| {
        let drive = Drive::parse(&key, conf.main.get(&key)?)?;
        Some((key, drive))
    })
}

impl World {
    /// Starts a machine, under its lock: takes over what waits, checks what the emulator would be given, and runs it.
    pub(crate) fn start_vm(&mut self, act: &Act<'_>, machine: Option<&str>) -> Result<(), Failure> {
        let conf = self.load(act.node, act.vmid)?;
        if conf.is_template() {
            return Err(Failure::internal("you can't start a vm if it's a template"));
        }
        let lock = conf.main.get("lock").map(String::as_str);
        let running = self.running(act.node, act.vmid)?;
        if lock == Some("backup") && running {
            return self.resume_vm(act);
        }
        if lock != Some("suspended") {
            check_lock(&conf)?;
        }
        if running {
            return Err(Failure::internal(format!("VM {} already running", act.vmid)));
        }
        let resume = lock == Some("suspended") || conf.main.contains_key("vmstate");
        self.run_emulator(act, conf, machine, resume)
    }

    fn run_emulator(
        &mut self,
        act: &Act<'_>,
        mut conf: Conf,
        machine: Option<&str>,
        resume: bool,
    ) -> Result<(), Failure> {
        if let Some(vm) = self.vm(act.node, act.vmid) {
            vm.reboot_requested = false;
        }
        if !resume && !conf.pending.is_empty() {
            self.apply_pending(act, &mut conf)?;
            conf = self.load(act.node, act.vmid)?;
        }
        if crate::drive::cloudinit_key(&conf.main, "").is_some() {
            self.say(act, "generating cloud-init ISO");
            if conf.special.remove("cloudinit").is_some() {
                self.save(act.node, act.vmid, &mut conf)?;
            }
        }
        if resume {
            self.say(act, "Resuming suspended VM");
        }
        let pinned = conf.main.get("runningmachine").filter(|_| resume).cloned();
        self.check_volumes(&conf)?;
        let machine = self.check_command(act, &conf, pinned.as_deref().or(machine))?;
        self.check_emulator(act, &conf)?;
        self.power_on(act, &conf, machine);
        if resume {
            self.say(act, "Resumed VM, removing state");
            if let Some(state) = conf.main.remove("vmstate") {
                self.storages.free(&state);
            }
            for key in ["lock", "running-nets-host-mtu", "runningmachine", "runningcpu"] {
                conf.main.remove(key);
            }
            return self.save(act.node, act.vmid, &mut conf);
        }
        let left_over = ["running-nets-host-mtu", "runningmachine", "runningcpu"];
        let found: Vec<&str> = left_over.into_iter().filter(|key| conf.main.remove(*key).is_some()).collect();
        for key in &found {
            self.say(act, &format!("No VM state set, removing left-over option '{key}'"));
        }
        if found.is_empty() { Ok(()) } else { self.save(act.node, act.vmid, &mut conf) }
    }

    /// What the emulator itself refuses.
    fn check_emulator(&mut self, act: &Act<'_>, conf: &Conf) -> Result<(), Failure> {
        let fails = self.vm(act.node, act.vmid).is_some_and(|vm| vm.flags.start_fails);
        let buffered = drives(conf).find(|(_, drive)| {
            let cache = drive.get("cache").unwrap_or("none");
            drive.get("aio") == Some("native") && !matches!(cache, "none" | "directsync")
        });
        let reason = match buffered {
            Some((key, _)) => format!("drive-{key}: aio=native was specified, but it requires cache.direct=on"),
            None if fails => "the emulator does not start".to_owned(),
            None => return Ok(()),
        };
        self.say(act, &format!("kvm: {reason}"));
        Err(Failure::internal("start failed: QEMU exited with code 1"))
    }

    /// Writes a warning into the log of the acting task.
    pub(crate) fn warn(&mut self, act: &Act<'_>, text: &str) {
        if let Some(task) = act.task {
            self.tasks.warn(task, text);
        }
    }

    /// Puts a machine into the state of running, with the devices of its configuration.
    pub(crate) fn power_on(&mut self, act: &Act<'_>, conf: &Conf, machine: String) {
        let mut devices = BTreeSet::new();
        for (key, _) in drives(conf).filter(|(key, _)| key != "efidisk0" && key != "tpmstate0") {
            devices.extend(controller_of(conf, &key));
            devices.insert(key);
        }
        let plugged = conf.main.keys().filter(|key| {
            let base = key.trim_end_matches(|c: char| c.is_ascii_digit());
            base != key.as_str() && matches!(base, "net" | "usb")
        });
        devices.extend(plugged.cloned());
        if conf.main.get("tablet").is_none_or(|tablet| tablet == "1") {
            devices.insert("tablet".to_owned());
        }
        let most = conf.number("sockets").unwrap_or(1).max(1) * conf.number("cores").unwrap_or(1).max(1);
        let boot = self.unique();
        let guest = Guest {
            boot,
            pid: 2000 + boot,
            started: self.now,
            paused: is_set(conf.main.get("freeze")),
            frozen: false,
            devices,
            vcpus: conf.number("vcpus").filter(|count| *count > 0).unwrap_or(most),
            machine,
            balloon: conf.main.get("balloon").is_none_or(|balloon| balloon != "0"),
            conf: conf.clone(),
            commands: std::collections::BTreeMap::new(),
        };
        let now = self.now;
        if let Some(vm) = self.vm(act.node, act.vmid) {
            vm.guest = Some(guest);
            vm.switched = Some(now);
        }
        self.power.push((act.vmid, Power::Up));
    }

    /// The emulator goes away; the host cleans up a little later.
    pub(crate) fn power_off(&mut self, vmid: u32) {
        let now = self.now;
        let Some(vm) = self.vms.get_mut(&vmid) else { return };
        if vm.guest.take().is_none() {
            return;
        }
        vm.switched = Some(now);
        vm.cleanups += 1;
        let delay = seconds(vm.flags.restart_delay_seconds);
        self.power.push((vmid, Power::Down));
        self.schedule(delay, Event::CleanUp { vmid });
    }

    /// Asks the guest to shut down.
    pub(crate) fn request_shutdown(&mut self, vmid: u32) {
        let Some(vm) = self.vms.get(&vmid) else { return };
        if let Some(guest) = vm.guest.as_ref().filter(|_| !vm.flags.guest_ignores_shutdown) {
            let event = Event::GuestOff { vmid, boot: guest.boot };
            self.schedule(seconds(vm.flags.guest_shutdown_seconds), event);
        }
    }

    /// The guest has shut down, unless it was started anew meanwhile.
    pub(crate) fn guest_off(&mut self, vmid: u32, boot: u64) {
        if self.vms.get(&vmid).is_some_and(|vm| vm.guest.as_ref().is_some_and(|guest| guest.boot == boot)) {
            self.power_off(vmid);
        }
    }

    /// What the host does after an emulator has gone; after the shutdown of a reboot it starts the machine again.
    pub(crate) fn clean_up(&mut self, vmid: u32) {
        if self.lock_holder(vmid).is_some() {
            self.schedule(Duration::from_millis(100), Event::CleanUp { vmid });
            return;
        }
        let managed = self.ha_managed(vmid);
        let Some(vm) = self.vms.get_mut(&vmid) else { return };
        vm.cleanups = vm.cleanups.saturating_sub(1);
        if vm.guest.is_some() {
            return;
        }
        let restart = std::mem::take(&mut vm.reboot_requested) && !vm.flags.no_restart_leg;
        let node = vm.node.clone();
        if restart {
            let (kind, job) = if managed {
                ("hastart", Job::Ha { vmid, up: true, timeout: 0 })
            } else {
                ("qmstart", Job::Start { vmid, machine: None })
            };
            self.new_task(&node, kind, &vmid.to_string(), crate::access::ROOT, job);
        }
    }

    /// Lets a paused machine go on.
    pub(crate) fn resume_vm(&mut self, act: &Act<'_>) -> Result<(), Failure> {
        let conf = self.load(act.node, act.vmid)?;
        if conf.is_template() {
            return Err(Failure::internal(format!("VM {} is a template and cannot be resumed!", act.vmid)));
        }
        let paused = self.vm(act.node, act.vmid).and_then(|vm| vm.guest.as_ref()).is_some_and(|guest| guest.paused);
        if paused {
            if conf.main.get("lock").is_none_or(|lock| lock != "backup") {
                check_lock(&conf)?;
            }
            if let Some(guest) = self.vm(act.node, act.vmid).and_then(|vm| vm.guest.as_mut()) {
                guest.paused = false;
            }
        }
        Ok(())
    }

    /// The HA manager carries out a request.
    pub(crate) fn ha_acts(&mut self, vmid: u32, up: bool, timeout: u64) {
        let Some(vm) = self.vms.get(&vmid) else { return };
        let (node, running) = (vm.node.clone(), vm.guest.is_some());
        if up == running {
            return;
        }
        let (kind, job) = if up {
            ("qmstart", Job::Start { vmid, machine: None })
        } else {
            let stop = crate::tasks::Stop::shutdown(Some(timeout), true);
            ("qmshutdown", Job::Stop { vmid, stop })
        };
        self.new_task(&node, kind, &vmid.to_string(), crate::access::ROOT, job);
    }

    /// Writes nothing and starts nothing: a machine that was running before anybody looked.
    pub(crate) fn was_running(&mut self, node: &str, vmid: u32) {
        let act = Act { node, vmid, who: crate::access::ROOT, task: None };
        let Ok(mut conf) = self.load(node, vmid) else { return };
        conf.pending.clear();
        let machine = self.machine_type(&act, &conf, None).unwrap_or_default();
        self.power_on(&act, &conf, machine);
    }
}

/// A time from seconds with a fraction.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
