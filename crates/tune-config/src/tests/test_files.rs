//! Files of tests: what is wrong in them, and what their assertions say.

use std::collections::BTreeMap;

use tune_core::Value as CoreValue;

use super::{Words, shown};
use crate::{Complaint, Diagnostics, Inputs, Resolved, TestRun, load, rehearse};

const MAIN: &str = r#"
host "h" { address = "h" }
variable "level" {
  default = 5
  validation {
    condition     = var.level < 100
    error_message = "Too high."
  }
}
variable "pw" {
  default   = "hunter1"
  sensitive = true
}
locals { twice = 2 * var.level }
resource "sysctl" "a" {
  host     = host.h
  settings = { x = var.level }
  lifecycle {
    precondition {
      condition     = var.level != 42
      error_message = "Not 42."
    }
  }
}
output "level" { value = var.level }
"#;

/// Every mistake in a file of tests.
#[track_caller]
fn mistakes(tests: &str) -> String {
    let files = BTreeMap::from([
        ("main.tune.hcl".to_owned(), MAIN.to_owned()),
        ("t.tunetest.hcl".to_owned(), tests.to_owned()),
    ]);
    let words = Words::new();
    let mut module = load(&files, &words.vocabulary(), "0.1.0");
    module.add_tests(&["t.tunetest.hcl".to_owned()]);
    crate::check(&module, &Inputs::default())
        .map_or_else(|mistakes| shown(&mistakes), |configuration| shown(&configuration.warnings))
}

/// What the first run of a file of tests says of a plan.
fn judged(tests: &str, plan: &CoreValue) -> Result<Vec<Complaint>, Box<(Diagnostics, TestRun)>> {
    let files = BTreeMap::from([
        ("main.tune.hcl".to_owned(), MAIN.to_owned()),
        ("t.tunetest.hcl".to_owned(), tests.to_owned()),
    ]);
    let words = Words::new();
    let mut module = load(&files, &words.vocabulary(), "0.1.0");
    let run = module.add_tests(&["t.tunetest.hcl".to_owned()]).remove(0).runs.remove(0);
    assert!(!module.has_errors(), "{tests}");
    match rehearse(&module, &run.inputs(&Inputs::default()), &BTreeMap::new()) {
        Ok((Resolved::Ready(configuration), scene)) => Ok(scene.judge(&module, &run, &configuration, plan)),
        Ok(_) => panic!("nothing needs to be read"),
        Err(mistakes) => Err(Box::new((mistakes, run))),
    }
}

fn plan() -> CoreValue {
    let json = serde_json::json!({
        "summary": { "change": 2 },
        "resources": { "sysctl.a": { "after": { "x": "5" } } },
    });
    CoreValue::try_from(json).unwrap()
}

#[track_caller]
fn check(condition: &str, expect: &[&str]) {
    let tests =
        format!("run \"r\" {{\n  assert {{\n    condition = {condition}\n    error_message = \"wrong\"\n  }}\n}}\n");
    let said: Vec<String> = judged(&tests, &plan())
        .unwrap()
        .into_iter()
        .flat_map(|complaint| [vec![complaint.mistake.message], complaint.findings].concat())
        .collect();
    assert_eq!(said, expect, "{condition}");
}

#[test]
fn an_assertion_names_the_plan_and_the_configuration() {
    check("plan.summary.change == 2 && local.twice == 10 && output.level == 5 && var.level == 5", &[]);
    check("sysctl.a.settings.x == 5 && plan.resources[\"sysctl.a\"].after.x == \"5\"", &[]);
    check("length([for name, it in plan.resources : it if it.after.x == \"5\"]) == 1", &[]);
}

