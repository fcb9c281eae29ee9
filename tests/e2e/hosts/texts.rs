//! No text from a configuration or a host reaches a shell or a terminal, and no secret reaches anything.

use std::fmt::Write as _;
use std::thread;

use super::*;

/// Texts that do something when a shell, a terminal or ssh takes them for more than a text. `CANARY` is a path.
const EVIL: [&str; 14] = [
    "$(touch CANARY)",
    "`touch CANARY`",
    "; touch CANARY;",
    "'; touch CANARY; '",
    "\"; touch CANARY; \"",
    "\n touch CANARY \n",
    "x | touch CANARY",
    "x & touch CANARY &",
    "-oProxyCommand=touch CANARY",
    "x -oProxyCommand=touch CANARY",
    "\u{1b}]0;gotcha\u{7}\u{1b}[2J",
    "%s%n%h \\0 \\n",
    "*",
    "~root/../CANARY",
];

/// A text as HCL writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// What only an executed text could have made on the host.
fn strangers(host: &Host) -> String {
    let output =
        host.exec("find / -name '*canary*' ! -path '/proc/*' 2>/dev/null; ls -A /root /tmp | grep -v -e : -e '^$'");
    output.stdout
}

#[test]
fn a_text_is_never_a_command() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary");
    let etcd = || sysctl("etcd", "fawn", RUNBOOK, "");
    let places: [&(dyn Fn(&str) -> String + Sync); 6] = [
        &|text| format!("host \"fawn\" {{\n  address = {text}\n}}\n{}", etcd()),
        &|text| format!("host \"fawn\" {{\n  address = \"fawn\"\n  user = {text}\n}}\n{}", etcd()),
        &|text| format!("host \"fawn\" {{\n  address = \"fawn\"\n  become = {text}\n}}\n{}", etcd()),
        &|text| one(&format!("{text} = 10")),
        &|text| one(&format!("\"vm.swappiness\" = {text}")),
        &|text| hosts(&["fawn"]) + &sysctl("etcd", "fawn", RUNBOOK, &format!("drop_in = {text}")),
    ];
    // Side by side, because much of the time is spent waiting for hosts that do not exist.
    thread::scope(|scope| {
        for place in places {
            scope.spawn(|| {
                let project = Project::new(&lab, "");
                for evil in EVIL {
                    let configuration = place(&quoted(&evil.replace("CANARY", &canary.to_string_lossy())));
                    project.edit(&configuration);
                    project.run("apply -auto-approve").code(1).never_says("\u{1b}").never_says("panicked");
                    assert!(!canary.exists() && project.left_behind().is_empty(), "executed here: {configuration}");
                    assert_eq!(strangers(host), "", "executed on the host: {configuration}");
                }
            });
        }
    });
    host.assert_as(&before);
}

#[test]
fn a_text_is_written_as_it_is() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    // As the key of an instance it is carried into the state, the ledger and the undo script.
    let keys =
        EVIL.iter().zip(VM).map(|(evil, key)| format!("{} = \"{key}\"", quoted(&evil.replace("CANARY", "canary"))));
    let text = hosts(&["fawn"])
        + "resource \"sysctl\" \"etcd\" {\n  for_each = {\n"
        + &keys.collect::<Vec<_>>().join("\n")
        + "\n  }\n  host     = host.fawn\n  settings = { \"vm.${each.value}\" = 7 }\n  \
           drop_in  = \"99-zz-${each.value}.conf\"\n}\n";
    let project = Project::new(&lab, &text);
    project.apply().code(0).never_says("\u{1b}");
    assert_value(host, "vm.swappiness", "7");
    project.plan().code(0).never_says("\u{1b}");
    let listed = project.run("state list").code(0).never_says("\u{1b}");
    assert_eq!(listed.stdout.lines().count(), EVIL.len(), "{listed:?}");
    for command in ["show", "history", "plan -destroy", "plan -destroy -markdown", "plan -destroy -json"] {
        project.run(command).code(0).never_says("\u{1b}");
    }
    let undone = host.exec("sh /var/lib/tune/*/undo.sh");
    assert_eq!(undone.code, Some(0), "{undone:?}");
    assert!(!undone.stdout.contains('\u{1b}'), "{undone:?}");
    host.assert_as(&before);
    project.destroy().code(0);
    host.assert_as(&before);
    // As a value it reaches the kernel, which refuses it, unless it was refused before.
    for evil in EVIL {
        let text = quoted(&evil.replace("CANARY", "canary"));
        project.edit(&one(&format!("\"net.ipv4.tcp_congestion_control\" = {text}")));
        project.apply().one_of(&[1, 3]).1.never_says("\u{1b}");
        host.assert_as(&before);
    }
    assert!(project.left_behind().is_empty());
    assert_eq!(strangers(host), "");
}

