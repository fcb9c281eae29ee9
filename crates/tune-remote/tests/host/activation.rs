//! Activations, on hosts whose systemd and tools for boot images are scripts of the test's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tune_core::activation::{Activation, Verb};
use tune_core::contract::{Epoch, Order, Sent};

use crate::fence::wait_until;
use crate::ground::{Ground, LINEAGE, Recorder, Shell, batch, text};

/// What every one of them is asked is written down; what they answer stands in files below `/say`.
const TOOLS: [(&str, &str); 4] = [
    (
        "systemctl",
        "[ \"$1\" = show ] || [ \"$1\" = is-system-running ] || echo \"systemctl $*\" >>$root/asked
         case $1 in
         --no-wall|--no-ask-password) shift; [ \"$1\" != --no-ask-password ] || shift; [ ! -e $root/say/$1 ] || . $root/say/$1 ;;
         *) cat $root/say/$1; exit 1 ;;
         esac",
    ),
    ("journalctl", "cat $root/say/log"),
    ("reboot", "echo \"reboot $*\" >>$root/asked"),
    ("setsid", "exec \"$@\""),
];

struct Host {
    ground: Ground,
    tools: TempDir,
}

impl Host {
    /// A host without systemd.
    fn bare(shell: Shell) -> Self {
        let tools = tempfile::tempdir().unwrap();
        let fakes = tools.path().display().to_string();
        let ground = Ground::with(shell, |options| {
            let ground = options.ground.as_mut().unwrap();
            // No real tool may ever be found in the place of one of these.
            ground.tools = Some(format!("{fakes}:{}", ground.tools.as_deref().unwrap_or("/usr/bin:/bin")));
        });
        let host = Self { ground, tools };
        for (name, script) in TOOLS {
            host.tool(name, script);
        }
        fs::create_dir_all(host.ground.path("/say")).unwrap();
        host.ground.write("/proc/sys/kernel/random/boot_id", "boot-1\n");
        host
    }

    fn systemd(shell: Shell) -> Self {
        let host = Self::bare(shell);
        fs::create_dir_all(host.ground.path("/run/systemd/system")).unwrap();
        host.ground.write("/say/log", "");
        host.ground.write("/say/is-system-running", "running\n");
        host.unit(&[]);
        host
    }

