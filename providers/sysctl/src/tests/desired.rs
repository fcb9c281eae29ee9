//! Attributes to items, and every mistake in them.

use proptest::prelude::*;
use tune_core::contract::Kind;
use tune_core::item::{ItemKey, Raw};
use tune_core::value::Value;
use tune_remote::{HostKind, Target};

use super::{FILE, line, resource, wanted};

fn check_items(settings: &[(&str, &str)], expect: &[&str]) {
    let shown: Vec<String> = wanted(settings)
        .items
        .iter()
        .map(|item| match &item.want {
            Raw::File(file) => {
                let text = String::from_utf8(file.content.clone()).unwrap();
                let lines: Vec<&str> = text.lines().skip(1).collect();
                format!("{} [{}] {:?}", item.key, lines.join("; "), item.path.to_string())
            }
            Raw::Text(text) => format!("{} <- {text:?} {}", item.key, item.path),
            Raw::Absent => panic!("nothing is wanted absent"),
        })
        .collect();
    assert_eq!(shown, expect);
}

fn check_mistake(key: &str, value: &str, expect: &str) {
    check_mistakes(&[(key, value)], &[expect]);
}

fn check_mistakes(settings: &[(&str, &str)], expect: &[&str]) {
    let problems = crate::kind().desired(&resource(settings)).expect_err("a mistake");
    let shown: Vec<String> = problems.iter().map(line).collect();
    assert_eq!(shown, expect);
}

#[test]
fn settings_become_items_and_one_file() {
    check_items(
        &[("vm.swappiness", "10"), ("vm/dirty_ratio", "5"), ("net.ipv4.tcp_rmem", "4096  131072\t6291456")],
        &[
            r#"net.ipv4.tcp_rmem <- "4096 131072 6291456" settings["net.ipv4.tcp_rmem"]"#,
            r#"vm.dirty_ratio|vm.dirty_bytes <- "vm.dirty_ratio=5" settings["vm/dirty_ratio"]"#,
            r#"vm.swappiness <- "10" settings["vm.swappiness"]"#,
            &format!("{FILE} [net.ipv4.tcp_rmem = 4096 131072 6291456; vm.dirty_ratio = 5; vm.swappiness = 10] \"\""),
        ],
    );
}

#[test]
fn values_lose_their_spelling_and_texts_keep_theirs() {
    check_items(
        &[
            ("kernel.core_pattern", " |/bin/dump  %p "),
            ("net.ipv4.tcp_syncookies", "true"),
            ("vm.max_map_count", "0x40000"),
        ],
        &[
            r#"kernel.core_pattern <- "|/bin/dump  %p" settings["kernel.core_pattern"]"#,
            r#"net.ipv4.tcp_syncookies <- "1" settings["net.ipv4.tcp_syncookies"]"#,
            r#"vm.max_map_count <- "262144" settings["vm.max_map_count"]"#,
            &format!(
                "{FILE} [kernel.core_pattern = |/bin/dump  %p; net.ipv4.tcp_syncookies = 1; vm.max_map_count = \
                 262144] \"\""
            ),
        ],
    );
}

#[test]
fn what_spreads_to_every_interface_is_written_first() {
    check_items(
        &[("net.ipv4.conf.eth0.forwarding", "0"), ("net.ipv4.conf.all.forwarding", "1")],
        &[
            r#"net.ipv4.ip_forward <- "1" settings["net.ipv4.conf.all.forwarding"]"#,
            r#"net.ipv4.conf.eth0.forwarding <- "0" settings["net.ipv4.conf.eth0.forwarding"]"#,
            &format!("{FILE} [net.ipv4.ip_forward = 1; net.ipv4.conf.eth0.forwarding = 0] \"\""),
        ],
    );
}

#[test]
fn the_file_goes_by_the_resource_and_not_by_its_instance() {
    let mut one = resource(&[("vm.swappiness", "10")]);
    let mut other = one.clone();
    other.address = other.address.with_name("pve");
    assert_eq!(crate::kind().desired(&one), crate::kind().desired(&other));
    one.attributes.insert("drop_in".to_owned(), Value::from("zzz.conf"));
    let file = crate::kind().desired(&one).unwrap().items.pop().unwrap();
    assert_eq!((file.key, file.path.to_string()), (ItemKey::from("/etc/sysctl.d/zzz.conf"), "drop_in".to_owned()));
}

