//! Badly laid out texts, for the tests here and for the comparison with the real program.

use proptest::prelude::*;

/// Ugly text of every kind.
pub(crate) const UGLY: &str = r#"

resource   "a"   b   {
   x=1
  long_name    =   "${var.x}"
  y = "${ var.x }-${1+2}"   # c1
    zz = [1,2,
   3]    # c2
  obj = {a=1
    bb = 2, "c": 3}
  m = {

    a = 1


  }

  nested   {

    q=-1
    r = a - -1
    s = !x&&y||z
    t = x?y:z
    f = foo (1, 2)
    g = [for x in [1] : x]
    h = {for k,v in var.m:k=>v...}
    i = a [0] . b
    j = a[*].b.*.c
    k = (1+2)*3%4/5
    l = "%{ if x }a%{else}b%{ endif ~}"
    n = ns::f(1.5e-3)
  }
  e {}
  e2 {
  }
  h = <<-EOT
     hello ${ var.x }
       world
    EOT
  h2 = <<EOT
abc
EOT
  k = 1
  漢字 = 2 # wide
  // comment
  /* block */ p = 2
  ternary = (
    a
    ? b
    : c
  )
  w = "${foo("${bar}")}"
  keep = "${a}${b}"
  plain = "a$${b}%%{c}\"d"
}
output x { value = "${foo("a")}" }
locals { a = 1 }
check "e" {
  assert {
      condition = true
    error_message = "no"
         }
}
"#;

/// Texts that are HCL, badly laid out.
pub(crate) fn ugly() -> impl Strategy<Value = String> {
    let gap = || prop_oneof![Just(""), Just(" "), Just("   "), Just("\t")];
    let atom = prop_oneof![
        Just("1"),
        Just("a.b"),
        Just("\"s\""),
        Just("\"${a}\""),
        Just("f(1,2)"),
        Just("[1,2]"),
        Just("{a=1}")
    ];
    let value = (atom.clone(), gap(), prop_oneof![Just("+"), Just("=="), Just("&&"), Just("?1:")], gap(), atom)
        .prop_map(|(left, a, sign, b, right)| format!("{left}{a} {sign}{b}{right}"));
    let comment = prop_oneof![Just(""), Just(" # c"), Just("// d"), Just(" /* e */")];
    let attribute = ("[a-z]{1,9}", gap(), gap(), value, comment)
        .prop_map(|(name, a, b, value, comment)| format!("{a}{name}{b}={b}{value}{comment}\n"));
    let line = prop_oneof![6 => attribute, 1 => Just("\n".to_owned()), 1 => Just("   # alone\n".to_owned())];
    let body = proptest::collection::vec(line, 0..8).prop_map(|lines| lines.concat());
    (body.clone(), gap(), body).prop_map(|(outer, a, inner)| format!("{outer}b  \"l\"{a}{{\n{inner}}}\n"))
}
