//! `tune test` and the recordings that it plans against. The only host is this machine, and it is only read.

use serde_json::Value as Json;

use crate::support::{Project, Said, THIS, root};

/// A configuration that wants something else than any machine has.
const MAIN: &str = r#"
variable "files" {
  type    = number
  default = 123457

  validation {
    condition     = var.files > 0
    error_message = "At least one."
  }
}

resource "sysctl" "limits" {
  host     = host.this
  settings = { "fs.file-max" = var.files }

  lifecycle {
    accept = ["decrease"]

    precondition {
      condition     = var.files != 42
      error_message = "Not 42."
    }
  }
}

output "files" {
  value = var.files
}
"#;

fn project() -> Project {
    Project::new(&format!("{THIS}{MAIN}"))
}

/// A project with a recording of this machine, and one file of tests.
fn recorded(tests: &str) -> Project {
    let project = project().file("tests/a.tunetest.hcl", format!("test {{\n  recording = \"r.json\"\n}}\n\n{tests}"));
    let _ = project.run(&["plan", "-record=r.json"]).code(0);
    project
}

/// Runs the tests, which must leave everything as it is.
#[track_caller]
fn run(project: &Project, arguments: &[&str], code: i32) -> Said {
    let before = project.listing();
    let said = project.run(arguments).code(code);
    assert_eq!(project.listing(), before, "{arguments:?}");
    said
}

fn json(said: &Said) -> Json {
    serde_json::from_str(&said.stdout).unwrap()
}

fn assertion(condition: &str) -> String {
    format!(
        "  assert {{\n    condition     = {condition}\n    error_message = \"It was ${{plan.summary.change}}.\"\n  }}\n"
    )
}

#[test]
fn a_plan_from_a_recording_is_the_plan_that_was_recorded() {
    let project = recorded("run \"same\" {\n  expect_failures = []\n}\n");
    let live: Json = json(&project.run(&["plan", "-json", "-record=again.json"]).code(0));
    let tested = json(&run(&project, &["test", "-json", "-verbose"], 0));
    assert_eq!(tested["files"][0]["runs"][0]["plan"], live);
    let read = |name: &str| std::fs::read_to_string(project.path().join(name)).unwrap();
    assert!(read("again.json").contains("\"fs.file-max\""));
    // Whatever a machine says of itself may change from one moment to the next; what is set does not.
    let hosts = |name: &str| serde_json::from_str::<Json>(&read(name)).unwrap()["hosts"]["host.this"]["kinds"].take();
    assert_eq!(hosts("again.json")["sysctl"]["items"], hosts("r.json")["sysctl"]["items"]);
}

#[test]
fn nothing_is_recorded_without_being_told_and_by_a_plan_that_fails() {
    let project = project();
    let before = project.listing();
    let _ = project.run(&["plan"]).code(0);
    let refused = project.run(&["plan", "-record=r.json", "-var=files=42"]).code(1);
    assert!(refused.stderr.contains("Not 42"), "{}", refused.stderr);
    let lost = project.run(&["plan", "-record=none/r.json"]).code(1);
    assert!(lost.stderr.contains("none/r.json"), "{}", lost.stderr);
    assert_eq!(project.listing(), before);
}

