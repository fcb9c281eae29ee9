//! `data` and `provider`: what is read, in which order, and what becomes of the answers.

use tune_core::Value;
use tune_core::problem::Code;
use tune_core::reading::Unreadable;

use super::{Answers, Words, answers, folder, resolve_files, resolve_with, shown};
use crate::{Inputs, check, load};

/// The outputs of a configuration with these answers, and the questions of each level.
fn outcome(hcl: &str, known: &Answers) -> (Vec<Vec<String>>, String) {
    let (levels, outcome) = resolve_with(hcl, known);
    let outcome = match outcome {
        Ok(configuration) => {
            let outputs = configuration.outputs.iter().map(|(name, output)| format!("{name} = {}", output.value));
            outputs.collect::<Vec<_>>().join("\n")
        }
        Err(mistakes) => shown(&mistakes),
    };
    (levels, outcome)
}

const ANSWER: &str = r#"{ leader = "b", voters = 3, healthy_voters = 3, members = ["a", "b"] }"#;

#[test]
fn everything_that_is_known_is_asked_at_once() {
    let hcl = r#"
        host "h" {
          for_each = toset(["a", "b"])
          address  = each.key
        }
        data "etcd" "one" { hosts = values(host.h) }
        data "etcd" "each" {
          for_each = host.h
          hosts    = [each.value]
          port     = "2379"
        }
        output "leader" { value = data.etcd.one.leader }
        output "voters" { value = { for name, it in data.etcd.each : name => it.voters } }
    "#;
    let known = answers(&[("etcd.one", ANSWER), ("etcd.each[\"a\"]", ANSWER), ("etcd.each[\"b\"]", ANSWER)]);
    let (levels, outputs) = outcome(hcl, &known);
    assert_eq!(
        levels,
        [[
            r#"etcd.each["a"] { "hosts" = ["host.h[\"a\"]"], "port" = 2379 }"#,
            r#"etcd.each["b"] { "hosts" = ["host.h[\"b\"]"], "port" = 2379 }"#,
            r#"etcd.one { "hosts" = ["host.h[\"a\"]", "host.h[\"b\"]"] }"#,
        ]]
    );
    assert_eq!(outputs, "leader = \"b\"\nvoters = { \"a\" = 3, \"b\" = 3 }");
}

