//! The commands themselves: help, version, completions, plan, validate, what is refused without an answer, and what is
//! left behind, which is nothing.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::{Project, THIS};

/// A configuration whose plan has something to say on any Linux.
fn small() -> Project {
    Project::new(&format!(
        "{THIS}resource \"sysctl\" \"memory\" {{\n  host     = host.this\n  settings = {{ \"vm.swappiness\" = 7 }}\n}}\n"
    ))
}

#[test]
fn every_command_explains_itself() {
    let commands = [
        "check",
        "fmt",
        "validate",
        "graph",
        "console",
        "schema",
        "plan",
        "apply",
        "destroy",
        "rollback",
        "history",
        "show",
        "state",
        "state list",
        "state show",
        "state export",
        "state import",
        "state rm",
        "unlock",
        "explain",
        "completions",
        "version",
    ];
    let project = Project::empty();
    let whole = project.run(&["-help"]).code(0).stdout;
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let help = project.run(&[&words[..], &["-help"]].concat()).code(0).stdout;
        assert!(help.contains(&format!("Usage: tune {command}")), "{help}");
        assert!(help.contains("-chdir"), "{help}");
        assert!(words.len() > 1 || whole.contains(&format!("\n  {command} ")), "{whole}");
        assert!(help.starts_with(|first: char| first.is_uppercase()), "{help}");
    }
}

#[test]
fn what_only_terraform_has_is_said_with_what_to_do_instead() {
    let project = Project::empty();
    let check = |typed: &[&str], message: &str, help: &str| {
        let said = project.run(typed).code(1).stderr;
        assert!(said.contains(message) && said.contains(help) && !said.contains("Usage"), "{said}");
    };
    check(&["init", "-upgrade"], "there is no `tune init`", "leave it out");
    check(&["state", "mv", "a", "b"], "there is no `tune state mv`", "keeps its");
    check(&["force-unlock", "1"], "there is no `tune force-unlock`", "use `tune unlock`");
    let unknown = project.run(&["nope"]).code(1).stderr;
    assert!(unknown.contains("unrecognized subcommand 'nope'"), "{unknown}");
}

#[test]
fn one_dash_and_two_mean_the_same() {
    let project = small();
    for option in ["-json", "--json"] {
        let _ = project.run(&["validate", option]).code(0);
    }
    let elsewhere = Project::empty();
    let chdir = project.path().to_str().unwrap();
    for arguments in [
        [&format!("-chdir={chdir}"), "validate"],
        [&format!("--chdir={chdir}"), "validate"],
        ["validate", &format!("-chdir={chdir}")],
    ] {
        let _ = elsewhere.run(&arguments).code(0);
    }
}

#[test]
fn version_is_quick_and_has_two_forms() {
    let project = Project::empty();
    let version = env!("CARGO_PKG_VERSION");
    assert!(project.run(&["version"]).code(0).stdout.starts_with(&format!("tune {version}\n")));
    assert_eq!(project.run(&["-version"]).code(0).stdout, format!("tune {version}\n"));
    let json: Json = serde_json::from_str(&project.run(&["version", "-json"]).code(0).stdout).unwrap();
    assert_eq!(json["tune_version"], version);
    // The fastest of many: other tests run beside this one, and a slow one says nothing.
    let fastest = (0..20).map(|_| {
        let start = Instant::now();
        let _ = project.run(&["version"]).code(0);
        start.elapsed()
    });
    let fastest = fastest.min().unwrap();
    let limit = if cfg!(debug_assertions) { 50 } else { 10 };
    assert!(fastest < Duration::from_millis(limit), "{fastest:?}");
}

#[test]
fn a_mistake_on_the_command_line_is_an_error_and_not_a_pending_change() {
    let project = small();
    for arguments in [
        &["plam"][..],
        &["plan", "-detailed-exit-code"],
        &["plan", "-target=nonsense"],
        &["plan", "-destroy", "-refresh-only"],
        &["plan", "-json", "-markdown"],
        &["-parallelism=0", "plan"],
        &["-lock-timeout=soon", "plan"],
        &["rollback"],
        &["rollback", "first"],
        &["state", "import"],
        &["state", "import", "file", "-from-hosts"],
        &["destroy", "-unknown=drop"],
        &["completions", "tcsh9"],
        &["-chdir=/nonexistent/folder", "plan"],
        &[],
    ] {
        let said = project.run(arguments).code(1);
        assert!(!said.stderr.is_empty(), "{arguments:?}");
    }
    let said = project.run(&["plam"]).code(1);
    assert!(said.stderr.contains("'plan'"), "{}", said.stderr);
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Project::empty().run(&["completions", shell]).code(0).stdout;
        assert!(script.contains("detailed-exitcode"), "{shell}: {script}");
    }
}

