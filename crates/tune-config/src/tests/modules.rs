//! Modules: what goes in, what comes out, and what things in them are called.

use tune_core::{Address, AttributePath, Value};

use super::{Answers, answers, resolve_all, resolve_files, shown};
use crate::{Configuration, Inputs};

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn good(files: &[(&str, &str)]) -> Configuration {
    resolve_files(files, &Inputs::default()).unwrap_or_else(|mistakes| panic!("refused:\n{}", shown(&mistakes)))
}

fn mistakes(files: &[(&str, &str)]) -> String {
    shown(&resolve_files(files, &Inputs::default()).expect_err("the configuration should have been refused"))
}

/// Every resource with its attributes and what it waits for, and every output.
fn everything(configuration: &Configuration) -> Vec<String> {
    let resources = configuration.resources.values().map(|resource| {
        let after: Vec<String> = resource.depends_on.iter().map(ToString::to_string).collect();
        let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
        format!("{} {}{after}", resource.address, Value::Map(resource.attributes.clone()))
    });
    let outputs = configuration.outputs.iter().map(|(name, output)| format!("{name} = {}", output.value));
    resources.chain(outputs).collect()
}

const MEMBER: (&str, &str) = (
    "modules/member/main.tune.hcl",
    r#"
    variable "machine" {}
    variable "level" {
      type    = number
      default = 1
    }
    variable "options" {
      type    = object({ name = string, size = optional(number, 7) })
      default = { name = "none" }
    }
    locals { settings = { "vm.level" = var.level, size = var.options.size } }
    resource "sysctl" "it" {
      host     = var.machine
      settings = local.settings
      drop_in  = "${path.module}/${path.root}/${var.options.name}"
    }
    output "level" { value = sysctl.it.settings["vm.level"] }
    output "name" { value = "n-${var.options.name}" }
    "#,
);

#[test]
fn a_module_takes_values_and_gives_values() {
    let main = r#"
        host "h" { address = "h" }
        module "one" {
          source  = "./modules/member"
          machine = host.h
          level   = "5"
          options = { name = "x" }
        }
        resource "sysctl" "after" {
          host     = host.h
          settings = { a = module.one.level, b = module.one.name }
        }
        output "name" { value = module.one }
    "#;
    assert_eq!(
        everything(&good(&[("main.tune.hcl", main), MEMBER])),
        [
            r#"sysctl.after { "host" = "host.h", "settings" = { "a" = 5, "b" = "n-x" } } after module.one.sysctl.it"#,
            r#"module.one.sysctl.it { "drop_in" = "modules/member/./x", "host" = "host.h", "settings" = { "size" = 7, "vm.level" = 5 } }"#,
            r#"name = { "level" = 5, "name" = "n-x" }"#,
        ]
    );
}