#[test]
fn keys_that_are_none_are_mistakes() {
    check_mistake(
        "net.ipv4.conf.*.rp_filter",
        "1",
        "bad_key settings[\"net.ipv4.conf.*.rp_filter\"]: `net.ipv4.conf.*.rp_filter` is not the name of a kernel \
         parameter (patterns are not taken, because only explicit names have a value to put back; write each name)",
    );
    check_mistake(
        "/proc/sys/vm/swappiness",
        "1",
        "bad_key settings[\"/proc/sys/vm/swappiness\"]: `/proc/sys/vm/swappiness` is not the name of a kernel \
         parameter \
         (a name has no slash in front; `/proc/sys/vm/swappiness` is written `vm.swappiness`)",
    );
    check_mistake(
        "vm.\u{1b}[2J",
        "1",
        "bad_key settings[\"vm.\\u001b[2J\"]: `vm.␛[2J` is not the name of a kernel parameter ('\\u{1b}' cannot stand \
         in a name)",
    );
}

#[test]
fn one_parameter_twice_is_a_mistake() {
    check_mistakes(
        &[("vm.swappiness", "10"), ("vm/swappiness", "10")],
        &["same_key settings[\"vm/swappiness\"]: `vm/swappiness` and `vm.swappiness` are the same parameter \
             (already set \
           as `vm.swappiness`) -> keep one of the two"],
    );
    check_mistakes(
        &[("net.ipv4.ip_forward", "1"), ("net.ipv4.conf.all.forwarding", "1")],
        &["same_key settings[\"net.ipv4.ip_forward\"]: `net.ipv4.ip_forward` and `net.ipv4.conf.all.forwarding` are \
             the \
           same parameter (already set as `net.ipv4.conf.all.forwarding`) -> keep one of the two"],
    );
    check_mistakes(
        &[("vm.dirty_ratio", "10"), ("vm.dirty_bytes", "1048576")],
        &["both_halves settings[\"vm.dirty_ratio\"]: `vm.dirty_ratio` and `vm.dirty_bytes` cannot both be set (the \
             kernel \
           clears one when the other is written) -> keep the half that you mean"],
    );
}

#[test]
fn values_that_cannot_be_written_are_mistakes() {
    let value = |value: &str, expect: &str| {
        check_mistake("vm.swappiness", value, &expect.replace('@', "settings[\"vm.swappiness\"]"));
    };
    value(
        "null",
        "bad_value @: `vm.swappiness` has no value (`null` is not a value) -> to stop managing it, remove it: what \
         was there before is put back then",
    );
    value(
        "10\n20",
        "bad_value @: the value of `vm.swappiness` cannot be written (it holds a line break or another control \
         character)",
    );
    value(
        "1\u{1b}0",
        "bad_value @: the value of `vm.swappiness` cannot be written (it holds a line break or another control \
         character)",
    );
    value("  ", "bad_value @: the value of `vm.swappiness` cannot be written (it is empty)");
    value(
        &"1 ".repeat(2100),
        "bad_value @: the value of `vm.swappiness` cannot be written (it is longer than the kernel takes)",
    );
    value(
        "010",
        "octal @: the value of `vm.swappiness` would be read as octal (the kernel reads `010` as 8) -> write the \
         number without leading zeros",
    );
    value("201", "out_of_range @: `vm.swappiness` cannot be 201 (the kernel takes 0 to 200)");
    value("-1", "out_of_range @: `vm.swappiness` cannot be -1 (the kernel takes 0 to 200)");
    check_mistake(
        "vm.dirty_ratio",
        "0",
        "bad_value settings[\"vm.dirty_ratio\"]: `vm.dirty_ratio` cannot be set to 0 (0 means that `vm.dirty_bytes` \
         is in use) -> set `vm.dirty_bytes` instead",
    );
    check_mistake(
        "vm.dirty_bytes",
        "4096",
        "out_of_range settings[\"vm.dirty_bytes\"]: `vm.dirty_bytes` cannot be 4096 (the kernel takes 8192 or more)",
    );
    check_mistakes(
        &[],
        &["no_settings settings: `settings` is empty (nothing to set) -> write at least one setting, or remove the \
             resource"],
    );
}

