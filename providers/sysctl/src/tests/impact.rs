//! What is said about a change on one machine.

use tune_core::contract::{Effect, Kind};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::resource::Consent;

use super::{FILE, World, resource, short, wanted};

fn check(world: &World, settings: &[(&str, &str)], expect: &[&str]) {
    assert_eq!(world.said(settings), expect);
}

fn swappiness() -> World {
    World::new(&[("vm.swappiness", "60")])
}

const TEN: &[(&str, &str)] = &[("vm.swappiness", "10")];

#[test]
fn a_plain_change_says_nothing() {
    check(&swappiness(), TEN, &[]);
}

#[test]
fn row_0_9_a_parameter_is_in_force_at_once_and_needs_no_reboot() {
    let impact = swappiness().judge(TEN);
    assert_eq!(impact.items[&ItemKey::from("vm.swappiness")].effect, Effect::AtOnce);
    assert_eq!(impact.items[&ItemKey::from(FILE)].effect, Effect::NextBoot);
    assert!(impact.items.values().all(|item| item.activations.is_empty() && !item.may_cut_connection));
}

#[test]
fn the_three_layers_are_told_apart() {
    let shown = |world: &World, key: &str| {
        let reading = world.item(&ItemKey::from(key)).unwrap();
        [reading.running, reading.configured, reading.next_start].map(|layer| {
            let (value, source) = (layer.value.unwrap_or_default(), layer.source.unwrap_or_default());
            format!("{value} {source}").trim().to_owned()
        })
    };
    assert_eq!(shown(&swappiness(), "vm.swappiness"), ["60", "", "kernel default"]);
    let ours = "# Managed by tune: edits are lost. Change the configuration instead.\nvm.swappiness = 10\n";
    let world = swappiness().with(FILE, ours).with("/usr/lib/sysctl.d/zz.conf", "\nvm.swappiness = 30\n");
    assert_eq!(shown(&world, "vm.swappiness"), ["60", &format!("10 {FILE}:2"), "30 /usr/lib/sysctl.d/zz.conf:2"]);
    assert_eq!(
        shown(&world, FILE)[1..],
        [format!("88 bytes, mode 0644 {FILE}"), format!("88 bytes, mode 0644 {FILE}")]
    );
    let mut world = World::new(&[("vm.dirty_ratio|vm.dirty_bytes", "vm.dirty_ratio=20")]);
    world = world.with("/etc/sysctl.d/50.conf", "vm.dirty_bytes = 1048576");
    assert_eq!(
        shown(&world, "vm.dirty_ratio|vm.dirty_bytes"),
        ["20", "", "0 (vm.dirty_bytes = 1048576) /etc/sysctl.d/50.conf:1"]
    );
    world.evidence.unreadable.insert("/etc/sysctl.d/secret.conf".to_owned(), "permission denied".to_owned());
    assert_eq!(shown(&world, "vm.dirty_ratio|vm.dirty_bytes")[2], "");
}

#[test]
fn our_own_marks_are_recognised() {
    let desired = wanted(&[("vm.swappiness", "10"), ("vm.max_map_count", "262144")]);
    let ours = "# Managed by tune: edits are lost. Change the configuration instead.\nvm.swappiness = 10\n";
    let reading = swappiness().with(FILE, ours).reading(&desired);
    let marked_by = |key: &str| crate::kind().marked_by(&ItemKey::from(key), &reading);
    assert_eq!([marked_by("vm.swappiness"), marked_by(FILE)], [Some(ItemKey::from(FILE)), Some(ItemKey::from(FILE))]);
    assert_eq!(marked_by("vm.max_map_count"), None);
    let reading = swappiness().with(FILE, "vm.swappiness = 10\n").reading(&desired);
    assert!(desired.items.iter().all(|item| crate::kind().marked_by(&item.key, &reading).is_none()));
}

