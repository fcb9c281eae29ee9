//! Asks Terraform itself how it lays out the texts that our layout is tested with, where one is installed.

#[path = "../src/format/tests/texts.rs"]
mod texts;

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tune_config::format;

/// How many random texts are compared; each is one process of Terraform.
const TEXTS: usize = 20;

/// What the real program makes of a text; `None` where it is not installed.
fn terraform(text: &str) -> Option<String> {
    let mut child = Command::new("terraform")
        .args(["fmt", "-"])
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("it reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends with its input");
    assert!(output.status.success(), "terraform takes what we take: {text}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Says aloud that the comparison did not take place; the file that the variable names is counted at the end.
fn skipped() {
    if let Some(path) = std::env::var_os("TUNE_SKIPS") {
        let line = "fmt: there is no terraform, so its layout is not compared with ours\n";
        let file = std::fs::OpenOptions::new().append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of skips can be written");
    }
}

#[test]
fn terraform_lays_out_the_same() {
    let Some(theirs) = terraform(texts::UGLY) else {
        skipped();
        return;
    };
    assert_eq!(format("a.tune.hcl", texts::UGLY).unwrap(), theirs);
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    for _ in 0..TEXTS {
        let text = texts::ugly().new_tree(&mut runner).unwrap().current();
        // Names that stand twice are a mistake of meaning, which Terraform's layout does not look for.
        let Ok(ours) = format("a.tune.hcl", &text) else { continue };
        assert_eq!(Some(ours), terraform(&text), "{text}");
    }
}
