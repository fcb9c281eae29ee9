//! Broken configurations, and exactly what is said about each: code, marked text, message.

use super::{mistakes, shown};

#[rustfmt::skip]
const BROKEN: &[(&str, &[&str])] = &[
    (
"a = 
",
        &[
            "syntax «=» a value is missing",
        ],
    ),
    (
"locals {
  a =
}
",
        &[
            "syntax «=» a value is missing",
        ],
    ),
    (
"locals {
  a = [1, 2
}
",
        &[
            "syntax «}» unexpected `}`",
        ],
    ),
    (
r#"locals {
  a = "x
  b = 1
}
"#,
        &[
            r#"syntax «"x» a quoted text is not closed"#,
        ],
    ),
    (
"locals {
  a = 'x'
}
",
        &[
            "syntax «'» a text starts with a single quote",
        ],
    ),
    (
"locals {
  a: 1
}
",
        &[
            "syntax «:» unexpected `:`",
        ],
    ),
    (
"locals {
  a = 1, b = 2
}
",
        &[
            "syntax «,» unexpected `,`",
        ],
    ),
    (
"locals {
  a = [1 2]
}
",
        &[
            "syntax «2» unexpected `2`",
        ],
    ),
    (
"locals {
  a = f(1 2)
}
",
        &[
            "syntax «2» unexpected `2`",
        ],
    ),
    (
"locals {
  a = { b = 1 c = 2 }
}
",
        &[
            "syntax «c» unexpected `c`",
        ],
    ),
    (
"locals {
  a = 1
",
        &[
            "syntax «{» `{` is not closed",
        ],
    ),
    (
"locals {
  a = 1
}
}
",
        &[
            "syntax «}» unexpected `}`",
        ],
    ),
    (
"locals {
  a = <<EOT
x
}
",
        &[
            "syntax «<<EOT» the heredoc `EOT` is not closed",
        ],
    ),
    (
"locals {
  a = (1]
}
",
        &[
            "syntax «]» unexpected `]`",
        ],
    ),
    (
r#"locals {
  a = "${1"
}
"#,
        &[
            "syntax «${» `${` is not closed",
        ],
    ),
    (
r#"locals {
  a = "\q"
}
"#,
        &[
            r"syntax «\q» unknown escape in a text",
        ],
    ),
    (
"locals {
  a = 1 +
}
",
        &[
            "syntax «+» a value is missing",
        ],
    ),
    (
"locals {
  a
}
",
        &[
            "syntax «a» a name alone is neither an attribute nor a block",
        ],
    ),
    (
"/* never
",
        &[
            "syntax «/*» a comment is not closed",
        ],
    ),
    (
"locals { a = 1 b = 2 }
",
        &[
            "syntax «b» unexpected `b`",
        ],
    ),
    (
"123 = 4
",
        &[
            "syntax «123» unexpected `123`",
        ],
    ),
    (
"locals {
  a = 1
  a = 2
  b = nope(1)
}
",
        &[
            "duplicate «a» the attribute `a` is written twice",
            "unknown_function «nope» unknown function `nope`",
        ],
    ),
    (
r#"locals {
  a = { x = 1, "y" = 2, "x" = 3, x = 4 }
}
"#,
        &[
            r#"duplicate «"x"» two items of an object have the same key"#,
            "duplicate «x» the key `x` is written twice",
        ],
    ),
    (
r#"locals {
  a = "one
two"
}
"#,
        &[
            "syntax «e» a line break in a quoted text",
        ],
    ),
    (
"locals {
  a = { vm.swappiness = 1 }
}
",
        &[
            "syntax «vm.swappiness» a key may mean two things",
        ],
    ),
    (
"locals {
  a = foo
  b = lower
}
",
        &[
            "unknown_name «foo» `foo` stands for nothing",
            "unknown_name «lower» `lower` stands for nothing",
        ],
    ),
    (
r#"locals {
  a = var.nope
  b = local.c
  c = locals.a
}
variable "nopes" { default = 1 }
"#,
        &[
            "unknown_name «var.nope» there is no variable `nope`",
            "unknown_name «locals.a» `locals.a` stands for nothing",
        ],
    ),
    (
"locals {
  a = each.key
  b = count.index
  c = each.nothing
}
",
        &[
            "misplaced «each.key» `each` is used outside of a block with `for_each`",
            "misplaced «count.index» `count.index` is used outside of a block with `count`",
            "unknown_name «each.nothing» there is no `each.nothing`",
        ],
    ),
    (
r#"locals {
  a = lowre("x")
  b = substr("x")
  c = max()
  d = keys(5)
}
"#,
        &[
            "unknown_function «lowre» unknown function `lowre`",
            r#"argument «substr("x")» `substr` takes 3 arguments"#,
            "argument «max()» `max` takes at least one argument",
            "argument «5» `keys` cannot use its argument `map`",
        ],
    ),
    (
"locals {
  a = local.b
  b = local.c
  c = local.a
  d = local.d
}
",
        &[
            "cycle «local.b» `local.a`, `local.b`, `local.c` depend on each other in a circle",
            "cycle «local.d» `local.d` depends on itself",
        ],
    ),
    (
r#"locals {
  a = 1 + "x"
  b = "x" * null
  c = !5
  d = 1 / 0
  e = 1 % 0
  f = "${null} x"
  g = "a${[1]}"
  h = 5 ? 1 : 2
  i = "a" && 5
}
"#,
        &[
            r#"expression «"x"» `+` takes numbers"#,
            r#"expression «"x"» `*` takes numbers"#,
            "expression «null» `*` takes numbers",
            "expression «5» the operand of `!` must be a bool",
            "expression «0» a division by zero",
            "expression «0» a division by zero",
            "expression «null» a text cannot be made of this",
            "expression «[1]» a text cannot be made of this",
            "expression «5» a condition must be a bool",
            r#"expression «"a"» an operand of `&&` must be a bool"#,
            "expression «5» an operand of `&&` must be a bool",
        ],
    ),
    (
r#"locals {
  o = { a = { bee = 1 } }
  a = local.o.a.bea
  b = local.o["x"]
  c = [1, 2][7]
  d = [1, 2]["x"]
  e = toset(["a"])[0]
  f = null.x
  g = [{ a = 1 }].a
  h = "x".y
}
"#,
        &[
            "index «.bea» there is no attribute `bea`",
            r#"index «["x"]» there is no key `"x"`"#,
            "index «[7]» there is no element `7`",
            r#"index «["x"]» a position in a list is a number"#,
            "index «[0]» a set cannot be indexed",
            "index «.x» there is no attribute `x`",
            "index «.a» there is no attribute `a`",
            "index «.y» there is no attribute `y`",
        ],
    ),
    (
r#"locals {
  a = [for x in 5 : x]
  b = { for x in ["a", "a"] : x => 1 }
  c = { for x in [[]] : x => 1 }
  d = [for x in [1] : x if "no"]
  e = { (null) = 1 }
  f = { ("a") = 1, a = 2 }
}
"#,
        &[
            "expression «5» `for` has nothing to go through",
            "duplicate «x» two elements give the key `a`",
            "expression «x» a key must be a string",
            r#"expression «"no"» the condition of a `for` must be a bool"#,
            "expression «null» a key must be a string",
            "duplicate «a» two items of an object have the same key",
        ],
    ),
    (
r#"locals {
  a = range(1e9)
  b = format("%99999d", 1)
  c = jsondecode("{")
  d = file("/etc/passwd")
  e = file("../x")
  f = file("nope")
  g = try(tonumber("x"), [].a)
}
"#,
        &[
            "budget «range(1e9)» `range` cannot be computed",
            r#"argument «"%99999d"» `format` cannot be computed"#,
            r#"argument «"{"» `jsondecode` cannot be computed"#,
            r#"file «"/etc/passwd"» `file` cannot be computed"#,
            r#"file «"../x"» `file` cannot be computed"#,
            r#"file «"nope"» `file` cannot be computed"#,
            r"expression «try» `try` found nothing that works",
        ],
    ),
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
r#"variable "a" {}
variable "b" {
  type    = number
  default = "x"
}
variable "c" {
  type = strin
}
variable "d" {
  type = list
}
variable "e" {
  type    = object({ a = string, b = optional(number) })
  default = { b = "x" }
}
variable "f" {
  default = local.x
}
variable "g" {
  nullable = false
  default  = null
}
variable "h" {
  default = 5
  validation {
    condition     = var.h > 10
    error_message = "Must be more than ten."
  }
}
variable "i" {
  default     = 1
  description = 5
  sensitive   = "x"
  defualt     = 1
  validation {
    condition = true
  }
}
variable "j" {
  type = "string"
  default = 1
}
"#,
        &[
            r#"missing_variable «variable "a"» the variable `a` has no value"#,
            r#"type «"x"» the variable `b` cannot have this value"#,
            r#"missing_variable «variable "c"» the variable `c` has no value"#,
            "type «strin» unknown type `strin`",
            r#"missing_variable «variable "d"» the variable `d` has no value"#,
            "type «list» this is not a type",
            r#"type «{ b = "x" }» the variable `e` cannot have this value"#,
            r#"type «"x"» the variable `e` cannot have this value"#,
            "misplaced «local.x» a reference where only a plain value can stand",
            "type «null» the variable `g` may not be `null`",
            "validation «var.h > 10» the value of the variable `h` is refused: Must be more than ten",
            "type «5» a value of the wrong type",
            r#"type «"x"» a value of the wrong type"#,
            "unknown_attribute «defualt» unknown attribute `defualt`",
            "missing_attribute «validation» `validation` needs the attribute `error_message`",
            r#"type «"string"» this is not a type"#,
        ],
    ),
    (
r#"variable "secret" {
  default   = "hunter2"
  sensitive = true
}
output "a" { value = var.secret }
output "b" { value = "x-${var.secret}" }
output "c" { value = { a = [upper(var.secret)] } }
output "d" {
  value     = var.secret
  sensitive = true
}
host "h" { address = var.secret }
host "l" { connection = "local" }
resource "sysctl" "a" {
  host     = host.l
  settings = {
    a = 1
    b = var.secret
  }
}
locals { x = var.secret + 1 }
"#,
        &[
            "sensitive_output «var.secret» the output `a` would show a secret",
            r#"sensitive_output «"x-${var.secret}"» the output `b` would show a secret"#,
            "sensitive_output «{ a = [upper(var.secret)] }» the output `c` would show a secret",
            "sensitive_value «var.secret» a secret cannot be used in `address`",
            r#"sensitive_value «var.secret» a secret cannot be used in `settings["b"]`"#,
            "expression «var.secret» `+` takes numbers",
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
    (
r#"output "a" {}
output "b" {
  value = 1
  vlaue = 2
}
output "c" {
  value       = 1
  description = local.nope
  extra {}
}
"#,
        &[
            r#"missing_attribute «output "a"» an output needs the attribute `value`"#,
            "unknown_attribute «vlaue» unknown attribute `vlaue`",
            "misplaced «local.nope» a reference where only a plain value can stand",
            "unknown_block «extra» unknown block `extra` in an output",
        ],
    ),
    (
r#"locals {
  a = "x"
  b = "%{ if 5 }x%{ endif }"
  c = "%{ for x in 5 }x%{ endfor }"
  d = "%{ if true }x"
}
"#,
        &[
            "syntax «%{» `%{ if … }` is not closed",
        ],
    ),
    (
r#"locals {
  l0 = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  l1 = "${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}"
  l2 = "${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}"
  l3 = "${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}"
  l4 = "${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}"
  l5 = "${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}"
  l6 = "${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}"
  l7 = "${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}"
}
"#,
        &[
            r#"budget «"${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}"» a text is too large"#,
        ],
    ),
    (
"locals {
  a = 1e2000
  b = 1e900 * 1e900
}
",
        &[
            "syntax «e2000» a number is out of range",
        ],
    ),
    (
r#"locals {
  a = "é" + 1
}
"#,
        &[
            r#"expression «"é"» `+` takes numbers"#,
        ],
    ),
    (
r#"locals {
  a = "%{ if true }x"
}
"#,
        &[
            "syntax «%{» `%{ if … }` is not closed",
        ],
    ),
    (
"locals {
  a = <<EOT
%{ for x in [] }
EOT
}
",
        &[
            "syntax «%{» `%{ for … }` is not closed",
        ],
    ),
    (
"a = 1 +
",
        &[
            "syntax «+» a value is missing",
        ],
    ),
    (
r#"locals {
  a = "%{ endif }"
}
"#,
        &[
            "syntax «%{» a directive that means nothing here",
        ],
    ),
    (
r#"locals {
  a = "%{ nope }"
}
"#,
        &[
            "syntax «%{» a directive that means nothing here",
        ],
    ),
    (
"locals {
  a = [for x in [1] : ]
}
",
        &[
            "syntax «]» `]` is not a value",
        ],
    ),
    (
"locals {
  a = true ? 1
}
",
        &[
            "syntax «1» expected `:`",
        ],
    ),
    (
"locals {
  a = {
    b = 1
    c
  }
}
",
        &[
            "syntax «c» a key has no value",
        ],
    ),
    (
r#"locals {
  a = "x" "y"
}
"#,
        &[
            r#"syntax «"» unexpected `"`"#,
        ],
    ),
    (
"locals {
  a = $x
}
",
        &[
            "syntax «$» `$` is not a value",
        ],
    ),
    (
"locals {
  = 1
}
",
        &[
            "syntax «=» unexpected `=`",
        ],
    ),
    (
r#"resource "sysctl" a.b {
}
"#,
        &[
            "syntax «.» unexpected `.`",
        ],
    ),
    (
"locals {
  a = x.y.
}
",
        &[
            "syntax «.» a name is missing",
        ],
    ),
    (
r#"locals {
  a = upper("x"
  b = 2
}
"#,
        &[
            "syntax «b» unexpected `b`",
        ],
    ),
    (
"locals {
  a = <<-EOT
    x
    EOT
  a.b = 1
}
",
        &[
            "syntax «.» unexpected `.`",
        ],
    ),
    (
"locals {
  a = [1, 2
  b = 3
}
",
        &[
            "syntax «b» unexpected `b`",
        ],
    ),
    (
r#"locals {
  "a" = 1
}
"#,
        &[
            r#"syntax «"» unexpected `"`"#,
        ],
    ),
    (
"locals {
  a = [for x in [1]: x
}
",
        &[
            "syntax «}» unexpected `}`",
        ],
    ),
    (
"locals {
  a = -
}
",
        &[
            "syntax «-» a value is missing",
        ],
    ),
    (
r#"locals {
  a = "\u12"
}
"#,
        &[
            r"syntax «\u» unknown escape in a text",
        ],
    ),
    (
"locals {
  a = ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
}
",
        &[
            "budget «(» nested more than 64 levels deep",
        ],
    ),
    (
r#"locals {
  a = timestamp()
  b = uuid()
  c = regex("a**", "a")
  d = templatestring("$${nme}", { name = 1 })
  e = templatestring("$${templatestring(name, {})}", { name = 1 })
  f = templatestring("$${var.x}", {})
  g = templatestring("a\n%%{ if name }", { name = true })
  h = yamldecode("a: [")
  i = formatdate("x", "2018-01-02T23:12:01Z")
  j = fileset("..", "*")
}
"#,
        &[
            "unknown_function «timestamp» the function `timestamp` is not offered",
            "unknown_function «uuid» the function `uuid` is not offered",
            r#"argument «"a**"» `regex` cannot be computed"#,
            r#"unknown_name «"$${nme}"» `templatestring` cannot be computed"#,
            r#"misplaced «"$${templatestring(name, {})}"» `templatestring` cannot be computed"#,
            r#"unknown_name «"$${var.x}"» `templatestring` cannot be computed"#,
            r#"syntax «"a\n%%{ if name }"» `templatestring` cannot be computed"#,
            r#"argument «"a: ["» `yamldecode` cannot be computed"#,
            r#"argument «"x"» `formatdate` cannot be computed"#,
            r#"file «".."» `fileset` cannot be computed"#,
        ],
    ),
    (
"locals {
  a = foo::bar(1)
}
",
        &[
            "unknown_function «foo::bar» unknown function `foo::bar`",
        ],
    ),
    (
"locals {
  a = [1, 2]...
}
",
        &[
            "syntax «.» unexpected `.`",
        ],
    ),
    (
r#"variable "a" {
  type    = tuple([string])
  default = ["a", "b"]
}
variable "b" {
  type    = set(number)
  default = ["a", 1, "b"]
}
variable "c" {
  type    = any(string)
  default = 1
}
variable "d" {
  type    = object({ a = optional(string, 1, 2) })
  default = {}
}
variable "e" {
  type    = optional(string)
  default = 1
}
variable "f" {
  type    = object({ a = string, b = string })
  default = {}
}
"#,
        &[
            r#"type «["a", "b"]» the variable `a` cannot have this value"#,
            r#"type «"a"» the variable `b` cannot have this value"#,
            r#"type «"b"» the variable `b` cannot have this value"#,
            "type «any(string)» this is not a type",
            "type «optional(string, 1, 2)» this is not a type",
            "type «optional(string)» this is not a type",
            "type «{}» the variable `f` cannot have this value",
        ],
    ),
    (
r#"locals {
  a = keys({ a = 1 }...)
  b = max("a"...)
  c = max([]...)
  d = merge({}, [1])
}
"#,
        &[
            "argument «{ a = 1 }» `keys` cannot be called",
            r#"argument «"a"» `max` cannot be called"#,
            "argument «max([]...)» `max` takes at least one argument",
            "argument «[1]» `merge` cannot use its argument `map`",
        ],
    ),
    (
r#"locals {
  a = tobool("maybe")
  b = parseint("x", 99)
  c = cidrhost("10.0.0.0/99", 1)
  d = replace("a", "/(/", "y")
  e = zipmap(["a"], [])
  f = join(",", [[]])
  g = sort([null])
}
"#,
        &[
            r#"argument «"maybe"» `tobool` cannot be computed"#,
            "argument «99» `parseint` cannot be computed",
            r#"argument «"10.0.0.0/99"» `cidrhost` cannot be computed"#,
            r#"argument «"/(/"» `replace` cannot be computed"#,
            r#"argument «zipmap(["a"], [])» `zipmap` cannot be computed"#,
            "argument «[[]]» `join` cannot use its argument `list`",
            "argument «[null]» `sort` cannot be computed",
        ],
    ),
    (
"a = \"𞟥",
        &[
            "syntax «\"𞟥» a quoted text is not closed",
        ],
    ),
    (
r#"host "h" {
  count   = 3
  address = "h${count.index}"
}
host "one" { address = "one" }
resource "sysctl" "s" {
  host     = host.one
  settings = {}
}
rollout "a" {
  members         = [host.h[0], host.h[1], host.h[0], "x", host.h]
  max_unavailable = 0
  canary          = 0
  settle          = "30"
  timeout         = "0s"
  soak            = "1.5h"
  on_failure      = "revert_membr"
  last            = ["x"]
  gates           = [check.c, check.nope, sysctl.s, "check.c", check.c]
  lifecycle {
    accept = ["outage", "decrease"]
  }
}
rollout "b" {
  members         = []
  max_unavailable = "0%"
  gates           = check.c
  timeout         = "5s"
  settle          = "10s"
}
rollout "c" {
  members         = host.one
  max_unavailable = "101%"
  setle           = "1s"
}
rollout "d" {
  members         = sensitive([host.one])
  max_unavailable = 1.5
  last            = 5
}
check "c" {
  probe "etcd" "now" { hosts = [host.one] }
  assert {
    condition     = rollout.a == 1
    error_message = "x"
  }
}
locals {
  x = check.c
  y = probe.etcd.now
}
"#,
        &[
            "rollout «host.h[0]» `host.h[0]` is a member twice",
            r#"rollout «"x"» a member is no host"#,
            "rollout «host.h» a member is no host",
            "invalid_value «0» `max_unavailable` cannot have this value",
            "invalid_value «0» `canary` cannot have this value",
            r#"invalid_value «"30"» `settle` is no length of time"#,
            r#"invalid_value «"0s"» `timeout` cannot have this value"#,
            r#"invalid_value «"1.5h"» `soak` is no length of time"#,
            r#"invalid_value «"revert_membr"» `on_failure` cannot have this value"#,
            r#"rollout «["x"]» `last` must be a list of hosts"#,
            "unknown_name «check.nope» there is no check `nope`",
            "type «sysctl.s» `gates` takes references to checks",
            r#"type «"check.c"» `gates` takes references to checks"#,
            "duplicate «check.c» the gate `check.c` is named twice",
            r#"invalid_value «"decrease"» there is nothing called `decrease` to accept"#,
            "rollout «[]» a rollout has no members",
            r#"invalid_value «"0%"» `max_unavailable` cannot have this value"#,
            "invalid_value «check.c» `gates` must be a list of checks",
            "rollout «host.one» `members` must be a list or a map of hosts",
            r#"invalid_value «"101%"» `max_unavailable` cannot have this value"#,
            "unknown_attribute «setle» unknown attribute `setle`",
            "sensitive_value «sensitive(**********)» a secret cannot be used in `members`",
            "invalid_value «1.5» `max_unavailable` cannot have this value",
            "rollout «5» `last` must be a list of hosts",
            "misplaced «rollout.a» a rollout has no value",
            "misplaced «check.c» a check has no value",
            "misplaced «probe.etcd.now» `probe` is used outside of the assertions of a check",
        ],
    ),
    (
r#"host "h" { address = "h" }
data "etcd" "a" {
  hosts = ["h"]
  hsots = []
}
data "etcd" "b" {
  hosts = [host.h]
}
data "ssh" "c" {
  host    = host.h
  command = ["id"]
}
data "etc" "d" {}
locals {
  a = data.etcd.b.leadr
  b = data.etcd.nope.leader
  c = data.etcdd.b.leader
  d = data.etcd
  e = data.etcd.b.members["x"]
}
check "c" {
  probe "etcd" "now" { hosts = [host.h] }
  probe "etcd" "now" { hosts = [host.h] }
  probe "nope" "x" {}
  probe "etcd" {}
  prob "etcd" "y" {}
  assert {
    condition     = probe.etcd.now.healthy_votes == 1
    error_message = probe.etcd.now
  }
  assert {
    condition     = probe.etcd.nwo.voters
    error_message = [5]
  }
  assert {
    condition = probe.etcd.now.voters
  }
}
"#,
        &[
            r#"type «"h"» `hosts[0]` has the wrong type"#,
            "unknown_attribute «hsots» unknown attribute `hsots`",
            r#"unknown_kind «"ssh"» `ssh` can be asked in a `probe` only"#,
            r#"unknown_kind «"etc"» unknown source `etc`"#,
            "index «.leadr» there is no attribute `leadr`",
            "unknown_name «data.etcd.nope» there is no data of `etcd` `nope`",
            "unknown_name «data.etcdd.b» unknown source `etcdd`",
            "unknown_name «data.etcd» `data` needs two names, a kind of source and a name",
            r#"index «["x"]» a position in a list is a number"#,
            r#"duplicate «probe "etcd" "now"» the probe `etcd.now` is declared twice"#,
            r#"unknown_kind «"nope"» unknown source `nope`"#,
            r#"name «probe "etcd"» `probe` takes 2 names, a kind and a name"#,
            r#"unknown_block «prob "etcd" "y"» unknown block `prob` in a check"#,
            "index «.healthy_votes» there is no attribute `healthy_votes`",
            "type «probe.etcd.now» an error message must be a string",
            "unknown_name «probe.etcd.nwo» the check has no probe `etcd.nwo`",
            "type «[5]» an error message must be a string",
            "missing_attribute «assert» `assert` needs the attribute `error_message`",
            "type «probe.etcd.now.voters» a condition must be a bool",
        ],
    ),
    (
r#"provider "cloud" {
  endpoint = 5
  tokn     = "x"
}
provider "cloud" {
  alias    = "lab"
  endpoint = "e"
}
provider "cloud" {
  alias    = "lab"
  endpoint = "e"
}
provider "cloud" {
  alias = "l b"
}
provider "clod" {}
host "h" { address = "h" }
resource "vm" "a" {
  number   = 1
  provider = cloud.nope
}
resource "vm" "b" {
  number   = 1
  provider = "cloud"
}
resource "vm" "c" {
  number   = 1
  provider = bare
}
resource "sysctl" "d" {
  host     = host.h
  settings = {}
  provider = cloud
}
"#,
        &[
            "unknown_attribute «tokn» unknown attribute `tokn`",
            r#"duplicate «provider "cloud"» the provider `cloud.lab` is declared twice"#,
            r#"missing_attribute «provider "cloud"» the provider `cloud` needs the attribute `endpoint`"#,
            r#"name «"l b"» `l b` is not a valid name"#,
            r#"unknown_kind «"clod"» unknown provider `clod`"#,
            "provider «cloud.nope» there is no provider `cloud.nope`",
            r#"provider «"cloud"» `provider` takes the name of a provider"#,
            "provider «bare» `vm` lives in the provider `cloud`",
            "provider «provider» `sysctl` lives on hosts and takes no provider",
        ],
    ),
    (
r#"resource "vm" "a" {
  number = 1
}
resource "vm" "b" {
  number = 1
  disk   = { scsi0 = {} }
  disk "scsi0" {
    cache = ["x"]
    cahe  = "x"
    limit {
      read = "x"
    }
  }
  disk "scsi0" {}
  disk {}
  tag {
    name = 1
  }
  tag "x" {}
  tag {}
  tga {}
  number {}
  options "x" {}
  agent {}
  agent {}
  limits = { read = 1, wirte = 2 }
}
provider "cloud" {
  endpoint = "e"
  token    = sensitive("hunter2")
}
locals {
  a = vm.b.disk.scsi0.nope
}
"#,
        &[
            "unknown_block «disk» `disk` is a block of `vm`, not an attribute",
            r#"type «["x"]» `disk["scsi0"].cache` has the wrong type"#,
            "unknown_attribute «cahe» unknown attribute `cahe`",
            r#"type «"x"» `disk["scsi0"].limit.read` has the wrong type"#,
            r#"duplicate «disk "scsi0"» the block `disk "scsi0"` is declared twice"#,
            "name «disk» `disk` takes one name",
            r#"name «tag "x"» `tag` takes no name"#,
            "unknown_block «tga» unknown block `tga` in `vm`",
            "unknown_block «number» unknown block `number` in `vm`",
            r#"unknown_block «options "x"» unknown block `options` in `vm`"#,
            "duplicate «agent» the block `agent` is declared twice",
            r#"type «2» `limits["wirte"]` has the wrong type"#,
            "index «.nope» there is no attribute `nope`",
        ],
    ),
    (
r#"host "h" { address = "h" }
resource "sysctl" "a" {
  host     = host.h
  settings = self.settings
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [settings]
    precondition {
      condition = false
    }
    precondition {
      condition     = 1 == 2
      error_message = "x"
    }
    postcondition {
      condition     = sysctl.a.level == null
      error_message = "x"
    }
    preconditon {}
  }
}
resource "sysctl" "b" {
  host     = host.h
  settings = {}
}
host "i" {
  address = "i"
  lifecycle {}
}
data "etcd" "a" {
  hosts = [host.h]
  lifecycle {
    prevent_revert = true
  }
}
check "quiet" {
  data "etcd" "x" {}
  assert {
    condition     = true
    error_message = "x"
  }
}
rollout "r" {
  members = [host.h]
  gates   = [check.quiet]
  lifecycle {
    precondition {}
  }
}
output "o" {
  value = 1
  postcondition {}
}
"#,
        &[
            "misplaced «self» `self` is used outside of a postcondition",
            "unknown_attribute «prevent_destroy» unknown attribute `prevent_destroy`",
            "unknown_attribute «ignore_changes» unknown attribute `ignore_changes`",
            "unknown_name «settings» `settings` stands for nothing",
            "missing_attribute «precondition» `precondition` needs the attribute `error_message`",
            "condition «false» `sysctl.a` does not meet its precondition: false",
            "condition «1 == 2» `sysctl.a` does not meet its precondition: x",
            "cycle «sysctl.a» `sysctl.a` depends on itself",
            "unknown_block «preconditon» unknown block `preconditon` in `lifecycle`",
            "unknown_block «lifecycle» unknown block `lifecycle` in a host",
            "unknown_attribute «prevent_revert» unknown attribute `prevent_revert`",
            r#"unknown_block «data "etcd" "x"» unknown block `data` in a check"#,
            "invalid_value «check.quiet» `check.quiet` cannot be a gate",
            "unknown_block «precondition» unknown block `precondition` in `lifecycle`",
            "unknown_block «postcondition» unknown block `postcondition` in an output",
        ],
    ),
];