#[test]
fn a_later_file_is_named() {
    check(
        &swappiness().with("/etc/sysctl.d/zz-late.conf", "\n\n\nvm.swappiness = 30"),
        TEN,
        &["# overridden settings[\"vm.swappiness\"]: /etc/sysctl.d/zz-late.conf:4 sets vm.swappiness = 30 after our \
             file: \
           the next boot would undo this. Remove that line, or set drop_in to a later name."],
    );
    check(&swappiness().with("/etc/sysctl.d/zz-late.conf", "vm.swappiness = 0xa"), TEN, &[]);
    check(&swappiness().with("/etc/sysctl.d/zz-late.conf", "vm.swap* = 30"), TEN, &[]);
    check(
        &swappiness().with("/run/sysctl.d/zz.conf", "-vm.swappiness"),
        TEN,
        &["# overridden settings[\"vm.swappiness\"]: /run/sysctl.d/zz.conf:1 excludes vm.swappiness after our file: \
             the \
           next boot would not set it. Remove that line, or set drop_in to a later name."],
    );
}

#[test]
fn row_0_5_the_other_half_of_the_pair_overrides_too() {
    let world = World::new(&[("vm.dirty_ratio|vm.dirty_bytes", "vm.dirty_ratio=20")]);
    let not_sync = "# dirty_not_sync settings[\"vm.dirty_ratio\"]: vm.dirty_ratio decides when buffered writers must \
                    wait; \
                    synchronous writes such as etcd's fdatasync do not get faster by themselves.";
    let five = &[("vm.dirty_ratio", "5")];
    check(
        &world.clone().with("/etc/sysctl.d/zz.conf", "vm.dirty_bytes = 1048576"),
        five,
        &[
            "# overridden settings[\"vm.dirty_ratio\"]: /etc/sysctl.d/zz.conf:1 sets vm.dirty_bytes = 1048576 after \
             our \
             file: the next boot would undo this. Remove that line, or set drop_in to a later name.",
            not_sync,
        ],
    );
    check(
        &world.clone().with("/etc/sysctl.d/zz.conf", "vm.dirty_b*s = 1048576"),
        five,
        &[
            "# overridden settings[\"vm.dirty_ratio\"]: /etc/sysctl.d/zz.conf:1 sets vm.dirty_bytes = 1048576 after \
             our \
             file: the next boot would undo this. Remove that line, or set drop_in to a later name.",
            not_sync,
        ],
    );
    check(&world.clone().with("/etc/sysctl.d/50.conf", "vm.dirty_bytes = 1048576"), five, &[not_sync]);
    check(
        &world
            .with("/etc/sysctl.d/10.conf", "vm.dirty_ratio=5")
            .with("/etc/sysctl.d/50.conf", "vm.dirty_bytes=1048576"),
        five,
        &[
            "# overridden settings[\"vm.dirty_ratio\"]: /etc/sysctl.d/50.conf:1 sets vm.dirty_bytes = 1048576, and the \
             boot skips our line because it repeats an earlier one: the next boot would undo this. Remove that line.",
            not_sync,
        ],
    );
}

#[test]
fn sysctl_conf_counts_by_hand_and_on_other_inits() {
    let world = swappiness().with("/etc/sysctl.conf", "vm.swappiness = 60");
    check(
        &world,
        TEN,
        &["# reload_by_hand settings[\"vm.swappiness\"]: /etc/sysctl.conf:1 sets vm.swappiness = 60: `sysctl \
             --system`, \
           run by hand, would apply it last and undo this until the next boot."],
    );
    check(
        &world.with("/proc/1/comm", "init\n"),
        TEN,
        &[
            "# other_init : This machine boots with init, not systemd: the next boot is taken to apply sysctl.d by \
             name, \
             then /etc/sysctl.conf.",
            "# overridden settings[\"vm.swappiness\"]: /etc/sysctl.conf:1 sets vm.swappiness = 60 and is read last: \
             the \
             next boot would undo this. Remove that line.",
        ],
    );
}

