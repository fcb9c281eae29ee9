//! From attributes to items, and every mistake in them.

use tune_core::contract::Kind;
use tune_core::item::{ItemKey, Raw};
use tune_remote::{HostKind, Target};

use super::{FILE, MARK, line, resource, wanted};
use crate::known::ARCSTATS;

/// Items as lines: key, then what is wanted.
fn items(parameters: &[(&str, &str)]) -> Vec<String> {
    let shown = |raw: &Raw| match raw {
        Raw::Absent => "absent".to_owned(),
        Raw::Text(text) => text.clone(),
        Raw::File(state) => String::from_utf8(state.content.clone()).unwrap().replace(MARK, "").replace('\n', "|"),
    };
    wanted(parameters).items.iter().map(|item| format!("{} {}", item.key, shown(&item.want))).collect()
}

fn mistakes(parameters: &[(&str, &str)]) -> Vec<String> {
    crate::kind().desired(&resource(parameters)).unwrap_err().iter().map(line).collect()
}

fn check(parameters: &[(&str, &str)], expect: &str) {
    assert_eq!(mistakes(parameters), [expect], "{parameters:?}");
}

#[test]
fn running_values_come_first_and_the_least_cache_before_the_greatest() {
    assert_eq!(
        items(&[("zfs_arc_max", "8GiB"), ("zfs_arc_min", "1 GiB"), ("zfs_txg_timeout", "0x3"), ("zvol_threads", "8"),]),
        [
            "zfs.zfs_arc_min 1073741824".to_owned(),
            "zfs.zfs_arc_max 8589934592".to_owned(),
            "zfs.zfs_txg_timeout 3".to_owned(),
            "/etc/modprobe.d/zz-tune.zfs.zvol_threads.conf options zfs zvol_threads=8|".to_owned(),
            format!(
                "{FILE} options zfs zfs_arc_min=1073741824|options zfs zfs_arc_max=8589934592|\
                 options zfs zfs_txg_timeout=3|"
            ),
        ]
    );
}

#[test]
fn any_module_will_do() {
    assert_eq!(
        items(&[("@module", "nvme-core"), ("@drop_in", "zz-nvme.conf"), ("io_timeout", "30"), ("multipath", "true")]),
        [
            "nvme_core.io_timeout 30",
            "nvme_core.multipath 1",
            "/etc/modprobe.d/zz-nvme.conf options nvme_core io_timeout=30|options nvme_core multipath=1|",
        ]
    );
    // What is known of ZFS is not known of others.
    assert_eq!(items(&[("@module", "spl"), ("zfs_txg_timeout", "99")])[0], "spl.zfs_txg_timeout 99");
}

#[test]
fn what_is_taken_at_load_time_can_be_said() {
    let file = |name: &str| format!("/etc/modprobe.d/zz-tune.zfs.{name}.conf options zfs {name}=3|");
    assert_eq!(items(&[("zvol_threads", "3")]), [file("zvol_threads")]);
    assert_eq!(items(&[("zfs_x", "3"), ("@load_time", "zfs_x")]), [file("zfs_x")]);
    assert_eq!(
        items(&[("zvol_threads", "3"), ("@load_time", "")]),
        ["zfs.zvol_threads 3".to_owned(), format!("{FILE} options zfs zvol_threads=3|")]
    );
}

#[test]
fn names_are_checked() {
    check(
        &[("a b", "1")],
        "bad_name parameters[\"a b\"]: `a b` is not the name of a parameter (letters, digits, `_` \
                            and `-` only) -> write it as `modinfo -p zfs` prints it",
    );
    check(
        &[("zfs.zfs_txg_timeout", "1")],
        "bad_name parameters[\"zfs.zfs_txg_timeout\"]: `zfs.zfs_txg_timeout` is not \
                            the name of a parameter (letters, digits, `_` and `-` only) -> leave the module out: \
                            `zfs_txg_timeout`",
    );
    check(
        &[("../x", "1")],
        "bad_name parameters[\"../x\"]: `../x` is not the name of a parameter (letters, digits, \
                            `_` and `-` only) -> write it as `modinfo -p zfs` prints it",
    );
    check(
        &[("a", "1"), ("@module", "../x")],
        "bad_module module: `../x` is not the name of a kernel module (letters, \
                            digits, `_` and `-` only) -> write it as `lsmod` prints it",
    );
    check(
        &[("a", "1"), ("@load_time", "b")],
        "not_among load_time: `b` is not among the parameters (nothing gives it \
                            a value) -> set it in `parameters`, or remove it here",
    );
    check(
        &[("a", "1"), ("@drop_in", "zfs.conf")],
        "bad_drop_in drop_in: `zfs.conf` cannot be the file's name (a \
                            distribution ships a file of this name, which ours would hide or replace) -> choose a \
                            plain name that sorts late, such as `zz-tune-txg.conf`",
    );
    check(
        &[],
        "no_parameters parameters: `parameters` is empty (nothing to set) -> write at least one parameter, or \
                remove the resource",
    );
}

