//! What broken configurations look like to the person who wrote them: for every file in `broken`, the whole text that
//! `tune validate` prints. The texts are written anew with `TUNE_REGENERATE=1`, and are then to be read.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::support::{Project, root};

/// Set this variable to write the texts anew.
const REGENERATE: &str = "TUNE_REGENERATE";

fn files() -> Vec<PathBuf> {
    let all = fs::read_dir(root().join("tests/e2e/broken")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = all.collect();
    files.sort();
    files
}

#[test]
fn every_mistake_looks_as_it_is_published() {
    let mut known = BTreeSet::new();
    for file in files().into_iter().filter(|file| file.to_string_lossy().ends_with(".tune.hcl")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let project = Project::empty().file(&name, fs::read(&file).unwrap());
        let said = project.run(&["validate"]).code(1);
        let text = PathBuf::from(file.to_string_lossy().replace(".tune.hcl", ".txt"));
        if std::env::var_os(REGENERATE).is_some() {
            fs::write(&text, &said.stderr).unwrap();
        }
        let expect = fs::read_to_string(&text).unwrap_or_default();
        assert!(said.stderr == expect, "{name}, or run the tests once with {REGENERATE}=1:\n{}", said.stderr);
        assert!(said.stdout.is_empty(), "{name}: {}", said.stdout);
        assert!(!said.stderr.contains("hunter2"), "{name} shows a secret:\n{}", said.stderr);
        // Everything that is said has a code and stands on its text.
        assert!(said.stderr.contains("tune::") && said.stderr.contains(&name), "{name}:\n{}", said.stderr);
        known.extend([file, text]);
    }
    assert!(!known.is_empty());
    let all: BTreeSet<PathBuf> = files().into_iter().collect();
    assert_eq!(all, known, "a text without its configuration");
}

#[test]
fn every_code_that_is_shown_is_explained() {
    let list = Project::empty().run(&["explain"]).code(0).stdout;
    for file in files().into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "txt")) {
        let text = fs::read_to_string(&file).unwrap();
        let codes = text.lines().map(str::trim).filter(|line| line.starts_with("tune::"));
        for code in codes {
            let code = code.split(' ').next().unwrap();
            assert!(list.lines().any(|line| line.split(' ').next() == Some(code)), "{code} in {}", file.display());
        }
    }
}
