//! Values for variables: where they come from, which one wins, and whether they fit.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::code;
use crate::convert::convert;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::evaluate::constant;
use crate::module::{Module, Variable, VariableBlock, assignments_of, hexadecimal_digest, lower_expression};
use crate::place;
use crate::source::{Sources, Span};
use crate::syntax::body::Attribute;
use crate::syntax::ir::{Arena, Root};
use crate::syntax::lower::Output;
use crate::value::Value;

/// Values that do not come from the configuration's folder. Later sources win over earlier ones: `answers`,
/// `environment`, the files of values in the folder, `arguments`.
#[derive(Clone, Default)]
pub struct Inputs {
    /// What a person answered when asked, by variable.
    pub answers: BTreeMap<String, String>,
    /// `TUNE_VAR_name`, by variable; a name that no variable has is not looked at.
    pub environment: BTreeMap<String, String>,
    /// `-var` and `-var-file` in the order of the command line.
    pub arguments: Vec<Argument>,
    /// What a test chose; it wins over everything else.
    pub(crate) chosen: Vec<(Arc<str>, Attribute)>,
}

/// One `-var` or `-var-file`.
#[derive(Clone)]
pub enum Argument {
    /// `-var name=text`.
    Variable {
        /// The variable.
        name: String,
        /// Its value: the text itself for a string, a number, a bool and any type, otherwise an expression.
        text: String,
    },
    /// `-var-file name`, read by the caller.
    File {
        /// The path as it was given.
        name: String,
        /// What the file holds.
        text: String,
    },
}

/// Everything that was given, ready to be evaluated.
pub(crate) struct GivenValues {
    winning: BTreeMap<String, Given>,
    /// Whether a file of values was broken, so that nobody knows what else it would have given.
    broken: bool,
    /// Holds the expressions that are not in the folder's own files.
    output: Output,
}

/// What the source that wins gave for one variable.
enum Given {
    Text(String, Span),
    InFolder(Root),
    InInputs(Root),
    /// Something that could not be read.
    Broken,
}

impl Module<'_> {
    /// Returns the variables that have no default and for which neither `inputs` nor the folder has a value.
    pub fn missing(&self, inputs: &Inputs) -> Vec<Variable> {
        let values = GivenValues::collect(self, inputs, &mut self.sources.clone(), &mut BTreeMap::new());
        let is_missing = |variable: &Variable| variable.required && !values.winning.contains_key(&variable.name);
        self.variables().into_iter().filter(is_missing).collect()
    }
}

impl GivenValues {
    /// Looks at every source in turn; whatever is wrong with one is kept for [`Self::into_diagnostics`].
    pub(crate) fn collect(
        module: &Module<'_>,
        inputs: &Inputs,
        sources: &mut Sources,
        digests: &mut BTreeMap<String, String>,
    ) -> Self {
        let mut values = Self {
            winning: BTreeMap::new(),
            broken: module.assignments.iter().any(|assignments| assignments.broken),
            output: Output::default(),
        };
        for (name, text) in &inputs.answers {
            values.add_text(module, sources, name, &format!("the value of `{name}`"), text);
        }
        for (name, text) in &inputs.environment {
            if module.root().variables.contains_key(name.as_str()) {
                values.add_text(module, sources, name, &format!("TUNE_VAR_{name}"), text);
            }
        }
        for (name, attribute) in module.assignments.iter().flat_map(|assignments| &assignments.values) {
            values.add(module, name, attribute.name, Given::InFolder(attribute.value));
        }
        for argument in &inputs.arguments {
            match argument {
                Argument::Variable { name, text } if module.root().variables.contains_key(name.as_str()) => {
                    values.add_text(module, sources, name, &format!("-var {name}"), text);
                }
                Argument::Variable { .. } if module.root().broken => {}
                Argument::Variable { name, .. } => values.output.diagnostics.push(Diagnostic {
                    help: did_you_mean(name, module.root().variables.keys().map(AsRef::as_ref)),
                    ..Diagnostic::without_place(
                        code::UNKNOWN_VARIABLE,
                        format!("`-var` gives a value for `{}`, which is not declared", shown(name)),
                    )
                }),
                Argument::File { name, text } => {
                    digests.insert(name.clone(), hexadecimal_digest(text));
                    let file = sources.add(name.clone(), text.clone());
                    let assignments = assignments_of(file, sources, &mut values.output);
                    values.broken |= assignments.broken;
                    for (name, attribute) in assignments.values {
                        if module.root().variables.get(&name).is_some_and(|variable| variable.sensitive) {
                            values.output.secrets.push(values.output.arena.span(attribute.value.expr));
                        }
                        values.add(module, &name, attribute.name, Given::InInputs(attribute.value));
                    }
                }
            }
        }
        for (name, attribute) in &inputs.chosen {
            values.add(module, name, attribute.name, Given::InFolder(attribute.value));
        }
        values.output.secrets.drain(..).for_each(|span| sources.mask(span));
        values
    }