#[test]
fn explain_knows_every_code_that_it_lists() {
    let project = Project::empty();
    let list = project.run(&["explain"]).code(0).stdout;
    let codes: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    let codes: Vec<&str> = codes.into_iter().filter(|code| code.starts_with("tune::")).collect();
    for family in ["tune::config::", "tune::plan::", "tune::engine::", "tune::remote::", "tune::sysctl::"] {
        assert!(codes.iter().any(|code| code.starts_with(family)), "{family} in {list}");
    }
    for code in codes {
        let text = project.run(&["explain", code]).code(0).stdout;
        assert!(text.starts_with(code) && text.lines().count() > 3, "{text}");
    }
    let said = project.run(&["explain", "tune::plan::clamed_twice"]).code(1);
    assert!(said.stderr.contains("did you mean `tune::plan::claimed_twice`?"), "{}", said.stderr);
}

#[test]
fn a_plan_shows_live_values_and_leaves_nothing_behind() {
    let project = small();
    let before = project.listing();
    let plan = project.run(&["plan"]).code(0).stdout;
    let live = std::fs::read_to_string("/proc/sys/vm/swappiness").unwrap();
    assert!(plan.contains(&format!("vm.swappiness = {} -> 7", live.trim())), "{plan}");
    assert!(plan.contains("Plan: 1 to import, 0 to add, 1 to change, 0 to revert."), "{plan}");
    let _ = project.run(&["plan", "-detailed-exitcode"]).code(2);
    let _ = project.run(&["plan", "-destroy"]).code(0);
    let _ = project.run(&["plan", "-destroy", "-detailed-exitcode"]).code(0);
    let _ = project.run(&["plan", "-refresh-only"]).code(0);
    let _ = project.run(&["validate"]).code(0);
    let _ = project.run(&["show"]).code(0);
    let _ = project.run(&["show", "-markdown"]).code(0);
    let _ = project.run(&["state", "list"]).code(0);
    let _ = project.run(&["state", "export"]).code(0);
    let _ = project.run(&["history"]).code(0);
    let _ = project.run(&["unlock"]).code(0);
    assert_eq!(project.listing(), before);
}

#[test]
fn what_a_plan_selects_is_what_it_shows() {
    let project = Project::new(&format!(
        "{THIS}resource \"sysctl\" \"memory\" {{\n  host = host.this\n  settings = {{ \"vm.swappiness\" = 7 }}\n}}\n\
         resource \"sysctl\" \"files\" {{\n  host = host.this\n  settings = {{ \"fs.protected_symlinks\" = 1 }}\n}}\n"
    ));
    let targeted = project.run(&["plan", "-target=sysctl.memory"]).code(0).stdout;
    assert!(targeted.contains("sysctl.memory") && !targeted.contains("sysctl.files"), "{targeted}");
    let excluded = project.run(&["plan", "-exclude", "sysctl.memory"]).code(0).stdout;
    assert!(!excluded.contains("sysctl.memory") && excluded.contains("sysctl.files"), "{excluded}");
    let wrong = project.run(&["plan", "-target=sysctl.nothing"]).code(1).stderr;
    assert!(wrong.contains("`sysctl.nothing` is neither in the configuration nor in the state"), "{wrong}");
}

#[test]
fn a_plan_as_json_is_one_document() {
    let plan: Json = serde_json::from_str(&small().run(&["plan", "-json"]).code(0).stdout).unwrap();
    assert_eq!(plan["format_version"], "1.0");
    let change = &plan["resource_changes"][0];
    assert_eq!(change["address"], "sysctl.memory");
    assert_eq!(change["change"]["after"]["vm.swappiness"], "7");
    assert_eq!(change["change"]["actions"], serde_json::json!(["update"]));
}

#[test]
fn a_plan_as_markdown_carries_its_mark() {
    let project = small();
    let plan = project.run(&["plan", "-markdown"]).code(0).stdout;
    assert!(plan.starts_with("<!-- tune plan -->\n### tune plan\n"), "{plan}");
    assert_eq!(project.run(&["show", "-markdown"]).code(0).stdout, plan);
}

#[test]
fn a_valid_configuration_says_so() {
    assert_eq!(small().run(&["validate"]).code(0).stdout, "Success! The configuration is valid.\n");
    let json: Json = serde_json::from_str(&small().run(&["validate", "-json"]).code(0).stdout).unwrap();
    assert_eq!((&json["valid"], &json["error_count"]), (&Json::from(true), &Json::from(0)));
}

