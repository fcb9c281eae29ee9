//! The layout, against examples and, where one is installed, against the real `terraform fmt`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::format;

/// Ugly text of every kind.
const UGLY: &str = r#"

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

const NEAT: &str = r#"

resource "a" "b" {
  x         = 1
  long_name = var.x
  y         = "${var.x}-${1 + 2}" # c1
  zz = [1, 2,
  3] # c2
"#;

fn neat(text: &str) -> String {
    format("a.tune.hcl", text).unwrap()
}

#[test]
fn the_layout_is_terraforms() {
    let shown = neat(UGLY);
    assert!(shown.starts_with(NEAT), "{shown}");
    assert!(
        shown.contains("  h  = <<-EOT\n     hello ${var.x}\n       world\n    EOT\n  h2 = <<EOT\nabc\nEOT\n"),
        "{shown}"
    );
}

#[test]
fn formatting_twice_is_formatting_once() {
    assert_eq!(neat(&neat(UGLY)), neat(UGLY));
}

#[test]
fn what_is_no_hcl_is_left_to_the_parser() {
    let mistakes = format("a.tune.hcl", "resource \"a\" {\n  x = \n}\n").unwrap_err();
    assert!(mistakes.has_errors());
}

/// Says aloud that the comparison did not take place; the file that the variable names is counted at the end.
fn skipped() {
    let line = "format: terraform is not installed, so its layout is not compared with ours\n";
    let file = std::env::var_os("TUNE_SKIPS").map(|path| std::fs::OpenOptions::new().append(true).open(path));
    if let Some(Ok(mut file)) = file {
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// What the real program makes of a text, where it is installed.
fn terraform(text: &str) -> Option<String> {
    let mut child = Command::new("terraform")
        .args(["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "terraform takes what we take: {text}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn terraform_agrees() {
    let Some(theirs) = terraform(UGLY) else {
        skipped();
        return;
    };
    assert_eq!(neat(UGLY), theirs);
}

/// Texts that are HCL, badly laid out.
fn ugly() -> impl Strategy<Value = String> {
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

proptest! {
    #[test]
    fn any_text_is_laid_out_once_and_keeps_what_it_says(text in ugly()) {
        // Names that stand twice are a mistake of meaning and none of layout.
        let Ok(once) = format("a.tune.hcl", &text) else { return Ok(()) };
        prop_assert_eq!(&format("a.tune.hcl", &once).unwrap(), &once);
        let bare = |text: &str| text.replace("\"${a}\"", "a").chars().filter(|c| !c.is_whitespace()).collect::<String>();
        prop_assert_eq!(bare(&once), bare(&text));
    }
}

#[test]
fn terraform_agrees_on_random_texts() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..20 {
        let text = ugly().new_tree(&mut runner).unwrap().current();
        let Ok(ours) = format("a.tune.hcl", &text) else { continue };
        let Some(theirs) = terraform(&text) else {
            skipped();
            return;
        };
        assert_eq!(ours, theirs, "{text}");
    }
}