#[test]
fn an_unreadable_file_makes_the_next_boot_unknown() {
    let mut world = swappiness();
    world.facts.uid = 1000;
    world.evidence.unreadable.insert("/etc/sysctl.d/secret.conf".to_owned(), "permission denied".to_owned());
    world.evidence.unreadable.insert("/etc/sysctl.conf".to_owned(), "permission denied".to_owned());
    check(
        &world,
        TEN,
        &["# next_boot_unknown : /etc/sysctl.d/secret.conf cannot be read by this user, so what the next boot would \
             set is \
           not known."],
    );
}

#[test]
fn parameters_that_do_not_exist_are_problems() {
    check(
        &World::new(&[]),
        &[("vm.swapiness", "10")],
        &["! unknown_key settings[\"vm.swapiness\"]: this kernel has no parameter `vm.swapiness` (no such file below \
           `/proc/sys`) -> check the spelling with `sysctl -a`; this is kernel 6.1.0-42-amd64"],
    );
    check(
        &World::new(&[]),
        &[("net.bridge.bridge-nf-call-iptables", "1")],
        &["! unknown_key settings[\"net.bridge.bridge-nf-call-iptables\"]: this kernel has no parameter \
           `net.bridge.bridge-nf-call-iptables` (it comes with the module `br_netfilter`, which is not loaded) -> load \
           `br_netfilter`, and list it in a file of `/etc/modules-load.d` so that it is there at boot"],
    );
    check(
        &World::new(&[]),
        &[("net.ipv4.conf.eth0.100.forwarding", "1")],
        &["! unknown_key settings[\"net.ipv4.conf.eth0.100.forwarding\"]: this kernel has no parameter \
           `net.ipv4.conf.eth0.100.forwarding` (no such file below `/proc/sys`) -> write a dot inside an interface's \
           name \
           as a slash, as in `net.ipv4.conf.eth0/100.forwarding`"],
    );
}

#[test]
fn a_module_must_be_there_at_boot() {
    let world = World::new(&[("net.netfilter.nf_conntrack_max", "65536")]);
    let settings = &[("net.nf_conntrack_max", "131072")];
    check(
        &world,
        settings,
        &["# late_module settings[\"net.nf_conntrack_max\"]: net.netfilter.nf_conntrack_max comes with the module \
           nf_conntrack, which no file of modules-load.d names: if it is loaded late, the next boot cannot set it."],
    );
    check(&world.with("/etc/modules-load.d/k8s.conf", "nf_conntrack\n"), settings, &[]);
}

#[test]
fn what_root_cannot_write_is_a_problem_and_an_ordinary_user_is_none() {
    let mut world = swappiness();
    world.read_only.insert("vm.swappiness".to_owned());
    check(
        &world,
        TEN,
        &["! read_only settings[\"vm.swappiness\"]: `vm.swappiness` cannot be written, even by root (its file is \
             read-only)"],
    );
    check(&world, &[("vm.swappiness", "60")], &[]);
    world.facts.uid = 1000;
    world.facts.container = Some("docker".to_owned());
    check(&world, TEN, &[]);
    let mut world = swappiness();
    world.read_only.insert(FILE.to_owned());
    check(
        &world,
        TEN,
        &["! read_only : `/etc/sysctl.d/99-zz-tune-etcd.conf` cannot be written, even by root (its file system is \
           read-only, or the file is protected) -> set the parameters where the image of this machine is made"],
    );
}

#[test]
fn a_container_does_not_tune_its_machine() {
    let mut world =
        World::new(&[("vm.swappiness", "60"), ("net.ipv4.tcp_fin_timeout", "60"), ("kernel.msgmax", "8192")]);
    world.facts.container = Some("lxc".to_owned());
    let host_global = "! host_global settings[\"vm.swappiness\"]: `vm.swappiness` belongs to the machine under this \
                       lxc \
                       container (shared with everything on that machine) -> make a `host` block for that machine, \
                       and set \
                       it there";
    check(&world, TEN, &[host_global]);
    check(&world, &[("net.ipv4.tcp_fin_timeout", "30"), ("kernel.msgmax", "16384")], &[]);
    // A file that somebody mounted over the kernel's own is the container's.
    let mounts = "1 0 0:1 / /proc ro - proc proc ro\n2 1 0:2 / /proc/sys/vm rw - tmpfs tmpfs rw\n";
    check(&world.clone().with("/proc/self/mountinfo", mounts), TEN, &[]);
    world.read_only.insert("net.ipv4.tcp_fin_timeout".to_owned());
    check(
        &world,
        &[("net.ipv4.tcp_fin_timeout", "30")],
        &["! read_only settings[\"net.ipv4.tcp_fin_timeout\"]: `net.ipv4.tcp_fin_timeout` cannot be written, even \
             by root \
           (read-only in this lxc container)"],
    );
    world.facts.container = Some("wsl".to_owned());
    check(&world, TEN, &[]);
}

