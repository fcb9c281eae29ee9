//! The example `k3s-etcd` on the pretend homelab: three virtual machines of a simulated Proxmox cluster that take real
//! hosts with them, hypervisors, and a K3s cluster that follows. What is true is looked at behind the API and on the hosts.

mod bad;
mod good;
mod kills;

use std::collections::BTreeMap;

use tune_lab::homelab::{Homelab, Moment, Pace};

use super::*;

/// The configuration that people read, as it is.
const EXAMPLE: &str = include_str!("../../../../examples/k3s-etcd/k3s-etcd.tune.hcl");

/// In the order of the rollout, as long as none of them leads.
const GUESTS: [&str; 3] = ["k3s-vm-pumped-piglet", "k3s-vm-pve", "k3s-vm-still-fawn"];

/// A homelab, and the example with other words in place of some of its own, each of which must be there.
fn homelab(changes: &[(&str, &str)]) -> (Homelab, Project) {
    let homelab = Homelab::start(Pace::Tests).unwrap();
    let project = project(&homelab, changes);
    (homelab, project)
}

/// Another folder with the example.
fn project(homelab: &Homelab, changes: &[(&str, &str)]) -> Project {
    let project = Project::new(homelab.lab(), &example_with(changes));
    homelab.variables().iter().fold(project, |project, (name, value)| project.with_variable(name, value))
}

fn example_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the example no longer says `{from}`");
        text.replace(from, to)
    })
}

/// What a test compares with a later picture.
struct Before {
    configs: BTreeMap<u32, String>,
    snapshots: BTreeMap<String, Snapshot>,
}

impl Before {
    fn of(homelab: &Homelab) -> Before {
        let configs = homelab.guests().map(|(vmid, _)| (vmid, config(homelab, vmid)));
        let snapshots = homelab.lab().hosts().map(|host| (host.name().to_owned(), host.snapshot()));
        Before { configs: configs.collect(), snapshots: snapshots.collect() }
    }

    /// Fails unless every configuration file of a machine, every value and every file is as it was, byte for byte, and
    /// every machine runs with what its file says.
    #[track_caller]
    fn assert_restored(&self, homelab: &Homelab) {
        for (name, snapshot) in &self.snapshots {
            homelab.lab().host(name).assert_as(snapshot);
        }
        for (vmid, before) in &self.configs {
            assert_eq!(&config(homelab, *vmid), before, "the configuration of VM {vmid}");
            let disk = before.lines().find(|line| line.starts_with("scsi0: ")).unwrap();
            assert_eq!(running_disk(homelab, *vmid), disk.trim_start_matches("scsi0: "), "what VM {vmid} runs with");
        }
    }

    /// Fails unless nothing was written, except what `tune` notes about itself on hosts, and nobody went down.
    #[track_caller]
    fn assert_untouched(&self, homelab: &Homelab) {
        for (name, snapshot) in &self.snapshots {
            assert_untouched(homelab.lab().host(name), snapshot);
        }
        for (vmid, before) in &self.configs {
            assert_eq!(&config(homelab, *vmid), before, "the configuration of VM {vmid}");
        }
        assert_eq!(homelab.moments(), []);
    }
}

/// The configuration file of a machine, with what is pending.
#[track_caller]
fn config(homelab: &Homelab, vmid: u32) -> String {
    homelab.proxmox().config(vmid).unwrap()
}

/// The disk with which a machine was started.
#[track_caller]
fn running_disk(homelab: &Homelab, vmid: u32) -> String {
    homelab.proxmox().started_with(vmid).unwrap().get("scsi0").unwrap().clone()
}

/// The machine that a guest runs in.
#[track_caller]
fn vmid(homelab: &Homelab, guest: &str) -> u32 {
    homelab.guests().find(|(_, name)| *name == guest).unwrap().0
}

/// Fails unless each guest that went came back before the next one went, while all others were healthy, and nobody went
/// who was the leader except as the last. Returns who went, in order.
#[track_caller]
fn assert_one_at_a_time(moments: &[Moment]) -> Vec<&str> {
    let mut order: Vec<&str> = Vec::new();
    for pair in moments.chunks(2) {
        let [down, up] = pair else { panic!("somebody did not come back: {moments:#?}") };
        assert!(!down.is_up && up.is_up && down.guest == up.guest, "two guests were down together: {moments:#?}");
        let others: Vec<&str> = GUESTS.into_iter().filter(|guest| *guest != down.guest).collect();
        assert_eq!(down.healthy, others, "a guest went while etcd could not spare it: {moments:#?}");
        order.push(&down.guest);
    }
    order
}
