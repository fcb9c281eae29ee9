//! What is said about a change on one machine.

use tune_core::contract::{Effect, Kind};
use tune_core::item::{FileState, ItemKey, Raw};

use super::{FILE, IMAGE, MARK, World, wanted};
use crate::known::ARCSTATS;

fn check(world: &World, parameters: &[(&str, &str)], expect: &[&str]) {
    assert_eq!(world.said(parameters), expect);
}

const THREE: &[(&str, &str)] = &[("zfs_txg_timeout", "3")];

/// A host on which nothing but the advice about synchronous writes is to be said.
fn five() -> World {
    World::new(&[("zfs_txg_timeout", "5")])
}

/// The same after an apply, when that advice has done its work.
fn three() -> World {
    let ours = format!("{MARK}options zfs zfs_txg_timeout=3\n");
    let mut world = World::new(&[("zfs_txg_timeout", "3")]).with(FILE, &ours).at(FILE, 50);
    world.recorded = [ItemKey::from(FILE), ItemKey::from("zfs.zfs_txg_timeout")].into();
    world
}

const NOT_SYNC: &str = "# txg_not_sync parameters[\"zfs_txg_timeout\"]: zfs_txg_timeout does not shorten synchronous \
                        writes (the intent log acknowledges those); expect smaller, more frequent transaction groups.";

#[test]
fn row_0_2_a_shorter_timeout_is_no_faster_write() {
    check(&five(), THREE, &[NOT_SYNC]);
    check(&three(), THREE, &[]);
}

#[test]
fn row_0_7_the_timeout_is_set_at_once_and_needs_nothing_more() {
    let impact = five().judge(THREE);
    assert_eq!(impact.items[&ItemKey::from("zfs.zfs_txg_timeout")].effect, Effect::AtOnce);
    assert_eq!(impact.items[&ItemKey::from(FILE)].effect, Effect::NextBoot);
    assert!(impact.items.values().all(|item| item.activations.is_empty() && !item.may_cut_connection));
}

#[test]
fn the_three_layers_are_told_apart() {
    let shown = |world: &World, key: &str| {
        let key = ItemKey::from(key);
        let reading = world.item(&key, &world.evidence(std::slice::from_ref(&key))).unwrap();
        [reading.running, reading.configured, reading.next_start].map(|layer| {
            let (value, source) = (layer.value.unwrap_or_default(), layer.source.unwrap_or_default());
            format!("{value} {source}").trim().to_owned()
        })
    };
    assert_eq!(shown(&five(), "zfs.zfs_txg_timeout"), ["5", "", ""]);
    // Somebody else's file is named, and a later one than ours wins.
    let theirs = five().with("/etc/modprobe.d/zfs.conf", "# by the installer\noptions zfs zfs_txg_timeout=5\n");
    assert_eq!(shown(&theirs, "zfs.zfs_txg_timeout"), ["5", "", "5 /etc/modprobe.d/zfs.conf:2"]);
    let late = three().with("/usr/lib/modprobe.d/zzz.conf", "options zfs zfs_txg_timeout=0x9\n");
    assert_eq!(shown(&late, "zfs.zfs_txg_timeout"), ["3", &format!("3 {FILE}:2"), "9 /usr/lib/modprobe.d/zzz.conf:1"]);
    let line = late.with("/proc/cmdline", "quiet zfs.zfs_txg_timeout=7\n");
    assert_eq!(shown(&line, "zfs.zfs_txg_timeout")[2], "7 the kernel command line");
    assert_eq!(shown(&line, FILE)[2], format!("99 bytes, mode 0644 {FILE}"));
    // What the boot image has not seen is not what the next boot uses.
    let in_image = three().root_on_zfs();
    assert_eq!(shown(&in_image, "zfs.zfs_txg_timeout")[2], format!("3 {FILE}:2"));
    assert_eq!(shown(&in_image.at(FILE, 101), "zfs.zfs_txg_timeout")[2], "");
    let mut closed = three().with("/etc/modprobe.d/secret.conf", "");
    closed.unreadable.insert("/etc/modprobe.d/secret.conf".to_owned());
    assert_eq!(shown(&closed, "zfs.zfs_txg_timeout")[2], "");
    // The cache is judged by what it uses, a menu by what is chosen.
    let cache = World::new(&[("zfs_arc_max", "0"), ("zfs_vdev_raidz_impl", "cycle [fastest] original")]);
    assert_eq!(shown(&cache, "zfs.zfs_arc_max")[0], "17179869184");
    assert_eq!(shown(&cache, "zfs.zfs_vdev_raidz_impl")[0], "fastest");
}