#[test]
fn a_module_has_instances() {
    let main = r#"
        host "h" {
          for_each = toset(["a", "b"])
          address  = each.key
        }
        module "each" {
          for_each = host.h
          source   = "./modules/member"
          machine  = each.value
          options  = { name = each.key }
        }
        module "count" {
          count   = 2
          source  = "./modules/../modules/member"
          machine = host.h["a"]
          level   = count.index
        }
        output "each" { value = { for name, it in module.each : name => it.name } }
        output "count" { value = module.count[*].level }
        output "one" { value = [module.each["a"].name, module.each.b.name, module.count[1].level] }
        resource "sysctl" "one" {
          host     = host.h["a"]
          settings = { a = module.each["b"].level }
        }
        resource "sysctl" "all" {
          host       = host.h["a"]
          settings   = {}
          depends_on = [module.count]
        }
    "#;
    let configuration = good(&[("main.tune.hcl", main), MEMBER]);
    let addresses: Vec<String> = configuration.resources.keys().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        [
            "sysctl.all",
            "sysctl.one",
            "module.count[0].sysctl.it",
            "module.count[1].sysctl.it",
            "module.each[\"a\"].sysctl.it",
            "module.each[\"b\"].sysctl.it",
        ]
    );
    let outputs: Vec<String> = configuration.outputs.values().map(|output| output.value.to_string()).collect();
    assert_eq!(outputs, ["[0, 1]", r#"{ "a" = "n-a", "b" = "n-b" }"#, r#"["n-a", "n-b", 1]"#]);
    let after = |name: &str| {
        let resource = &configuration.resources[&address(name)];
        resource.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(after("sysctl.one"), ["module.each[\"b\"].sysctl.it"]);
    assert_eq!(after("sysctl.all"), ["module.count[0].sysctl.it", "module.count[1].sysctl.it"]);
}

#[test]
fn modules_call_modules_and_pass_on_what_they_wait_for() {
    let outer = r#"
        variable "machine" {}
        host "own" { address = "own" }
        module "inner" {
          source  = "../member"
          machine = var.machine
        }
        resource "sysctl" "own" {
          host     = host.own
          settings = { a = module.inner.level }
        }
        output "own" { value = host.own }
        output "level" { value = module.inner.level }
    "#;
    let main = r#"
        host "h" { address = "h" }
        resource "sysctl" "first" {
          host     = host.h
          settings = {}
        }
        module "outer" {
          source     = "./modules/outer"
          machine    = host.h
          depends_on = [sysctl.first]
        }
        resource "sysctl" "last" {
          host     = module.outer.own
          settings = { level = module.outer.level }
        }
    "#;
    let configuration = good(&[("main.tune.hcl", main), ("modules/outer/x.tune.hcl", outer), MEMBER]);
    assert_eq!(
        everything(&configuration),
        [
            r#"sysctl.first { "host" = "host.h", "settings" = {} }"#,
            r#"sysctl.last { "host" = "module.outer.host.own", "settings" = { "level" = 1 } } after sysctl.first, module.outer.module.inner.sysctl.it"#,
            r#"module.outer.sysctl.own { "host" = "module.outer.host.own", "settings" = { "a" = 1 } } after sysctl.first, module.outer.module.inner.sysctl.it"#,
            r#"module.outer.module.inner.sysctl.it { "drop_in" = "modules/member/./none", "host" = "host.h", "settings" = { "size" = 7, "vm.level" = 1 } } after sysctl.first"#,
        ]
    );
    assert!(configuration.hosts.contains_key(&address("module.outer.host.own")));
    let marked = |address: &str, path: &AttributePath| {
        configuration.span_of(&self::address(address), path).map(|span| configuration.sources.marked(span))
    };
    assert_eq!(marked("module.outer.sysctl.own", &AttributePath::attribute("host")), Some("host.own"));
    assert_eq!(marked("module.outer.module.inner.sysctl.it", &AttributePath::attribute("host")), Some("var.machine"));
    assert_eq!(marked("module.inner.sysctl.it", &AttributePath::default()), None);
    let edge = configuration.edge_span(&address("sysctl.last"), &address("module.outer.module.inner.sysctl.it"));
    assert_eq!(edge.map(|span| configuration.sources.marked(span)), Some("module.outer"));
}

#[test]
fn outputs_and_variables_of_one_module_may_feed_each_other() {
    // Terraform allows it too: what counts is each value, not the module as a whole.
    let module = "variable \"a\" {}\nvariable \"b\" {}\noutput \"a\" {\n  value = var.a + 1\n}\noutput \"b\" {\n  value = var.b + 1\n}\n";
    let main =
        "module \"m\" {\n  source = \"./m\"\n  a = 1\n  b = module.m.a\n}\noutput \"x\" {\n  value = module.m.b\n}\n";
    let configuration = good(&[("main.tune.hcl", main), ("m/x.tune.hcl", module)]);
    assert_eq!(configuration.outputs["x"].value, Value::from(3));
}

#[test]
fn data_checks_and_rollouts_work_in_modules() {
    let module = r#"
        variable "members" {}
        data "etcd" "now" { hosts = values(var.members) }
        check "healthy" {
          probe "etcd" "now" { hosts = values(var.members) }
          assert {
            condition     = probe.etcd.now.voters == length(var.members)
            error_message = "Not all of ${length(var.members)}."
          }
        }
        rollout "all" {
          members = var.members
          last    = [for name, it in var.members : it if name == data.etcd.now.leader]
          gates   = [check.healthy]
        }
        output "leader" { value = data.etcd.now.leader }
    "#;
    let main = r#"
        host "h" {
          for_each = toset(["a", "b"])
          address  = each.key
        }
        module "cluster" {
          for_each = toset(["x"])
          source   = "./cluster"
          members  = host.h
        }
        output "leader" { value = module.cluster["x"].leader }
    "#;
    let answer = |leader: &str| format!("{{ leader = \"{leader}\", voters = 2, healthy_voters = 2, members = [] }}");
    let known = answers(&[("module.cluster[\"x\"].etcd.now", &answer("a"))]);
    let files = [("main.tune.hcl", main), ("cluster/main.tune.hcl", module)];
    let (levels, configuration) = resolve_all(&files, &known);
    let configuration = configuration.unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
    assert_eq!(levels, [[r#"module.cluster["x"].etcd.now { "hosts" = ["host.h[\"a\"]", "host.h[\"b\"]"] }"#]]);
    assert_eq!(configuration.outputs["leader"].value, Value::from("a"));
    let rollout = &configuration.rollouts[&address("module.cluster[\"x\"].rollout.all")];
    assert_eq!(rollout.gates, [address("module.cluster[\"x\"].check.healthy")]);
    assert_eq!(rollout.last, [address("host.h[\"a\"]")].into());
    let fresh = [(address("module.cluster[\"x\"].etcd.now"), super::value_of(&answer("b")))].into();
    assert_eq!(configuration.live.last(&rollout.address, &fresh), Ok([address("host.h[\"b\"]")].into()));
    let probed = [(address("etcd.now"), super::value_of(&answer("a")))].into();
    assert_eq!(configuration.live.judge(&rollout.gates[0], &probed), tune_core::rollout::Verdict::Pass);
    let probe = configuration.probe_span(&rollout.gates[0], &address("etcd.now"), &AttributePath::attribute("hosts"));
    assert_eq!(probe.map(|span| configuration.sources.marked(span)), Some("values(var.members)"));
}

#[test]
fn a_rollout_does_not_pretend_to_look_again_into_another_module() {
    let module = "variable \"h\" {}\ndata \"etcd\" \"now\" {\n  hosts = [var.h]\n}\noutput \"last\" {\n  value = data.etcd.now.leader == \"h\" ? [var.h] : []\n}\n";
    let main = "host \"h\" {\n  address = \"h\"\n}\nmodule \"m\" {\n  source = \"./m\"\n  h = host.h\n}\nrollout \"r\" {\n  members = [host.h]\n  last = module.m.last\n}\n";
    let known = answers(&[("module.m.etcd.now", "{ leader = \"h\", voters = 1, healthy_voters = 1, members = [] }")]);
    let (_, outcome) = resolve_all(&[("main.tune.hcl", main), ("m/x.tune.hcl", module)], &known);
    assert_eq!(
        shown(&outcome.expect_err("it is made elsewhere")),
        "rollout «module.m.last» `last` depends on data of another module"
    );
}

#[test]
fn providers_are_passed_on() {
    let module = r#"
        resource "vm" "default" { number = 1 }
        resource "vm" "other" {
          provider = cloud.other
          number   = 2
        }
        data "nodes" "default" {}
        output "names" { value = data.nodes.default.names }
    "#;
    let main = r#"
        provider "cloud" { endpoint = "one" }
        provider "cloud" {
          alias    = "lab"
          endpoint = "two"
        }
        module "plain" {
          source    = "./m"
          providers = { cloud.other = cloud.lab }
        }
        module "swapped" {
          source    = "./m"
          providers = {
            cloud       = cloud.lab
            cloud.other = cloud
          }
        }
    "#;
    let names = "{ names = [] }";
    let known = answers(&[("module.plain.nodes.default", names), ("module.swapped.nodes.default", names)]);
    let (levels, configuration) = resolve_all(&[("main.tune.hcl", main), ("m/x.tune.hcl", module)], &known);
    let configuration = configuration.unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
    let provider = |name: &str| configuration.resources[&address(name)].provider.clone().map(|it| it.to_string());
    let (one, two) = (Some("provider.cloud".to_owned()), Some("provider.cloud[\"lab\"]".to_owned()));
    assert_eq!(["module.plain.vm.default", "module.plain.vm.other"].map(provider), [one.clone(), two.clone()]);
    assert_eq!(["module.swapped.vm.default", "module.swapped.vm.other"].map(provider), [two, one]);
    assert_eq!(
        levels,
        [[
            r#"module.plain.nodes.default { "provider" = "provider.cloud" }"#,
            r#"module.swapped.nodes.default { "provider" = "provider.cloud[\"lab\"]" }"#,
        ]]
    );
    let without = "module \"m\" {\n  source = \"./m\"\n}\nprovider \"cloud\" {\n  endpoint = \"e\"\n}\n";
    let (_, outcome) = resolve_all(&[("main.tune.hcl", without), ("m/x.tune.hcl", module)], &Answers::new());
    assert_eq!(
        shown(&outcome.expect_err("one is missing")),
        "provider «cloud.other» there is no provider `cloud.other`"
    );
}

#[test]
fn every_mistake_about_modules_is_named() {
    let member = "variable \"a\" {}\nvariable \"b\" {\n  type = number\n  default = 1\n}\nvariable \"c\" {\n  default = 1\n  nullable = false\n  validation {\n    condition = var.c < 5\n    error_message = \"Too large.\"\n  }\n}\noutput \"x\" {\n  value = nope(1)\n}\noutput \"y\" {\n  value = var.b\n}\n";
    let main = r#"
        module "far" { source = "hashicorp/x/y" }
        module "out" { source = "../x" }
        module "none" { source = "./none" }
        module "empty" { source = "./empty" }
        module "self" { source = "./" }
        module "some" {
          source  = "./m"
          bb      = 1
          version = "1"
          c       = 7
          b       = "x"
          sub {}
        }
        module "number" {
          source = local.where
        }
        module "both" {
          source    = "./m"
          a         = each.key
          count     = 1
          providers = ["x"]
        }
        module "good" {
          source   = "./m"
          a        = 1
          c        = null
          for_each = toset(["k"])
        }
        locals {
          where = "./m"
          a     = module.good["k"].z
          b     = module.goood
          c     = module.good["q"]
          d     = module
          e     = path.modul
          f     = module.some.x + 1
        }
        terraform {}
        moved {}
    "#;
    assert_eq!(
        mistakes(&[("main.tune.hcl", main), ("m/x.tune.hcl", member), ("empty/readme.md", "x")]),
        "validation «var.c < 5» the value of the variable `c` is refused: Too large\n\
         unknown_function «nope» unknown function `nope`\n\
         module «\"hashicorp/x/y\"» `source` of a module must be a folder of the configuration\n\
         module «\"../x\"» the folder of a module cannot be read\n\
         module «\"./none\"» there is no module in `none`\n\
         module «\"./empty\"» there is no module in `empty`\n\
         cycle «\"./\"» a module calls itself\n\
         missing_attribute «module \"some\"» the module `some` needs a value for `a`\n\
         unknown_attribute «bb» the module `some` has no variable `bb`\n\
         module «version» a module has no version\n\
         type «\"x\"» the variable `b` cannot have this value\n\
         unknown_block «sub» unknown block `sub` in a module\n\
         misplaced «local.where» a reference where only a plain value can stand\n\
         misplaced «each.key» `each` is used outside of a block with `for_each`\n\
         provider «[\"x\"]» `providers` says which provider each one of the module is\n\
         index «.z» there is no attribute `z`\n\
         unknown_name «module.goood» there is no module `goood`\n\
         index «[\"q\"]» there is no key `\"q\"`\n\
         unknown_name «module» `module` stands for nothing\n\
         unknown_name «path.modul» there is no `path.modul`\n\
         unknown_block «terraform» unknown block type `terraform`\n\
         unknown_block «moved» unknown block type `moved`"
    );
}

#[test]
fn modules_that_call_each_other_in_a_circle_are_refused() {
    let call = |to: &str| format!("module \"m\" {{\n  source = \"../{to}\"\n}}\n");
    assert_eq!(
        mistakes(&[
            ("main.tune.hcl", "module \"m\" {\n  source = \"./a\"\n}\n"),
            ("a/x.tune.hcl", &call("b")),
            ("b/x.tune.hcl", &call("a")),
        ]),
        "cycle «\"../a\"» a module calls itself"
    );
    let value = "variable \"a\" {}\noutput \"b\" {\n  value = var.a\n}\n";
    let main = "module \"m\" {\n  source = \"./m\"\n  a = local.x\n}\nlocals {\n  x = module.m.b\n}\n";
    assert_eq!(
        mistakes(&[("main.tune.hcl", main), ("m/x.tune.hcl", value)]),
        "cycle «module.m.b» `local.x`, `module.m.output.b`, `module.m.var.a` depend on each other in a circle"
    );
}

#[test]
fn modules_that_multiply_are_limited() {
    let mut files: Vec<(String, String)> = (0..15)
        .map(|level| {
            let calls = ["a", "b"].map(|name| format!("module \"{name}\" {{\n  source = \"../m{}\"\n}}\n", level + 1));
            (format!("m{level}/x.tune.hcl"), calls.concat())
        })
        .collect();
    files.push(("m15/x.tune.hcl".to_owned(), String::new()));
    files.push(("main.tune.hcl".to_owned(), "module \"m\" {\n  source = \"./m0\"\n}\n".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(mistakes(&files).starts_with("budget «"));
}

#[test]
fn a_secret_stays_one_on_its_way_through_modules() {
    let module = "variable \"s\" {\n  sensitive = true\n}\noutput \"s\" {\n  value = \"x-${var.s}\"\n}\noutput \"own\" {\n  value = \"y\"\n  sensitive = true\n}\n";
    let main = "module \"m\" {\n  source = \"./m\"\n  s = \"z\"\n}\noutput \"a\" {\n  value = module.m.s\n}\noutput \"b\" {\n  value = module.m.own\n}\n";
    assert_eq!(
        mistakes(&[("main.tune.hcl", main), ("m/x.tune.hcl", module)]),
        "sensitive_output «module.m.s» the output `a` would show a secret\n\
         sensitive_output «module.m.own» the output `b` would show a secret"
    );
}

#[test]
fn a_broken_module_adds_no_mistakes_where_it_is_called() {
    let main = "module \"m\" {\n  source = \"./m\"\n  b = 1\n}\noutput \"a\" {\n  value = module.m.x\n}\noutput \"b\" {\n  value = 1 / 0\n}\n";
    assert_eq!(
        mistakes(&[("main.tune.hcl", main), ("m/x.tune.hcl", "variable \"a\" {}\noutput \"b\" {\n  value = \n}\n")]),
        "syntax «=» a value is missing\nexpression «0» a division by zero"
    );
}
