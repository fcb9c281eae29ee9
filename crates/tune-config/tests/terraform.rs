//! Asks Terraform itself what the golden tables say, where one is installed.

#[path = "../src/function/tests/folder.rs"]
mod folder;
#[path = "../src/function/tests/golden.rs"]
mod golden;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The version that the tables were made with; others may differ.
const VERSION: &str = "Terraform v1.11.";

/// Evaluates all expressions in one process. Each value comes in JSON, `<error>` where there is none; `None` stands for a
/// value that Terraform itself does not know.
fn ask(expressions: &[&str], folder: &Path) -> Vec<Option<String>> {
    // Base64 keeps the answers on one line each, whatever they hold.
    let mut hcl = String::from("locals {\n  answers = [\n");
    for expression in expressions {
        let _ = writeln!(hcl, "    base64encode(try(jsonencode({expression}), \"<error>\")),");
    }
    hcl.push_str("  ]\n}\n");
    fs::write(folder.join("main.tf"), hcl).expect("the folder was just made");
    let mut console = Command::new("terraform")
        .arg("console")
        .current_dir(folder)
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it told its version before");
    let mut stdin = console.stdin.take().expect("it is piped");
    stdin.write_all(b"local.answers\n").expect("the console reads");
    drop(stdin);
    let output = console.wait_with_output().expect("the console ends with its input");
    let answers: Vec<Option<String>> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line.trim().trim_end_matches(','))
        .filter(|line| line.starts_with(['"', '(']))
        .map(|line| {
            let encoded = line.strip_prefix('"')?.strip_suffix('"')?;
            let answer = STANDARD.decode(encoded).expect("the console encoded it");
            Some(String::from_utf8(answer).expect("JSON is UTF-8"))
        })
        .collect();
    assert_eq!(answers.len(), expressions.len(), "{}", String::from_utf8_lossy(&output.stderr));
    answers
}

/// Says why Terraform cannot be asked.
fn not_here() -> Option<String> {
    match Command::new("terraform").arg("version").env("CHECKPOINT_DISABLE", "1").output() {
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
            (!version.starts_with(VERSION)).then(|| format!("this is {version}, the tables were made with {VERSION}x"))
        }
        Err(error) => Some(format!("there is no terraform: {error}")),
    }
}

/// Says aloud that the comparison did not take place; the file that the variable names is counted at the end.
fn skipped(reason: &str) {
    if let Some(path) = env::var_os("TUNE_SKIPS") {
        let line = format!("functions: {reason}, so the tables of values are not compared with it\n");
        let file = fs::OpenOptions::new().append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of skips can be written");
    }
}

#[test]
fn terraform_says_the_same_as_the_tables() {
    if let Some(reason) = not_here() {
        skipped(&reason);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in folder::FOLDER {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let same = golden::golden();
    let different = golden::different().iter().map(|(expression, _, theirs, _)| (*expression, *theirs));
    let expected: Vec<(&str, &str)> = same.chain(different).collect();
    let expressions: Vec<&str> = expected.iter().map(|(expression, _)| *expression).collect();
    let answers = ask(&expressions, folder.path());
    let wrong: Vec<String> = expected
        .iter()
        .zip(answers)
        .filter(|((_, expect), answer)| answer.as_deref() != Some(*expect))
        .map(|((expression, expect), answer)| format!("{expression}: {answer:?} instead of {expect}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