#[test]
fn our_own_marks_are_recognised() {
    let desired = wanted(&[("zfs_txg_timeout", "3"), ("zfs_recover", "0"), ("zvol_threads", "4")]);
    let single = "/etc/modprobe.d/zz-tune.zfs.zvol_threads.conf";
    let world = three().with(single, &format!("{MARK}options zfs zvol_threads=4\n"));
    let reading = world.reading(&desired);
    let marked_by = |key: &str| crate::kind().marked_by(&ItemKey::from(key), &reading).map(|key| key.0);
    assert_eq!(marked_by("zfs.zfs_txg_timeout").as_deref(), Some(FILE));
    assert_eq!((marked_by(FILE).as_deref(), marked_by(single).as_deref()), (Some(FILE), Some(single)));
    assert_eq!(marked_by("zfs.zfs_recover"), None);
    let foreign = five().with(FILE, "options zfs zfs_txg_timeout=3\n").reading(&desired);
    assert!(desired.items.iter().all(|item| crate::kind().marked_by(&item.key, &foreign).is_none()));
}

#[test]
fn what_wins_at_the_next_load_is_named() {
    let overridden = "# overridden parameters[\"zfs_txg_timeout\"]: ";
    let later = format!(
        "{overridden}/etc/modprobe.d/zzz.conf:2 sets zfs_txg_timeout = 10 after our file: the next boot would undo this. \
         Remove that line, or set drop_in to a later name."
    );
    check(&three().with("/etc/modprobe.d/zzz.conf", "\noptions zfs zfs_txg_timeout=10"), THREE, &[&later]);
    let line = format!(
        "{overridden}The kernel's command line sets zfs.zfs_txg_timeout = 7 and beats every file: the next boot would undo \
         this. Remove it there."
    );
    check(&three().with("/proc/cmdline", "zfs.zfs_txg_timeout=7"), THREE, &[&line]);
    // Earlier files, other modules and the same value say nothing.
    for (path, text) in [
        ("/etc/modprobe.d/zfs.conf", "options zfs zfs_txg_timeout=10"),
        ("/etc/modprobe.d/zzz.conf", "options spl zfs_txg_timeout=10"),
        ("/etc/modprobe.d/zzz.conf", "options zfs zfs_txg_timeout=0x3"),
        ("/etc/modprobe.d/zzz.conf", "# options zfs zfs_txg_timeout=10"),
    ] {
        check(&three().with(path, text), THREE, &[]);
    }
    let mut closed = three().with("/run/modprobe.d/x.conf", "");
    closed.unreadable.insert("/run/modprobe.d/x.conf".to_owned());
    check(
        &closed,
        THREE,
        &["# next_load_unknown : /run/modprobe.d/x.conf cannot be read by this user, so what the \
                             next load would use is not known."],
    );
}

/// What the runbook writes with `>`, into a file of this name.
const ITS_FILE: &[(&str, &str)] = &[("zfs_txg_timeout", "3"), ("@drop_in", "zfs-etcd.conf")];

#[test]
fn row_0_8_a_file_that_is_there_is_not_written_over() {
    let there = five().with("/etc/modprobe.d/zfs-etcd.conf", "options zfs zfs_arc_max=8589934592\n");
    let said = there.said(ITS_FILE);
    assert!(
        said[0].starts_with("! foreign_file drop_in: `/etc/modprobe.d/zfs-etcd.conf` is somebody else's"),
        "{said:?}"
    );
    // A name of its own leaves that file alone.
    check(&there, THREE, &[NOT_SYNC]);
}

