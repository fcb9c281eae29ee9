//! Expressions that have no value: names of nothing, wrong types, wrong arguments, circles.

use super::Broken;

#[rustfmt::skip]
pub(super) const BROKEN: Broken = &[
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
];
