//! What a person gets wrong: each mistake gives an error that names the cause and the way out, on its exact text, with
//! exit code 1, and nothing is left behind.

use std::os::unix::fs::symlink;

use crate::support::{Project, THIS};

/// Fails unless validating the text gives an error that says all of this.
#[track_caller]
fn check(text: &str, expect: &[&str]) {
    refused(&Project::new(text), &["validate"], expect);
}

#[track_caller]
fn refused(project: &Project, arguments: &[&str], expect: &[&str]) {
    let before = project.listing();
    let said = project.run(arguments).code(1);
    for expected in expect {
        assert!(said.stderr.contains(expected), "`{expected}` is not in\n{}", said.stderr);
    }
    assert_eq!(project.listing(), before);
}

fn sysctl(name: &str, settings: &str) -> String {
    format!("resource \"sysctl\" \"{name}\" {{\n  host     = host.this\n  settings = {{ {settings} }}\n}}\n")
}

#[test]
fn a_syntax_error_is_shown_where_it_is() {
    check("host \"a\" {\n  address = [\n}\n", &["main.tune.hcl:", "tune::config::syntax"]);
}

#[test]
fn unknown_and_duplicate_names_come_with_a_proposal() {
    check("hots \"a\" {}\n", &["unknown block type `hots`", "did you mean `host`?", "tune::config::unknown_block"]);
    check(
        &format!("{THIS}resource \"sysctl\" \"a\" {{\n  hots = host.this\n  settings = {{}}\n}}\n"),
        &["`hots`", "did you mean `host`?", "main.tune.hcl:6:3"],
    );
    check(&format!("{THIS}resource \"sysclt\" \"a\" {{}}\n"), &["did you mean `sysctl`?"]);
    check(&format!("{THIS}{THIS}"), &["tune::config::duplicate"]);
    check("host \"a\" {\n  address = \"x\"\n  address = \"y\"\n}\n", &["address"]);
}

#[test]
fn a_wrong_type_says_what_is_taken() {
    check(
        &format!("{THIS}resource \"sysctl\" \"a\" {{\n  host     = host.this\n  settings = [1]\n}}\n"),
        &["tune::config::type", "settings"],
    );
}

#[test]
fn a_reference_to_nothing_and_a_circle_are_found() {
    check(
        &format!("{THIS}{}", sysctl("a", "\"vm.swappiness\" = var.swap")),
        &["there is no variable `swap`", "main.tune.hcl:7:"],
    );
    check("locals {\n  a = local.b\n  b = local.a\n}\n", &["tune::config::cycle", "local.a", "local.b"]);
}

#[test]
fn every_mistake_of_every_file_is_told_at_once() {
    let project = Project::new("hots \"a\" {}\n").file("other.tune.hcl", "output \"x\" {\n  value = local.none\n}\n");
    refused(&project, &["validate"], &["`hots`", "main.tune.hcl", "no local value `none`", "other.tune.hcl"]);
    refused(&project, &["plan"], &["`hots`", "no local value `none`"]);
    refused(&project, &["apply", "-auto-approve"], &["`hots`", "no local value `none`"]);
}

#[test]
fn missing_variables_are_named_all_together() {
    let text = "variable \"first\" {}\nvariable \"second\" {\n  sensitive = true\n}\n";
    let project = Project::new(text);
    refused(&project, &["plan"], &["`first` has no value", "`second` has no value", "-var 'first=…'"]);
    refused(&project, &["plan", "-input=false"], &["`first` has no value"]);
    let _ = project.run(&["plan", "-var", "first=1", "-var=second=2"]).code(0);
    // To validate, no value is needed.
    let _ = project.run(&["validate"]).code(0);
}

#[test]
fn variables_come_from_everywhere_and_the_last_one_wins() {
    let text = "variable \"a\" {\n  default = \"default\"\n}\noutput \"a\" {\n  value = var.a\n}\n\
                variable \"check\" {\n  validation {\n    condition     = var.check == var.a\n    \
                error_message = \"a is ${var.a}\"\n  }\n}\n";
    let is = |project: &Project, arguments: &[&str], expect: &str| {
        let check = format!("-var=check={expect}");
        let _ = project.run(&[&["plan", &check], arguments].concat()).code(0);
    };
    is(&Project::new(text), &[], "default");
    let environment = || Project::new(text).variable("TUNE_VAR_a", "environment");
    is(&environment(), &[], "environment");
    let file = || environment().file("tune.vars.hcl", "a = \"file\"\n");
    is(&file(), &[], "file");
    let auto = || file().file("z.auto.vars.hcl", "a = \"auto\"\n").file("extra.hcl", "a = \"extra\"\n");
    is(&auto(), &[], "auto");
    is(&auto(), &["-var-file=extra.hcl"], "extra");
    is(&auto(), &["-var=a=flag", "-var-file=extra.hcl"], "extra");
    is(&auto(), &["-var-file=extra.hcl", "-var=a=flag"], "flag");
    refused(&auto(), &["plan", "-var=check=no"], &["a is auto"]);
}