#[test]
fn row_0_8_the_installers_file_sorts_after_the_runbooks_and_wins() {
    let installed = five().with("/etc/modprobe.d/zfs.conf", "options zfs zfs_txg_timeout=10");
    let said = installed.said(ITS_FILE);
    assert!(said[1].contains("/etc/modprobe.d/zfs.conf:1 sets zfs_txg_timeout = 10 after our file"), "{said:?}");
    check(&installed, THREE, &[NOT_SYNC]);
}

#[test]
fn row_1_8_what_runs_and_what_the_next_load_takes_are_read_apart() {
    // The runbook's two lines by hand, on a host with the installer's file: it runs with 3, and will load with 5.
    let by_hand = World::new(&[("zfs_txg_timeout", "3")])
        .with("/etc/modprobe.d/zfs-etcd.conf", "options zfs zfs_txg_timeout=3\n")
        .with("/etc/modprobe.d/zfs.conf", "options zfs zfs_txg_timeout=5\n");
    let layers = |world: &World| {
        let key = ItemKey::from("zfs.zfs_txg_timeout");
        let reading = world.item(&key, &world.evidence(std::slice::from_ref(&key))).unwrap();
        [reading.running.value, reading.next_start.value].map(Option::unwrap_or_default)
    };
    assert_eq!(layers(&by_hand), ["3", "5"]);
    // Our file beats both.
    let ours = by_hand.with(FILE, &format!("{MARK}options zfs zfs_txg_timeout=3\n"));
    assert_eq!(layers(&ours), ["3", "3"]);
}

#[test]
fn what_is_not_there_is_said_clearly() {
    let none = World::new(&[]).without("/sys/module/zfs/initstate");
    check(
        &none,
        THREE,
        &[
            "! not_loaded parameters[\"zfs_txg_timeout\"]: the module `zfs` is not loaded (there is no \
                           `/sys/module/zfs/parameters/zfs_txg_timeout`) -> load it with `modprobe zfs`, or leave \
                           this host out",
            NOT_SYNC,
        ],
    );
    check(
        &World::new(&[]),
        &[("zfs_nonsense", "1")],
        &["! unknown_parameter parameters[\"zfs_nonsense\"]: the module \
                           `zfs` has no parameter `zfs_nonsense` (no such file in `/sys/module/zfs/parameters`) -> \
                           check the spelling with `modinfo -p zfs`; another version of the module may have other \
                           parameters"],
    );
    let closed = World::new(&[("zfs_new", "1")]).with_mode("/sys/module/zfs/parameters/zfs_new", 0o444);
    check(
        &closed,
        &[("zfs_new", "2")],
        &["! load_time parameters[\"zfs_new\"]: `zfs_new` can only be set when the \
                           module is loaded (its file is read-only while the module runs) -> list it in `load_time`, \
                           as in `load_time = [\"zfs_new\"]`"],
    );
}

#[test]
fn what_cannot_be_written_is_said_before() {
    let mut read_only = five();
    read_only.read_only.insert("/sys/module/zfs/parameters/zfs_txg_timeout".to_owned());
    assert!(read_only.said(THREE)[0].starts_with("! read_only "), "{:?}", read_only.said(THREE));
    read_only.facts.uid = 1000;
    check(&read_only, THREE, &[NOT_SYNC]);
    let mut container = five();
    container.facts.container = Some("lxc".to_owned());
    assert!(container.said(THREE)[0].starts_with("! host_global "), "{:?}", container.said(THREE));
    // Where something else is mounted over it, nothing is shared.
    let mounts = "31 30 0:6 / /sys rw - sysfs sysfs rw\n33 31 0:7 / /sys/module rw - tmpfs tmpfs rw\n";
    check(&container.with("/proc/self/mountinfo", mounts), THREE, &[NOT_SYNC]);
    let foreign = five().with(FILE, "options zfs zfs_txg_timeout=4\n");
    assert!(foreign.said(THREE)[0].starts_with("! foreign_file : "), "{:?}", foreign.said(THREE));
    let vendor = five().with("/usr/lib/modprobe.d/zz-tune-txg.conf", "options spl x=1\n");
    assert!(vendor.said(THREE)[0].starts_with("! hides_file : "), "{:?}", vendor.said(THREE));
    let mut protected = five();
    protected.read_only.insert(FILE.to_owned());
    assert!(protected.said(THREE)[0].starts_with("! read_only : "), "{:?}", protected.said(THREE));
}

