//! Whatever arrives is answered, and thousands of machines are as good as one.

use std::fmt::Write as _;

use crate::client::{Client, small};
use proptest::prelude::*;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tune_pve_sim::{Cluster, Speed};

const PATHS: [&str; 36] = [
    "/version",
    "/access",
    "/access/ticket",
    "/access/permissions",
    "/access/acl",
    "/access/users/x",
    "/access/users/root@pam/token/adm",
    "/access/roles/x",
    "/cluster/nextid",
    "/cluster/resources",
    "/nodes",
    "/nodes/pve1/tasks",
    "/nodes/pve1/tasks/x/log",
    "/nodes/pve1/qemu",
    "/nodes/pve1/qemu/100",
    "/nodes/pve1/qemu/100/config",
    "/nodes/pve1/qemu/100/pending",
    "/nodes/pve1/qemu/100/cloudinit",
    "/nodes/pve1/qemu/100/resize",
    "/nodes/pve1/qemu/100/unlink",
    "/nodes/pve1/qemu/100/clone",
    "/nodes/pve1/qemu/100/migrate",
    "/nodes/pve1/qemu/100/move_disk",
    "/nodes/pve1/qemu/100/feature",
    "/nodes/pve1/qemu/100/snapshot",
    "/nodes/pve1/qemu/100/snapshot/x/config",
    "/nodes/pve1/qemu/100/agent",
    "/nodes/pve1/qemu/100/agent/exec",
    "/nodes/pve1/qemu/100/status",
    "/nodes/pve1/qemu/100/status/current",
    "/nodes/pve1/qemu/100/status/start",
    "/nodes/pve1/qemu/100/status/stop",
    "/nodes/pve1/qemu/100/status/shutdown",
    "/nodes/pve1/qemu/100/status/reboot",
    "/nodes/pve1/qemu/100/status/resume",
    "/nodes/%2F/qemu/%00/config",
];

const KEYS: [&str; 44] = [
    "scsi0",
    "scsi1",
    "ide2",
    "virtio3",
    "sata0",
    "efidisk0",
    "tpmstate0",
    "unused0",
    "net0",
    "memory",
    "balloon",
    "cores",
    "sockets",
    "vcpus",
    "cpu",
    "cpuunits",
    "cpulimit",
    "affinity",
    "numa",
    "numa0",
    "hotplug",
    "hugepages",
    "machine",
    "bios",
    "boot",
    "agent",
    "vga",
    "usb0",
    "hostpci0",
    "serial0",
    "ipconfig0",
    "sshkeys",
    "startdate",
    "startup",
    "tags",
    "description",
    "smbios1",
    "delete",
    "revert",
    "digest",
    "size",
    "disk",
    "vmid",
    "storage",
];

const VALUES: [&str; 30] = [
    "",
    "0",
    "1",
    "-1",
    "18446744073709551616",
    "1e400",
    "none",
    "cdrom",
    "socket",
    "host",
    "imgs:1",
    "imgs:0",
    "imgs:99999999999999999999",
    "imgs:100/vm-100-disk-0.raw",
    "imgs:100/vm-100-disk-0.raw,size=9999999999T",
    "imgs:1,import-from=/",
    "virtio,bridge=vmbr0",
    "virtio=00:00:00:00:00:00,queues=9",
    "memory,cpu",
    "order=scsi0;net7",
    "scsi0,net0",
    ",=,,=",
    "a=b",
    "q35,viommu=intel",
    "pc-q35-99999999999999999999.0",
    "+1T",
    "1;2-1;0-99999999",
    "/dev/x",
    "\u{0}\u{fffd}\u{10ffff}",
    "%zz",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        1 => prop::collection::vec(prop::sample::select(&VALUES[..]), 2..4).prop_map(|values| values.join(",")),
        1 => any::<String>(),
    ]
}

fn form() -> impl Strategy<Value = String> {
    prop::collection::vec((prop::sample::select(&KEYS[..]), value()), 0..5).prop_map(|pairs| {
        pairs.iter().fold(String::new(), |mut form, (key, value)| {
            let _ = write!(form, "{}{key}=", if form.is_empty() { "" } else { "&" });
            value.bytes().for_each(|byte| {
                let _ = write!(form, "%{byte:02x}");
            });
            form
        })
    })
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn bytes_of_any_kind_do_not_stop_the_server(bytes in prop::collection::vec(any::<u8>(), 0..200), request in any::<bool>()) {
        run(async {
            let cluster = small().start().await.unwrap();
            let client = Client::new(&cluster);
            let mut stream = TcpStream::connect(cluster.url().strip_prefix("http://").unwrap()).await.unwrap();
            let head = if request { &b"PUT /api2/json/nodes/pve1/qemu/100/config HTTP/1.1\r\n"[..] } else { b"" };
            // The server may hang up before it has read all.
            let _ = stream.write_all(&[head, &bytes].concat()).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
            assert_eq!(client.get("/version").await.status, 200);
        });
    }

    #[test]
    fn every_request_has_an_answer(
        requests in prop::collection::vec(
            (prop::sample::select(&["GET", "POST", "PUT", "DELETE"][..]), prop::sample::select(&PATHS[..]), form()),
            1..25,
        ),
        running in any::<bool>(),
    ) {
        run(async {
            let cluster = small().bridge("vmbr0").speed(Speed::Manual);
            let cluster = if running { cluster.running(100) } else { cluster };
            let cluster = cluster.start().await.unwrap();
            let client = Client::new(&cluster);
            for (method, path, form) in requests {
                let (path, body) = match method {
                    "POST" | "PUT" => (path.to_owned(), form),
                    _ => (format!("{path}?{form}"), String::new()),
                };
                let answer = client.try_send(method, &path, &body).await;
                prop_assert!(answer.is_some(), "{method} {path} {body}");
                // Time goes on by hand, so that tasks do their work and another call gets the lock.
                client.control().advance(std::time::Duration::from_secs(11));
            }
            prop_assert_eq!(client.get("/version").await.status, 200);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn five_thousand_machines_are_loaded_and_listed() {
    let vms: serde_json::Map<String, serde_json::Value> = (1000..6000)
        .map(|vmid| {
            let config =
                format!("cores: 1\nmemory: 512\nname: n{vmid}\nscsi0: imgs:{vmid}/vm-{vmid}-disk-0.raw,size=1G\n");
            (vmid.to_string(), json!({ "node": "pve1", "config": config, "running": vmid % 2 == 0 }))
        })
        .collect();
    let token = json!({ "tokenid": "root@pam!adm", "secret": "11111111-2222-3333-4444-555555555555", "privsep": 0 });
    let state =
        json!({ "op": "load_state", "state": { "nodes": ["pve1"], "tokens": [token], "vms": vms } }).to_string();
    let cluster = Cluster::builder().plain_http().control_endpoint().start().await.unwrap();
    let client = Client::new(&cluster);
    let mut stream = TcpStream::connect(cluster.url().strip_prefix("http://").unwrap()).await.unwrap();
    let length = state.len();
    let head = format!("POST /_control HTTP/1.1\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + &state).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n{}"), "{answer}");
    let listed = client.get("/cluster/resources?type=vm").await;
    assert_eq!(listed.data().as_array().unwrap().len(), 5000);
    let rows = client.get("/nodes/pve1/qemu").await.data();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 5000);
    assert_eq!(rows.iter().filter(|row| row["status"] == "running").count(), 2500);
    // A row is as long as every other one, whatever the number of machines.
    assert!(listed.body.len() < 5000 * 600, "{} bytes", listed.body.len());
    assert_eq!(client.get("/cluster/nextid").await.data(), "100");
}
