//! What starting, plugging and creating refuse.

use crate::client::{Client, small};
use tune_pve_sim::Speed;

const CONFIG: &str = "/nodes/pve1/qemu/100/config";
const START: &str = "/nodes/pve1/qemu/100/status/start";
const BASE: &str = "cores: 1\nmemory: 512\nname: web\nscsi0: imgs:100/vm-100-disk-0.raw,size=8G\n";

/// What a line in the configuration makes of a start.
const STARTS: [(&str, &str); 30] = [
    ("sata0: imgs:100/vm-100-disk-9.raw", "volume 'imgs:100/vm-100-disk-9.raw' does not exist"),
    ("sata0: nope:100/vm-100-disk-0.raw", "storage 'nope' does not exist"),
    ("sockets: 32", "MAX 16 vcpus allowed per VM on this node"),
    ("hotplug: memory", "NUMA needs to be enabled for memory hotplug"),
    ("hotplug: memory\nnuma: 1", "minimum memory must be 1024MB"),
    ("numa: 1\nnuma0: cpus=0", "missing NUMA node0 memory value"),
    ("numa: 1\nnuma0: cpus=0,memory=100", "total memory for NUMA nodes must be equal to vm static memory"),
    ("numa: 1\nnuma0: cpus=0,memory=512,hostnodes=0", "you need to define a policy for hostnode 0"),
    ("numa: 1\nnuma0: cpus=0,memory=512,hostnodes=5,policy=bind", "host NUMA node5 doesn't exist"),
    ("hugepages: any", "numa needs to be enabled to use hugepages"),
    ("net0: virtio=BC:24:11:00:00:01,bridge=nope", "bridge 'nope' does not exist"),
    ("net0: e1000=BC:24:11:00:00:01,bridge=nope", "bridge 'nope' does not exist"),
    (
        "net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,mtu=100",
        "netdev net0: MTU '100' is smaller than the IP minimum MTU '576'",
    ),
    ("net0: e1000=BC:24:11:00:00:01,bridge=vmbr0,mtu=1400", "WARNINGS: 1"),
    (
        "machine: pc-q35-11.0",
        "Installed QEMU version '10.2.0' is too old to run machine type 'pc-q35-11.0+pve0', please upgrade node 'pve1'",
    ),
    (
        "machine: pc-i440fx-10.2+pve5",
        "Installed qemu-server (max feature level for 10.2 is pve0) is too old to run machine type \
         'pc-i440fx-10.2+pve5', please upgrade node 'pve1'",
    ),
    ("bios: ovmf\ncpu: kvm32", "OVMF (UEFI) BIOS is not supported on 32-bit CPU types"),
    ("bios: ovmf", "WARNINGS: 1"),
    ("usb5: spice", "using usb5 is only possible with machine type >= 7.1 and ostype l26 or windows > 7"),
    ("ostype: l26\nusb5: spice", "OK"),
    ("usb0: mapping=stick", "USB device mapping not found for 'stick'"),
    ("hostpci0: mapping=card", "PCI device mapping not found for 'card'"),
    ("hostpci0: 0000:01:00.0", "no PCI device found for '0000:01:00.0'"),
    ("serial0: /dev/ttyS9", "no such serial device"),
    ("parallel0: /dev/parport9", "no such parallel device"),
    ("virtiofs0: share", "Directory ID share does not exist."),
    (
        "virtio1: imgs:100/vm-100-disk-0.raw,format=qcow2",
        "drive 'virtio1' - volume 'imgs:100/vm-100-disk-0.raw' - \
      'format=qcow2' option different from storage format 'raw'",
    ),
    ("ide2: none,media=cdrom", "OK"),
    ("vga: std,clipboard=vnc", "OK"),
    ("ide0: cdrom,media=cdrom\nide2: cdrom,media=cdrom", "WARNINGS: 1"),
];

#[tokio::test]
async fn a_start_is_refused_for_the_reason_that_the_command_line_has() {
    let cluster = small().bridge("vmbr0").speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    let mut others = Vec::new();
    for (line, end) in STARTS {
        client.control().write_config(100, &format!("{BASE}{line}\n"));
        let upid = client.post(START, "").await.data();
        let ended = client.ended(&upid).await;
        others.extend((ended != end).then_some((line, ended)));
        client.control().kill(100);
        client.control().advance(std::time::Duration::from_secs(5));
    }
    assert_eq!(others, []);
}

