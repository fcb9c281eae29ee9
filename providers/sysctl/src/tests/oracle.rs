//! The simulation of the next boot against the real systemd-sysctl, on a host of the test's own whose vm.* are plain
//! files. The files of each case are applied in one go, as at a boot.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tune_testkit::lab::{Lab, Tier};

use crate::boot::{Boot, Outcome, Program};

/// How many random sets of files are tried.
const N_CASES: u64 = 200;

/// The settings that are looked at, and the file in which each ends up. On the host, the two halves of the pair are one
/// file, so that the one that was written last is seen.
const SETTINGS: [(&[&str], &str); 3] = [
    (&["vm.swappiness"], "swappiness"),
    (&["vm.dirty_ratio", "vm.dirty_bytes"], "dirty_ratio"),
    (&["vm.laptop_mode"], "laptop_mode"),
];

const DIRECTORIES: [&str; 4] = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];
const NAMES: [&str; 6] = ["10.conf", "99-a.conf", "99-zz.conf", "Z.conf", "zz-late.conf", ".hidden.conf"];
const LEFT: [&str; 11] = [
    "vm.swappiness",
    "vm/swappiness",
    "vm//swappiness",
    "vm.swap*",
    "vm.*_mode",
    "vm.laptop_mode",
    "vm.dirty_ratio",
    "vm.dirty_bytes",
    "vm.dirty_[br]*",
    "vm.dirty_b*s",
    "vm.{dirty_ratio,laptop_mod?}",
];
const FRAMES: [&str; 8] = ["L=V", "L = V ", "-L=V", " -L = V", "-L", "# L = V", "; L = V", "L"];

#[test]
fn what_systemd_sets_is_what_was_computed() {
    tune_testkit::require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["oracle"]);
    let cases: Vec<BTreeMap<String, String>> = (0..N_CASES).map(case).collect();
    let host = lab.host("oracle");
    host.write_file("/tmp/oracle.sh", script(&cases));
    let output = host.exec("sh /tmp/oracle.sh").success();
    let found: Vec<&str> = output.lines().collect();
    assert_eq!(found.len(), cases.len(), "{output}");
    let mut n_set = 0;
    for (files, found) in cases.iter().zip(found) {
        let boot = Boot::of(Program::Systemd, files.iter().map(|(path, text)| (&**path, &**text)));
        let expect = SETTINGS.map(|(names, _)| match boot.outcome(names) {
            Outcome::Set(set) => set.value,
            Outcome::KernelDefault | Outcome::Excluded(_) => "0".to_owned(),
        });
        n_set += expect.iter().filter(|value| *value != "0").count();
        assert_eq!(found, expect.join(" "), "{files:#?}");
    }
    assert!(n_set > cases.len(), "the cases are about something: {n_set}");
}

/// Random files, the same for the same number. Every value is one digit and none is 0, so that a file that is written
/// over holds nothing of what was there before.
fn case(seed: u64) -> BTreeMap<String, String> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % n
    };
    let mut files = BTreeMap::new();
    for _ in 0..=below(5) {
        let path = format!("{}/{}", DIRECTORIES[below(4)], NAMES[below(6)]);
        let lines: String = (0..below(5))
            .map(|_| {
                let value = (b'1' + u8::try_from(below(4)).unwrap_or_default()) as char;
                let left = LEFT[below(LEFT.len())];
                format!("{}\n", FRAMES[below(FRAMES.len())].replace('L', left).replace('V', &value.to_string()))
            })
            .collect::<Vec<_>>()
            .concat();
        files.insert(path, lines);
    }
    files
}

/// Makes the files of each case, applies them, and prints what each setting is then, one line per case.
fn script(cases: &[BTreeMap<String, String>]) -> String {
    let mut script = "set -eu\n\
        [ \"$(stat -f -c %T /proc/sys/vm)\" = tmpfs ]\n\
        cd /proc/sys/vm\n\
        rm dirty_bytes\n\
        ln dirty_ratio dirty_bytes\n"
        .to_owned();
    let directories = DIRECTORIES.join(" ");
    let names = SETTINGS.map(|(_, file)| file).join(" ");
    for files in cases {
        let _ = writeln!(script, "mkdir -p {directories}\nfind {directories} -type f -delete");
        for name in names.split(' ') {
            let _ = writeln!(script, "echo 0 >{name}");
        }
        for (path, text) in files {
            let _ = writeln!(script, "cat >{path} <<'END'\n{text}END");
        }
        let _ = writeln!(script, "/usr/lib/systemd/systemd-sysctl >/dev/null 2>&1 || :");
        let _ = writeln!(script, "echo $(head -qn1 {names})");
    }
    script
}
