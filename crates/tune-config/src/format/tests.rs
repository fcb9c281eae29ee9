//! The layout, by examples and laws. The comparison with the real `terraform fmt` is a test from outside, because it runs
//! a program.

mod texts;

use proptest::prelude::*;

use super::format;
use texts::{UGLY, ugly};

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
fn a_name_that_the_parser_takes_is_not_taken_apart() {
    assert_eq!(neat("x\u{741}z=e\nyy=1\n"), "x\u{741}z = e\nyy = 1\n");
}

#[test]
fn a_carriage_return_that_only_a_template_takes_stays_in_it() {
    let once = neat("a = \"${\r\rx}\"\n");
    assert!(once.starts_with("a = \"${"), "{once:?}");
    assert_eq!(neat(&once), once);
}

#[test]
fn a_carriage_return_at_the_end_of_a_line_is_space() {
    assert_eq!(neat("a = 1\n\t\r\t\r\r\t\r\r\t\nb=2\n"), "a = 1\n\nb = 2\n");
    assert_eq!(neat("a=1\r\n\r\r\nb=2\r\n"), "a = 1\r\n\r\nb = 2\r\n");
}

#[test]
fn after_any_number_of_signs_an_opener_is_text() {
    for signs in ["$$", "$$$", "$$$$", "%%", "%%%"] {
        let text = format!("a = \"{signs}{{ x   +1 }}\"\nb = <<EOT\n{signs}{{ x   +1 }}\nEOT\n");
        assert_eq!(neat(&text), text);
    }
    assert_eq!(neat("a = \"y${ x   +1 }\"\n"), "a = \"y${x + 1}\"\n");
}

#[test]
fn what_is_no_hcl_is_left_to_the_parser() {
    let mistakes = format("a.tune.hcl", "resource \"a\" {\n  x = \n}\n").unwrap_err();
    assert!(mistakes.has_errors());
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