#[test]
fn what_an_answer_decides_is_asked_one_level_later() {
    let hcl = r#"
        host "first" { address = "first" }
        data "etcd" "one" { hosts = [host.first] }
        host "found" {
          for_each = toset(data.etcd.one.members)
          address  = each.key
        }
        locals { all = values(host.found) }
        data "etcd" "two" {
          for_each = host.found
          hosts    = local.all
        }
        data "etcd" "three" {
          hosts      = [host.first]
          depends_on = [data.etcd.two["a"]]
        }
        resource "sysctl" "s" {
          for_each = { for name, it in data.etcd.two : name => it if it.voters == 3 }
          host     = host.found[each.key]
          settings = { leader = each.value.leader, third = data.etcd.three.leader }
        }
        output "x" { value = [for name, it in sysctl.s : "${name} ${it.settings.leader} ${it.settings.third}"] }
    "#;
    let known = answers(&[
        ("etcd.one", ANSWER),
        ("etcd.two[\"a\"]", ANSWER),
        ("etcd.two[\"b\"]", ANSWER),
        ("etcd.three", ANSWER),
    ]);
    let (levels, outputs) = outcome(hcl, &known);
    let names =
        |level: &Vec<String>| level.iter().map(|line| line.split(' ').next().unwrap_or("").to_owned()).collect();
    let names: Vec<Vec<String>> = levels.iter().map(names).collect();
    assert_eq!(names, [vec!["etcd.one"], vec!["etcd.two[\"a\"]", "etcd.two[\"b\"]"], vec!["etcd.three"]]);
    assert_eq!(outputs, r#"x = ["a b b", "b b b"]"#);
}

#[test]
fn a_host_of_which_only_the_port_is_read_is_asked_when_it_is_known() {
    let hcl = r#"
        host "a" { address = "a" }
        data "etcd" "one" { hosts = [host.a] }
        host "b" {
          address = "b"
          port    = data.etcd.one.voters
        }
        data "etcd" "two" { hosts = [host.b] }
        output "x" { value = data.etcd.two.leader }
    "#;
    let (levels, outputs) = outcome(hcl, &answers(&[("etcd.one", ANSWER), ("etcd.two", ANSWER)]));
    assert_eq!((levels.len(), outputs.as_str()), (2, "x = \"b\""));
}

#[test]
fn what_cannot_be_read_is_a_mistake_of_its_block_and_hides_no_other() {
    let unreadable = |message: &str| Unreadable {
        code: Code("tune::etcd::refused"),
        message: message.to_owned(),
        help: Some("start it".to_owned()),
    };
    let mut known = answers(&[("etcd.b", ANSWER)]);
    known.insert("etcd.a".parse().expect("an address"), Err(unreadable("connection refused")));
    let hcl = r#"
        host "h" { address = "h" }
        data "etcd" "a" { hosts = [host.h] }
        data "etcd" "b" { hosts = [host.h] }
        output "a" { value = data.etcd.a.leader + 1 }
        output "b" { value = data.etcd.b.leader + 1 }
    "#;
    assert_eq!(
        outcome(hcl, &known).1,
        "tune::etcd::refused «data \"etcd\" \"a\"» `data.etcd.a` cannot be read: connection refused\n\
         expression «data.etcd.b.leader» `+` takes numbers"
    );
    let (_, mistakes) = resolve_with(hcl, &known);
    assert_eq!(mistakes.expect_err("it cannot be read").list[0].help.as_deref(), Some("start it"));
}

#[test]
fn an_answer_must_be_what_the_source_promises() {
    let hcl = "host \"h\" {\n  address = \"h\"\n}\ndata \"etcd\" \"a\" {\n  hosts = [host.h]\n}\n";
    let known = answers(&[("etcd.a", r#"{ voters = "many", healthy_voters = 1, members = [] }"#)]);
    assert_eq!(
        outcome(hcl, &known).1,
        "answer «data \"etcd\" \"a\"» the answer to `data.etcd.a` is not what its source promises"
    );
}

#[test]
fn mistakes_come_before_anything_is_read() {
    let hcl = "host \"h\" {\n  address = \"h\"\n}\ndata \"etcd\" \"a\" {\n  hosts = [host.h]\n}\noutput \"x\" {\n  value = 1 / 0\n}\n";
    let (levels, outputs) = outcome(hcl, &Answers::new());
    assert_eq!((levels.len(), outputs.as_str()), (0, "expression «0» a division by zero"));
}

#[test]
fn a_check_reads_nothing_and_knows_the_types() {
    let checked = |hcl: &str| {
        let (files, words) = (folder(&[("main.tune.hcl", hcl)]), Words::new());
        match check(&load(&files, &words.vocabulary(), "0.1.0"), &Inputs::default()) {
            Ok(configuration) => format!("{:?}", configuration.resources.keys().collect::<Vec<_>>().len()),
            Err(mistakes) => shown(&mistakes),
        }
    };
    let start = r#"
        host "h" { address = "h" }
        data "etcd" "a" { hosts = [host.h] }
        data "etcd" "each" {
          for_each = toset(data.etcd.a.members)
          hosts    = [host.h]
        }
        resource "sysctl" "known" {
          host     = host.h
          settings = {}
        }
    "#;
    let good = "resource \"sysctl\" \"a\" {\n  host = host.h\n  settings = { for m in data.etcd.a.members : m => data.etcd.a.voters }\n  level = data.etcd.a.voters\n}\n";
    assert_eq!(checked(&format!("{start}{good}")), "1");
    let bad = "output \"a\" {\n  value = data.etcd.a.leadr\n}\noutput \"b\" {\n  value = data.etcd.a.members.x\n}\noutput \"c\" {\n  value = data.etcd.each[\"q\"].votters\n}\nresource \"sysctl\" \"b\" {\n  host     = host.h\n  settings = data.etcd.a.members\n}\n";
    assert_eq!(
        checked(&format!("{start}{bad}")),
        "index «.leadr» there is no attribute `leadr`\n\
         index «.x» there is no attribute `x`\n\
         type «data.etcd.a.members» `settings` has the wrong type"
    );
}

#[test]
fn providers_are_configured_and_picked() {
    let hcl = r#"
        variable "token" {
          default   = "hunter2"
          sensitive = true
        }
        host "node" {
          for_each = toset(["n1"])
          address  = "${each.key}.example.org"
        }
        provider "cloud" {
          endpoint   = "https://one.example.org"
          token      = var.token
          node_hosts = host.node
        }
        provider "cloud" {
          alias    = "lab"
          endpoint = "https://lab.example.org"
        }
        data "nodes" "lab" {
          provider = cloud.lab
          pool     = "p"
        }
        resource "vm" "a" { number = length(data.nodes.lab.names) }
        resource "vm" "b" {
          provider = cloud.lab
          number   = 2
        }
        output "x" { value = data.nodes.lab.names }
    "#;
    let (levels, configuration) = resolve_with(hcl, &answers(&[("nodes.lab", r#"{ names = ["n1", "n2"] }"#)]));
    let configuration = configuration.expect("a good configuration");
    assert_eq!(levels, [[r#"nodes.lab { "pool" = "p", "provider" = "provider.cloud[\"lab\"]" }"#]]);
    let shown: Vec<String> = configuration
        .providers
        .values()
        .map(|provider| format!("{} {}", provider.address, Value::Map(provider.attributes.clone())))
        .collect();
    assert_eq!(
        shown,
        [
            r#"provider.cloud { "endpoint" = "https://one.example.org", "node_hosts" = { "n1" = "host.node[\"n1\"]" }, "token" = "hunter2" }"#,
            r#"provider.cloud["lab"] { "endpoint" = "https://lab.example.org" }"#,
        ]
    );
    let picked: Vec<_> =
        configuration.resources.values().map(|it| it.provider.clone().map(|it| it.to_string())).collect();
    assert_eq!(picked, [Some("provider.cloud".to_owned()), Some("provider.cloud[\"lab\"]".to_owned())]);
    assert!(!format!("{configuration:?}").contains("hunter2"));
    let place = configuration.block_span(&"provider.cloud[\"lab\"]".parse().expect("an address"));
    assert_eq!(place.map(|span| configuration.sources.marked(span)), Some("provider \"cloud\""));
}

#[test]
fn a_provider_is_missing_only_where_one_is_needed() {
    let mistakes =
        resolve_files(&[("main.tune.hcl", "resource \"vm\" \"a\" {\n  number = 1\n}\n")], &Inputs::default());
    assert_eq!(
        shown(&mistakes.expect_err("no provider")),
        "provider «resource \"vm\" \"a\"» `vm` needs a provider `cloud`"
    );
}