#[test]
fn a_value_has_the_form_of_what_is_there() {
    let world = World::new(&[
        ("net.ipv4.tcp_rmem", "4096\t131072\t33554432"),
        ("vm.swappiness", "60"),
        ("kernel.hostname", "12"),
        ("vm.dirty_ratio|vm.dirty_bytes", "vm.dirty_bytes=9999"),
    ]);
    check(
        &world,
        &[("net.ipv4.tcp_rmem", "4096 131072")],
        &["! wrong_shape settings[\"net.ipv4.tcp_rmem\"]: `net.ipv4.tcp_rmem` cannot be `4096 131072` (2 given, and \
             3 \
           whole numbers wanted)"],
    );
    check(
        &world,
        &[("vm.swappiness", "low")],
        &["! wrong_shape settings[\"vm.swappiness\"]: `vm.swappiness` cannot be `low` (it takes one whole number)"],
    );
    check(&world, &[("kernel.hostname", "etcd-1")], &[]);
    let impact = world.judge(&[("vm.dirty_ratio", "five")]);
    assert_eq!(short(impact.problems[0].code.0), "wrong_shape");
}

#[test]
fn a_decrease_needs_consent() {
    let world = World::new(&[("fs.file-max", "2466177"), ("net.ipv4.tcp_rmem", "4096\t131072\t33554432")]);
    check(
        &world,
        &[("fs.file-max", "2097152")],
        &[
            "? decrease: this would lower `fs.file-max` from 2466177 to 2097152",
            "# limit_raised_at_boot settings[\"fs.file-max\"]: systemd raises fs.file-max to the greatest possible \
             value at \
             boot, so any value in a file lowers it.",
        ],
    );
    check(
        &world,
        &[("net.ipv4.tcp_rmem", "4096 131072 6291456")],
        &["? decrease: this would lower `net.ipv4.tcp_rmem` from 4096 131072 33554432 to 4096 131072 6291456"],
    );
    check(&world, &[("net.ipv4.tcp_rmem", "4096 65536 33554432")], &[]);
}

#[test]
fn somebody_elses_file_is_left_alone() {
    let foreign = swappiness().with(FILE, "vm.swappiness = 60\n");
    check(
        &foreign,
        TEN,
        &["! foreign_file : `/etc/sysctl.d/99-zz-tune-etcd.conf` is somebody else's file (not written by `tune`) -> \
             choose \
           another file name with `drop_in`"],
    );
    // Edited by hand after an apply: that is drift, which the plan shows and puts right.
    let mut drifted = foreign.clone();
    drifted.recorded.insert(ItemKey::from(FILE));
    check(&drifted, TEN, &[]);
    let mut same = swappiness();
    let file = wanted(TEN).items.pop().unwrap();
    same.live.insert(FILE.to_owned(), file.want);
    check(&same, TEN, &[]);
    check(
        &swappiness().with("/usr/lib/sysctl.d/99-zz-tune-etcd.conf", ""),
        TEN,
        &["! hides_file : `/etc/sysctl.d/99-zz-tune-etcd.conf` would hide `/usr/lib/sysctl.d/99-zz-tune-etcd.conf` \
             (no line \
           of that file would be applied at boot) -> choose another file name with `drop_in`"],
    );
}