#[test]
fn what_holds_passes() {
    let all = [
        "plan.resources[\"sysctl.limits\"].after[\"fs.file-max\"] == \"123457\"",
        "plan.resources[\"sysctl.limits\"].before[\"fs.file-max\"] != \"123457\" && plan.summary.change == 1",
        "plan.resources[\"sysctl.limits\"].action == \"update\" && plan.complete",
        "plan.resources[\"sysctl.limits\"].after[\"/etc/sysctl.d/99-zz-tune-limits.conf\"].mode == \"0644\"",
        "plan.resources[\"sysctl.limits\"].items[\"fs.file-max\"].step == \"write\"",
        "plan.members == [] && plan.activations == [] && plan.turns == [] && plan.owed == []",
        "sysctl.limits.settings[\"fs.file-max\"] == 123457 && output.files == var.files",
    ];
    let tests: String = all.iter().map(|condition| assertion(condition)).collect();
    let project = recorded(&format!("run \"all\" {{\n  command = plan\n{tests}}}\n"));
    let said = run(&project, &["test"], 0);
    assert_eq!(said.stdout, "tests/a.tunetest.hcl... pass\n  run \"all\"... pass\n\nSuccess! 1 passed, 0 failed.\n");
    assert_eq!(said.stderr, "");
    assert!(run(&project, &["test", "-verbose"], 0).stdout.contains("Plan: 1 to import"));
}

#[test]
fn what_does_not_hold_fails_with_what_was_found() {
    let project = recorded(&format!(
        "run \"wrong\" {{\n{}}}\n\nrun \"other\" {{\n  variables {{\n    files = 5\n  }}\n{}}}\n",
        assertion("plan.summary.change == 7"),
        assertion("plan.resources[\"sysctl.limits\"].after[\"fs.file-max\"] == \"5\"")
    ));
    let said = run(&project, &["test"], 6);
    assert!(said.stdout.contains("run \"wrong\"... fail") && said.stdout.contains("run \"other\"... pass"));
    assert!(said.stdout.ends_with("Failure! 1 passed, 1 failed.\n"), "{}", said.stdout);
    for expected in ["It was 1.", "plan.summary.change is 1", "tests/a.tunetest.hcl:7:21", "tune::config::assertion"] {
        assert!(said.stderr.contains(expected), "{expected} in {}", said.stderr);
    }
    let document = json(&run(&project, &["test", "-json"], 6));
    assert_eq!((&document["status"], &document["failed"], &document["passed"]), (&"fail".into(), &1.into(), &1.into()));
    let found = &document["files"][0]["runs"][0]["diagnostics"][0];
    assert_eq!(found["tune"]["causes"][0], "plan.summary.change is 1");
    assert_eq!((&found["range"]["start"]["line"], &found["severity"]), (&7.into(), &"error".into()));
    assert!(document["files"][0]["runs"][0].get("plan").is_none());
}

#[test]
fn what_a_rule_refuses_can_be_expected() {
    let run_of = |name: &str, files: u32, expected: &str| {
        format!(
            "run \"{name}\" {{\n  variables {{\n    files = {files}\n  }}\n  expect_failures = [{expected}]\n}}\n\n"
        )
    };
    let project = project().file(
        "a.tunetest.hcl",
        [
            run_of("variable", 0, "var.files"),
            run_of("resource", 42, "sysctl.limits"),
            run_of("another", 42, "var.files"),
            run_of("both", 42, "var.files, sysctl.limits"),
        ]
        .concat(),
    );
    let said = run(&project, &["test"], 1);
    for (name, word) in [("variable", "pass"), ("resource", "pass"), ("another", "error"), ("both", "fail")] {
        assert!(said.stdout.contains(&format!("run \"{name}\"... {word}\n")), "{}", said.stdout);
    }
    assert!(said.stderr.contains("`var.files` should have been refused, and was not"), "{}", said.stderr);
}

