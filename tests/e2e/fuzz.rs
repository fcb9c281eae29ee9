//! What is fuzzed takes its seeds, whole and cut off at many places, as an ordinary test.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::support::root;

#[expect(unreachable_pub, reason = "it is a crate of its own for the fuzzers")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

type Target = fn(&[u8]);

/// A seed is cut off at about so many places.
const CUTS: usize = 40;

/// Every target, by the name of its folder of seeds.
const TARGETS: [(&str, Target); 10] = [
    ("configuration", targets::configuration),
    ("expression", targets::expression),
    ("format", targets::format),
    ("state", targets::state),
    ("recording", targets::recording),
    ("saved_plan", targets::saved_plan),
    ("test_file", targets::test_file),
    ("sysctl_conf", targets::sysctl_conf),
    ("modprobe_conf", targets::modprobe_conf),
    ("drive", targets::drive),
];

fn folder(name: &str) -> PathBuf {
    root().join("tests/fuzz").join(name)
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let seeds = fs::read_dir(folder("seeds").join(name)).unwrap();
    let mut paths: Vec<PathBuf> = seeds.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name}");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn every_target_takes_its_seeds() {
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            for end in (0..seed.len()).step_by(seed.len() / CUTS + 1) {
                target(&seed[..end]);
            }
            target(&seed);
        }
        assert!(folder("fuzz_targets").join(format!("{name}.rs")).exists(), "{name} has no fuzz target");
    }
    let named: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let seeded = fs::read_dir(folder("seeds")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(seeded.map(|name| name.to_string_lossy().into_owned()).collect::<BTreeSet<_>>(), named);
}

/// Seeds with mistakes put in: a few in every run, the same ones each time, and as many as `TUNE_FUZZ` says where no
/// fuzzer is at hand. What breaks one is printed.
#[test]
fn every_target_takes_seeds_with_mistakes() {
    let rounds: u64 = std::env::var("TUNE_FUZZ").map_or(60, |rounds| rounds.parse().unwrap());
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        for round in 0..rounds {
            let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let text = spoiled(&seeds, &mut random);
            let ended = std::panic::catch_unwind(|| target(&text));
            assert!(ended.is_ok(), "{name}, round {round}: {}", text.escape_ascii());
        }
    }
}

/// What means something in one of the languages that are read.
const PIECES: [&str; 40] = [
    "\"",
    "${",
    "%{",
    "}",
    "{",
    "[",
    "]",
    "(",
    ")",
    "<<-E\n",
    "\nE\n",
    "\\",
    "\\u",
    "~}",
    "for x in ",
    " if ",
    "...",
    "=>",
    "[*]",
    ".*",
    "?",
    ":",
    "&&",
    "!",
    "-",
    "/ 0",
    "1e999",
    "99999999999999999999",
    "null",
    "\u{feff}",
    "é",
    "\u{0}",
    "\n",
    "\r\n",
    "#",
    "/*",
    "self",
    "var.a",
    "=",
    ",",
];

fn spoiled(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut text = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let (from, to) = (random.below(text.len() + 1), random.below(text.len() + 1));
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 64));
        match random.below(6) {
            0 => drop(text.drain(from..to)),
            1 => drop(text.splice(from..from, PIECES[random.below(PIECES.len())].bytes())),
            2 => drop(text.splice(from..to, PIECES[random.below(PIECES.len())].bytes())),
            3 => {
                let again = text[from..to].to_vec();
                drop(text.splice(from..from, again));
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let start = random.below(other.len() + 1);
                let piece = other[start..other.len().min(start + 64)].to_vec();
                drop(text.splice(from..to, piece));
            }
            _ if from < text.len() => text[from] ^= 1 << random.below(8),
            _ => {}
        }
    }
    text
}

/// Xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (end as u64).max(1)).unwrap()
    }
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
        targets::saved_plan(text.as_bytes());
        targets::test_file(text.as_bytes());
    }
}