#[test]
fn every_mistake_is_named_on_its_exact_text() {
    for (hcl, expect) in BROKEN {
        assert_eq!(shown(&mistakes(hcl)).lines().collect::<Vec<_>>(), *expect, "in:\n{hcl}");
    }
}

#[test]
fn every_code_is_given_by_some_configuration() {
    // The codes that need more than one file, or none, have tests of their own.
    let elsewhere = ["no_files", "unknown_variable", "answer", "check", "module", "assertion", "test"];
    for explanation in crate::EXPLANATIONS {
        let code = explanation.code.0.trim_start_matches("tune::config::");
        let given = BROKEN.iter().flat_map(|(_, lines)| *lines).any(|line| line.split(' ').next() == Some(code));
        assert!(given || elsewhere.contains(&code), "nothing gives `{code}`");
    }
}

#[test]
fn messages_are_in_the_house_style() {
    for (hcl, _) in BROKEN {
        for diagnostic in &mistakes(hcl).list {
            let message = &diagnostic.message;
            let starts_lower = message.starts_with(|c: char| c.is_lowercase() || c == '`');
            assert!(starts_lower && !message.ends_with('.'), "{message}");
            assert_eq!(diagnostic.labels.iter().filter(|label| label.primary).count(), 1, "{message}");
            assert!(
                diagnostic.labels.iter().all(|label| !label.text.is_empty() && !label.text.ends_with('.')),
                "{message}"
            );
        }
    }
}

