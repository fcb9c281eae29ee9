//! Blocks, their names and attributes, and how often there is one.

use super::Broken;

#[rustfmt::skip]
pub(super) const BROKEN: Broken = &[
    (
r#"resource "sysctl" "a" {
}
"#,
        &[
            r#"missing_attribute «resource "sysctl" "a"» `sysctl` needs the attribute `host`"#,
            r#"missing_attribute «resource "sysctl" "a"» `sysctl` needs the attribute `settings`"#,
        ],
    ),
    (
r#"host "h" { connection = "local" }
resource "sysctl" "a" {
  host     = host.h
  settings = { a = 1 }
  drop_inn = "x"
  hosts    = host.h
}
"#,
        &[
            "unknown_attribute «drop_inn» unknown attribute `drop_inn`",
            "unknown_attribute «hosts» unknown attribute `hosts`",
        ],
    ),
    (
r#"host "h" { connection = "local" }
resource "sysctl" "a" {
  host     = "h"
  settings = [1]
  drop_in  = { a = 1 }
  level    = 1.5
  tags     = ["a", ["b"], { c = 1 }]
  peers    = [host.h, "x"]
}
"#,
        &[
            r#"type «"h"» `host` has the wrong type"#,
            "type «[1]» `settings` has the wrong type",
            "type «{ a = 1 }» `drop_in` has the wrong type",
            "type «1.5» `level` has the wrong type",
            r#"type «["b"]» `tags[1]` has the wrong type"#,
            "type «{ c = 1 }» `tags[2]` has the wrong type",
            r#"type «"x"» `peers[1]` has the wrong type"#,
        ],
    ),
    (
r#"host "h" { connection = "local" }
resource "sysctl" "a" {
  host     = host.h
  settings = {
    "vm.a" = [1]
    "vm.b" = null
    "vm.c" = { d = 1 }
  }
  level = "ten"
}
"#,
        &[
            r#"type «[1]» `settings["vm.a"]` has the wrong type"#,
            r#"type «null» `settings["vm.b"]` has the wrong type"#,
            r#"type «{ d = 1 }» `settings["vm.c"]` has the wrong type"#,
            r#"type «"ten"» `level` has the wrong type"#,
        ],
    ),
    (
r#"resource "sysctls" "a" {
  host = host.nope
}
"#,
        &[
            r#"unknown_kind «"sysctls"» unknown kind `sysctls`"#,
            "unknown_name «host.nope» there is no host `nope`",
        ],
    ),
    (
r#"resource "sysctl" "a b" {
}
resource "sysctl" {
}
host {
}
locals "x" {
}
"#,
        &[
            r#"name «"a b"» `a b` is not a valid name"#,
            r#"name «resource "sysctl"» `resource` takes 2 names, a kind and a name"#,
            "name «host» `host` takes one name",
            r#"name «locals "x"» `locals` takes no name"#,
        ],
    ),
    (
r#"module "x" {}
data "k" "n" {}
provider "p" {}
rollout "r" {}
check "c" {}
hots "h" {}
"#,
        &[
            r#"missing_attribute «module "x"» a module needs the attribute `source`"#,
            r#"unknown_kind «"k"» unknown source `k`"#,
            r#"unknown_kind «"p"» unknown provider `p`"#,
            r#"missing_attribute «rollout "r"» a rollout needs the attribute `members`"#,
            r#"missing_attribute «check "c"» a check needs at least one block `assert`"#,
            r#"unknown_block «hots "h"» unknown block type `hots`"#,
        ],
    ),
    (
"x = 1
",
        &[
            "unknown_attribute «x» `x` stands outside of any block",
        ],
    ),
    (
r#"host "h" { connection = "local" }
host "h" { connection = "local" }
variable "v" { default = 1 }
variable "v" { default = 1 }
output "o" { value = 1 }
output "o" { value = 1 }
locals { a = 1 }
locals { a = 1 }
resource "sysctl" "a" {
  host     = host.h
  settings = {}
}
resource "sysctl" "a" {
  host     = host.h
  settings = {}
}
tune {}
tune {}
"#,
        &[
            r#"duplicate «host "h"» the host `h` is declared twice"#,
            r#"duplicate «variable "v"» the variable `v` is declared twice"#,
            r#"duplicate «output "o"» the output `o` is declared twice"#,
            "duplicate «a» the local value `a` is declared twice",
            r#"duplicate «resource "sysctl" "a"» the resource `sysctl.a` is declared twice"#,
            "duplicate «tune» the block `tune` is declared twice",
        ],
    ),
    (
r#"host "h" {
}
host "i" {
  address    = "-oProxyCommand=x"
  user       = "a b"
  port       = 70000
  connection = "shh"
  become     = "doas"
  ssh_config = "../x"
}
host "j" {
  connection = "local"
  user       = "root"
}
host "k" {
  address = null
}
host "l" {
  address = ["x"]
}
"#,
        &[
            r#"missing_attribute «host "h"» a host that is reached by ssh needs the attribute `address`"#,
            r#"invalid_value «"-oProxyCommand=x"» `address` is nothing that ssh can be given"#,
            r#"invalid_value «"a b"» `user` is nothing that ssh can be given"#,
            "invalid_value «70000» `port` cannot have this value",
            r#"invalid_value «"shh"» `connection` cannot have this value"#,
            r#"invalid_value «"doas"» `become` cannot have this value"#,
            r#"invalid_value «"../x"» the ssh configuration is outside the folder"#,
            r#"invalid_value «user» `user` has no meaning with `connection = "local"`"#,
            "missing_attribute «null» a host that is reached by ssh needs the attribute `address`",
            r#"type «["x"]» `address` has the wrong type"#,
        ],
    ),
    (
r#"host "h" {
  for_each   = ["a"]
  connection = "local"
}
host "i" {
  count      = -1
  connection = "local"
}
host "j" {
  count      = "x"
  connection = "local"
}
host "k" {
  count      = 1e9
  connection = "local"
}
host "l" {
  for_each   = null
  connection = "local"
}
host "m" {
  for_each   = toset([1])
  count      = 1
  connection = "local"
}
host "n" {
  for_each   = sensitive(toset(["a"]))
  connection = "local"
}
host "o" {
  for_each   = toset([1])
  connection = "local"
}
host "single" { connection = "local" }
host "p" {
  for_each   = host.single
  connection = "local"
}
host "many" {
  count = 2
  connection = "local"
}
host "q" {
  for_each   = host.many
  connection = "local"
}
host "r" {
  for_each = { a = 1 }
  address  = each.value.x
}
"#,
        &[
            r#"instances «["a"]» `for_each` must be a map or a set of strings"#,
            "instances «-1» `count` must be a whole number that is not negative",
            r#"instances «"x"» `count` must be a whole number that is not negative"#,
            "instances «1e9» `count` is too large",
            "instances «null» `for_each` must be a map or a set of strings",
            "instances «for_each» a block takes either `count` or `for_each`",
            "sensitive_value «sensitive(************)» `for_each` is made from a secret",
            "instances «toset([1])» `for_each` must be a map or a set of strings",
            "instances «host.single» `for_each` must be a map or a set of strings",
            "instances «host.many» `for_each` must be a map or a set of strings",
            "index «.x» there is no attribute `x`",
        ],
    ),
    (
r#"host "h" { connection = "local" }
resource "sysctl" "a" {
  for_each   = { x = 1 }
  host       = host.h
  settings   = {}
  depends_on = [host.h, "sysctl.b", sysctl.b["y"], sysctl.c, local.q, sysctl.b.host]
  lifecycle {
    prevent_revert = "maybe"
    accept         = ["data_los", "x"]
    ignore_changes = []
  }
}
resource "sysctl" "b" {
  for_each = { x = 1 }
  host     = host.h
  settings = {}
}
"#,
        &[
            "type «host.h» `depends_on` takes references to resources",
            r#"type «"sysctl.b"» `depends_on` takes references to resources"#,
            r#"index «sysctl.b["y"]» `sysctl.b` has no such instance"#,
            "unknown_name «sysctl.c» there is no resource of kind `sysctl` `c`",
            "unknown_name «local.q» there is no local value `q`",
            "type «sysctl.b.host» `depends_on` takes references to resources",
            r#"type «"maybe"» `prevent_revert` has the wrong type"#,
            r#"invalid_value «"data_los"» there is nothing called `data_los` to accept"#,
            r#"invalid_value «"x"» there is nothing called `x` to accept"#,
            "unknown_attribute «ignore_changes» unknown attribute `ignore_changes`",
        ],
    ),
    (
r#"host "h" { connection = "local" }
resource "sysctl" "a" {
  host     = host.h
  settings = { a = sysctl.b.level }
}
resource "sysctl" "b" {
  host       = host.h
  settings   = {}
  depends_on = [sysctl.a]
}
"#,
        &[
            "cycle «sysctl.b» `sysctl.a`, `sysctl.b` depend on each other in a circle",
        ],
    ),
    (
r#"host "h" { connection = "local" }
resource "sysctl" "a" {
  host     = host.h
  settings = {}
  settings {
    x = 1
  }
  lifecycle {}
  lifecycle {}
  what {}
}
"#,
        &[
            "unknown_block «settings» unknown block `settings` in `sysctl`",
            "duplicate «lifecycle» the block `lifecycle` is declared twice",
            "unknown_block «what» unknown block `what` in `sysctl`",
        ],
    ),
    (
r#"tune {
  required_version = ">= 9"
  nonsense         = 1
}
"#,
        &[
            r#"version «">= 9"» the configuration is not for this version of `tune`, 0.1.0"#,
            "unknown_attribute «nonsense» unknown attribute `nonsense`",
        ],
    ),
    (
r#"tune {
  required_version = "new"
}
"#,
        &[
            r#"version «"new"» `new` is not a version constraint"#,
        ],
    ),
];
