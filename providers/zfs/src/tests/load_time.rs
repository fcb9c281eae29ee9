//! Parameters that a module takes only when it is loaded.

use tune_core::contract::{Effect, Kind};
use tune_core::item::{ItemKey, Raw};

use super::{MARK, World, wanted};

const SINGLE: &str = "/etc/modprobe.d/zz-tune.zfs.zvol_threads.conf";
const EIGHT: &[(&str, &str)] = &[("zvol_threads", "8")];
const PARAMETER: &str = "/sys/module/zfs/parameters/zvol_threads";

fn world(running: &str) -> World {
    World::new(&[("zvol_threads", running)]).with_mode(PARAMETER, 0o444)
}

fn written(running: &str) -> World {
    let mut world = world(running).with(SINGLE, &format!("{MARK}options zfs zvol_threads=8\n")).at(SINGLE, 50);
    world.recorded = [ItemKey::from(SINGLE)].into();
    world
}

fn activations(world: &World) -> Vec<String> {
    world.activations(&wanted(EIGHT))
}

const REBOOT: &str = "zz-tune.zfs.zvol_threads.conf: reboot";
const IMAGE_AND_REBOOT: &str = "zz-tune.zfs.zvol_threads.conf: rebuild of the boot image, reboot";

#[test]
fn a_reboot_is_needed_while_another_value_is_in_use() {
    assert_eq!(activations(&world("0")), [REBOOT]);
    assert_eq!(activations(&written("0")), [REBOOT], "written, and not in effect");
    assert!(activations(&written("8")).is_empty());
    assert!(activations(&world("8")).is_empty(), "so already, by chance");
    assert_eq!(activations(&world("0").root_on_zfs()), [IMAGE_AND_REBOOT]);
    assert_eq!(activations(&written("0").root_on_zfs().at(SINGLE, 101)), [IMAGE_AND_REBOOT]);
    let impact = world("0").judge(EIGHT);
    assert_eq!(impact.items[&ItemKey::from(SINGLE)].effect, Effect::Activation);
    assert_eq!(
        world("0").said(EIGHT),
        [
            "# needs_reboot parameters[\"zvol_threads\"]: zfs takes zvol_threads only when it is loaded: 0 is in use until \
          a reboot, then 8."
        ]
    );
    assert!(written("8").said(EIGHT).is_empty());
}

#[test]
fn a_revert_needs_one_too_if_the_value_came_into_effect() {
    let mut revert = wanted(EIGHT);
    revert.items[0].want = Raw::Absent;
    assert_eq!(written("8").activations(&revert), [REBOOT]);
    assert_eq!(written("8").root_on_zfs().activations(&revert), [IMAGE_AND_REBOOT]);
    assert!(written("0").activations(&revert).is_empty(), "it never came into effect");
    // Somebody else's line is next then.
    let theirs = |running: &str| written(running).with("/etc/modprobe.d/zfs.conf", "options zfs zvol_threads=2\n");
    assert_eq!(theirs("8").activations(&revert), [REBOOT]);
    assert_eq!(theirs("0").activations(&revert), [REBOOT]);
    assert!(theirs("2").activations(&revert).is_empty());
}

#[test]
fn what_would_never_come_into_effect_is_a_problem() {
    let later = world("0").with("/etc/modprobe.d/zzz.conf", "options zfs zvol_threads=2\n");
    assert_eq!(
        later.said(EIGHT)[0],
        "! overridden parameters[\"zvol_threads\"]: `zvol_threads` would not come into effect \
         (/etc/modprobe.d/zzz.conf:1 sets it to 2, and wins) -> remove it there first; a reboot would change nothing"
    );
    let line = world("0").with("/proc/cmdline", "zfs.zvol_threads=2");
    assert!(line.said(EIGHT)[0].contains("(the kernel command line sets it to 2, and wins)"));
    let absent = world("0").without(PARAMETER);
    assert!(absent.said(EIGHT)[0].starts_with("! unknown_parameter "));
    assert!(absent.without("/sys/module/zfs/initstate").said(EIGHT)[0].starts_with("! not_loaded "));
    let mut container = world("0");
    container.facts.container = Some("lxc".to_owned());
    assert!(container.said(EIGHT)[0].starts_with("! host_global "));
}

#[test]
fn what_is_part_of_the_kernel_is_reached_by_no_file() {
    let path = "/sys/module/loop/parameters/max_loop";
    let loaded = World::new(&[]).with(path, "8\n").with_mode(path, 0o444).with("/sys/module/loop/initstate", "live\n");
    let built_in = loaded.clone().without("/sys/module/loop/initstate");
    let parameters = [("@module", "loop"), ("@load_time", "max_loop"), ("max_loop", "16")];
    assert!(loaded.said(&parameters)[0].starts_with("# needs_reboot "), "{:?}", loaded.said(&parameters));
    assert_eq!(
        built_in.said(&parameters)[0],
        "! built_in parameters[\"max_loop\"]: `loop` is part of the kernel, so no file of modprobe.d reaches it (it can \
         only be set on the kernel's command line) -> write `loop.max_loop=16` on the kernel's command line"
    );
    let mounts = "31 30 0:6 / /sys rw - sysfs sysfs rw\n33 31 0:7 / /sys/module rw - tmpfs tmpfs rw\n";
    let covered = built_in.clone().with("/proc/self/mountinfo", mounts);
    assert!(covered.said(&parameters)[0].starts_with("# needs_reboot "), "{:?}", covered.said(&parameters));
    // What can be set at run time is only not kept.
    let running = built_in.with_mode(path, 0o644);
    let said = running.said(&[("@module", "loop"), ("max_loop", "16")]);
    assert!(said.len() == 1 && said[0].starts_with("# built_in "), "{said:?}");
}

#[test]
fn a_parameter_that_can_be_set_needs_no_reboot() {
    let world = World::new(&[("zvol_threads", "8")]);
    let said = world.said(EIGHT);
    assert!(said.len() == 1 && said[0].starts_with("# no_reboot_needed "), "{said:?}");
}

#[test]
fn a_file_for_one_parameter_shows_that_parameter() {
    let kind = crate::kind();
    let desired = wanted(EIGHT);
    let item = &desired.items[0];
    assert_eq!((kind.show(&item.key, &item.want), kind.label(&item.key)), ("8".to_owned(), SINGLE.to_owned()));
    let reading = written("0").reading(&desired);
    let found = reading.items[&item.key].as_ref().unwrap();
    let layers = [&found.running, &found.configured, &found.next_start].map(|layer| layer.value.clone().unwrap());
    assert_eq!(layers, ["0", "8", "8"]);
    assert_eq!(found.next_start.source.as_deref(), Some(&*format!("{SINGLE}:2")));
}
