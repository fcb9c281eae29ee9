//! Attributes become items, or every mistake is found.

use tune_core::value::Value;

use super::{line, resource, wanted};

fn items(attributes: &[(&str, Value)]) -> Vec<String> {
    let shown = wanted(attributes).items;
    shown.iter().map(|item| format!("{} at {}: {:?}", item.key, item.path, item.want)).collect()
}

fn mistakes(attributes: &[(&str, Value)]) -> Vec<String> {
    crate::kind().desired(&resource(attributes)).unwrap_err().iter().map(line).collect()
}

#[test]
fn only_what_is_written_is_wanted() {
    let attributes = [
        ("disk/scsi0/cache", Value::from("writeback")),
        ("disk/scsi0/iothread", Value::from(true)),
        ("network/net0/queues", Value::from(4)),
        ("cores", Value::from(8)),
        ("memory", Value::from("16GiB")),
        ("agent", Value::from(true)),
        ("cpu", Value::from("host")),
        ("startup/order", Value::from(2)),
        ("tags", Value::List(vec![Value::from("k3s"), Value::from("Etcd")])),
    ];
    assert_eq!(
        items(&attributes),
        [
            r#"107/scsi0/cache at disk["scsi0"].cache: Text("writeback")"#,
            r#"107/scsi0/iothread at disk["scsi0"].iothread: Text("1")"#,
            r#"107/net0/queues at network["net0"].queues: Text("4")"#,
            r#"107/agent/enabled at agent: Text("1")"#,
            r#"107/cores at cores: Text("8")"#,
            r#"107/cpu/cputype at cpu: Text("host")"#,
            r#"107/memory/current at memory: Text("16384")"#,
            r#"107/startup/order at startup.order: Text("2")"#,
            r#"107/tags at tags: Text("etcd;k3s")"#,
        ]
    );
}

#[test]
fn it_lives_in_its_provider_and_is_down_with_its_guest() {
    let desired = wanted(&[("cores", Value::from(2)), ("guest", Value::from("host.k3s[\"pve\"]"))]);
    assert_eq!(desired.host.to_string(), "provider.proxmox");
    assert_eq!(desired.guest.unwrap().to_string(), "host.k3s[\"pve\"]");
    let mut other = resource(&[("cores", Value::from(2))]);
    other.provider = Some("provider.proxmox[\"lab\"]".parse().unwrap());
    assert_eq!(crate::kind().desired(&other).unwrap().host.to_string(), "provider.proxmox[\"lab\"]");
    other.provider = None;
    assert_eq!(crate::kind().desired(&other).unwrap().host.to_string(), "provider.proxmox");
}

#[test]
fn every_mistake_is_found_at_once() {
    let attributes = [
        ("vmid", Value::from(99)),
        ("disk/scsi31/cache", Value::from("none")),
        ("disk/scsi0/cashe", Value::from("none")),
        ("disk/scsi0/size", Value::from("64G")),
        ("disk/scsi1/cache", Value::from("NONE")),
        ("disk/sata0/iothread", Value::from(true)),
        ("network/net0/macaddr", Value::from("x")),
        ("network/net32/queues", Value::from(4)),
        ("cores", Value::from(0)),
        ("lock", Value::from("backup")),
        ("cipassword", Value::from("x")),
        ("agent/enabled", Value::Null),
    ];
    assert_eq!(
        mistakes(&attributes),
        [
            "bad_vmid vmid: 99 is not the number of a virtual machine (it is a whole number from 100 to 999999999)",
            "wrong_bus disk[\"sata0\"].iothread: a disk on `sata` has no `iothread` (only disks on `scsi`, `virtio` have it) -> remove it, or attach the disk to another bus first",
            "unknown_option disk[\"scsi0\"].cashe: `scsi0` has no option `cashe` (no such option)",
            "not_tunable disk[\"scsi0\"].size: `size` of `scsi0` is not tuned (not managed here) -> set it in Proxmox itself",
            "bad_value disk[\"scsi1\"].cache: `scsi1.cache` cannot be \"NONE\" (it takes `none`, `writethrough`, `writeback`, `unsafe`, `directsync`)",
            "unknown_device disk[\"scsi31\"]: no disk has the key `scsi31` (no such key) -> write one of `ide0` to `ide3`, `sata0` to `sata5`, `scsi0` to `scsi30`, `virtio0` to `virtio15`",
            "not_tunable network[\"net0\"].macaddr: `macaddr` of `net0` is not tuned (not managed here) -> set it in Proxmox itself",
            "unknown_device network[\"net32\"]: no network device has the key `net32` (no such key) -> write one of `net0` to `net31`",
            "bad_value agent.enabled: `agent` has no value (`null` is not a value) -> to stop managing it, remove it: what was there before is put back then",
            "not_tunable cipassword: `cipassword` is not tuned (not managed here) -> set it in Proxmox itself",
            "bad_value cores: `cores` cannot be 0 (it takes a whole number from 1 to 8192)",
            "unknown_option lock: a machine has no option `lock` (no such option)",
        ]
    );
}

#[test]
fn a_resource_that_manages_nothing_is_a_mistake() {
    assert_eq!(mistakes(&[]).len(), 1);
    let empty = [("disk/scsi0", Value::Map([].into()))];
    assert!(mistakes(&empty)[0].starts_with("no_settings disk[\"scsi0\"]"), "{:?}", mistakes(&empty));
}

#[test]
fn odd_numbers_are_no_machine() {
    for vmid in [Value::from(-1), Value::from("107x"), Value::from(1_000_000_000), Value::Null, Value::from(true)] {
        assert!(mistakes(&[("vmid", vmid), ("cores", Value::from(1))])[0].starts_with("bad_vmid"));
    }
}