/// As many parameters as there are texts above; none of them is a capacity.
const VM: [&str; 14] = [
    "swappiness",
    "dirty_ratio",
    "dirty_background_ratio",
    "dirty_expire_centisecs",
    "dirty_writeback_centisecs",
    "dirtytime_expire_seconds",
    "extfrag_threshold",
    "laptop_mode",
    "min_free_kbytes",
    "page-cluster",
    "stat_interval",
    "vfs_cache_pressure",
    "watermark_scale_factor",
    "zone_reclaim_mode",
];

#[test]
fn a_live_value_cannot_speak_to_the_terminal() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let gotcha = "\u{1b}]0;gotcha\u{7}\u{1b}[2J60 \u{202e}$(touch /tmp/canary)\n";
    host.write_file("/proc/sys/vm/swappiness", gotcha);
    host.write_file("/etc/sysctl.d/zz-\u{1b}[2J.conf", "vm.dirty_ratio = \u{1b}[2J7\n");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    for (arguments, code) in [
        ("plan -detailed-exitcode", 2),
        ("plan -markdown", 0),
        ("apply -auto-approve", 0),
        ("plan -detailed-exitcode", 0),
        ("show", 0),
        // It can be put back too, byte for byte.
        ("destroy -auto-approve", 0),
    ] {
        let output = project.run(arguments).code(code);
        output.never_says("\u{1b}").never_says("\u{7}").never_says("\u{202e}");
    }
    host.assert_as(&before);
    assert_eq!(strangers(host), "");
}

const SECRET: &str = "hunter2canary";

#[test]
fn a_secret_is_nowhere() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, "").with_variable("TUNE_VAR_token", SECRET);
    let variable = "variable \"token\" {\n  sensitive = true\n}\n";
    let check = |ended: Ended, code: i32| {
        ended.code(code).never_says("hunter2");
        for (path, bytes) in project.files() {
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "the secret is in {}", path.display());
        }
        let found = host.exec(&format!("grep -rl {SECRET} /etc /var /run /root /home /tmp"));
        assert_eq!(found.stdout, "", "{found:?}");
    };
    let uses = [
        one("\"net.ipv4.tcp_congestion_control\" = var.token"),
        one("\"vm.swappiness\" = var.token"),
        one("\"vm.swappiness\" = length(var.token)"),
        one("\"vm.swappiness\" = var.token == \"x\" ? 1 : 2"),
        one("(var.token) = 10"),
        hosts(&["fawn"]) + &sysctl("etcd", "fawn", RUNBOOK, "drop_in = \"${var.token}.conf\""),
        "host \"fawn\" {\n  address = var.token\n}\n".to_owned() + &sysctl("etcd", "fawn", RUNBOOK, ""),
        one("\"vm.swappiness\" = tonumber(var.token)"),
        one("\"vm.swappiness\" = { a = 1 }[var.token]"),
    ];
    for text in uses {
        project.edit(&format!("{variable}{text}"));
        check(project.plan(), 1);
        check(project.apply(), 1);
        host.assert_as(&before);
    }
    // Beside a secret, everything else works.
    project.edit(&format!(
        "{variable}output \"token\" {{\n  value     = var.token\n  sensitive = true\n}}\n{}",
        one(RUNBOOK)
    ));
    check(project.plan(), 2);
    check(project.apply(), 0);
    check(project.run("show"), 0);
    check(project.run("state export"), 0);
    check(project.destroy(), 0);
    host.assert_as(&before);
}
