//! What is looked at when everything has a value: rules for variables, and outputs.

use super::{Resolution, Surroundings};
use crate::code;
use crate::configuration::Output;
use crate::convert::{bool_of, given};
use crate::diagnostic::{Diagnostic, shown};
use crate::module::{OutputBlock, Validation};
use crate::syntax::ir::Reference;

impl Resolution<'_> {
    pub(super) fn validations(&mut self) {
        let module = self.module;
        for (name, variable) in &module.variables {
            let value = self.names.get(&Reference::Variable(name.clone()));
            if value.is_some_and(|value| !value.has_poison() && !value.has_unknown()) {
                for validation in &variable.validations {
                    self.validation(name, validation);
                }
            }
        }
    }

    fn validation(&mut self, name: &str, validation: &Validation) {
        let (condition, _) = self.evaluate(validation.condition, Surroundings::default());
        let span = self.module.arena.span(validation.condition.expr);
        match bool_of(&condition) {
            Some(true) => {}
            None if condition.is_poison() || condition.is_unknown() => {}
            None => {
                let label = format!("a bool is needed, but this is {}", given(&condition));
                self.diagnostics.push(Diagnostic::error(code::TYPE, span, "a condition must be a bool", label));
            }
            Some(false) => {
                let (reason, _) = self.evaluate(validation.error_message, Surroundings::default());
                let reason = match reason.as_str() {
                    Some(text) if !reason.has_secret() => shown_message(text),
                    _ => "its rule is not met".to_owned(),
                };
                let message = format!("the value of the variable `{}` is refused: {reason}", shown(name));
                self.diagnostics.push(Diagnostic::error(code::VALIDATION, span, message, "this does not hold"));
            }
        }
    }

    pub(super) fn outputs(&mut self) {
        let module = self.module;
        for (name, output) in &module.outputs {
            self.output(name, output);
        }
    }

    fn output(&mut self, name: &str, output: &OutputBlock) {
        let (value, _) = self.evaluate(output.value, Surroundings::default());
        if value.has_secret() && !output.sensitive {
            let span = self.module.arena.span(output.value.expr);
            let message = format!("the output `{}` would show a secret", shown(name));
            let label = "this is made from a sensitive value";
            self.diagnostics.push(
                Diagnostic::error(code::SENSITIVE_OUTPUT, span, message, label)
                    .help("add `sensitive = true` to the output"),
            );
            return;
        }
        if !value.has_poison() && !value.has_unknown() {
            let known =
                Output { value: value.to_core(), sensitive: output.sensitive, description: output.description.clone() };
            self.configuration.outputs.insert(name.to_owned(), known);
        }
    }
}

/// Returns a message that a configuration gives, as it may stand within ours.
fn shown_message(text: &str) -> String {
    tune_core::text::visible(text.trim_end_matches('.'), 500)
}