#[tokio::test]
async fn what_the_guest_cannot_take_is_an_error_of_its_key() {
    let cluster = small().bridge("vmbr0").running(100).start().await.unwrap();
    let client = Client::new(&cluster);
    for (form, key, text) in [
        ("net3=virtio%2Cbridge%3Dnope", "net3", "bridge 'nope' does not exist\n"),
        ("scsi3=none", "scsi3", "unable to parse volume ID 'none'\n"),
        ("vcpus=9", "vcpus", ""),
    ] {
        let answer = client.put(CONFIG, form).await;
        if text.is_empty() {
            assert_eq!(answer.status, 200, "{form}: without pluggable processors the value waits");
            continue;
        }
        assert_eq!(answer.status, 400, "{form}: {answer:?}");
        assert_eq!(answer.errors()[key], format!("hotplug problem - {text}"), "{form}");
    }
}

#[tokio::test]
async fn memory_is_plugged_in_whole_modules() {
    let cluster = small().running(100).start().await.unwrap();
    let client = Client::new(&cluster);
    let with = |memory: u32| format!("cores: 1\nhotplug: memory\nmemory: {memory}\nnuma: 1\n");
    for (before, wanted, stored) in [(1024, 1500, 1536), (1024, 2048, 2048), (2048, 1700, 1536), (2048, 1025, 1024)] {
        client.control().write_config(100, &with(before));
        assert_eq!(client.put(CONFIG, &format!("memory={wanted}")).await.status, 200);
        assert_eq!(client.control().config(100).unwrap(), with(stored), "{before} -> {wanted}");
    }
    let low = client.put(CONFIG, "memory=512").await;
    assert_eq!(low.errors()["memory"], "hotplug problem - memory can't be lower than 1024 MB\n");
}

#[tokio::test]
async fn a_creation_that_fails_leaves_no_volume_behind() {
    let cluster = small().speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    let create = "vmid=200&scsi0=imgs%3A1&scsi1=imgs%3A200%2Fvm-200-disk-7.raw";
    let upid = client.post("/nodes/pve1/qemu", create).await.data();
    let end = client.ended(&upid).await;
    assert!(end.starts_with("unable to create VM 200 - "), "{end}");
    assert_eq!(client.control().config(200), None);
    let upid = client.post("/nodes/pve1/qemu", "vmid=200&scsi0=imgs%3A1").await.data();
    assert_eq!(client.ended(&upid).await, "OK");
    let config = client.control().config(200).unwrap();
    assert!(config.contains("scsi0: imgs:200/vm-200-disk-0.raw,size=1G\n"), "the first name is taken: {config}");
}

#[tokio::test]
async fn deletions_and_changes_that_wait_have_rows_of_their_own() {
    let cluster = small().running(100).start().await.unwrap();
    let client = Client::new(&cluster);
    assert_eq!(client.put(CONFIG, "cores=4&delete=memory,boot&force=1").await.status, 200);
    let waiting = client.pending(100).await;
    let row = |key: &str| waiting.iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(row("cores"), serde_json::json!({ "key": "cores", "value": 2, "pending": 4 }));
    assert_eq!(row("boot"), serde_json::json!({ "key": "boot", "value": "order=scsi0", "delete": 2 }));
    assert_eq!(waiting.len(), 3);
}

#[tokio::test]
async fn images_of_a_template_are_bases_that_clones_link_to() {
    let template = "name: golden\nscsi0: imgs:300/base-300-disk-0.raw,size=2G\ntemplate: 1\n";
    let cluster = small().volume("imgs:300/base-300-disk-0.raw", 2 << 30).vm(300, "pve1", template);
    let cluster = cluster.speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    assert_eq!(client.put("/nodes/pve1/qemu/300/config", "scsi1=imgs%3A1").await.status, 200);
    assert!(client.control().config(300).unwrap().contains("scsi1: imgs:300/base-300-disk-1.raw,size=1G\n"));
    for (form, disk) in [
        ("newid=301", "scsi0: imgs:300/base-300-disk-0.raw/301/vm-301-disk-0.qcow2,size=2G\n"),
        ("newid=302&full=1", "scsi0: imgs:302/vm-302-disk-0.raw,size=2G\n"),
    ] {
        let upid = client.post("/nodes/pve1/qemu/300/clone", form).await.data();
        assert_eq!(client.ended(&upid).await, "OK", "{form}");
        let made = client.control().config(form[6..9].parse().unwrap()).unwrap();
        assert!(made.contains(disk) && made.contains("name: Copy-of-VM-golden\n"), "{made}");
    }
    for (form, message) in [
        ("newid=303&full=0", "Linked clone feature is not supported for drive 'scsi0'"),
        ("newid=303&full=0&storage=imgs", "parameter 'storage' not allowed for linked clones"),
        ("newid=303&snapname=none", "snapshot 'none' does not exist"),
    ] {
        assert_eq!(client.post("/nodes/pve1/qemu/100/clone", form).await.reason, message);
    }
    assert_eq!(client.control().config(303), None);
}