    fn tool(&self, name: &str, script: &str) {
        let path = self.tools.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nroot='{}'\n{script}\n", self.ground.root.path().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What systemd says of the unit; `show` of the real one succeeds.
    fn unit(&self, properties: &[(&str, &str)]) {
        let mut all = BTreeMap::from([
            ("LoadState", "loaded"),
            ("ActiveState", "active"),
            ("SubState", "running"),
            ("Type", "notify"),
            ("InvocationID", "1111"),
            ("NeedDaemonReload", "no"),
        ]);
        all.extend(properties.iter().copied());
        let lines: String = all.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<Vec<_>>().concat();
        self.ground.write("/say/unit", lines);
        self.ground.write("/say/show", "");
        let (_, script) = TOOLS[0];
        self.tool("systemctl", &format!("if [ \"$1\" = show ]; then cat $root/say/unit; exit 0; fi\n{script}"));
    }

    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.ground.path("/asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }
}

fn reboot() -> Activation {
    Activation::machine(Verb::Reboot)
}

fn restart() -> Activation {
    Activation::of(Verb::Restart, "etcd@a.service")
}

fn order(sequence: u64, activation: Activation, mark: &str) -> Order {
    Order {
        lineage: LINEAGE.to_owned(),
        epoch: Epoch { run: 1, sequence },
        activation,
        mark: mark.to_owned(),
        deadline: Duration::from_mins(1),
    }
}

#[test]
fn a_machine_is_up_when_its_units_are() {
    for shell in Shell::all() {
        let host = Host::bare(shell);
        let sight = host.ground.sight(&reboot()).unwrap();
        assert_eq!((sight.mark.as_str(), sight.waits_for), ("boot-1", None), "{shell:?}");
        let host = Host::systemd(shell);
        for (state, waits) in [
            ("running", None),
            ("degraded", None),
            ("initializing", Some("units to start")),
            ("starting", Some("units to start")),
            ("stopping", Some("the shutdown that is under way")),
            ("maintenance", Some("somebody to end its rescue mode")),
            ("unknown", Some("systemd to answer")),
            ("", Some("systemd to answer")),
        ] {
            host.ground.write("/say/is-system-running", format!("{state}\n"));
            assert_eq!(host.ground.sight(&reboot()).unwrap().waits_for.as_deref(), waits, "{shell:?} {state}");
        }
        fs::remove_file(host.ground.path("/proc/sys/kernel/random/boot_id")).unwrap();
        assert_eq!(host.ground.sight(&reboot()).unwrap_err().code.0, "tune::remote::unreadable");
    }
}

#[test]
fn a_unit_is_up_when_it_is_active() {
    for shell in Shell::all() {
        let host = Host::systemd(shell);
        for (properties, waits) in [
            (&[("ActiveState", "active")][..], None),
            (&[("ActiveState", "reloading"), ("SubState", "reload")], Some("etcd@a.service to reload")),
            (
                &[("ActiveState", "activating"), ("SubState", "auto-restart")],
                Some("etcd@a.service to start (auto-restart)"),
            ),
            (
                &[("ActiveState", "deactivating"), ("SubState", "stop-sigterm")],
                Some("etcd@a.service to stop (stop-sigterm)"),
            ),
            (&[("ActiveState", "inactive"), ("SubState", "dead")], Some("etcd@a.service to run (it is inactive)")),
            (&[("ActiveState", "inactive"), ("SubState", "dead"), ("Type", "oneshot")], None),
            // A mount or a timer has no type.
            (&[("ActiveState", "active"), ("Type", "")], None),
        ] {
            host.unit(properties);
            let sight = host.ground.sight(&restart()).unwrap();
            assert_eq!((sight.mark.as_str(), sight.waits_for.as_deref()), ("1111", waits), "{shell:?} {properties:?}");
        }
        host.unit(&[("ActiveState", "failed"), ("SubState", "failed")]);
        host.ground.write("/say/log", "listening\nbad value: \u{1b}[31m`x`\n");
        let error = host.ground.sight(&restart()).unwrap_err();
        assert_eq!((error.code.0, error.transient), ("tune::remote::unit_failed", false));
        assert!(error.message.ends_with(" has failed: listening; bad value: ␛[31m`x`"), "{error:?}");
        for (load, words) in [("not-found", "has no unit `etcd@a.service`"), ("masked", "it is masked")] {
            host.unit(&[("LoadState", load), ("ActiveState", "inactive")]);
            for error in [
                host.ground.sight(&restart()).unwrap_err(),
                host.ground.activate(&order(u64::from(load == "masked") + 1, restart(), "1111")).unwrap_err(),
            ] {
                assert_eq!((error.code.0, error.sent), ("tune::remote::no_unit", Sent::No));
                assert!(error.message.contains(words), "{error:?}");
            }
        }
        assert_eq!(host.asked(), Vec::<String>::new());
    }
}

#[test]
fn without_systemd_there_are_no_units_and_a_bad_name_is_none() {
    let host = Host::bare(Shell::all()[0]);
    assert_eq!(host.ground.sight(&restart()).unwrap_err().code.0, "tune::remote::no_systemd");
    for name in ["", "--now", "a;b", "$(id)", "*.service"] {
        let activation = Activation::of(Verb::Reload, name);
        assert_eq!(host.ground.sight(&activation).unwrap_err().code.0, "tune::remote::unit_name");
        assert_eq!(host.ground.activate(&order(1, activation, "")).unwrap_err().code.0, "tune::remote::unit_name");
    }
    let cycle = Activation::of(Verb::PowerCycle, "107");
    assert_eq!(host.ground.activate(&order(1, cycle, "x")).unwrap_err().code.0, "tune::remote::activation");
    assert_eq!(host.ground.activate(&order(1, reboot(), "")).unwrap_err().code.0, "tune::remote::activation");
    assert_eq!(host.asked(), Vec::<String>::new());
}

#[test]
fn a_reboot_is_ordered_once_and_only_of_the_boot_that_was_seen() {
    for shell in Shell::all() {
        let host = Host::systemd(shell);
        host.ground.activate(&order(1, reboot(), "boot-0")).unwrap();
        assert_eq!(host.asked(), Vec::<String>::new(), "{shell:?}: it has happened already");
        host.ground.activate(&order(2, reboot(), "boot-1")).unwrap();
        assert_eq!(host.asked(), ["systemctl --no-wall --no-ask-password reboot"], "{shell:?}");
        let again = host.ground.activate(&order(2, reboot(), "boot-1")).unwrap_err();
        assert_eq!((again.code.0, again.sent), ("tune::remote::stale", Sent::No));
        assert_eq!(host.asked().len(), 1);

        host.ground.write("/say/reboot", "echo 'Operation inhibited by \"apt\"' >&2; exit 1");
        let error = host.ground.activate(&order(3, reboot(), "boot-1")).unwrap_err();
        assert_eq!((error.code.0, error.sent, error.transient), ("tune::remote::activation", Sent::Perhaps, false));
        assert!(error.message.contains(": Operation inhibited by \"apt\""), "{error:?}");

        // The shell of busybox takes its own tools before any other, and this one must never be the real one.
        if shell == Shell::Busybox {
            continue;
        }
        let bare = Host::bare(shell);
        bare.ground.activate(&order(1, reboot(), "boot-1")).unwrap();
        wait_until(|| bare.asked() == ["reboot "]);
    }
}

#[test]
fn a_unit_is_restarted_and_reloaded() {
    for shell in Shell::all() {
        let host = Host::systemd(shell);
        host.ground.activate(&order(1, restart(), "1111")).unwrap();
        host.ground.activate(&order(2, Activation::of(Verb::Reload, r"a\x2db.service"), "1111")).unwrap();
        // The unit has been started since: whoever did it, it runs what is configured.
        host.ground.activate(&order(3, restart(), "0000")).unwrap();
        host.unit(&[("NeedDaemonReload", "yes")]);
        // Nothing was known of the start that it ends.
        host.ground.activate(&order(4, restart(), "")).unwrap();
        let asked = [
            "systemctl --no-ask-password restart -- etcd@a.service",
            r"systemctl --no-ask-password reload -- a\x2db.service",
            "systemctl --no-ask-password daemon-reload",
            "systemctl --no-ask-password restart -- etcd@a.service",
        ];
        assert_eq!(host.asked(), asked, "{shell:?}");

        // Files that systemd has never seen are edited as well.
        let unit = "/etc/systemd/system/etcd@a.service";
        let known = [("FragmentPath", unit), ("DropInPaths", "/x.conf /etc/systemd/system/etcd@a.service.d/a.conf")];
        fs::create_dir_all(host.ground.path(&format!("{unit}.d"))).unwrap();
        host.ground.write(unit, "");
        host.ground.write(&format!("{unit}.d/a.conf"), "");
        for (sequence, (properties, reloads)) in
            [(&known[..], 1), (&known[..1], 2), (&known[1..], 3)].into_iter().enumerate()
        {
            host.unit(properties);
            host.ground.activate(&order(10 + sequence as u64, restart(), "1111")).unwrap();
            let asked = host.asked();
            assert_eq!(
                asked.iter().filter(|line| line.ends_with("daemon-reload")).count(),
                reloads,
                "{shell:?} {asked:?}"
            );
        }

        host.ground.write("/say/restart", "echo 'Job failed.' >&2; exit 1");
        host.ground.write("/say/log", "cannot bind\n");
        let error = host.ground.activate(&order(20, restart(), "1111")).unwrap_err();
        assert_eq!((error.code.0, error.sent, error.transient), ("tune::remote::activation", Sent::Perhaps, false));
        assert!(error.message.starts_with("the restart of etcd@a.service on "), "{error:?}");
        assert!(error.message.ends_with(" failed: Job failed.: cannot bind"), "{error:?}");
    }
}

#[test]
fn a_restart_that_hangs_is_given_up_and_frees_the_lock() {
    for shell in Shell::all() {
        let host = Host::systemd(shell);
        host.ground.write("/say/restart", "sleep 600");
        let mut slow = order(1, restart(), "1111");
        slow.deadline = Duration::from_secs(1);
        let begun = Instant::now();
        let error = host.ground.activate(&slow).unwrap_err();
        assert_eq!((error.code.0, error.sent), ("tune::remote::timeout", Sent::Perhaps), "{shell:?} {error:?}");
        assert!(begun.elapsed() < Duration::from_mins(1), "{shell:?}");
        host.ground.fence(1, 2).unwrap();
    }
}

/// The machine that sent it has given up and looked; its script arrives then.
#[test]
fn an_activation_that_arrives_late_is_refused() {
    for shell in Shell::all() {
        let host = Host::systemd(shell);
        let orders = [order(1, reboot(), "boot-1"), order(2, restart(), "1111")];
        let late = orders.map(|order| Recorder::of_order(&host.ground, &order));
        host.ground.fence(1, 2).unwrap();
        for recorder in &late {
            recorder.run(&recorder.script());
        }
        assert_eq!(host.asked(), Vec::<String>::new(), "{shell:?}");
        // It is the fence that kept them out.
        let recorder = Recorder::of_order(&host.ground, &order(3, restart(), "1111"));
        for part in 1..20 {
            recorder.run(&recorder.script()[..recorder.script().len() * part / 20]);
        }
        assert_eq!(host.asked(), Vec::<String>::new(), "{shell:?}: a part of a script does nothing");
        recorder.run(&recorder.script());
        assert_eq!(host.asked().len(), 1, "{shell:?}");
    }
}

/// Whoever holds the lock is waited for, and named.
#[test]
fn an_activation_takes_the_lock() {
    let host = Host::systemd(Shell::all()[0]);
    assert!(Command::new("mkfifo").arg(host.ground.path("/proc/sys/vm/slow")).status().unwrap().success());
    let slow = batch(1, 1, &[("value:/proc/sys/vm/slow", text("1"), text("1"))]);
    let mut script = Recorder::new(&host.ground, &slow).start();
    wait_until(|| host.ground.exists("/run/tune/epoch.3f1c-test"));
    let error = host.ground.activate(&order(2, restart(), "1111")).unwrap_err();
    assert_eq!((error.code.0, error.sent), ("tune::remote::busy", Sent::No));
    fs::write(host.ground.path("/proc/sys/vm/slow"), "1\n").unwrap();
    script.wait().unwrap();
    assert_eq!(host.asked(), Vec::<String>::new());
    host.ground.activate(&order(3, restart(), "1111")).unwrap();
}

#[test]
fn a_boot_image_is_built_by_whichever_tool_is_there() {
    for shell in Shell::all() {
        let host = Host::bare(shell);
        let image = Activation::machine(Verb::BootImage);
        assert_eq!(host.ground.sight(&image).unwrap().mark, "", "{shell:?}");
        if !["update-initramfs", "dracut"].iter().any(|tool| std::path::Path::new("/usr/bin").join(tool).exists()) {
            let error = host.ground.activate(&order(1, image.clone(), "")).unwrap_err();
            assert_eq!((error.code.0, error.sent), ("tune::remote::missing_tool", Sent::No));
        }
        let build = |name: &str| format!("echo \"{name} $*\" >>$root/asked; echo image >$root/boot/initrd.img-6.1");
        fs::create_dir_all(host.ground.path("/boot")).unwrap();
        host.tool("dracut", &build("dracut"));
        host.ground.activate(&order(2, image.clone(), "")).unwrap();
        host.tool("update-initramfs", &build("update-initramfs"));
        let before = host.ground.sight(&image).unwrap();
        assert_eq!(before.waits_for, None);
        assert!(before.mark.starts_with("20"), "{before:?}");
        host.ground.activate(&order(3, image.clone(), &before.mark)).unwrap();
        assert_eq!(host.asked(), ["dracut -f --regenerate-all", "update-initramfs -u -k all"], "{shell:?}");

        fs::File::open(host.ground.path("/boot/initrd.img-6.1"))
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        let old = host.ground.sight(&image).unwrap();
        assert!(old.mark.starts_with("1970-01-01 00:00:00"), "{old:?}");
        // Somebody has built it since.
        host.ground.activate(&order(4, image.clone(), &before.mark)).unwrap();
        assert_eq!(host.asked().len(), 2, "{shell:?}");

        host.tool(
            "update-initramfs",
            "for n in 1 2 3 4 5 6 7 8 9 10; do echo \"step $n\"; done; echo 'No space left' >&2; exit 1",
        );
        let error = host.ground.activate(&order(5, image, &old.mark)).unwrap_err();
        assert_eq!((error.code.0, error.sent), ("tune::remote::activation", Sent::Perhaps));
        assert!(error.message.contains("step 10; No space left") && !error.message.contains("step 3;"), "{error:?}");
    }
}
