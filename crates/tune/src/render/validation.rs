//! The result of `validate -json`, in the form of Terraform's.

use serde_json::{Value, json};
use tune_config::Source;

use super::diagnostic::{Notice, Place};

/// Returns the document.
pub(crate) fn json(notices: &[Notice]) -> String {
    let errors = notices.iter().filter(|notice| !notice.warning).count();
    let document = json!({
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": notices.len() - errors,
        "diagnostics": notices.iter().map(diagnostic).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

/// Returns one of its diagnostics.
pub(crate) fn diagnostic(notice: &Notice) -> Value {
    let mut shown = json!({
        "severity": if notice.warning { "warning" } else { "error" },
        "summary": notice.message,
        "detail": notice.help.as_deref().unwrap_or_default(),
        "tune": { "code": notice.code.map(|code| code.0), "causes": notice.causes },
    });
    if let Some(place) = notice.places.first() {
        shown["range"] = range(place);
        shown["tune"]["label"] = place.label.as_str().into();
        let related = notice.places[1..].iter();
        shown["tune"]["related"] =
            related.map(|place| json!({ "label": place.label, "range": range(place) })).collect();
    }
    shown
}

fn range(place: &Place) -> Value {
    json!({
        "filename": place.source.name,
        "start": position(&place.source, place.range.start),
        "end": position(&place.source, place.range.end),
    })
}

/// Lines and columns count from one, columns in characters, as Terraform's do.
fn position(source: &Source, byte: usize) -> Value {
    let (line, column) = source.position(byte);
    json!({ "line": line, "column": column, "byte": byte })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_column() {
        let text = "a = 1\nä = hots\n".to_owned();
        let start = text.find("hots").unwrap();
        let source = Arc::new(Source::new("m.tune.hcl".to_owned(), text));
        let place = Place { source, range: start..start + 4, label: "here".to_owned() };
        let notice = Notice { places: vec![place], ..Notice::error("unknown").help("did you mean `host`?") };
        let shown: Value = serde_json::from_str(&json(&[notice])).unwrap();
        assert_eq!((&shown["valid"], &shown["error_count"]), (&json!(false), &json!(1)));
        let range = &shown["diagnostics"][0]["range"];
        assert_eq!(range["start"], json!({ "line": 2, "column": 5, "byte": 11 }));
        assert_eq!(range["end"]["column"], 9);
        assert_eq!(shown["diagnostics"][0]["detail"], "did you mean `host`?");
    }
}