#[test]
fn shapes_are_known_from_the_live_value() {
    let world = World::new(&[("zfs_flag", "N"), ("zfs_number", "5"), ("zfs_text", "abc")]);
    let said = |name: &str, value: &str| {
        world.said(&[(name, value)]).first().map(|line| line.split(' ').nth(1).unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!([said("zfs_flag", "true"), said("zfs_flag", "y"), said("zfs_flag", "0")], ["", "", ""]);
    assert_eq!([said("zfs_flag", "7"), said("zfs_flag", "on")], ["wrong_shape", "wrong_shape"]);
    assert_eq!([said("zfs_number", "8G"), said("zfs_number", "6"), said("zfs_text", "7")], ["wrong_shape", "", ""]);
}

#[test]
fn dangerous_parameters_need_consent() {
    let danger = "? data_loss: with `zil_replay_disable = 1` the intent log would not be replayed at import: synchronous \
                  writes acknowledged before a crash would be lost";
    check(&World::new(&[("zil_replay_disable", "0")]), &[("zil_replay_disable", "1")], &[danger]);
    // It is so already, but not for ever.
    check(&World::new(&[("zil_replay_disable", "1")]), &[("zil_replay_disable", "1")], &[danger]);
    check(&World::new(&[("zil_replay_disable", "1")]), &[("zil_replay_disable", "0")], &[]);
    for name in ["zfs_nocacheflush", "zil_nocacheflush"] {
        let said = World::new(&[(name, "0")]).said(&[(name, "1")]);
        assert!(said.len() == 1 && said[0].starts_with("? data_loss: "), "{said:?}");
    }
}

#[test]
fn the_cache_is_judged_by_what_it_uses() {
    let world = World::new(&[("zfs_arc_max", "0"), ("zfs_arc_min", "0")]);
    check(
        &world,
        &[("zfs_arc_max", "8GiB")],
        &[
            "# decrease parameters[\"zfs_arc_max\"]: On this host this lowers zfs_arc_max, from 16 GiB to 8 GiB.",
            "# arc_shrinks_later parameters[\"zfs_arc_max\"]: The cache does not shrink at once: it gives memory back as it \
         evicts.",
        ],
    );
    check(&world, &[("zfs_arc_max", "16GiB")], &[]);
    check(
        &world,
        &[("zfs_arc_max", "32GiB")],
        &[
            "! ignored parameters[\"zfs_arc_max\"]: ZFS would ignore `zfs_arc_max = 34359738368` (this host has 34359738368 \
         bytes of memory) -> choose less than the host's memory",
        ],
    );
    let said = world.said(&[("zfs_arc_max", "1GiB")]);
    assert!(
        said[0].ends_with(
            "(the least size of the cache is 1073741824 bytes) -> set `zfs_arc_min` to less than \
                               1073741824 as well, or choose more"
        ),
        "{said:?}"
    );
    assert!(!world.said(&[("zfs_arc_max", "1GiB"), ("zfs_arc_min", "512MiB")])[0].starts_with('!'));
    let said = world.said(&[("zfs_arc_min", "20GiB")]);
    assert!(said[0].starts_with("! ignored ") && said[0].contains("raise `zfs_arc_max` first"), "{said:?}");
    // A revert writes back what was in use, and not the 0 that stands in the parameter's file.
    let desired = wanted(&[("zfs_arc_max", "8GiB")]);
    let reading = world.reading(&desired);
    let raw = &reading.items[&ItemKey::from("zfs.zfs_arc_max")].as_ref().unwrap().raw;
    assert_eq!(*raw, Raw::Text("17179869184".to_owned()));
    let no_table = world.without(ARCSTATS);
    assert!(no_table.said(&[("zfs_arc_max", "8GiB")])[0].starts_with("! "));
}

#[test]
fn dirty_data_stays_below_its_cap() {
    let cap = "/sys/module/zfs/parameters/zfs_dirty_data_max_max";
    let world = World::new(&[("zfs_dirty_data_max", "4294967296")]).with(cap, "4294967296\n");
    check(
        &world,
        &[("zfs_dirty_data_max", "8GiB")],
        &["! above_cap parameters[\"zfs_dirty_data_max\"]: `zfs_dirty_data_max` cannot be 8589934592 \
         (`zfs_dirty_data_max_max` is 4294967296, and the next load would cut it off there) -> choose less, or set \
         `zfs_dirty_data_max_max` as well"],
    );
    check(
        &world,
        &[("zfs_dirty_data_max", "2GiB")],
        &[
            "# decrease parameters[\"zfs_dirty_data_max\"]: On this host this lowers zfs_dirty_data_max, from 4 GiB to 2 GiB.",
        ],
    );
    let both = world.said(&[("zfs_dirty_data_max", "8GiB"), ("zfs_dirty_data_max_max", "8GiB")]);
    assert!(both.iter().all(|line| line.starts_with('#')), "{both:?}");
}

#[test]
fn row_0_8_the_boot_image_is_built_anew_where_zfs_comes_from_it() {
    let desired = wanted(THREE);
    let anew = [format!("{}: rebuild of the boot image", FILE.rsplit('/').next().unwrap())];
    assert!(five().activations(&desired).is_empty(), "root is on ext4");
    assert_eq!(five().root_on_zfs().activations(&desired), anew);
    assert_eq!(five().with("/usr/share/initramfs-tools/hooks/zfs", "#!/bin/sh\n").activations(&desired), anew);
    assert_eq!(five().root_on_zfs().judge(THREE).items[&ItemKey::from(FILE)].effect, Effect::Activation);
    // Nothing is to be written: the image is as new as the file, or it is not.
    assert!(three().root_on_zfs().activations(&desired).is_empty());
    let stale = three().root_on_zfs().at(FILE, 101);
    assert_eq!(stale.activations(&desired), anew);
    check(
        &stale,
        THREE,
        &[&format!(
            "# stale_image : {IMAGE} is older than {FILE}: a boot would read the copy inside the image, which does not have \
         the present lines."
        )],
    );
    // Somebody else's line counts only when the image has it.
    let theirs = "/etc/modprobe.d/zzz.conf";
    let theirs_stale = three().root_on_zfs().with(theirs, "options zfs zfs_txg_timeout=3\n").at(theirs, 200);
    let said = theirs_stale.said(THREE);
    assert!(said.len() == 1 && said[0].starts_with("# stale_image ") && said[0].contains(theirs), "{said:?}");
}

#[test]
fn row_0_17_a_line_that_is_taken_out_leaves_the_boot_image_too() {
    let anew = [format!("{}: rebuild of the boot image", FILE.rsplit('/').next().unwrap())];
    let mut revert = wanted(THREE);
    revert.items.retain(|item| item.key.0 == FILE);
    revert.items[0].want = Raw::Absent;
    assert_eq!(three().root_on_zfs().activations(&revert), anew);
    assert!(three().activations(&revert).is_empty());
    revert.items[0].want = Raw::File(FileState::public("# there before\n"));
    assert_eq!(three().root_on_zfs().activations(&revert), anew);
}
