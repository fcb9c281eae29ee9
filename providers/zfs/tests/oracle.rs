//! The simulation of the next load against the real modprobe, which joins the files of a directory with the same code
//! that it uses when it loads a module.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use proptest::prelude::*;

use tune_core::item::{ItemKey, Raw};
use tune_remote::{Evidence, Found, HostKind as _};

const DIRECTORIES: [&str; 4] =
    ["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d"];

/// The parameters that the random files are about. No kernel command line speaks of them.
const KEYS: [&str; 3] = ["tz_fs.t_a", "tz_fs.b", "tzb.t_a"];

/// What `modprobe -c` prints of these files: its options lines, in order.
fn real(files: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new("modprobe");
    command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").arg("-c");
    for directory in DIRECTORIES {
        let there = root.path().join(&directory[1..]);
        fs::create_dir_all(&there).unwrap();
        command.arg("-C").arg(&there);
    }
    for (path, text) in files {
        fs::write(root.path().join(&path[1..]), text).unwrap();
    }
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let options = text.split('\n').filter(|line| line.starts_with("options tz"));
    Some(options.map(str::to_owned).collect())
}

/// What follows from modprobe's lines: they are as good as one file that holds nothing else.
fn from_real(lines: &[String]) -> Vec<Option<String>> {
    computed(&BTreeMap::from([("/etc/modprobe.d/real.conf".to_owned(), lines.join("\n"))]))
}

/// What the kind says of the next load, given these files.
fn computed(files: &BTreeMap<String, String>) -> Vec<Option<String>> {
    let evidence = Evidence { files: files.clone(), ..Evidence::default() };
    let found = Found { raw: Raw::Absent, writable: true, mode: None };
    let of = |key: &str| tune_zfs::kind().layers(&ItemKey::from(key), &found, &evidence).unwrap().next_start.value;
    KEYS.into_iter().map(of).collect()
}

fn any_files() -> impl Strategy<Value = BTreeMap<String, String>> {
    let line = "(options|options|options|options|options|\\\\options| options|\t options|#options|option|alias)[ \t]{1,2}\
                (tz-fs|tz_fs|tz_fs|tzb|tzb|tz\\[-\\]b|tz\\]b|#tzb|)( |\t|  |\\\\\n|\\\\)\
                ((t_a|t-a|b)(=[0-9]|=|=\"[0-9] [0-9]\"|)( |\t| \\\\\n|\\\\|#|)){1,4}";
    let path = "/(etc|run|usr/local/lib|usr/lib)/modprobe\\.d/(a\\.conf|a-b\\.conf|B\\.conf|zz\\.conf|zfs\\.conf|\
                zfs-etcd\\.conf|\\.hidden\\.conf|README|x\\.conf~)";
    let text = proptest::collection::vec(line, 2..6).prop_map(|lines| format!("{}\n", lines.join("\n")));
    proptest::collection::btree_map(path, text, 1..6)
}

#[test]
fn what_modprobe_joins_is_what_was_computed() {
    let probe = BTreeMap::from([("/etc/modprobe.d/a.conf".to_owned(), "options tzb b=1\n".to_owned())]);
    if real(&probe) != Some(vec!["options tzb b=1".to_owned()]) {
        eprintln!("skipped: this machine has no modprobe that prints the options of a directory");
        return;
    }
    let n_set = Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&any_files(), |files| {
        let real = real(&files).unwrap();
        let computed = computed(&files);
        n_set.set(n_set.get() + computed.iter().flatten().count());
        prop_assert_eq!(from_real(&real), computed, "{:?}", real);
        Ok(())
    });
    result.unwrap();
    assert!(n_set.get() > 100, "the cases are about something: {}", n_set.get());
}
