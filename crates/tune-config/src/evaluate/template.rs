//! Templates: texts with values, conditions and repetitions in them.

use super::Evaluator;
use super::budget::MAX_WEIGHT;
use super::repeat::Elements;
use crate::code;
use crate::convert::{given, text_of};
use crate::syntax::ir::{ExprId, Part};
use crate::types::Type;
use crate::value::{Data, Value};

/// The text so far, and what is known about all that went into it.
#[derive(Default)]
struct Output {
    text: String,
    sensitive: bool,
    unknown: bool,
    poison: bool,
}

impl Evaluator<'_> {
    pub(super) fn template(&mut self, parts: &[Part], id: ExprId) -> Value {
        let mut output = Output::default();
        self.parts(parts, id, &mut output);
        let Output { text, sensitive, unknown, poison } = output;
        if poison {
            Value::POISON
        } else if unknown {
            Value::unknown(Type::String).mark(sensitive)
        } else {
            Value::string(text).mark(sensitive)
        }
    }

    fn parts(&mut self, parts: &[Part], id: ExprId, output: &mut Output) {
        for part in parts {
            // Text is weighed as it grows: a template may repeat itself before its value is complete.
            let too_long = output.text.len() as u64 / 16 > MAX_WEIGHT;
            if !self.spend(1, id) || too_long {
                if too_long && !output.poison {
                    self.fail(code::BUDGET, id, "a text is too large", "this would be too large");
                }
                output.poison = true;
                return;
            }
            match part {
                Part::Text(text) => output.text.push_str(text),
                Part::Value(value) => self.interpolate(*value, output),
                Part::If { condition, then, otherwise } => {
                    let choice = self.evaluate(*condition);
                    output.sensitive |= choice.sensitive;
                    match self.as_bool(&choice, *condition, "a condition") {
                        Some(true) => self.parts(then, id, output),
                        Some(false) => self.parts(otherwise, id, output),
                        None if choice.is_unknown() => {
                            output.unknown = true;
                            self.parts(then, id, output);
                            self.parts(otherwise, id, output);
                        }
                        None => output.poison = true,
                    }
                }
                Part::For { binding, body } => match self.elements(binding) {
                    Elements::Known { pairs, sensitive } => {
                        output.sensitive |= sensitive;
                        for (key, value) in pairs {
                            self.with_bound(binding, key, value, |this| this.parts(body, id, output));
                        }
                    }
                    Elements::Unknown => output.unknown = true,
                    Elements::Poison => output.poison = true,
                },
            }
        }
    }

    fn interpolate(&mut self, id: ExprId, output: &mut Output) {
        let value = self.evaluate(id);
        output.sensitive |= value.sensitive;
        match (&value.data, text_of(&value)) {
            (_, Some(text)) => output.text.push_str(&text),
            (Data::Poison, None) => output.poison = true,
            (Data::Unknown(_), None) => output.unknown = true,
            (_, None) => {
                output.poison = true;
                let label = format!("a string, a number or a bool is needed, but this is {}", given(&value));
                self.fail(code::EXPRESSION, id, "a text cannot be made of this", label);
            }
        }
    }
}