#[test]
fn values_are_checked() {
    for (value, label) in [
        ("", "it is empty"),
        ("a b", "white space, quotes, backslashes and characters beyond ASCII cannot be written in modprobe.d"),
        ("a\nb", "white space, quotes, backslashes and characters beyond ASCII cannot be written in modprobe.d"),
        ("\"a", "white space, quotes, backslashes and characters beyond ASCII cannot be written in modprobe.d"),
        ("\\", "white space, quotes, backslashes and characters beyond ASCII cannot be written in modprobe.d"),
        ("\u{e9}", "white space, quotes, backslashes and characters beyond ASCII cannot be written in modprobe.d"),
        (&"x".repeat(1001), "it is longer than the kernel takes"),
    ] {
        let expect = format!("bad_value parameters[\"zfs_x\"]: the value of `zfs_x` cannot be written ({label})");
        check(&[("zfs_x", value)], &expect);
    }
    check(
        &[("zfs_x", "null")],
        "bad_value parameters[\"zfs_x\"]: `zfs_x` has no value (`null` is not a value) -> to \
                                 stop managing it, remove it: what was there before is put back then",
    );
    check(
        &[("zfs_x", "010")],
        "octal parameters[\"zfs_x\"]: the value of `zfs_x` would be read as octal (the kernel \
                                reads `010` as 8) -> write the number without leading zeros",
    );
    check(
        &[("zfs_arc_max", "8GB")],
        "bad_value parameters[\"zfs_arc_max\"]: `zfs_arc_max` cannot be `8GB` (not a \
                                number of bytes) -> write a whole number, or a binary unit such as `512MiB` or `8GiB`",
    );
}

#[test]
fn ranges_are_checked() {
    for value in ["0", "61", "-1", "99999999999999999999999"] {
        check(
            &[("zfs_txg_timeout", value)],
            &format!(
                "out_of_range parameters[\"zfs_txg_timeout\"]: `zfs_txg_timeout` cannot be {value} (1 to 60: a \
                 transaction group is written at least every 1 to 60 seconds)"
            ),
        );
    }
    assert!(crate::kind().desired(&resource(&[("zfs_txg_timeout", "60")])).is_ok());
    check(
        &[("zfs_arc_max", "63MiB")],
        "out_of_range parameters[\"zfs_arc_max\"]: `zfs_arc_max` cannot be 66060288 \
                                        (ZFS ignores less than 64 MiB)",
    );
    check(
        &[("zfs_arc_max", "0")],
        "out_of_range parameters[\"zfs_arc_max\"]: `zfs_arc_max` cannot be 0 (0 does not \
                                    bring automatic sizing back while the module runs) -> remove the parameter: what \
                                    was in use before is put back then",
    );
}

#[test]
fn every_mistake_is_reported_at_once() {
    let all =
        mistakes(&[("a b", "1"), ("zfs_txg_timeout", "0"), ("zfs_x", ""), ("@drop_in", "x"), ("@load_time", "y")]);
    let codes: Vec<&str> = all.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(codes, ["not_among", "bad_name", "out_of_range", "bad_value", "bad_drop_in"]);
}

#[test]
fn keys_have_places_and_nothing_else_has() {
    let target = |key: &str| crate::kind().target(&ItemKey::from(key));
    let value = |path: &str| Some(Target::Value { path: path.to_owned() });
    let file = |path: &str| Some(Target::File { path: path.to_owned() });
    assert_eq!(target("zfs.zfs_txg_timeout"), value("/sys/module/zfs/parameters/zfs_txg_timeout"));
    assert_eq!(target("spl.zfs_arc_max"), value("/sys/module/spl/parameters/zfs_arc_max"));
    assert_eq!(
        target("zfs.zfs_arc_max"),
        Some(Target::Reported {
            path: "/sys/module/zfs/parameters/zfs_arc_max".to_owned(),
            table: ARCSTATS.to_owned(),
            field: "c_max".to_owned(),
        })
    );
    assert_eq!(target(FILE), file(FILE));
    let single = "/etc/modprobe.d/zz-tune.zfs.zvol_threads.conf";
    assert_eq!(target(single), file(single));
    for key in ["", "zfs", "zfs.a.b", "../x.y", "/etc/passwd", "/etc/modprobe.d/../x.conf", "/etc/modprobe.d/zfs.conf"]
    {
        assert_eq!(target(key), None, "{key}");
    }
}
