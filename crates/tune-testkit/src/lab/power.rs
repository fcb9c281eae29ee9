//! Switching a host of the lab off and on, rebooting it, and the modules that its boots load.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::host::{Host, lock, must, run};
use super::{Tier, cell};

/// How long a host may take to boot, on a machine that does much else.
const BOOT: Duration = Duration::from_secs(90);

/// How long a host that has booted may take until its sshd answers.
const ANSWER: Duration = Duration::from_mins(1);

impl Host {
    /// Switches the host off and on again, or has its systemd reboot, and returns when ssh is answered again.
    #[track_caller]
    pub fn reboot(&self) {
        let before = self.boot_id();
        // What holds the old namespaces open must not outlive them.
        let inside = self.inside();
        self.entrance.close();
        let mut body = lock(&self.body);
        let inside = must(body.reboot(&inside), "the host does not come back");
        self.entrance.open(inside, body.supervisor());
        drop(body);
        assert!(before != self.boot_id(), "`{}` has the boot id of before its reboot", self.name());
        must(self.wait_for_ssh(), "the host does not come back");
    }

    /// Waits until a booted host that reboots by itself, because somebody told its systemd to, runs another boot than
    /// `before` and answers over ssh.
    #[track_caller]
    pub fn wait_for_reboot(&self, before: &str) {
        let start = Instant::now();
        loop {
            if self.boot_id_now().is_some_and(|boot_id| boot_id != before) {
                break;
            }
            assert!(start.elapsed() < BOOT, "`{}` did not reboot within {BOOT:?}", self.name());
            thread::sleep(Duration::from_millis(20));
        }
        must(self.wait_for_ssh(), "the host does not come back");
    }

    /// Switches the host off as pulling its plug would; connections are refused until it is switched on.
    #[track_caller]
    pub fn power_off(&self) {
        let mut door = lock(&self.door);
        door.close();
        self.entrance.close();
        lock(&self.body).power_off();
        door.cut();
    }

    /// Switches the host on, also one that has switched itself off.
    #[track_caller]
    pub fn power_on(&self) {
        let mut body = lock(&self.body);
        body.power_off();
        let inside = must(body.power_on(), "the host does not start");
        self.entrance.open(inside, body.supervisor());
        drop(body);
        self.start_ssh();
        must(self.wait_for_ssh(), "the host does not come back");
    }

    /// Returns whether the host is up: its process 1 runs, and its boot has come as far as its own values.
    pub fn is_on(&self) -> bool {
        self.entrance.inside().is_some()
    }

    /// Returns the boot id, if the host is up.
    pub fn boot_id_now(&self) -> Option<String> {
        let inside = self.entrance.inside()?;
        let boot_id = fs::read_to_string(inside.path("/proc/sys/kernel/random/boot_id")).ok()?;
        Some(boot_id.trim_end().to_owned())
    }

    /// Gives the host a kernel module of its own: plain files in /sys/module/NAME/parameters, by name, mode and default.
    /// They are filled now and anew at each boot, from the defaults and then from modprobe.d in the order of kmod. Like all
    /// values of the lab they judge nothing. Other modules are not seen on the host any more.
    #[track_caller]
    pub fn set_module(&self, module: &str, parameters: &[(&str, u32, &str)]) {
        for (name, mode, value) in parameters {
            let path = format!("/etc/tune-lab/modules/{module}/{name}");
            self.write_file(&path, format!("{value}\n"));
            let _ = run(&self.command("sh"), &["chmod \"$1\" \"$2\"", &format!("{mode:o}"), &path], b"").success();
        }
        let script = match self.tier() {
            Tier::Sshd => cell::MODULES,
            Tier::Nspawn => "/usr/lib/tune-lab/modules",
        };
        let _ = run(&self.inside().privileged("sh"), &[script], b"").success();
    }

    /// Waits until a command over ssh is answered by the boot that is running.
    pub(super) fn wait_for_ssh(&self) -> io::Result<()> {
        if self.tier() == Tier::Sshd {
            // Here each connection starts its own sshd, which needs nothing that comes up later.
            return Ok(());
        }
        let boot_id = self.boot_id();
        let start = Instant::now();
        loop {
            let output = self.ssh("root", "cat /proc/sys/kernel/random/boot_id");
            if output.stdout.trim_end() == boot_id {
                return Ok(());
            }
            if start.elapsed() > ANSWER {
                return Err(io::Error::other(format!("`{}` does not answer over ssh: {output:?}", self.name())));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
