//! The rows of the first two runbooks that this kind covers: each is done, warned about, or refused.

use tune_core::item::{ItemKey, Raw};
use tune_core::value::Value;

use super::{running, text};
use crate::key::Key;
use crate::{show, vm};

fn runbook() -> [(&'static str, Value); 2] {
    [("disk/scsi0/cache", Value::from("writeback")), ("disk/scsi0/iothread", Value::from(true))]
}

#[test]
fn row_0_1_the_default_cache_is_none_and_the_plan_shows_it() {
    let found = running().item(&ItemKey::from("107/scsi0/cache")).unwrap();
    assert_eq!(found.raw, Raw::Absent);
    assert_eq!(show(&ItemKey::from("107/scsi0/cache"), &found.raw), "none (default)");
    let entry = crate::kind().explanations().iter().find(|entry| entry.code == crate::codes::WRITEBACK).unwrap();
    assert!(entry.text.contains("it is not `writethrough`"));
}

#[test]
fn row_0_3_the_rest_of_the_disk_is_kept_and_a_full_stop_is_planned() {
    let disk = Some("local-zfs:vm-107-disk-0,discard=on,iops_rd=500,size=64G,ssd=1");
    let mut now = disk.map(str::to_owned);
    for (item, want) in [("107/scsi0/cache", "writeback"), ("107/scsi0/iothread", "1")] {
        now = vm::with_item(&Key::parse(&ItemKey::from(item)).unwrap(), now.as_deref(), &text(want));
    }
    assert_eq!(
        now.as_deref(),
        Some("local-zfs:vm-107-disk-0,discard=on,iops_rd=500,size=64G,ssd=1,cache=writeback,iothread=1")
    );
    assert!(running().said(&runbook()).iter().all(|line| line.starts_with('@')));
    assert!(running().advised(&runbook()).contains(&"power_cycle".to_owned()));
}

#[test]
fn row_0_3_iothread_without_its_controller_is_refused() {
    let said = running().with("scsihw", "virtio-scsi-pci").said(&runbook());
    assert_eq!(
        said[0],
        "! iothread_ignored disk[\"scsi0\"].iothread: `iothread` of `scsi0` has no effect with the controller \
         `virtio-scsi-pci` (it needs `virtio-scsi-single`) -> set `scsihw = \"virtio-scsi-single\"`, which every `scsi` \
         disk of the machine then uses"
    );
}

#[test]
fn row_0_14_rolling_back_restores_every_sub_option() {
    let before = "local-zfs:vm-107-disk-0,discard=on,size=64G,ssd=1";
    let key = |item: &str| Key::parse(&ItemKey::from(item)).unwrap();
    let items = ["107/scsi0/cache", "107/scsi0/iothread", "107/scsi0/discard"];
    let originals = items.map(|item| (key(item), vm::bare(&key(item), Some(before))));
    let mut now = Some(before.to_owned());
    for (item, want) in items.iter().zip(["writeback", "1", "ignore"]) {
        now = vm::with_item(&key(item), now.as_deref(), &text(want));
    }
    assert_ne!(now.as_deref(), Some(before));
    for (item, original) in &originals {
        now = vm::with_item(item, now.as_deref(), original);
    }
    assert_eq!(now.as_deref(), Some(before));
}

#[test]
fn row_1_6_writeback_is_explained_as_what_it_is() {
    let impact = running().judge(&runbook());
    let advice = impact.advice.iter().find(|advice| advice.code == crate::codes::WRITEBACK).unwrap();
    assert!(advice.text.contains("what the guest flushes is still flushed to the disk first"), "{}", advice.text);
}

#[test]
fn row_1_9_iothread_is_explained_as_what_it_is() {
    let impact = running().judge(&runbook());
    let advice = impact.advice.iter().find(|advice| advice.code == crate::codes::IOTHREAD_LOAD).unwrap();
    assert!(advice.text.contains("makes no single write faster"), "{}", advice.text);
}

#[test]
fn row_1_11_the_pending_value_is_not_taken_for_the_running_one() {
    let world = running().with_pending("scsi0", "local-zfs:vm-107-disk-0,cache=writeback,discard=on,size=64G");
    let found = world.item(&ItemKey::from("107/scsi0/cache")).unwrap();
    assert_eq!(found.raw, text("writeback"));
    assert_eq!(found.running.value.as_deref(), Some("none (default)"));
    assert_eq!(found.configured.value.as_deref(), Some("writeback"));
    let mut world = world;
    world.recorded = [ItemKey::from("107/scsi0/cache")].into();
    let due = world.said(&[("disk/scsi0/cache", Value::from("writeback"))]);
    assert_eq!(due, ["@ 107/scsi0/cache: power cycle of 107"]);
}
