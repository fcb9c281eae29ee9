//! What holds for every argument: nothing panics, nothing is endless, and what was written is read back.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::evaluate;
use crate::tests::property::core_value;
use crate::tests::resolve_files;
use crate::{Inputs, function};

fn quoted(text: &str) -> String {
    tune_core::text::quoted(text)
}

/// Pieces of patterns, formats, dates, YAML and CSV, in any order.
fn soup() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "a", "é", "1", "0", " ", "\n", "\t", ",", "\"", "'", "\\", "/", "*", "**", "+", "?", "{", "}", "{2}", "{1,3}", "{1000}",
        "[", "]", "[^", "[[:alpha:]]", "-", "(", "(?i)", "(?:", "(?P<n>", ")", "|", "^", "$", "$1", "${n}", ".", "\\d", "\\b",
        "\\pL", "\\p{Greek}", "\\Q", "\\E", "\\x41", "%", "%s", "%5d", "%[1]v", "%e", "#", "YYYY", "hh", "2018-01-02",
        "T23:12:01", "Z", "+05:30", "1h", "-", "- ", ": ", "? ", "&a ", "*a", "<<: ", "| ", "> ", "!!str ", "---\n", "...\n",
        "10.0.0.0", "::", "/8", "..", "\r\n", "\u{2028}", "😀",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    // One case calls every function.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_makes_a_function_panic(a in soup(), b in soup()) {
        let mut hcl = String::new();
        for (at, function) in function::all().enumerate() {
            let least = function.parameters.iter().filter(|parameter| !parameter.optional).count();
            let arguments: Vec<String> = (0..least.max(1)).map(|at| quoted(if at % 2 == 0 { &a } else { &b })).collect();
            let _ = writeln!(hcl, "output \"o{at}\" {{\n  value = {}({})\n}}", function.name, arguments.join(", "));
        }
        resolve_files(&[("main.tune.hcl", &hcl)], &Inputs::default()).ok();
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(value in core_value()) {
        // Texts are compared in JSON, because a map may have become an object and a set a list.
        let json = evaluate(&format!("{value}"));
        prop_assert_eq!(evaluate(&format!("jsondecode(jsonencode({value}))")), json.clone());
        prop_assert_eq!(evaluate(&format!("yamldecode(yamlencode({value}))")), json);
    }

    #[test]
    fn a_quoted_pattern_matches_its_own_text(text in "\\PC{1,10}") {
        prop_assume!(!text.contains("\\E"));
        let pattern = quoted(&format!("^\\Q{text}\\E$"));
        prop_assert_eq!(evaluate(&format!("regex({pattern}, {})", quoted(&text))), evaluate(&quoted(&text)));
    }

    #[test]
    fn parts_of_a_text_make_the_text(text in "\\PC{0,12}", at in 0_usize..12) {
        let text = quoted(&text);
        let whole = evaluate(&text);
        prop_assert_eq!(evaluate(&format!("join(\"\", [substr({text}, 0, {at}), substr({text}, {at}, -1)])")), whole.clone());
        prop_assert_eq!(evaluate(&format!("base64decode(base64encode({text}))")), whole.clone());
        prop_assert_eq!(evaluate(&format!("textdecodebase64(textencodebase64({text}, \"UTF-16LE\"), \"UTF-16LE\")")), whole);
    }
}

/// Each of these would take all memory or all time.
#[test]
fn nothing_is_endless() {
    let long = "join(\"\", [for i in range(100000) : \"aaaaaaaaaa\"])";
    let expensive = [
        "regex(\"((a{1,100}){1,100}){1,100}\", \"a\")".to_owned(),
        "regex(\"(\\\\pL{1,30}){1,30}$\", join(\"\", [for i in range(100000) : \"aé\"]))".to_owned(),
        format!("replace({long}, \"/a/\", {long})"),
        format!("replace({long}, \"a\", {long})"),
        format!("format(join(\"\", [for i in range(1000) : \"%[1]s\"]), {long})"),
        format!("formatlist(join(\"\", [for i in range(100) : \"%[1]s\"]), [{long}])"),
        "indent(1e18, \"a\\nb\")".to_owned(),
        "setproduct(range(1000), range(1000), range(1000))".to_owned(),
        "range(1e9)".to_owned(),
        "range(0, 1, 1e-9)".to_owned(),
        "pow(10, 1e6)".to_owned(),
        "parseint(join(\"\", [for i in range(10000) : \"zzzzzzzzzz\"]), 62)".to_owned(),
        "timeadd(\"2018-01-02T23:12:01Z\", \"99999999999999999999999999999999999999999999h\")".to_owned(),
        format!("yamldecode({})", quoted(&"[".repeat(100_000))),
        format!("yamldecode({})", quoted(&billion_laughs())),
        format!("templatestring({}, {{}})", quoted(&"%{ if true }".repeat(1_000))),
        format!("fileset(\".\", {})", quoted(&"{a,b}".repeat(30))),
    ];
    for expression in expensive {
        let shown: String = expression.chars().take(80).collect();
        assert_eq!(evaluate(&expression), "<error>", "{shown}");
    }
}

/// A short text in YAML that stands for a value of 10⁹ parts.
fn billion_laughs() -> String {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        let _ = writeln!(text, "a{level}: &a{level} [{}]", [alias.as_str(); 10].join(","));
    }
    text
}
