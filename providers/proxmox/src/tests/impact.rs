//! What a change would do, on machines in every condition.

use tune_core::Address;
use tune_core::contract::Effect;
use tune_core::item::ItemKey;
use tune_core::value::Value;

use super::{running, text};
use crate::{canonical, show};

const CYCLE: &str = "power cycle of 107";

fn writeback() -> [(&'static str, Value); 2] {
    [("disk/scsi0/cache", Value::from("writeback")), ("disk/scsi0/iothread", Value::from(true))]
}

#[test]
fn what_waits_names_its_power_cycle() {
    let said = running().said(&writeback());
    assert_eq!(said, [format!("@ 107/scsi0/cache: {CYCLE}"), format!("@ 107/scsi0/iothread: {CYCLE}")]);
    let impact = running().judge(&writeback());
    assert!(impact.items.values().all(|item| item.effect == Effect::Activation));
    assert_eq!(running().stopped().said(&writeback()), Vec::<String>::new());
    assert_eq!(running().said(&[("onboot", Value::from(true))]), Vec::<String>::new());
}

#[test]
fn what_is_configured_and_does_not_run_still_waits() {
    let pending =
        running().with_pending("scsi0", "local-zfs:vm-107-disk-0,cache=writeback,discard=on,iothread=1,size=64G");
    let mut ours = pending.clone();
    ours.recorded = ["107/scsi0/cache", "107/scsi0/iothread"].map(ItemKey::from).into();
    let waits = [format!("@ 107/scsi0/cache: {CYCLE}"), format!("@ 107/scsi0/iothread: {CYCLE}")];
    assert_eq!(ours.said(&writeback()), waits);
    assert_eq!(pending.stopped().said(&writeback()), Vec::<String>::new());
}

#[test]
fn putting_back_what_never_ran_needs_no_power_cycle() {
    let mut ours = running().with_pending("scsi0", "local-zfs:vm-107-disk-0,cache=writeback,discard=on,size=64G");
    ours.recorded = [ItemKey::from("107/scsi0/cache")].into();
    let running_value = [("disk/scsi0/discard", Value::from(true))];
    ours.others = vec![ItemKey::from("107/scsi0/cache")];
    assert_eq!(ours.said(&running_value), Vec::<String>::new());
    let back = running().with("cores", "4").with_pending("cores", "8");
    let mut back = back;
    back.recorded = [ItemKey::from("107/cores")].into();
    assert_eq!(back.said(&[("cores", Value::from(4))]), Vec::<String>::new());
}

#[test]
fn somebody_elses_pending_changes_need_consent() {
    let foreign = running().with_pending("cores", "8").with_pending("hostpci0", "01:00");
    let said = foreign.said(&[("disk/scsi0/cache", Value::from("none"))]);
    assert_eq!(
        said,
        [
            "? 107/scsi0/cache foreign_pending: the power cycle of VM 107 would also activate what somebody else left \
             pending: `cores` 4 -> 8, `hostpci0` absent -> 01:00"
                .to_owned(),
            format!("@ 107/scsi0/cache: {CYCLE}"),
        ]
    );
    // What takes effect at once activates nothing.
    assert_eq!(foreign.said(&[("onboot", Value::from(true))]), Vec::<String>::new());
    // What another resource of ours manages is not foreign.
    let mut ours = running().with_pending("cores", "8");
    ours.others = vec![ItemKey::from("107/cores")];
    assert_eq!(ours.said(&[("disk/scsi0/cache", Value::from("none"))]), [format!("@ 107/scsi0/cache: {CYCLE}")]);
}

#[test]
fn a_foreign_sub_option_of_the_same_disk_is_seen() {
    let foreign = running().with_pending("scsi0", "local-zfs:vm-107-disk-0,discard=on,size=64G,ssd=1");
    let said = foreign.said(&[("disk/scsi0/cache", Value::from("writeback"))]);
    assert!(said[0].contains("`scsi0.ssd` absent -> 1"), "{said:?}");
}

#[test]
fn taking_over_somebody_elses_pending_value_needs_consent() {
    let said = running().with_pending("cores", "8").said(&[("cores", Value::from(6))]);
    assert_eq!(
        said[0],
        "? 107/cores foreign_pending: somebody left `cores` of VM 107 pending as 8, which would be replaced"
    );
}

#[test]
fn a_removal_that_is_pending_is_somebody_elses_too() {
    let mut world = running().with("onboot", "1").with("tablet", "0");
    world.vm.options.get_mut("tablet").unwrap().delete = true;
    let said = world.said(&[("cores", Value::from(8))]);
    assert!(said[0].contains("`tablet` 0 -> absent"), "{said:?}");
}

#[test]
fn losing_data_needs_consent() {
    let said = running().said(&[("disk/scsi0/cache", Value::from("unsafe"))]);
    assert!(said[0].starts_with("? 107/scsi0/cache data_loss: with `cache = \"unsafe\"`"), "{said:?}");
    let said = running().said(&[("disk/scsi0/snapshot", Value::from(true))]);
    assert!(said[0].starts_with("? 107/scsi0/snapshot data_loss"), "{said:?}");
}

#[test]
fn silent_keys_plan_their_power_cycle_and_say_so() {
    let world = running();
    let serial = [("disk/scsi0/serial", Value::from("S1"))];
    assert_eq!(world.said(&serial), [format!("@ 107/scsi0/serial: {CYCLE}")]);
    assert_eq!(world.advised(&serial), ["silent", "power_cycle", "no_guest"]);
    let so = running().with("scsi0", "local-zfs:vm-107-disk-0,serial=S1,size=64G");
    assert_eq!(so.said(&serial), Vec::<String>::new());
}

#[test]
fn what_does_not_go_together_is_found_before_anything_is_sent() {
    let first = |world: &super::World, attributes: &[(&str, Value)]| {
        world.said(attributes).first().map(|line| line.split(':').next().unwrap_or_default().to_owned())
    };
    let world = running();
    let lsi = running().with("scsihw", "lsi");
    let on = || Value::from(true);
    let code = |text: &str| Some(text.to_owned());
    assert_eq!(first(&lsi, &[("disk/scsi0/iothread", on())]), code("! iothread_ignored disk[\"scsi0\"].iothread"));
    assert_eq!(
        first(&lsi, &[("disk/scsi0/queues", Value::from(4))]),
        code("! iothread_ignored disk[\"scsi0\"].queues")
    );
    let both = [("disk/scsi0/iothread", on()), ("scsihw", Value::from("virtio-scsi-single"))];
    assert!(first(&lsi, &both).unwrap().starts_with('@'));
    let away = running().with("scsi0", "local-zfs:vm-107-disk-0,iothread=1,size=64G");
    assert_eq!(first(&away, &[("scsihw", Value::from("virtio-scsi-pci"))]), code("! iothread_ignored scsihw"));
    // One that the resource has no part in is somebody else's.
    let theirs = lsi.clone().with("scsi0", "local-zfs:vm-107-disk-0,iothread=1,size=64G");
    assert_eq!(first(&theirs, &[("onboot", on())]), None);
    let native = [("disk/scsi0/aio", Value::from("native")), ("disk/scsi0/cache", Value::from("writeback"))];
    assert_eq!(first(&world, &native), code("! aio_cache disk[\"scsi0\"].cache"));
    assert_eq!(first(&world, &[("disk/scsi0/mbps_max", Value::from(5))]), code("! throttle disk[\"scsi0\"].mbps_max"));
    assert_eq!(first(&world, &[("balloon", Value::from(9000))]), code("! balloon balloon"));
    assert_eq!(first(&world, &[("vcpus", Value::from(5))]), code("! too_many_processors vcpus"));
    assert_eq!(first(&world, &[("hotplug", Value::from("disk,memory"))]), code("! memory_hotplug hotplug"));
    let e1000 = running().with("net0", "e1000=BC:24:11:00:01:07,bridge=vmbr0");
    assert_eq!(
        first(&e1000, &[("network/net0/queues", Value::from(4))]),
        code("! virtio_only network[\"net0\"].queues")
    );
    let order = |devices: &str| [("boot/order", Value::from(devices))];
    assert_eq!(first(&world, &order("scsi0;scsi7")), code("! boot_order boot.order"));
    assert!(first(&world, &order("scsi0;net0")).unwrap().starts_with('@'));
    let mut small = running();
    small.cluster.processors.insert("pve".to_owned(), 8);
    assert_eq!(first(&small, &[("cores", Value::from(16))]), code("! too_many_processors cores"));
}

#[test]
fn an_old_limit_is_not_lost_on_the_way() {
    let old = running().with("scsi0", "local-zfs:vm-107-disk-0,bps_rd=1000000,discard=on,size=64G");
    let said = old.said(&writeback());
    assert_eq!(
        said[0],
        "! old_limit disk[\"scsi0\"].cache: `scsi0` has the old limit `bps_rd=1000000`, which Proxmox drops with any change \
         of the disk (the limit would be lost) -> write it as `mbps_rd`, in megabytes, on the node first: `qm config 107` \
         shows the disk"
    );
    assert!(said[1..].iter().all(|line| line.starts_with('@')), "it is said once: {said:?}");
    // What is so already changes nothing, and another option does not touch the disk.
    assert_eq!(
        old.said(&[("disk/scsi0/discard", Value::from(true)), ("onboot", Value::from(true))]),
        Vec::<String>::new()
    );
}

#[test]
fn a_missing_privilege_is_named_with_its_command() {
    let mut world = running();
    let may = [("VM.Audit".to_owned(), true), ("VM.Config.Disk".to_owned(), true)];
    world.cluster.permissions = Some([("/vms".to_owned(), may.into())].into());
    let said = world.said(&[("disk/scsi0/cache", Value::from("writeback")), ("cores", Value::from(8))]);
    let problems: Vec<&String> = said.iter().filter(|line| line.starts_with('!')).collect();
    assert_eq!(
        problems,
        [
            "! not_allowed cores: `tune@pve!tok` lacks the privilege VM.Config.CPU on /vms/107 (the API would refuse) -> on \
             a node, run `pveum role add Tune-vms-107 --privs VM.Audit,VM.Config.CPU,VM.Config.Disk,VM.PowerMgmt` and `pveum \
             acl modify /vms/107 --tokens 'tune@pve!tok' --roles Tune-vms-107`; where `tune@pve` itself may not do it \
             either, the second one with `--users 'tune@pve'` as well",
            "! not_allowed disk[\"scsi0\"].cache: `tune@pve!tok` lacks the privilege VM.PowerMgmt on /vms/107 (the API would \
             refuse) -> on a node, run `pveum role add Tune-vms-107 --privs VM.Audit,VM.Config.CPU,VM.Config.Disk,\
             VM.PowerMgmt` and `pveum acl modify /vms/107 --tokens 'tune@pve!tok' --roles Tune-vms-107`; where `tune@pve` \
             itself may not do it either, the second one with `--users 'tune@pve'` as well",
        ]
    );
    // What is so already needs nothing.
    assert_eq!(world.said(&[("cores", Value::from(4))]), Vec::<String>::new());
    let args = world.said(&[("args", Value::from("-no-hpet"))]);
    assert!(args.iter().any(|line| line.starts_with("! root_only args")), "{args:?}");
}

#[test]
fn it_runs_on_the_host_of_its_node() {
    let mut world = running();
    world.cluster.node_hosts.insert("pve".to_owned(), "host.hypervisor[\"pve\"]".to_owned());
    let impact = world.judge(&writeback());
    let host: Address = "host.hypervisor[\"pve\"]".parse().unwrap();
    assert_eq!((impact.runs_on, impact.carriers), (Some(host.clone()), Some([host.clone()].into())));
    world.vm.node = "still-fawn".to_owned();
    let impact = world.judge(&writeback());
    assert_eq!((impact.runs_on, impact.carriers), (None, Some([host].into())), "it may move there");
}

#[test]
fn advice_follows_from_the_machine() {
    let cores = [("cores", Value::from(8)), ("guest", Value::from("host.k3s"))];
    assert_eq!(running().advised(&cores), ["power_cycle"]);
    let mut world = running().with("agent", "0");
    (world.vm.ha, world.vm.lock) = (true, Some("backup".to_owned()));
    assert_eq!(world.advised(&cores), ["locked", "power_cycle", "ha_managed", "no_agent"]);
    assert_eq!(world.advised(&[("cores", Value::from(4))]), Vec::<String>::new());
    let lsi = running().with("scsihw", "lsi");
    assert!(lsi.advised(&[("scsihw", Value::from("virtio-scsi-single"))]).contains(&"guest_driver".to_owned()));
    let pci = running().with("scsihw", "virtio-scsi-pci");
    assert!(!pci.advised(&[("scsihw", Value::from("virtio-scsi-single"))]).contains(&"guest_driver".to_owned()));
    assert_eq!(running().advised(&[("network/net0/queues", Value::from(4))]), ["replugged"]);
}

#[test]
fn absence_is_its_default_where_it_has_one() {
    let key = |name: &str| ItemKey(format!("107/{name}"));
    let absent = tune_core::item::Raw::Absent;
    assert_eq!(canonical(&key("scsi0/iothread"), &absent), canonical(&key("scsi0/iothread"), &text("off")));
    assert_eq!(canonical(&key("cores"), &absent), text("1"));
    assert_ne!(canonical(&key("scsi0/cache"), &absent), text("none"), "on btrfs it means something else");
    assert_eq!(show(&key("scsi0/cache"), &absent), "none (default)");
    assert_eq!(show(&key("scsi0/iothread"), &absent), "false (default)");
    assert_eq!(show(&key("scsi0/serial"), &absent), "absent");
    assert_eq!(running().said(&[("disk/scsi0/iothread", Value::from(false))]), Vec::<String>::new());
}

#[test]
fn a_device_that_is_not_there_is_unreadable() {
    let why = running().item(&ItemKey::from("107/scsi5/cache")).unwrap_err();
    assert_eq!((why.message.as_str(), why.help.as_deref()), ("VM 107 has no `scsi5`", Some("it has `scsi0`")));
    let mut leaving = running();
    leaving.vm.options.get_mut("scsi0").unwrap().delete = true;
    let why = leaving.item(&ItemKey::from("107/scsi0/cache")).unwrap_err();
    assert_eq!(why.message, "VM 107 is about to lose `scsi0`");
}
