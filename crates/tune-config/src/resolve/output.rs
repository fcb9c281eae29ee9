//! What is looked at when everything has a value: rules for variables, and outputs.

use super::condition::Outcome;
use super::{Dependencies, Resolution, Surroundings};
use crate::code;
use crate::configuration::Output;
use crate::diagnostic::{Diagnostic, shown};
use crate::module::{OutputBlock, Validation};
use crate::syntax::ir::Reference;

impl Resolution<'_> {
    pub(super) fn validations(&mut self) {
        for (name, variable) in &self.declared().variables {
            let value = self.names().get(&Reference::Variable(name.clone()));
            if value.is_some_and(|value| !value.has_poison() && !value.has_unknown()) {
                for validation in &variable.validations {
                    self.validation(name, validation);
                }
            }
        }
    }

    fn validation(&mut self, name: &str, validation: &Validation) {
        let outcome = self.condition(validation, Surroundings::default(), &mut Dependencies::default());
        if let Outcome::Fails(failure) = outcome {
            let message = format!("the value of the variable `{}` is refused: {}", shown(name), failure.reason);
            let span = self.module.arena.span(validation.condition.expr);
            let mistake = Diagnostic::error(code::VALIDATION, span, message, failure.label);
            let subject = self.subject(&format!("var.{name}"));
            self.diagnostics.push(mistake.subject(subject));
        }
    }

    pub(super) fn outputs(&mut self) {
        for (name, output) in &self.declared().outputs {
            self.output(name, output);
        }
    }

    fn output(&mut self, name: &str, output: &OutputBlock) {
        let shown_name = format!("the output `{}`", shown(name));
        let (plain, mut unused) = (Surroundings::default(), Dependencies::default());
        let subject = format!("output.{name}");
        self.conditions((&shown_name, "precondition"), &subject, &output.preconditions, None, plain, &mut unused);
        let (value, _) = self.evaluate(output.value, plain);
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
