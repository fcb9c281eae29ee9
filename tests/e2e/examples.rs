//! Every example is valid, and is planned: the one for the reader's own machine there, all others on hosts of the lab.

use std::fs;
use std::path::{Path, PathBuf};

use tune_testkit::lab::{Lab, Tier};
use tune_testkit::require_tier;

use crate::support::{Project, root};

fn examples() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// A copy, so that a state that somebody left in the folder changes nothing, and what is left behind is seen.
fn copy(folder: &Path) -> Project {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.fold(Project::empty(), |project, path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        project.file(&name, fs::read(&path).unwrap())
    })
}

#[test]
fn every_example_is_valid_and_explains_itself() {
    assert!(!examples().is_empty());
    for folder in examples() {
        assert_eq!(copy(&folder).run(&["validate"]).code(0).stdout, "Success! The configuration is valid.\n");
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(folder.join(format!("{name}.tune.hcl"))).unwrap();
        assert!(text.starts_with("# "), "{name} begins without a word of explanation");
    }
}

#[test]
fn the_readers_own_machine_is_planned_and_left_alone() {
    let project = copy(&root().join("examples/this-machine"));
    let before = project.listing();
    let plan = project.run(&["plan"]).code(0).stdout;
    for expected in ["host.this", "vm.swappiness", "/etc/sysctl.d/99-zz-tune-memory.conf", "Plan: "] {
        assert!(plan.contains(expected), "{expected} in {plan}");
    }
    assert_eq!(project.listing(), before);
}

#[test]
fn every_other_example_is_planned_on_real_hosts() {
    require_tier!(Tier::Sshd);
    // The hypervisors of `k3s-hosts` need a module of the kernel, `etcd-rolling` a cluster, and `k3s-etcd` a homelab.
    let is_one = |folder: &Path, of: [&str; 4]| of.into_iter().any(|name| folder.ends_with(name));
    let elsewhere = |folder: &PathBuf| is_one(folder, ["this-machine", "k3s-hosts", "etcd-rolling", "k3s-etcd"]);
    let others: Vec<PathBuf> = examples().into_iter().filter(|folder| !elsewhere(folder)).collect();
    let names = ["app-1", "app-2", "db-1", "k3s-vm-pve", "k3s-vm-pumped-piglet", "k3s-vm-still-fawn"];
    let lab = Lab::create(Tier::Sshd, &names);
    for folder in others {
        // The guests are logged in to as root here, and `sudo` works for root too.
        let project = copy(&folder).variable("TUNE_SSH_CONFIG", &lab.ssh_config().to_string_lossy());
        let before = project.listing();
        let plan = project.run(&["plan", "-detailed-exitcode"]).code(2).stdout;
        assert!(plan.contains("Plan: ") && !plan.contains("could not be read"), "{}: {plan}", folder.display());
        assert_eq!(project.listing(), before);
    }
    for host in lab.hosts() {
        assert_eq!(host.exec("ls /var/lib/tune 2>/dev/null").stdout, "", "{} was written to", host.name());
    }
}

/// The hypervisors of the examples; the last one is tuned already.
const HYPERVISORS: [(&str, &str); 3] = [("pve.maas", "5"), ("pumped-piglet.maas", "5"), ("still-fawn.maas", "3")];

#[test]
fn six_hosts_are_tuned_and_put_back() {
    require_tier!(Tier::Nspawn);
    let guests = ["k3s-vm-pve", "k3s-vm-pumped-piglet", "k3s-vm-still-fawn"];
    let lab = Lab::create(Tier::Nspawn, &[&HYPERVISORS.map(|(name, _)| name)[..], &guests].concat());
    for (name, timeout) in HYPERVISORS {
        let host = lab.host(name);
        host.write_file(
            "/etc/modprobe.d/zfs.conf",
            format!("# by the installer\noptions zfs zfs_txg_timeout={timeout}\n"),
        );
        host.set_module("zfs", &[("zfs_txg_timeout", 0o644, "5")]);
    }
    let config = lab.ssh_config().to_string_lossy().into_owned();
    let project = copy(&root().join("examples/k3s-hosts")).variable("TUNE_SSH_CONFIG", &config);
    let plan = project.run(&["plan"]).code(0).stdout;
    for expected in [
        "zfs_txg_timeout",
        "5 -> 3",
        "already so, set in",
        "/etc/modprobe.d/zfs.conf:2",
        "/etc/modprobe.d/zz-tune-txg.conf",
        "tune::zfs::txg_not_sync",
        "vm.dirty_ratio",
    ] {
        assert!(plan.contains(expected), "{expected} in {plan}");
    }
    let timeout = |host: &str| lab.host(host).text("/sys/module/zfs/parameters/zfs_txg_timeout");
    let file = |host: &str| lab.host(host).read_file("/etc/modprobe.d/zz-tune-txg.conf");
    let _ = project.run(&["apply", "-auto-approve"]).code(0);
    for (host, _) in HYPERVISORS {
        assert!(timeout(host) == "3\n" && file(host).is_some(), "{host}");
    }
    let _ = project.run(&["plan", "-detailed-exitcode"]).code(0);
    // What was set is what a boot sets.
    lab.host("pve.maas").reboot();
    let _ = project.run(&["plan", "-detailed-exitcode"]).code(0);
    let _ = project.run(&["destroy", "-auto-approve"]).code(0);
    for (host, before) in HYPERVISORS {
        assert!(timeout(host).trim() == before && file(host).is_none(), "{host}");
    }
}

#[test]
fn the_readme_shows_what_really_happens() {
    require_tier!(Tier::Sshd);
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lab = Lab::create(Tier::Sshd, &["db-1"]);
    let config = lab.ssh_config().to_string_lossy().into_owned();
    let db = Project::new(blocks(&readme, "hcl")[0]).variable("TUNE_SSH_CONFIG", &config);
    let mut runs = 0;
    for console in blocks(&readme, "console") {
        for session in console.strip_prefix("$ ").unwrap().split("\n$ ") {
            let (command, expect) = session.split_once('\n').unwrap();
            let words: Vec<&str> = command.split(' ').collect();
            let said = match &words[..] {
                ["ssh", host, rest @ ..] => lab.host(host).exec(&rest.join(" ")).success(),
                ["tune", "plan"] => db.run(&["plan"]).code(0).stdout,
                ["tune", rest @ ..] => db.run(&[rest, &["-auto-approve"]].concat()).code(0).stdout,
                other => panic!("nobody knows how to run {other:?}"),
            };
            // Whether the host has swap is the machine's business, and so is what is said about it.
            let said = without(&without_question(&said), "swap_off", 2);
            let expect = without(&without_question(expect), "swap_off", 2);
            assert!(said.trim_end() == expect.trim_end(), "{command}:\n{said}\nbut the README says\n{expect}");
            runs += 1;
        }
    }
    assert_eq!(runs, 5);
}

/// The contents of a document's fenced blocks of one language.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    document.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// A question that a person answered is not asked where nobody can be.
fn without_question(text: &str) -> String {
    let Some((before, rest)) = text.split_once("\nDo you want") else { return text.to_owned() };
    format!("{before}{}", rest.split_once("Your answer: yes\n").unwrap().1)
}

/// Leaves out the line that holds a word, with those after it up to a number in all.
fn without(text: &str, word: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let start = all.iter().position(|line| line.contains(word)).unwrap_or(all.len());
    let kept = all.iter().enumerate().filter(|(number, _)| *number < start || *number >= start + lines);
    kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
}
