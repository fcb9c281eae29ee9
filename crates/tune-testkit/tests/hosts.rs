//! The contract over real scripts: the toy kind and the sysctl provider, on a directory that a shell takes for a host's
//! root. Plain files stand in for the kernel's values, so nothing here is clamped, paired or refused.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tune_core::contract::{Connection, Connector, Kind};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::resource::{Become, Host, Transport};
use tune_remote::{HostKind, Options, SshConnector, Target, TestGround};
use tune_testkit::contract::{Fixture, Sample};
use tune_testkit::fleet::host_address;
use tune_testkit::setting::{self, Setting};

/// A directory that scripts take for the root of a host.
struct Ground {
    root: TempDir,
    kind: Arc<dyn HostKind>,
    samples: Vec<Sample>,
}

impl Ground {
    fn new(kind: Arc<dyn HostKind>, values: &[(&str, &str)], samples: Vec<Sample>) -> Self {
        let root = TempDir::with_prefix("tune-ground-").expect("a directory can be made");
        let texts = [("etc/machine-id", "0123456789abcdef0123456789abcdef"), ("proc/sys/kernel/random/boot_id", "b")];
        for (path, value) in texts.iter().chain(values) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it is below the root")).expect("it can be made");
            fs::write(path, format!("{value}\n")).expect("it can be written");
        }
        for directory in ["run", "var/lib", "etc/setting.d", "etc/sysctl.d"] {
            fs::create_dir_all(root.path().join(directory)).expect("it can be made");
        }
        Self { root, kind, samples }
    }

    fn setting() -> Self {
        let values =
            [("proc/setting/plain/a", "60"), ("proc/setting/plain/b", "4096\t87380"), ("proc/setting/plain/c", "on")];
        let file = |text: &str| Raw::File(FileState { mode: 0o600, ..FileState::public(text) });
        let samples = vec![
            sample("plain.a".into(), text("10"), text("11"), vec![text("010")]),
            sample("plain.b".into(), text("1 2"), text("1 3"), vec![text("1\t2")]),
            sample("plain.c".into(), text("it's \"$HOME\" `x` \\n"), text("* ; #"), Vec::new()),
            sample(setting::file_key("new"), file("a = 1\n"), file("a = 2\n"), Vec::new()),
        ];
        Self::new(Arc::new(Setting), &values, samples)
    }

    fn sysctl() -> Self {
        let values = [("proc/sys/vm/swappiness", "60"), ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456")];
        let file = |text: &str| Raw::File(FileState::public(text));
        let samples = vec![
            sample("vm.swappiness".into(), text("10"), text("11"), vec![text("0xa")]),
            sample("net.ipv4.tcp_rmem".into(), text("4096 131072 33554432"), text("1 2 3"), Vec::new()),
            sample("/etc/sysctl.d/99-zz-tune.conf".into(), file("vm.swappiness = 10\n"), file("x = 1\n"), Vec::new()),
        ];
        Self::new(tune_sysctl::kind(), &values, samples)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }
}

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

fn sample(key: ItemKey, after: Raw, foreign: Raw, spellings: Vec<Raw>) -> Sample {
    Sample { key, after, foreign, spellings }
}

impl Fixture for Ground {
    fn kind(&self) -> Arc<dyn Kind> {
        self.kind.clone()
    }

    fn connection(&self) -> Arc<dyn Connection> {
        let ground = TestGround { root: self.root.path().to_owned(), tools: None, shell: None };
        let options = Options { ground: Some(ground), ..Options::new("/tmp", "me@here") };
        let kinds = [(self.kind.schema().kind, self.kind.clone())].into();
        let host = Host {
            name: "ground".to_owned(),
            address: host_address("ground"),
            transport: Transport::Local,
            become_: Become::No,
        };
        SshConnector::new(kinds, options).connect(&host)
    }

    fn samples(&self) -> Vec<Sample> {
        self.samples.clone()
    }

    fn write_by_hand(&self, key: &ItemKey, raw: &Raw) {
        match (self.kind.target(key), raw) {
            (Some(Target::Value { path }), Raw::Text(text)) => {
                fs::write(self.path(&path), format!("{text}\n")).expect("it can be written");
            }
            (Some(Target::File { path }), Raw::File(file)) => {
                fs::write(self.path(&path), &file.content).expect("it can be written");
                let mode = fs::Permissions::from_mode(file.mode);
                fs::set_permissions(self.path(&path), mode).expect("it can be changed");
            }
            (target, raw) => unreachable!("{raw:?} is no sample for {target:?}"),
        }
    }

    /// Everything but the lock and the fence, which every batch moves.
    fn everything(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(self.root.path(), &mut found);
        let run = self.path("run").display().to_string();
        found.retain(|path, _| !path.starts_with(&run) && !path.ends_with("/epoch"));
        found
    }
}

fn collect(path: &Path, found: &mut BTreeMap<String, String>) {
    let meta = path.symlink_metadata().expect("it is there");
    let content = if meta.is_dir() {
        for entry in fs::read_dir(path).expect("it can be read") {
            collect(&entry.expect("it can be read").path(), found);
        }
        String::new()
    } else {
        String::from_utf8_lossy(&fs::read(path).expect("it can be read")).into_owned()
    };
    found.insert(path.display().to_string(), format!("{:o} {} {content}", meta.mode(), meta.uid()));
}

mod toy {
    tune_testkit::contract!(super::Ground::setting());
}

mod sysctl {
    tune_testkit::contract!(super::Ground::sysctl());
}
