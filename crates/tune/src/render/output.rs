//! The configuration's outputs, as they are printed after an apply.

use std::collections::BTreeMap;

use tune_config::Output;
use tune_core::text;

/// Returns the outputs, secrets hidden; an empty text if there are none.
pub(crate) fn text(outputs: &BTreeMap<String, Output>) -> String {
    if outputs.is_empty() {
        return String::new();
    }
    let width = outputs.keys().map(String::len).max().unwrap_or(0);
    let lines = outputs.iter().map(|(name, output)| {
        let value =
            if output.sensitive { "(sensitive)".to_owned() } else { text::visible(&output.value.to_string(), 2000) };
        format!("  {name:width$} = {value}\n")
    });
    format!("\nOutputs:\n\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::Value;

    #[test]
    fn secrets_are_hidden() {
        let output = |value: &str, sensitive| Output { value: Value::from(value), sensitive, description: None };
        let outputs = BTreeMap::from([
            ("long_name".to_owned(), output("a\u{1b}b", false)),
            ("pw".to_owned(), output("hunter2", true)),
        ]);
        assert_eq!(text(&outputs), "\nOutputs:\n\n  long_name = \"a\\u001bb\"\n  pw        = (sensitive)\n");
    }
}
