//! What is fuzzed takes its seeds, whole and cut off at many places, as an ordinary test.

use std::collections::BTreeSet;
use std::fs;

use crate::support::root;

#[expect(unreachable_pub, reason = "it is a crate of its own for the fuzzers")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

type Target = fn(&[u8]);

/// A seed is cut off at about so many places.
const CUTS: usize = 40;

#[test]
fn every_target_takes_its_seeds() {
    let run: [(&str, Target); 9] = [
        ("configuration", targets::configuration),
        ("expression", targets::expression),
        ("format", targets::format),
        ("state", targets::state),
        ("recording", targets::recording),
        ("test_file", targets::test_file),
        ("sysctl_conf", targets::sysctl_conf),
        ("modprobe_conf", targets::modprobe_conf),
        ("drive", targets::drive),
    ];
    let folder = |name: &str| root().join("tests/fuzz").join(name);
    for (name, target) in run {
        let seeds = fs::read_dir(folder("seeds").join(name)).unwrap();
        let seeds: Vec<Vec<u8>> = seeds.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            for end in (0..seed.len()).step_by(seed.len() / CUTS + 1) {
                target(&seed[..end]);
            }
            target(&seed);
        }
        assert!(folder("fuzz_targets").join(format!("{name}.rs")).exists(), "{name} has no fuzz target");
    }
    let named: BTreeSet<String> = run.iter().map(|(name, _)| (*name).to_owned()).collect();
    let seeded = fs::read_dir(folder("seeds")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(seeded.map(|name| name.to_string_lossy().into_owned()).collect::<BTreeSet<_>>(), named);
}

/// The fuzzers would find these at once.
#[test]
fn known_hard_inputs_end_in_time() {
    let nested = "[".repeat(20_000);
    let doubling = (1..40).map(|n| format!("  a{n} = \"${{local.a{0}}}${{local.a{0}}}\"", n - 1));
    let doubled = format!("locals {{\n  a0 = \"x\"\n{}\n}}\n", doubling.collect::<Vec<_>>().join("\n"));
    for text in [nested.as_str(), &"(".repeat(5_000), &"-".repeat(5_000), &doubled, "x = \"${", "\u{0}", "\u{feff}x"] {
        targets::configuration(text.as_bytes());
        targets::expression(text.as_bytes());
        targets::format(text.as_bytes());
        targets::state(text.as_bytes());
        targets::recording(text.as_bytes());
        targets::test_file(text.as_bytes());
    }
}
