//! A saved plan is a promise: what was reviewed is done, or nothing is.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// The plan in `p` cannot be used, and a look at everything shows that it was not.
#[track_caller]
fn assert_refused(project: &Project, host: &Host, arguments: &str, words: &[&str]) {
    let (before, files) = (host.snapshot(), project.files());
    let mut said = project.run(arguments).code(1);
    for text in words {
        said = said.says(text);
    }
    host.assert_as(&before);
    // Opening the database writes to its own files, and nothing else is written.
    let without_database = |files: std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| {
        files
            .into_iter()
            .filter(|(path, _)| !path.components().any(|part| part.as_os_str() == "db"))
            .collect::<Vec<_>>()
    };
    let mut now = without_database(project.files());
    let mut then = without_database(files);
    for list in [&mut now, &mut then] {
        // Who holds the lock is written there.
        list.retain(|(path, _)| !path.ends_with(".tune/lock"));
    }
    assert_eq!(then, now, "`{arguments}` wrote something");
}

#[test]
fn what_was_reviewed_is_done_without_a_question_and_only_once() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    // Before there is a state there is no key, and a plan makes none.
    project.run("plan -out=p").code(1).says("tune::engine::saved_plan_foreign").says("`tune state init` makes both");
    assert_eq!(project.files().len(), 1, "only the configuration is there");
    project.run("state init").code(0);
    let files = project.files();
    let planned = project.run("plan -out=p").code(0).says("Saved the plan to: p").says("tune apply p");
    // The command can be copied as it is, whatever the file is called.
    project.run("plan -out=$(id)").code(0).says("tune apply '$(id)'");
    std::fs::remove_file(project.path("$(id)")).unwrap();
    assert_eq!(std::fs::metadata(project.path("p")).unwrap().permissions().mode() & 0o777, 0o600);
    project.run("plan -out=again -json").code(0);
    let saved = std::fs::read(project.path("p")).unwrap();
    assert_eq!(std::fs::read(project.path("again")).unwrap(), saved, "the same plan is the same file");
    let more = project.files().into_keys().filter(|path| !files.contains_key(path)).count();
    assert_eq!(more, 2, "a plan writes what it is told to, and nothing else");
    // What is shown is what was shown.
    let shown = project.run("show p").code(0).stdout;
    assert!(planned.stdout.starts_with(&shown), "{shown}\n{}", planned.stdout);
    let document = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let json = document(&project.run("show -json p").code(0).stdout);
    assert_eq!(json, document(&project.run("plan -json").code(0).stdout));

    project.run("apply p").code(0).says("Apply complete");
    assert_value(host, "vm.swappiness", "10");
    project.plan().code(0);
    let words = ["the state moved on", "tune::engine::saved_plan_stale", "nothing was changed"];
    assert_refused(&project, host, "apply p", &words);

    project.run("plan -destroy -out=p").code(0);
    project.run("apply p").code(0);
    host.assert_as(&before);
}

#[test]
fn whatever_moved_since_is_named_with_its_value_and_nothing_is_done() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let text = |more: &str| {
        format!(
            "variable \"password\" {{\n  type      = string\n  sensitive = true\n}}\n\n\
             variable \"swappiness\" {{\n  default = 10\n}}\n\n{}{}{more}",
            hosts(&["fawn"]),
            sysctl("etcd", "fawn", r#""vm.swappiness" = var.swappiness, "vm.dirty_ratio" = 5"#, "")
        )
    };
    let project = Project::new(&lab, &text("")).with_variable("TUNE_VAR_password", "canary-4711");
    project.run("state init").code(0);
    let planned = project.run("plan -out=p").code(0).never_says("canary-4711");
    drop(planned);
    let everything = |secret: &str| {
        project
            .files()
            .values()
            .chain(project.left_behind().values())
            .any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
    };
    assert!(!everything("canary-4711"), "a secret is in a file");

    host.set_sysctl("vm.swappiness", "45");
    assert_refused(&project, host, "apply p", &["`vm.swappiness` of `sysctl.etcd` was 60, and is 45 now"]);
    host.set_sysctl("vm.swappiness", "60");

    host.write_file("/etc/sysctl.d/zz-late.conf", "vm.dirty_ratio = 30\n");
    assert_refused(&project, host, "apply p", &["`vm.dirty_ratio` of `sysctl.etcd` was read as another one"]);
    let _ = host.exec("rm /etc/sysctl.d/zz-late.conf").success();

    project.edit(&text("# a remark\n"));
    assert_refused(&project, host, "apply p", &["`main.tune.hcl` was changed"]);
    project.edit(&text(""));

    project.write("b.tune.hcl", "");
    assert_refused(&project, host, "apply p", &["`b.tune.hcl` is new"]);
    std::fs::remove_file(project.path("b.tune.hcl")).unwrap();

    let words = [
        "`var.swappiness` has another value",
        "`vm.swappiness` of `sysctl.etcd` was to become 10, and would become 12",
    ];
    assert_refused(&project, host, "apply p -var=swappiness=12", &words);
    assert_refused(&project, host, "apply p -var=password=canary-0815", &["`var.password` has another value"]);
    project.run("apply p -var=password=canary-0815").code(1).never_says("canary");

    // Options belong to the plan, not to its apply.
    for option in ["-target=sysctl.etcd", "-exclude=sysctl.etcd", "-refresh-only", "-allow-self", "-skip-gate=check.x"]
    {
        assert_refused(&project, host, &format!("apply p {option}"), &["cannot be used with"]);
    }

    // Everything is as it was, so the promise still holds.
    project.run("apply p").code(0).never_says("canary");
    assert_value(host, "vm.swappiness", "10");
    assert!(!everything("canary"), "a secret is in a file");
    project.destroy().code(0);
}