#[test]
fn nothing_is_applied_without_an_answer() {
    let project = small();
    for command in ["apply", "destroy", "rollback"] {
        let arguments: &[&str] = if command == "rollback" { &["rollback", "1"] } else { &[command] };
        let ended = project.run(arguments);
        // A destroy of nothing is done; everything else is refused, and why depends on who and where we are.
        let said = if command == "destroy" { ended.code(0) } else { ended.code(1) };
        assert!(!said.stdout.contains("complete!"), "{}", said.stdout);
    }
    assert_ne!(std::fs::read_to_string("/proc/sys/vm/swappiness").unwrap().trim(), "7");
}

#[test]
fn without_a_state_there_is_nothing_to_show() {
    let project = small();
    assert_eq!(project.run(&["show"]).code(0).stdout, "Nothing is managed.\n");
    assert_eq!(project.run(&["history"]).code(0).stdout, "No run is recorded yet.\n");
    assert_eq!(project.run(&["state", "list"]).code(0).stdout, "");
    assert_eq!(project.run(&["unlock"]).code(0).stdout, "Nobody holds the lock.\n");
    let said = project.run(&["state", "show", "sysctl.memory"]).code(1);
    assert!(said.stderr.contains("`sysctl.memory` is not in the state"), "{}", said.stderr);
    let _ = project.run(&["state", "rm", "sysctl.memory"]).code(1);
    let _ = serde_json::from_str::<Json>(&project.run(&["show", "-json"]).code(0).stdout).unwrap();
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = Project::empty();
    let mut child = project
        .command()
        .args(["completions", "bash"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr, "");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Project::empty().command();
    let output = command.arg("version").stdin(Stdio::null()).stdout(full).output();
    // The folder is gone with the project; the command needs none.
    let Ok(output) = output else { return };
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("reading or writing failed"));
}

#[test]
fn colours_are_one_decision() {
    let escape = |project: &Project, arguments: &[&str]| {
        let output = project.command().args(arguments).stdin(Stdio::null()).output().unwrap();
        [output.stdout, output.stderr].concat().contains(&0x1b)
    };
    let forced = || small().variable("CLICOLOR_FORCE", "1");
    for arguments in [&["plan"][..], &["plan", "-target=x"], &["plan", "-target=sysctl.x"], &["-help"]] {
        assert!(escape(&forced(), arguments), "{arguments:?}");
        assert!(!escape(&forced().variable("NO_COLOR", "1"), arguments), "{arguments:?}");
        assert!(!escape(&forced(), &[&["-no-color"], arguments].concat()), "{arguments:?}");
        assert!(!escape(&small(), arguments), "{arguments:?}");
    }
}

#[test]
fn missing_values_are_asked_for_on_a_terminal_and_secrets_are_not_echoed() {
    let text = "variable \"name\" {\n  description = \"What to call it.\"\n}\nvariable \"pw\" {\n  sensitive = true\n}\n\
                variable \"check\" {\n  default = \"\"\n  validation {\n    \
                condition     = \"${var.name}/${var.pw}\" == \"elk/canary\"\n    error_message = \"not so\"\n  }\n}\n";
    let project = Project::new(text);
    let (said, code) = on_a_terminal(&project, "plan -no-color", "elk\ncanary\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("What to call it.") && said.contains("var.pw ("), "{said}");
    assert!(said.contains("elk") && !said.contains("canary"), "{said}");
    let (said, code) = on_a_terminal(&project, "plan -no-color -input=false", "");
    assert!(code == Some(1) && said.contains("`name` has no value"), "{said}");
    // Ctrl-C while a secret is typed ends it, and typing is shown again.
    let (said, code) = on_a_terminal(&project, "plan -no-color", "elk\nsecr\u{3}");
    assert!(code == Some(1) && said.contains("no value was given for `pw`"), "{said}");
}

/// Runs the binary on a terminal of its own, where somebody types; returns all that is seen there.
fn on_a_terminal(project: &Project, arguments: &str, typed: &str) -> (String, Option<i32>) {
    let command = project.command();
    let program = command.get_program().to_str().unwrap();
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &format!("{program} {arguments}"), "/dev/null"]).current_dir(project.path());
    terminal.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("SHELL", "/bin/sh");
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut said = Vec::new();
    let mut typed = typed.split_inclusive(['\n', '\u{3}']);
    let mut chunk = [0; 4096];
    // Somebody who reads the question first: what is typed too early would be echoed by the terminal itself.
    loop {
        let read = stdout.read(&mut chunk).unwrap();
        said.extend_from_slice(&chunk[..read]);
        if read == 0 {
            break;
        }
        if said.ends_with(b"Value: ")
            && let Some(line) = typed.next()
        {
            std::thread::sleep(Duration::from_millis(200));
            stdin.write_all(line.as_bytes()).unwrap();
        }
    }
    let code = child.wait().unwrap().code();
    (String::from_utf8_lossy(&said).into_owned(), code)
}
