//! What a configuration says must hold: preconditions, postconditions, and checks that fail while planning.

use super::{Answers, answers, good, mistakes, resolve_with, shown};

const START: &str = r#"
host "h" { address = "h" }
variable "limit" { default = 5 }
"#;

/// A condition block.
fn block(kind: &str, condition: &str, message: &str) -> String {
    format!("{kind} {{\n  condition = {condition}\n  error_message = {message}\n}}\n")
}

fn resource(lifecycle: &str) -> String {
    format!(
        "{START}resource \"sysctl\" \"a\" {{\n  for_each = toset([\"x\", \"y\"])\n  host = host.h\n  settings = {{ a = each.key }}\n  level = 7\n  lifecycle {{\n{lifecycle}}}\n}}\n"
    )
}

#[test]
fn conditions_that_hold_say_nothing() {
    let conditions = [
        block("precondition", "var.limit == 5 && each.key != \"\"", "\"no\""),
        block("postcondition", "self.settings.a == each.key && self.drop_in == null && self[\"level\"] == 7", "\"no\""),
        "accept = [\"outage\"]\n".to_owned(),
    ];
    assert_eq!(good(&resource(&conditions.concat())).resources.len(), 2);
}

#[test]
fn every_condition_that_fails_is_named_with_its_instance() {
    let conditions = [
        block("precondition", "var.limit > 5", "\"The limit ${var.limit} is too low.\""),
        block("precondition", "each.key == \"x\"", "\"Not x.\""),
        block("postcondition", "self.level < 5", "\"The level is ${self.level}.\""),
        block("postcondition", "self.levl < 5", "\"x\""),
        block("postcondition", "self.level", "[]"),
        block("precondition", "self.level == 1", "\"x\""),
    ];
    assert_eq!(
        shown(&mistakes(&resource(&conditions.concat()))),
        "condition «var.limit > 5» `sysctl.a[\"x\"]` does not meet its precondition: The limit 5 is too low\n\
         condition «var.limit > 5» `sysctl.a[\"y\"]` does not meet its precondition: The limit 5 is too low\n\
         condition «each.key == \"x\"» `sysctl.a[\"y\"]` does not meet its precondition: Not x\n\
         condition «self.level < 5» `sysctl.a[\"x\"]` does not meet its postcondition: The level is 7\n\
         condition «self.level < 5» `sysctl.a[\"y\"]` does not meet its postcondition: The level is 7\n\
         index «.levl» there is no attribute `levl`\n\
         type «self.level» a condition must be a bool\n\
         type «[]» an error message must be a string\n\
         misplaced «self» `self` is used outside of a postcondition"
    );
}

#[test]
fn what_does_not_hold_says_what_was_found() {
    let label = |condition: &str| {
        let text = resource(&block("precondition", condition, "\"no\""));
        let text = format!("variable \"pw\" {{\n  default = \"hunter2\"\n  sensitive = true\n}}\n{text}");
        mistakes(&text).list[0].labels[0].text.clone()
    };
    assert_eq!(label("var.limit > 5 && each.key == \"y\""), "this does not hold: var.limit is 5; each.key is \"x\"");
    assert_eq!(label("length([1, host.h]) == var.limit"), "this does not hold: host.h is a host; var.limit is 5");
    assert_eq!(label("var.pw == \"\""), "this does not hold: var.pw is a secret");
    assert_eq!(label("1 == 2"), "this does not hold");
}

#[test]
fn of_many_instances_the_first_are_named_and_the_rest_is_counted() {
    let hcl = "host \"h\" { address = \"h\" }\n\
               resource \"sysctl\" \"a\" {\n  count = 20\n  host = host.h\n  settings = { a = [1, 2][count.index] }\n}\n";
    let mistakes = mistakes(hcl);
    assert_eq!(mistakes.list.len(), 8);
    assert_eq!(mistakes.list[0].message, "there is no element `2`");
    assert_eq!(mistakes.list[0].labels[0].text, "the list has 2 elements");
    assert_eq!(mistakes.list[7].labels[0].text, "the list has 2 elements; 10 more are like it");
}

