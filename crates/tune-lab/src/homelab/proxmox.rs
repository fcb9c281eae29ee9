//! The Proxmox VE cluster of the homelab: three nodes, a K3s server as a virtual machine on each, and a token that may do no
//! more than tuning their disks takes.

use serde_json::{Map, Value as Json, json};
use tune_pve_sim::{Cluster, Flags};

/// The nodes, with the number of the virtual machine on each, where its disk lies, and how large that is in GiB.
pub(super) const NODES: [(&str, u32, &str, u64); 3] =
    [("pve", 107, "local", 200), ("pumped-piglet", 105, "local", 200), ("still-fawn", 108, "local-2TB", 700)];

/// Who `tune` is for the cluster.
const USER: &str = "tune@pve";
const TOKEN_ID: &str = "tune@pve!tune";
const SECRET: &str = "6f1c2a54-9d0e-4b7a-8c3f-2e5d7b9a1c60";
/// What the guide `docs/guides/proxmox.md` grants.
const PRIVILEGES: &str = "VM.Audit VM.Config.Disk VM.GuestAgent.Audit VM.PowerMgmt";

/// The token as a client presents it.
pub(super) fn token() -> String {
    format!("{TOKEN_ID}={SECRET}")
}

/// The cluster before it is started, with its machines running.
pub(super) fn cluster(flags: &Flags) -> Cluster {
    let state = json!({
        "node": "pve",
        "nodes": NODES.map(|(node, ..)| node),
        "storages": [
            { "storage": "local", "type": "dir", "path": "/var/lib/vz", "content": "images" },
            { "storage": "local-2TB", "type": "dir", "path": "/mnt/pve/local-2TB", "content": "images" },
        ],
        "volumes": {
            "local": ["107/vm-107-disk-0.raw:200G", "105/vm-105-disk-0.raw:200G"],
            "local-2TB": ["108/vm-108-disk-0.raw:700G"],
        },
        "vms": NODES.iter().copied().map(machine).collect::<Map<String, Json>>(),
        "users": [{ "userid": USER, "enable": 1 }],
        "tokens": [{ "tokenid": TOKEN_ID, "privsep": 1, "secret": SECRET }],
        "roles": { "TuneVM": PRIVILEGES },
        // What a token may do is what both it and its user may.
        "acl": [
            { "path": "/vms", "type": "user", "ugid": USER, "role": "TuneVM", "propagate": 1 },
            { "path": "/vms", "type": "token", "ugid": TOKEN_ID, "role": "TuneVM", "propagate": 1 },
        ],
    });
    NODES.iter().fold(Cluster::builder().state(&state), |cluster, (_, vmid, ..)| cluster.flags(*vmid, flags.clone()))
}

fn machine((node, vmid, storage, size): (&str, u32, &str, u64)) -> (String, Json) {
    let card = vmid % 256;
    let config = format!(
        "agent: 1\nboot: order=scsi0\ncores: 4\ncpu: host\nmemory: 8192\nname: k3s-vm-{node}\nnet0: \
         virtio=BC:24:11:5A:00:{card:02X},bridge=vmbr0,firewall=1\nonboot: 1\nostype: l26\nscsi0: \
         {storage}:{vmid}/vm-{vmid}-disk-0.raw,discard=on,size={size}G,ssd=1\nscsihw: virtio-scsi-single\ntags: k3s\n"
    );
    (vmid.to_string(), json!({ "node": node, "running": 1, "config": config }))
}
