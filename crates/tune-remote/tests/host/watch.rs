//! The watchdog of a script: it goes with the script, and leaves nothing behind.

use std::fs;
use std::process::Command;

use crate::ground::Shell;

const WATCH: &str = include_str!("../../src/script/sh/watch.sh");

/// Ends its watchdog after as many steps as it is told: at any moment of the watchdog's first ones.
const SCRIPT: &str = r#"set -u
begin_watch "$1"
steps=0
while [ "$steps" -lt "$2" ]; do steps=$((steps + 1)); done
end_watch
"#;

#[test]
fn a_quick_script_leaves_no_sleeper_behind() {
    for shell in Shell::all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{WATCH}{SCRIPT}")).unwrap();
        // A time that nobody else on this machine sleeps.
        let time = format!("86400.{}", std::process::id());
        let words = shell.words();
        for round in 0..400 {
            let steps = (round % 40 * 25).to_string();
            let status =
                Command::new(&words[0]).args(&words[1..]).arg(file.path()).args([&time, &steps]).status().unwrap();
            assert!(status.success(), "{shell:?}");
        }
        let left = sleepers(&time);
        for process in &left {
            let _ = Command::new("kill").arg(process).status();
        }
        assert!(left.is_empty(), "{shell:?}: {} of 400 watchdogs left their sleep behind", left.len());
    }
}

/// The processes that sleep for this time, zombies not counted.
fn sleepers(time: &str) -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            let is_ours = command.split(|&byte| byte == 0).any(|word| word == time.as_bytes());
            is_ours.then(|| entry.file_name().into_string().ok()).flatten()
        })
        .collect()
}