#[test]
fn a_generated_etc_is_refused() {
    let mut world = swappiness();
    world
        .evidence
        .links
        .insert("/etc/sysctl.d/60-nixos.conf".to_owned(), "/etc/static/sysctl.d/60-nixos.conf".to_owned());
    let refused = world.item(&ItemKey::from(FILE)).unwrap_err();
    assert_eq!(short(refused.code.0), "generated_etc");
    assert!(world.item(&ItemKey::from("vm.swappiness")).is_ok());
}

#[test]
fn changes_that_may_cut_the_connection_are_known() {
    for (key, expect) in [
        ("net.ipv4.conf.all.rp_filter", true),
        ("net.ipv4.ip_forward", true),
        ("net.ipv6.conf.eth0.disable_ipv6", true),
        ("net.ipv6.conf.all.accept_ra", true),
        ("net.ipv4.conf.eth0.arp_ignore", true),
        ("net.core.somaxconn", false),
        ("vm.swappiness", false),
    ] {
        let impact = World::new(&[(key, "0")]).judge(&[(key, "1")]);
        assert_eq!(impact.items[&ItemKey::from(key)].may_cut_connection, expect, "{key}");
    }
}

#[test]
fn a_revert_is_judged_like_any_write() {
    let mut desired = wanted(&[("net.ipv4.ip_forward", "0")]);
    desired.items.pop();
    let world = World::new(&[("net.ipv4.ip_forward", "1")]);
    assert!(world.judge_desired(&desired).items[&ItemKey::from("net.ipv4.ip_forward")].may_cut_connection);
    let mut desired = wanted(TEN);
    desired.items.remove(0);
    desired.items[0].want = Raw::Absent;
    let impact = swappiness().with(FILE, "vm.swappiness = 60\n").judge_desired(&desired);
    assert_eq!(impact.items[&ItemKey::from(FILE)].effect, Effect::NextBoot);
    assert_eq!((impact.problems, impact.advice), (vec![], vec![]));
}

#[test]
fn row_0_4_swappiness_without_swap_is_said_to_do_nothing() {
    let mut world = swappiness();
    world.facts.swap_active = Some(false);
    check(
        &world,
        TEN,
        &["# swap_off settings[\"vm.swappiness\"]: vm.swappiness has no effect while no swap is active on this \
             machine."],
    );
    world.facts.swap_active = Some(true);
    check(&world, TEN, &[]);
}

#[test]
fn row_0_4_another_file_wins_over_the_runbooks_name_and_not_over_ours() {
    let debian = swappiness().with("/etc/sysctl.d/99-sysctl.conf", "vm.swappiness = 60");
    check(&debian, TEN, &[]);
    let mut named = resource(TEN);
    named.attributes.insert("drop_in".to_owned(), "99-etcd.conf".into());
    let impact = debian.judge_desired(&crate::kind().desired(&named).unwrap());
    let said: Vec<&str> = impact.advice.iter().map(|advice| advice.text.as_str()).collect();
    assert_eq!(
        said,
        [
            "/etc/sysctl.d/99-sysctl.conf:1 sets vm.swappiness = 60 after our file: the next boot would undo this. Remove \
          that line, or set drop_in to a later name."
        ]
    );
}

#[test]
fn a_keepalive_reaches_only_sockets_that_ask_for_it() {
    check(
        &World::new(&[("net.ipv4.tcp_keepalive_time", "7200"), ("net.ipv4.tcp_keepalive_intvl", "75")]),
        &[("net.ipv4.tcp_keepalive_time", "600"), ("net.ipv4.tcp_keepalive_intvl", "30")],
        &["# keepalive settings[\"net.ipv4.tcp_keepalive_intvl\"]: net.ipv4.tcp_keepalive_intvl and \
           net.ipv4.tcp_keepalive_time concern only sockets with SO_KEEPALIVE; the kernel's SMB client never sets it \
           (see \
           its echo_interval)."],
    );
}