#[test]
fn what_was_not_recorded_says_how_to_record_it() {
    let ask = "run \"r\" {\n  expect_failures = []\n}\n";
    let without = project().file("a.tunetest.hcl", ask);
    let said = run(&without, &["test"], 1).stderr;
    assert!(said.contains("holds nothing of `host.this`") && said.contains("test { recording ="), "{said}");
    let recorded = recorded(ask).file(
        "more.tune.hcl",
        "resource \"sysctl\" \"more\" {\n  host     = host.this\n  settings = { \"vm.swappiness\" = 3 }\n}\n",
    );
    let said = run(&recorded, &["test"], 1).stderr;
    assert!(said.contains("does not hold `vm.swappiness`") && said.contains("tune plan -record=FILE"), "{said}");
    assert!(said.contains("tune::engine::not_recorded"), "{said}");
    for (name, text, expect) in [
        ("none.json", "", "there is no such file"),
        ("text.json", "{", "is damaged"),
        ("new.json", "{\"version\": 9}", "is in version 9 of its format"),
    ] {
        let tests = format!("test {{\n  recording = \"{name}\"\n}}\n{ask}");
        let mut project = project().file("a.tunetest.hcl", tests);
        if !text.is_empty() {
            project = project.file(name, text);
        }
        let said = run(&project, &["test"], 1).stderr;
        assert!(said.contains(expect) && said.contains("a.tunetest.hcl:2:15"), "{name}: {said}");
    }
}

#[test]
fn all_mistakes_in_files_of_tests_come_at_once() {
    let project = project()
        .file("a.tunetest.hcl", "run \"a\" {\n  command = apply\n  variables {\n    fles = 1\n  }\n}\n")
        .file("tests/b.tunetest.hcl", "run \"b\" {\n  assert {\n    condition = plan.x == 1\n")
        .file("broken.tune.hcl", "locals {\n  a = var.nope\n}\n");
    let validated = run(&project, &["validate"], 1).stderr;
    let tested = run(&project, &["test"], 1).stderr;
    assert_eq!(validated, tested);
    for expected in ["`command` is `plan` here", "did you mean `files`?", "tests/b.tunetest.hcl", "no variable `nope`"]
    {
        assert!(tested.contains(expected), "{expected} in {tested}");
    }
    let document = json(&run(&project, &["test", "-json"], 1));
    assert_eq!((&document["status"], document["diagnostics"].as_array().unwrap().len()), (&"error".into(), 5));
    let only = run(&project, &["validate", "-no-tests"], 1).stderr;
    assert!(!only.contains("tunetest") && only.contains("no variable `nope`"), "{only}");
}

#[test]
fn what_is_odd_about_all_runs_is_said_once() {
    let project = recorded("run \"a\" {}\n\nrun \"b\" {\n  variables {\n    files = 0\n  }\n}\n");
    let said = run(&project, &["test"], 1);
    assert_eq!(said.stderr.matches("the run `a` expects nothing").count(), 1, "{}", said.stderr);
    assert!(said.stderr.contains("At least one"), "{}", said.stderr);
}

#[test]
fn one_file_of_tests_can_be_picked() {
    let pass = "run \"r\" {\n  variables {\n    files = 0\n  }\n  expect_failures = [var.files]\n}\n";
    let project =
        project().file("a.tunetest.hcl", pass).file("tests/b.tunetest.hcl", pass).file("more/c.tunetest.hcl", pass);
    assert!(run(&project, &["test"], 0).stdout.contains("2 passed"));
    let one = run(&project, &["test", "-filter=tests/b.tunetest.hcl"], 0).stdout;
    assert!(one.starts_with("tests/b.tunetest.hcl... pass\n") && one.contains("1 passed"), "{one}");
    assert!(run(&project, &["test", "-test-directory=more"], 0).stdout.contains("more/c.tunetest.hcl... pass"));
    let wrong = run(&project, &["test", "-filter=x"], 1).stderr;
    assert!(wrong.contains("`a.tunetest.hcl`, `tests/b.tunetest.hcl`"), "{wrong}");
    let nothing = run(&Project::new(""), &["test"], 1).stderr;
    assert!(nothing.contains("there are no tests"), "{nothing}");
}

#[test]
fn examples_with_tests_pass_them() {
    let folder = root().join("examples/testing");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let project = files.fold(Project::empty(), |project, path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        project.file(&name, std::fs::read(&path).unwrap())
    });
    assert!(run(&project, &["test"], 0).stdout.contains("Success! 3 passed, 0 failed."));
}