#[test]
fn what_does_not_hold_says_what_was_found() {
    check("plan.summary.change == 3", &["wrong", "plan.summary.change is 2"]);
    check(
        "plan.resources[\"sysctl.a\"].after.x == \"6\" || local.twice > 10",
        &["wrong", "plan.resources[\"sysctl.a\"].after.x is \"5\"", "local.twice is 10"],
    );
    check(
        "plan.resources[\"sysctl.a\"].after.x == 5",
        &[
            "wrong",
            "plan.resources[\"sysctl.a\"].after.x == 5: a string never equals a number",
            "plan.resources[\"sysctl.a\"].after.x is \"5\"",
        ],
    );
    check("var.pw == \"x\"", &["wrong", "var.pw is a secret"]);
    check("plan.summary.nope == 1", &["there is no attribute `nope`"]);
    check("plan.summary", &["a condition must be a bool"]);
    check("plan.resources[\"sysctl.b\"].after == {}", &["there is no key `\"sysctl.b\"`"]);
}

#[test]
fn variables_of_a_run_win() {
    let tests = "variables {\n  level = 6\n}\nrun \"r\" {\n  variables {\n    level = 7\n  }\n  assert {\n    condition = \
                 output.level == 7\n    error_message = \"x\"\n  }\n}\n";
    assert_eq!(judged(tests, &plan()).unwrap(), []);
}

#[test]
fn what_a_rule_refuses_can_be_expected() {
    for (level, expected) in [("500", "var.level"), ("42", "sysctl.a")] {
        let tests =
            format!("run \"r\" {{\n  variables {{\n    level = {level}\n  }}\n  expect_failures = [{expected}]\n}}\n");
        let (mut mistakes, run) = *judged(&tests, &plan()).unwrap_err();
        let met = run.take_expected(&mut mistakes.list);
        assert_eq!(met.iter().map(String::as_str).collect::<Vec<_>>(), [expected]);
        assert!(!mistakes.has_errors() && run.unmet(&met).is_empty(), "{mistakes:?}");
        assert_eq!(run.unmet(&std::collections::BTreeSet::new()).len(), 1);
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    let tests = r#"
recording = "x"
test { recording = 5 }
mock_provider "x" {}
run "a" {
  command = apply
  variables {
    lvel  = 1
    level = run.b.level
    pw    = var.level
  }
  override_data { target = data.x.y }
  state_key = "x"
  parallel  = true
  plan_options {
    mode   = all
    target = [sysctl.a, 1 + 1]
  }
  expect_failures = [var.nope]
  assert {
    condition = plan.resorces == {} && output.k == 1 && run.b.x == 1 && sysctl.b.level == 1
  }
}
run "a b" {}
run "c" {}
"#;
    assert_eq!(
        mistakes(tests),
        "test «recording» `recording` stands outside of any block\n\
         type «5» a value of the wrong type\n\
         test «mock_provider \"x\"» unknown block type `mock_provider` in a file of tests\n\
         test «apply» `command` is `plan` here, and not `apply`\n\
         unknown_variable «lvel» there is no variable `lvel`\n\
         test «run.b» a run cannot look at another run\n\
         misplaced «*********» a secret value cannot be used\n\
         test «override_data» unknown block `override_data` in a run\n\
         test «state_key» unknown attribute `state_key` of a run\n\
         test «all» there is no mode `all`\n\
         test «1 + 1» `1 + 1` is not an address\n\
         unknown_name «var.nope» there is no `var.nope` that could be refused\n\
         missing_attribute «assert» `assert` needs the attribute `error_message`\n\
         unknown_name «plan.resorces» there is no `plan.resorces`\n\
         unknown_name «output.k» there is no output `k`\n\
         test «run.b» a run cannot look at another run\n\
         unknown_name «sysctl.b» there is no resource of kind `sysctl` `b`\n\
         name «\"a b\"» `a b` is not a valid name\n\
         test «run \"c\"» the run `c` expects nothing"
    );
}

#[test]
fn no_value_of_a_secret_is_shown() {
    let said =
        mistakes("variables {\n  pw = [\n    hunter2\n  ]\n}\nrun \"r\" {\n  expect_failures = [var.level]\n}\n");
    assert!(!said.contains("hunter"), "{said}");
}