    /// Returns a variable's value, poison after a mistake, or `None` if there is none.
    pub(crate) fn value(
        &self,
        module: &Module<'_>,
        name: &str,
        variable: &VariableBlock,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Value> {
        let default = variable.default.map(|default| (module.arena.as_ref(), default.value));
        let (value, given) = match self.winning.get(name) {
            Some(Given::Text(text, span)) => (Value::string(text.as_str()), Origin::Text(*span)),
            Some(Given::InFolder(root)) => constant_at(&module.arena, *root, diagnostics),
            Some(Given::InInputs(root)) => constant_at(&self.output.arena, *root, diagnostics),
            // Whatever is wrong with a default has been said already.
            None if default.is_none() && self.broken => return Some(Value::POISON),
            None => default.map(|(arena, root)| constant_at(arena, root, &mut Vec::new()))?,
            Some(Given::Broken) => return Some(Value::POISON),
        };
        let (value, given) = match default {
            Some((arena, root)) if value.is_null() && !variable.nullable => constant_at(arena, root, &mut Vec::new()),
            _ => (value, given),
        };
        let value = value.mark(variable.sensitive);
        if value.is_null() && !variable.nullable {
            let message = format!("the variable `{}` may not be `null`", shown(name));
            diagnostics.push(Diagnostic::error(code::TYPE, given.span(&[]), message, "this is `null`"));
            return Some(Value::POISON);
        }
        let converted = convert(&value, &variable.of_type).map_err(|mismatches| {
            for mismatch in mismatches {
                let message = format!("the variable `{}` cannot have this value", shown(name));
                let mut mistake = Diagnostic::error(code::TYPE, given.span(&mismatch.path), message, mismatch.reason);
                if let Some(span) = variable.type_span {
                    mistake = mistake.label(span, "its type is declared here");
                }
                diagnostics.push(mistake);
            }
        });
        Some(converted.unwrap_or(Value::POISON))
    }

    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.output.diagnostics
    }

    fn add(&mut self, module: &Module<'_>, name: &str, span: Span, given: Given) {
        if !module.root().variables.contains_key(name) && !module.root().broken {
            let message = format!("a value for the variable `{}`, which is not declared", shown(name));
            self.output.diagnostics.push(
                Diagnostic::warning(code::UNKNOWN_VARIABLE, span, message, "no `variable` block has this name")
                    .maybe_help(did_you_mean(name, module.root().variables.keys().map(AsRef::as_ref))),
            );
        }
        self.winning.insert(name.to_owned(), given);
    }

    fn add_text(&mut self, module: &Module<'_>, sources: &mut Sources, name: &str, source: &str, text: &str) {
        let Some(variable) = module.root().variables.get(name) else { return };
        let file = sources.add(source.to_owned(), text.to_owned());
        let span = Span::new(file, 0..text.len());
        let given = if variable.of_type.takes_text() {
            Given::Text(text.to_owned(), span)
        } else {
            lower_expression(file, sources, &mut self.output).map_or(Given::Broken, Given::InInputs)
        };
        if variable.sensitive {
            self.output.secrets.push(span);
        }
        self.winning.insert(name.to_owned(), given);
    }
}

/// Where a value stands, for pointing at parts of it.
enum Origin<'a> {
    Text(Span),
    Root(&'a Arena, Root),
}

impl Origin<'_> {
    fn span(&self, path: &[tune_core::path::PathStep]) -> Span {
        match self {
            Self::Text(span) => *span,
            Self::Root(arena, root) => place::find(arena, root.expr, path).value,
        }
    }
}

fn constant_at<'a>(arena: &'a Arena, root: Root, diagnostics: &mut Vec<Diagnostic>) -> (Value, Origin<'a>) {
    (constant(arena, root, diagnostics), Origin::Root(arena, root))
}

/// Names what was given and by whom, never the values.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("answers", &self.answers.keys())
            .field("environment", &self.environment.keys())
            .field("arguments", &self.arguments)
            .field("chosen", &self.chosen.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

/// Names what was given, never the value.
impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { name, .. } => write!(f, "-var {name}"),
            Self::File { name, .. } => write!(f, "-var-file {name}"),
        }
    }
}