#[test]
fn a_broken_file_hides_no_mistake_of_another_and_adds_none() {
    let files = [
        ("a.tune.hcl", "locals {\n  a = \n}\nhost \"h\" {\n  connection = \"local\"\n}\nvariable \"v\" {}\n"),
        ("b.tune.hcl", "locals {\n  b = [local.a, var.v, host.h.name, hots.h, nope(1), 1 + \"x\"]\n}\n"),
        ("c.tune.hcl", "output \"o\" {\n  value = local.b\n  valeu = 1\n}\n"),
        ("tune.vars.hcl", "v = 1\n"),
    ];
    let mistakes = super::resolve_files(&files, &crate::Inputs::default()).expect_err("three of them are broken");
    assert_eq!(
        shown(&mistakes).lines().collect::<Vec<_>>(),
        [
            "syntax «=» a value is missing",
            "unknown_name «hots.h» `hots.h` stands for nothing",
            "unknown_function «nope» unknown function `nope`",
            "expression «\"x\"» `+` takes numbers",
            "unknown_attribute «valeu» unknown attribute `valeu`",
        ]
    );
}

#[test]
fn one_expression_for_many_instances_is_one_mistake() {
    let hcl =
        "host \"h\" {\n  for_each = toset([\"a\", \"b\", \"c\"])\n  address  = each.key\n  port     = each.key\n}\n";
    assert_eq!(shown(&mistakes(hcl)), "type «each.key» `port` has the wrong type");
}

#[test]
fn an_escape_in_a_name_reaches_no_terminal() {
    let hcl =
        "host \"a\\u001b]52;c;x\" {\n}\nlocals {\n  a = { x = 1 }[\"\\u001b[31m\"]\n  b = \"\\u001b[2J\" + 1\n}\n";
    for mistake in &mistakes(hcl).list {
        let texts = mistake.labels.iter().map(|label| &label.text).chain([&mistake.message]).chain(&mistake.help);
        for text in texts {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn a_host_is_asked_for_as_it_is_written() {
    let hcl = "host \"h\" {\n  for_each   = toset([\"a\"])\n  connection = \"local\"\n}\nresource \"sysctl\" \"a\" {\n  host     = host.h\n  settings = {}\n}\nresource \"sysctl\" \"b\" {\n  host     = \"host.h\"\n  settings = {}\n}\n";
    let mistakes = mistakes(hcl);
    let help: Vec<&str> = mistakes.list.iter().filter_map(|mistake| mistake.help.as_deref()).collect();
    assert_eq!(
        help,
        [
            "pick one of the hosts, for example with `[each.key]`",
            "write a reference such as `host.NAME`, without quotes around it",
        ]
    );
}