#[test]
fn kubernetes_is_taken_into_account() {
    let world = World::new(&[("net.core.somaxconn", "4096"), ("vm.overcommit_memory", "1")]);
    let settings = &[("net.core.somaxconn", "65535"), ("vm.overcommit_memory", "0")];
    check(&world, settings, &[]);
    check(
        &world.with("/var/lib/kubelet/cpu_manager_state", "{}"),
        settings,
        &[
            "# pods settings[\"net.core.somaxconn\"]: net.core.somaxconn reaches no pod on this machine except those \
             with \
             hostNetwork; set securityContext.sysctls there.",
            "# kubelet settings[\"vm.overcommit_memory\"]: The kubelet sets vm.overcommit_memory = 1 at each start \
             and would \
             undo this.",
        ],
    );
}

#[test]
fn interfaces_are_taken_into_account() {
    check(
        &World::new(&[("net.ipv4.conf.eth0.rp_filter", "0"), ("net.ipv6.conf.all.forwarding", "0")]),
        &[("net.ipv4.conf.eth0.rp_filter", "1"), ("net.ipv6.conf.all.forwarding", "1")],
        &[
            "# spreads settings[\"net.ipv6.conf.all.forwarding\"]: Writing net.ipv6.conf.all.forwarding sets every \
             interface; an interface with a value of its own loses it, and undoing it does not bring that back.",
            "# interface settings[\"net.ipv4.conf.eth0.rp_filter\"]: net.ipv4.conf.eth0.rp_filter exists only with the \
             interface; a network manager may set another value when it comes up.",
        ],
    );
}

#[test]
fn row_0_6_the_background_threshold_must_be_below() {
    let pair = |first: &str| format!("{first}_ratio|{first}_bytes");
    let (foreground, background) = (pair("vm.dirty"), pair("vm.dirty_background"));
    let world = World::new(&[(&foreground, "vm.dirty_ratio=20"), (&background, "vm.dirty_background_ratio=10")])
        .with("/proc/sys/vm/dirty_ratio", "20\n")
        .with("/proc/sys/vm/dirty_bytes", "0\n")
        .with("/proc/sys/vm/dirty_background_ratio", "10\n")
        .with("/proc/sys/vm/dirty_background_bytes", "0\n");
    let warns = |world: &World, settings: &[(&str, &str)]| {
        world.judge(settings).advice.iter().any(|advice| short(advice.code.0) == "background_not_below")
    };
    assert!(!warns(&world, &[("vm.dirty_ratio", "15")]));
    assert!(warns(&world, &[("vm.dirty_ratio", "10")]));
    assert!(warns(&world, &[("vm.dirty_background_ratio", "20")]));
    assert!(!warns(&world, &[("vm.dirty_ratio", "5"), ("vm.dirty_background_ratio", "3")]));
    assert!(warns(&world, &[("vm.dirty_ratio", "3"), ("vm.dirty_background_ratio", "5")]));
    assert!(!warns(&world, &[("vm.dirty_background_bytes", "99999999")]));
    let bytes = world.with("/proc/sys/vm/dirty_bytes", "1048576\n");
    assert!(warns(&bytes, &[("vm.dirty_background_bytes", "1048576")]));
    assert!(!warns(&bytes, &[("vm.dirty_background_bytes", "524288")]));
}

#[test]
fn consent_is_asked_only_for_what_shrinks() {
    let world = World::new(&[("fs.inotify.max_user_watches", "8192")]);
    let needs = |value| {
        world
            .judge(&[("fs.inotify.max_user_watches", value)])
            .items
            .into_values()
            .flat_map(|item| item.needs.into_keys())
            .collect::<Vec<_>>()
    };
    assert_eq!(needs("4096"), [Consent::Decrease]);
    assert_eq!(needs("8192"), []);
    assert_eq!(needs("524288"), []);
}

#[test]
fn what_a_machine_says_is_shown_safely() {
    let mut world = World::new(&[]);
    world.facts.kernel = "6.1\u{1b}[2J".to_owned();
    world.facts.container = Some("lxc\u{1b}".to_owned());
    world.live.insert(FILE.to_owned(), Raw::File(FileState::public([0xff, 0xfe])));
    assert!(world.said(TEN).iter().all(|line| !line.contains('\u{1b}')));
}