#[test]
fn an_output_has_preconditions() {
    let hcl =
        format!("{START}output \"o\" {{\n  value = 1\n{}}}\n", block("precondition", "var.limit == 6", "\"No.\""));
    assert_eq!(shown(&mistakes(&hcl)), "condition «var.limit == 6» the output `o` does not meet its precondition: No");
}

#[test]
fn a_question_is_not_asked_when_its_precondition_fails_and_its_answer_is_judged() {
    let data = |lifecycle: &str| {
        format!(
            "{START}data \"etcd\" \"a\" {{\n  hosts = [host.h]\n  lifecycle {{\n{lifecycle}}}\n}}\noutput \"x\" {{\n  value = data.etcd.a.voters\n}}\n"
        )
    };
    let known = answers(&[("etcd.a", "{ voters = 3, healthy_voters = 2, members = [] }")]);
    let outcome = |hcl: &str, known: &Answers| {
        let (levels, outcome) = resolve_with(hcl, known);
        (levels.len(), outcome.map(|it| it.outputs["x"].value.to_string()).map_err(|it| shown(&it)))
    };
    let before = data(&block("precondition", "var.limit == 6", "\"No.\""));
    assert_eq!(
        outcome(&before, &Answers::new()),
        (0, Err("condition «var.limit == 6» `data.etcd.a` does not meet its precondition: No".to_owned()))
    );
    let after = data(&block("postcondition", "self.healthy_voters == self.voters", "\"One is away.\""));
    assert_eq!(
        outcome(&after, &known),
        (1, Err("condition «self.healthy_voters == self.voters» `data.etcd.a` does not meet its postcondition: One is away".to_owned()))
    );
    let good = data(&block("postcondition", "self.voters == 3", "\"No.\""));
    assert_eq!(outcome(&good, &known), (1, Ok("3".to_owned())));
}

#[test]
fn a_precondition_about_an_answer_is_waited_for() {
    let hcl = format!(
        "{START}data \"etcd\" \"a\" {{\n  hosts = [host.h]\n}}\ndata \"etcd\" \"b\" {{\n  hosts = [host.h]\n  lifecycle {{\n{}}}\n}}\n",
        block("precondition", "data.etcd.a.voters == 3", "\"No.\"")
    );
    let answer = "{ voters = 3, healthy_voters = 2, members = [] }";
    let (levels, outcome) = resolve_with(&hcl, &answers(&[("etcd.a", answer), ("etcd.b", answer)]));
    assert_eq!(levels.len(), 2);
    assert!(outcome.is_ok());
}

#[test]
fn a_check_that_fails_while_planning_is_a_warning() {
    let hcl = format!(
        "{START}data \"etcd\" \"a\" {{\n  hosts = [host.h]\n}}\ncheck \"c\" {{\n{}{}{}}}\n",
        block(
            "assert",
            "data.etcd.a.healthy_voters == data.etcd.a.voters",
            "\"One of ${data.etcd.a.voters} is away.\""
        ),
        block("assert", "var.limit == 5", "\"No.\""),
        block("assert", "var.limit == 6", "\"No.\""),
    );
    let (_, outcome) = resolve_with(&hcl, &answers(&[("etcd.a", "{ voters = 3, healthy_voters = 2, members = [] }")]));
    let configuration = outcome.expect("a good configuration");
    assert_eq!(
        shown(&configuration.warnings),
        "check «data.etcd.a.healthy_voters == data.etcd.a.voters» the check `c` fails: One of 3 is away\n\
         check «var.limit == 6» the check `c` fails: No"
    );
    assert!(configuration.checks.contains_key(&"check.c".parse().expect("an address")));
}

#[test]
fn a_secret_message_is_not_shown() {
    let hcl = "variable \"s\" {\n  default = \"hunter2\"\n  sensitive = true\n}\noutput \"o\" {\n  value = 1\n  precondition {\n    condition = var.s == 1\n    error_message = \"not ${var.s}\"\n  }\n}\n";
    let mistakes = mistakes(hcl);
    assert_eq!(
        shown(&mistakes),
        "condition «var.s == 1» the output `o` does not meet its precondition: its rule is not met"
    );
}
