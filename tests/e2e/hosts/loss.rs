//! What is remembered is damaged, lost or old: it is noticed, said, and put right from another copy.

use std::fs;
use std::path::PathBuf;

use super::*;

#[test]
fn a_state_from_a_newer_version_is_refused() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    let path = project.path(".tune/state.json");
    let export = fs::read_to_string(&path).unwrap();
    let newer = newer(&export);
    project.write("newer.json", &newer);
    let file = project.path("newer.json");
    project.run(&format!("state import {}", file.display())).code(1).says("newer");
    fs::write(&path, &newer).unwrap();
    project.plan().code(1).says("newer");
    fs::write(&path, &export).unwrap();
    project.destroy().code(0);
    host.assert_as(&before);
}

/// The same export with a version that no program knows yet.
fn newer(export: &str) -> String {
    let at = export.find("version\": ").unwrap() + "version\": ".len();
    let digits = export[at..].chars().take_while(char::is_ascii_digit).count();
    assert!(digits > 0, "{export}");
    format!("{}999{}", &export[..at], &export[at + digits..])
}

/// Something that happens to the bytes of a file.
type Damage = fn(&mut Vec<u8>);

/// The files of the database, largest first.
fn database(project: &Project) -> Vec<PathBuf> {
    let files = project.files();
    let mut files: Vec<_> = files
        .into_iter()
        .filter(|(path, bytes)| path.starts_with(project.path(".tune/db")) && !bytes.is_empty())
        .collect();
    files.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    assert!(!files.is_empty());
    files.into_iter().map(|(path, _)| path).collect()
}

#[test]
fn a_damaged_database_is_rebuilt_from_the_export() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let damages: [(&str, Damage); 5] = [
        ("cut off", |bytes| bytes.truncate(bytes.len() / 3)),
        ("emptied", Vec::clear),
        ("zeroed", |bytes| bytes.fill(0)),
        ("overwritten", |bytes| bytes.fill(b'x')),
        ("bits flipped", |bytes| {
            for byte in bytes.iter_mut().step_by(97) {
                *byte ^= 0x10;
            }
        }),
    ];
    for (what, damage) in damages {
        let project = Project::new(&lab, &one(RUNBOOK));
        project.apply().code(0);
        for path in database(&project) {
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, bytes).unwrap();
        }
        // Plans do not even look at it.
        project.plan().code(0);
        println!("{what}");
        project.destroy().code(0).says("export at serial 1");
        host.assert_as(&before);
    }
}

#[test]
fn a_database_that_is_gone_is_rebuilt_too() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    fs::remove_dir_all(project.path(".tune/db")).unwrap();
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn an_export_that_is_gone_or_damaged_is_no_loss() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    for damage in [None, Some("{\"version\": 1, \"seri"), Some("")] {
        let path = project.path(".tune/state.json");
        match damage {
            None => fs::remove_file(&path).unwrap(),
            Some(text) => fs::write(&path, text).unwrap(),
        }
        // A plan cannot know what is managed then, and must not say that nothing is.
        project.run("plan -destroy").one_of(&[0, 1]).1.never_says("Nothing is recorded");
        project.apply().code(0);
        project.plan().code(0);
    }
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_lost_state_is_rebuilt_from_the_hosts() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let text = hosts(&["fawn", "doe"]) + &sysctl("a", "fawn", RUNBOOK, "") + &sysctl("b", "doe", RUNBOOK, "");
    let project = Project::new(&lab, &text);
    project.apply().code(0);
    fs::remove_dir_all(project.path(".tune")).unwrap();
    let applied: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    // The tuned values must not be taken for originals: the hosts say that they are not.
    project.plan().code(1).says("state import -from-hosts");
    project.apply().code(1).says("state import -from-hosts");
    // Half of the hosts would be half of the state.
    lab.host("doe").stop_ssh();
    project.run("state import -from-hosts").code(1).says("doe");
    lab.host("doe").start_ssh();
    project.run("state import -from-hosts").code(0);
    for (host, applied) in lab.hosts().zip(&applied) {
        host.assert_as(applied);
    }
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.a\nsysctl.b\n");
    project.plan().code(0);
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}

#[test]
fn when_state_and_ledger_are_lost_the_original_is_unknown() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    fs::remove_dir_all(project.path(".tune")).unwrap();
    host.remove("/var/lib/tune");
    project.plan().code(2).says("what was there first is not known");
    project.apply().code(0);
    // The file says that it is ours, so it is no original. The values cannot say so.
    project.destroy().code(1).says("tune::plan::unknown_original");
    project.run("destroy -auto-approve -unknown=keep").code(0);
    host.remove(DROP_IN);
    for (key, value) in [("vm.swappiness", "60"), ("vm.dirty_ratio", "20"), ("vm.dirty_background_ratio", "10")] {
        host.set_sysctl(key, value);
    }
    host.assert_as(&before);
}

#[test]
fn an_older_state_put_back_is_refused() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(r#""vm.swappiness" = 10"#));
    project.apply().code(0);
    let (kept, old) = (project.path(".tune"), project.path("old"));
    copy(&kept, &old);
    project.edit(&one(RUNBOOK));
    project.apply().code(0);
    let applied = host.snapshot();
    let newest = project.path("newest");
    fs::rename(&kept, &newest).unwrap();
    fs::rename(&old, &kept).unwrap();
    project.plan().code(1).says("tune::plan::stale_state");
    project.apply().code(1).says("tune::plan::stale_state");
    project.destroy().code(1).says("tune::plan::stale_state");
    host.assert_as(&applied);
    fs::remove_dir_all(&kept).unwrap();
    fs::rename(&newest, &kept).unwrap();
    project.destroy().code(0);
    host.assert_as(&before);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_damaged_ledger_is_said_and_stops_everything() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    let ledger = ledger(host);
    host.write_file(&format!("{ledger}/ledger.json"), "{ not json");
    let applied = host.snapshot();
    // Without it nobody knows what is managed there, so nothing is done.
    project.plan().code(1).says("tune::remote::ledger");
    project.apply().code(1).says("tune::remote::ledger");
    project.destroy().code(5).says("owed");
    assert_untouched(host, &applied);
    // The way out that the message names.
    let _ = host.exec(&format!("sh {ledger}/undo.sh")).success();
    project.destroy().code(0);
    host.assert_as(&before);
}