#[test]
fn a_variable_that_cannot_be_used_is_refused() {
    let project = Project::new("variable \"count\" {\n  type = number\n}\n");
    refused(&project, &["plan", "-var=count=many"], &["`count` cannot have this value"]);
    refused(&project, &["plan", "-var=cuont=1"], &["`cuont`, which is not declared", "did you mean `count`?"]);
    refused(&project, &["plan", "-var=count"], &["`-var` takes a name and a value"]);
    refused(&project, &["plan", "-var-file=none.hcl"], &["cannot read the file of variables `none.hcl`", "not found"]);
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "hunter2-canary";
    let text = format!(
        "variable \"pw\" {{\n  sensitive = true\n  validation {{\n    condition     = var.pw == \"\"\n    \
         error_message = \"too weak\"\n  }}\n}}\n{THIS}output \"o\" {{\n  value = var.pw\n}}\n"
    );
    let project = Project::new(&text).variable("TUNE_VAR_pw", secret);
    for arguments in [&["plan"][..], &["plan", "-json"], &["validate"], &["plan", "-var=pw=hunter2-canary"]] {
        let said = project.run(arguments).code(1);
        assert!(!said.stdout.contains(secret) && !said.stderr.contains(secret), "{}{}", said.stdout, said.stderr);
    }
}

#[test]
fn two_owners_of_one_key_are_shown_both() {
    let text =
        format!("{THIS}{}{}", sysctl("a", "\"vm.dirty_ratio\" = 5"), sysctl("b", "\"vm.dirty_bytes\" = 1048576"));
    check(
        &text,
        &["tune::plan::claimed_twice", "first managed here", "managed here as well", "`sysctl.a`", "`sysctl.b`"],
    );
}

#[test]
fn values_that_no_kernel_takes_are_refused_before_any_host_is_asked() {
    for (setting, expect) in [
        ("\"vm.swappiness\" = 1000", "vm.swappiness"),
        ("\"vm.drop_caches\" = 1", "tune::sysctl::trigger"),
        ("\"kernel.modules_disabled\" = 1", "tune::sysctl::one_way"),
        ("\"/proc/sys/vm/swappiness\" = 1", "a name has no slash in front"),
        ("\"net.ipv4.conf.*.rp_filter\" = 1", "patterns are not taken"),
        ("\"vm.swappiness\" = \"1\\n2\"", "vm.swappiness"),
    ] {
        check(&format!("{THIS}{}", sysctl("a", setting)), &[expect, "main.tune.hcl:"]);
    }
}

#[test]
fn a_host_that_does_not_answer_is_named_with_the_way_out() {
    // Port 1 of this machine: nothing listens there, and nobody else is asked.
    let project = Project::new(
        "host \"away\" {\n  address = \"127.0.0.1\"\n  port    = 1\n}\nresource \"sysctl\" \"a\" {\n  \
         host     = host.away\n  settings = { \"vm.swappiness\" = 10 }\n}\n",
    );
    refused(&project, &["plan"], &["main.tune.hcl:1:", "tune::remote::", "help:"]);
}

#[test]
fn an_empty_folder_says_what_to_do() {
    refused(&Project::empty(), &["plan"], &["there is no configuration in this folder", "-chdir"]);
    refused(&Project::empty(), &["validate"], &["`.tune.hcl`"]);
    // What is recorded can be reverted without a configuration.
    let _ = Project::empty().run(&["plan", "-destroy"]).code(0);
}

#[test]
fn nothing_outside_the_folder_is_read() {
    let outside = Project::empty().file("secret", "canary\n").file("evil.tune.hcl", "canary {\n");
    let project = Project::new("output \"x\" {\n  value = file(\"link\")\n}\n");
    symlink(outside.path().join("secret"), project.path().join("link")).unwrap();
    symlink(outside.path().join("evil.tune.hcl"), project.path().join("evil.tune.hcl")).unwrap();
    let said = project.run(&["validate"]).code(1);
    assert!(said.stderr.contains("outside the folder of the configuration"), "{}", said.stderr);
    assert!(!said.stderr.contains("canary"), "{}", said.stderr);
    for path in ["../secret", "/etc/hostname"] {
        check(&format!("output \"x\" {{\n  value = file(\"{path}\")\n}}\n"), &["tune::config::file"]);
    }
}

#[test]
fn text_from_a_configuration_is_neither_obeyed_nor_printed_raw() {
    let hostile = "\\u001b[31m$(touch pwned)`touch pwned`;touch pwned|x\\u202e";
    let text = format!("{THIS}{}", sysctl("a", &format!("\"vm.swappiness\" = \"{hostile}\"")));
    check(&text, &["main.tune.hcl:"]);
    let raw = format!("{THIS}# \u{1b}[2J\u{202e}\n{}", sysctl("a", "\"vm.swappiness\" = \u{1b}"));
    let said = Project::new(&raw).run(&["validate"]).code(1);
    assert!(!said.stderr.contains('\u{202e}'), "{}", said.stderr);
    let host = "host \"a\" {\n  address = \"-oProxyCommand=touch pwned\"\n}\n";
    check(host, &["`address` is nothing that ssh can be given"]);
}

#[test]
fn evaluation_is_bounded() {
    check("output \"x\" {\n  value = range(1e9)\n}\n", &["main.tune.hcl:2:"]);
}

#[test]
fn a_state_that_is_none_is_refused() {
    let project = Project::new(THIS).file("other.json", "{\"not\": \"a state\"}");
    refused(&project, &["state", "import", "other.json"], &["other.json"]);
    refused(&project, &["state", "import", "none.json"], &["cannot read `none.json`", "not found"]);
}

#[test]
fn a_state_from_a_newer_version_is_refused() {
    let project = Project::new(THIS);
    let export = project.run(&["state", "export"]).code(0).stdout;
    let newer = export.replacen("\"version\": 1", "\"version\": 999", 1);
    assert!(newer != export, "{export}");
    let project = project.file("newer.json", newer);
    refused(&project, &["state", "import", "newer.json"], &["newer.json", "999"]);
}