#[test]
fn a_damaged_file_and_one_of_another_state_are_refused() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let project = Project::new(&lab, &one(RUNBOOK));
    project.run("state init").code(0);
    project.run("plan -out=p").code(0);
    let saved = std::fs::read(project.path("p")).unwrap();
    let damaged = "tune::engine::saved_plan_damaged";
    for place in [0, 12, 40, 90, 200, saved.len() / 2, saved.len() - 1] {
        let mut changed = saved.clone();
        changed[place] ^= 1;
        project.write("q", &changed);
        assert_refused(&project, host, "apply q", &["cannot use the saved plan `q`"]);
        project.write("q", &saved[..place]);
        assert_refused(&project, host, "apply q", &["cannot use the saved plan `q`", damaged]);
    }
    project.write("q", [0xff; 5000]);
    assert_refused(&project, host, "apply q", &[damaged, "it is no plan that `tune plan -out` saved"]);
    std::fs::File::create(project.path("huge")).unwrap().set_len(300 << 20).unwrap();
    project.run("apply huge").code(1).says("never larger than 256 MiB");
    std::fs::remove_file(project.path("huge")).unwrap();
    project.run("apply none").code(1).says("cannot use the saved plan `none`");
    project.run("apply .").code(1).says("cannot use the saved plan `.`");
    project.run("show q").code(1).says(damaged);

    // What is no plan is not overwritten, and neither is what is no file.
    let configuration = std::fs::read(project.path("main.tune.hcl")).unwrap();
    project.run("plan -out=main.tune.hcl").code(1).says("no saved plan, and it is not overwritten");
    assert_eq!(std::fs::read(project.path("main.tune.hcl")).unwrap(), configuration);
    let _socket = std::os::unix::net::UnixListener::bind(project.path("s")).unwrap();
    project.run("plan -out=s").code(1).says("it is a device, a pipe or a socket");
    project.run("plan -record=s").code(1).says("it is a device, a pipe or a socket");
    project.run("plan -out=none/p").code(1).says("cannot save the plan in `none/p`");

    // The same configuration beside another state.
    let other = Project::new(&lab, &one(RUNBOOK));
    other.write("p", &saved);
    let foreign = "tune::engine::saved_plan_foreign";
    other.run("apply p").code(1).says("there is no key here").says(foreign);
    other.run("state init").code(0);
    assert_refused(&other, host, "apply p", &["it was saved with the key of another state", foreign]);
    // Another configuration beside the same key: a copy of the state is still this state.
    std::fs::copy(project.path(".tune/key"), other.path(".tune/key")).unwrap();
    other.edit(&one(r#""vm.swappiness" = 20"#));
    assert_refused(&other, host, "apply p", &["`main.tune.hcl` was changed"]);
}

#[test]
fn a_plan_keeps_its_selection_and_does_not_stand_in_for_a_consent() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let lowers = hosts(&["fawn"])
        + &sysctl("a", "fawn", r#""vm.swappiness" = 10"#, "")
        + &sysctl("b", "fawn", r#""net.core.somaxconn" = 128"#, "");
    let project = Project::new(&lab, &lowers);
    project.run("state init").code(0);
    // Lowering this one needs a consent, and a plan that lacks one is not saved.
    project.run("plan -out=all").code(1).says("tune::plan::consent");
    assert!(!project.path("all").exists());
    project.run("plan -target=sysctl.a -out=a").code(0);
    project.run("apply a").code(0);
    assert_value(host, "vm.swappiness", "10");
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.a\n");
    host.set_sysctl("vm.swappiness", "11");
    project.run("plan -refresh-only -out=r").code(0);
    project.run("apply r").code(0);
    assert_value(host, "vm.swappiness", "11");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_plan_is_neither_saved_nor_applied_while_a_run_is_open() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.run("state init").code(0);
    project.run("plan -out=p").code(0);
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    project.run("apply p").code(7);
    run.kill();
    hold.release();
    project.run("apply p").code(1).says("run 1 was interrupted, and must be settled first");
    project.run("plan -out=q").code(1).says("the plan is not saved: run 1 is under way or was interrupted");
    assert!(!project.path("q").exists());
    project.apply().code(0);
    project.run("apply p").code(1).says("the state moved on");
    project.destroy().code(0);
    host.assert_as(&before);
}
