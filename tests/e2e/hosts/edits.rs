//! The configuration changes between applies: everything that left it is put back, and what only moved or was renamed
//! is not touched.

use super::*;

const FIXED: &str = r#"drop_in = "99-zz-fixed.conf""#;

#[test]
fn a_setting_that_comes_later_has_an_original_of_its_own() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(r#""vm.swappiness" = 10"#));
    project.apply().code(0);
    host.set_sysctl("vm.max_map_count", "70000");
    project.edit(&one(r#""vm.swappiness" = 10, "vm.max_map_count" = 262144"#));
    project
        .plan()
        .code(2)
        .says("vm.max_map_count = 70000 -> 262144")
        .says("+ vm.max_map_count = 262144")
        .never_says("vm.swappiness = 60");
    project.apply().code(0);
    assert_value(host, "vm.max_map_count", "262144");
    project.plan().code(0);
    project.destroy().code(0);
    assert_value(host, "vm.max_map_count", "70000");
    host.set_sysctl("vm.max_map_count", "65530");
    host.assert_as(&before);
}

#[test]
fn a_setting_that_leaves_is_put_back_alone() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    project.edit(&one(r#""vm.swappiness" = 10, "vm.dirty_background_ratio" = 3"#));
    project.plan().code(2).says("- vm.dirty_ratio = 5 -> 20").says("2 more are as applied");
    project.apply().code(0);
    assert_value(host, "vm.dirty_ratio", "20");
    assert_value(host, "vm.swappiness", "10");
    assert!(!host.text(DROP_IN).contains("dirty_ratio"));
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_file_gets_another_name() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    let text = host.text(DROP_IN);
    project.edit(&(hosts(&["fawn"]) + &sysctl("etcd", "fawn", RUNBOOK, FIXED)));
    project.plan().code(2).says("+ /etc/sysctl.d/99-zz-fixed.conf").says(&format!("- {DROP_IN}"));
    project.apply().code(0);
    assert_eq!(host.read_file(DROP_IN), None);
    assert_eq!(host.text("/etc/sysctl.d/99-zz-fixed.conf"), text);
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn another_name_of_a_resource_writes_nothing() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let named = |name: &str| hosts(&["fawn"]) + &sysctl(name, "fawn", RUNBOOK, FIXED);
    let project = Project::new(&lab, &named("etcd"));
    project.apply().code(0);
    let watched = ["/proc/sys/vm/swappiness", "/etc/sysctl.d/99-zz-fixed.conf", "/etc/sysctl.d"];
    let times = || host.exec(&format!("stat -c '%n %y %i' {}", watched.join(" "))).success();
    let written = times();
    project.edit(&named("storage"));
    project.plan().code(0).says("sysctl.storage").says("was sysctl.etcd until now; nothing is done for that");
    project.apply().code(0);
    assert_eq!(times(), written);
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.storage\n");
    project.plan().code(0).never_says("until now");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn another_key_of_an_instance_writes_nothing() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let keyed = |first: &str, second: &str| {
        format!(
            "host \"deer\" {{\n  for_each = {{ {first} = \"fawn\", {second} = \"doe\" }}\n  address  = each.value\n}}\n\
             resource \"sysctl\" \"etcd\" {{\n  for_each = host.deer\n  host     = each.value\n  \
             settings = {{ \"vm.swappiness\" = 10 }}\n}}\n"
        )
    };
    let project = Project::new(&lab, &keyed("small", "tall"));
    project.apply().code(0);
    let times = || -> Vec<String> {
        let stat = "stat -c '%n %y %i' /proc/sys/vm/swappiness /etc/sysctl.d /etc/sysctl.d/*";
        lab.hosts().map(|host| host.exec(stat).success()).collect()
    };
    let written = times();
    // Even two keys that change places.
    for (first, second) in [("young", "old"), ("old", "young")] {
        project.edit(&keyed(first, second));
        project.plan().code(0).says("nothing is done for that");
        project.apply().code(0);
        assert_eq!(times(), written);
        project.plan().code(0).never_says("nothing is done for that");
    }
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}

#[test]
fn a_setting_moves_from_one_resource_to_another() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let two = |first: &str, second: &str| {
        hosts(&["fawn"]) + &sysctl("first", "fawn", first, "") + &sysctl("second", "fawn", second, "")
    };
    let swappiness = r#""vm.swappiness" = 10"#;
    let ratio = r#""vm.dirty_ratio" = 5"#;
    let both = format!("{swappiness}, {ratio}");
    let third = r#""vm.max_map_count" = 262144"#;
    let project = Project::new(&lab, &two(&both, third));
    project.apply().code(0);
    let time = || host.exec("stat -c %y /proc/sys/vm/swappiness").success();
    let written = time();
    project.edit(&two(ratio, &format!("{swappiness}, {third}")));
    project.plan().code(2).never_says("60");
    project.apply().code(0);
    assert_eq!(time(), written);
    assert!(host.text("/etc/sysctl.d/99-zz-tune-second.conf").contains("vm.swappiness = 10"));
    assert!(!host.text("/etc/sysctl.d/99-zz-tune-first.conf").contains("vm.swappiness"));
    project.plan().code(0);

    // The first one goes, the second one stays.
    project.edit(&(hosts(&["fawn"]) + &sysctl("second", "fawn", &format!("{swappiness}, {third}"), "")));
    project.plan().code(2).says("- vm.dirty_ratio = 5 -> 20").says("- /etc/sysctl.d/99-zz-tune-first.conf");
    project.apply().code(0);
    assert_value(host, "vm.dirty_ratio", "20");
    assert_value(host, "vm.swappiness", "10");
    // Then everything goes, the host block too.
    project.edit("locals {}\n");
    project.plan().code(2).says("- vm.swappiness = 10 -> 60");
    project.apply().code(0);
    host.assert_as(&before);
    project.plan().code(0);
}

#[test]
fn a_destroy_needs_no_configuration() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let text = hosts(&["fawn", "doe"]) + &sysctl("a", "fawn", RUNBOOK, "") + &sysctl("b", "doe", RUNBOOK, "");
    let project = Project::new(&lab, &text);
    project.apply().code(0);
    project.edit("");
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}

#[test]
fn what_depends_on_something_comes_after_it_and_goes_before_it() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let text = hosts(&["fawn"])
        + &sysctl("base", "fawn", r#""vm.swappiness" = 10"#, "")
        + &sysctl("upper", "fawn", r#""vm.dirty_ratio" = 5"#, "depends_on = [sysctl.base]");
    let project = Project::new(&lab, &text);
    project.plan().code(2).says("Order 1 sysctl.base 2 sysctl.upper after sysctl.base");
    // The lower one cannot be written, so the upper one is not begun.
    host.make_read_only("/proc/sys/vm");
    project.apply().one_of(&[1, 3]);
    host.restore("/proc/sys/vm");
    host.assert_as(&before);

    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    assert_value(host, "vm.dirty_ratio", "20");
    hold.release();
    let ran = run.wait().code(0);
    // Each is said to be done once, although the second wave is on the same host.
    assert_eq!(ran.stdout.matches("✔ sysctl.base").count(), 1, "{ran:?}");
    assert_value(host, "vm.dirty_ratio", "5");

    let hold = host.hold_sysctl("vm.dirty_ratio");
    let run = project.start("destroy -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    assert_value(host, "vm.swappiness", "10");
    hold.release();
    run.wait().code(0);
    host.assert_as(&before);
}

#[test]
fn nobody_is_written_to_for_a_configuration_with_mistakes() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let wrong = [
        ("resource \"sysctl\" {", "tune::config::"),
        (&*one(r#""vm.swapiness" = 10"#), "tune::sysctl::unknown_key"),
        (&*one(r#""vm.swappiness" = 900"#), "tune::sysctl::out_of_range"),
        (&*one(r#""vm.dirty_ratio" = 5, "vm.dirty_bytes" = 100000"#), "tune::sysctl::both_halves"),
        (&*one(r#""vm.drop_caches" = 1"#), "tune::sysctl::trigger"),
        (&*one(r#""kernel.modules_disabled" = 1"#), "tune::sysctl::one_way"),
        (&*sysctl("etcd", "doe", RUNBOOK, ""), "doe"),
        (&*(one(RUNBOOK) + &sysctl("again", "fawn", r#""vm.swappiness" = 20"#, "")), "tune::plan::claimed_twice"),
        (&*one(r#""net.core.somaxconn" = 128"#), "tune::plan::consent"),
    ];
    for (text, said) in wrong {
        project.edit(text);
        project.plan().code(1).says(said);
        project.apply().code(1).says(said);
        host.assert_as(&before);
    }
    project.edit(
        &(hosts(&["fawn"])
            + &sysctl("a", "fawn", r#""net.core.somaxconn" = 128"#, r#"lifecycle { accept = ["decrease"] }"#)),
    );
    project.plan().code(2).says("With your consent").says("decrease");
    project.apply().code(0);
    assert_value(host, "net.core.somaxconn", "128");
    project.destroy().code(0);
    host.assert_as(&before);
}