#[test]
fn what_cannot_be_put_back_is_refused() {
    for (key, value, code) in [
        ("kernel.modules_disabled", "1", "one_way"),
        ("kernel.kexec_load_disabled", "1", "one_way"),
        ("kernel.yama.ptrace_scope", "3", "one_way"),
        ("kernel.unprivileged_bpf_disabled", "true", "one_way"),
        ("vm.compact_memory", "1", "trigger"),
        ("vm/drop_caches", "3", "trigger"),
        ("net.ipv4.route.flush", "1", "trigger"),
        ("kernel.random.write_wakeup_threshold", "1", "not_a_setting"),
        ("kernel.random.boot_id", "x", "not_a_setting"),
        ("fs.file-nr", "1", "not_a_setting"),
    ] {
        let problems = crate::kind().desired(&resource(&[(key, value)])).expect_err(key);
        assert_eq!(super::short(problems[0].code.0), code, "{key}");
        assert_eq!(problems.len(), 1);
    }
    for (key, value) in [("kernel.yama.ptrace_scope", "2"), ("kernel.unprivileged_bpf_disabled", "2")] {
        assert!(crate::kind().desired(&resource(&[(key, value)])).is_ok(), "{key}");
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mut resource = resource(&[("vm..x", "1"), ("vm.swappiness", "999"), ("vm.drop_caches", "1")]);
    resource.attributes.insert("drop_in".to_owned(), Value::from("99-sysctl.conf"));
    let problems = crate::kind().desired(&resource).unwrap_err();
    let codes: Vec<&str> = problems.iter().map(|problem| super::short(problem.code.0)).collect();
    assert_eq!(codes, ["bad_key", "trigger", "out_of_range", "bad_drop_in"]);
    assert_eq!(
        line(&problems[3]),
        "bad_drop_in drop_in: `99-sysctl.conf` cannot be the file's name (a distribution ships a file of this name, \
         which \
         ours would hide or replace) -> choose a plain name that sorts late, such as `99-zz-tune-etcd.conf`"
    );
}

#[test]
fn items_have_places_on_the_host() {
    let target = |key: &str| crate::kind().target(&ItemKey::from(key));
    let value = |path: &str| Some(Target::Value { path: path.to_owned() });
    assert_eq!(target("vm.swappiness"), value("/proc/sys/vm/swappiness"));
    assert_eq!(target("net.ipv4.conf.eth0/100.forwarding"), value("/proc/sys/net/ipv4/conf/eth0.100/forwarding"));
    assert_eq!(
        target("vm.dirty_ratio|vm.dirty_bytes"),
        Some(Target::Either {
            first: ("vm.dirty_ratio".to_owned(), "/proc/sys/vm/dirty_ratio".to_owned()),
            second: ("vm.dirty_bytes".to_owned(), "/proc/sys/vm/dirty_bytes".to_owned()),
        })
    );
    assert_eq!(target(FILE), Some(Target::File { path: FILE.to_owned() }));
    for wrong in ["", "vm", "vm.a|vm.b", "/etc/passwd", "/etc/sysctl.d/../x.conf", "/etc/sysctl.d/99-sysctl.conf"] {
        assert_eq!(target(wrong), None, "{wrong}");
    }
}

#[test]
fn forms_are_shown_as_people_read_them() {
    let show = |key: &str, text: &str| crate::kind().show(&ItemKey::from(key), &Raw::Text(text.to_owned()));
    let pair = "vm.dirty_ratio|vm.dirty_bytes";
    assert_eq!(crate::kind().label(&ItemKey::from(pair)), "vm.dirty_ratio");
    assert_eq!(show(pair, "vm.dirty_ratio=20"), "20");
    assert_eq!(show(pair, "vm.dirty_bytes=1048576"), "0 (vm.dirty_bytes = 1048576)");
    assert_eq!(show("net.ipv4.tcp_rmem", "4096\t131072\t6291456"), "4096 131072 6291456");
    assert_eq!(crate::kind().show(&ItemKey::from("vm.x"), &Raw::Absent), "absent");
}

proptest! {
    #[test]
    fn canonical_forms_are_settled(text in "[-0-9a-fx \t,=vm.dirty_bytes]{0,24}", pair in any::<bool>()) {
        let key = ItemKey::from(if pair { "vm.dirty_ratio|vm.dirty_bytes" } else { "vm.x" });
        let once = crate::kind().canonical(&key, &Raw::Text(text));
        prop_assert_eq!(crate::kind().canonical(&key, &once), once);
    }

    #[test]
    fn what_is_wanted_survives_the_kernels_spelling(numbers in proptest::collection::vec(0_u32.., 1..4)) {
        let spell = |between: &str| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(between);
        let desired = wanted(&[("net.ipv4.tcp_rmem", &spell("  "))]);
        let printed = Raw::Text(spell("\t"));
        let key = &desired.items[0].key;
        prop_assert_eq!(crate::kind().canonical(key, &desired.items[0].want), crate::kind().canonical(key, &printed));
    }

    #[test]
    fn any_settings_give_items_or_problems(key in "\\PC{0,12}|[a-z.]{3,12}", value in "\\PC{0,12}") {
        if let Ok(desired) = crate::kind().desired(&resource(&[(&key, &value)])) {
            prop_assert_eq!(desired.items.len(), 2);
            for item in &desired.items {
                prop_assert!(crate::kind().target(&item.key).is_some());
            }
        }
    }
}
