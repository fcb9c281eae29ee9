//! References to nothing, and references to what is not available where they stand.

use std::sync::Arc;

use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::module::{Context, Declared, Module, Repetition};
use crate::source::Span;
use crate::syntax::ir::{Arena, Reference, Root};
use crate::vocabulary::Vocabulary;

/// What `path` has.
pub(crate) const PATHS: [&str; 2] = ["module", "root"];

/// Returns every reference to something that is not declared, or not available where it stands.
pub(crate) fn unknown_names(module: &Module<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for declared in &module.folders {
        let names = Names { declared, vocabulary: &module.vocabulary };
        for (root, context) in declared.roots() {
            for (reference, span) in module.arena.references(root) {
                diagnostics.extend(unknown_name(names, reference, span, context));
            }
        }
    }
    diagnostics
}

/// Returns the same for an expression that stands outside of every block of the configuration itself.
pub(crate) fn unknown_names_in(module: &Module<'_>, arena: &Arena, root: Root) -> Vec<Diagnostic> {
    let names = Names { declared: module.root(), vocabulary: &module.vocabulary };
    let references = arena.references(root);
    references.filter_map(|(reference, span)| unknown_name(names, reference, span, Context::Plain)).collect()
}

/// What a test may say of its plan.
pub(crate) const PLAN: [&str; 10] =
    ["activations", "advice", "applyable", "complete", "members", "owed", "problems", "resources", "summary", "turns"];

/// Returns the same for an assertion of a test, which may name the plan and the outputs as well.
pub(crate) fn unknown_names_in_test(module: &Module<'_>, root: Root) -> Vec<Diagnostic> {
    let names = Names { declared: module.root(), vocabulary: &module.vocabulary };
    let mut diagnostics = Vec::new();
    for (reference, span) in module.arena.references(root) {
        diagnostics.extend(match reference {
            Reference::Block(kind, name) if kind.as_ref() == "plan" => {
                let help = did_you_mean(name, PLAN)
                    .unwrap_or_else(|| format!("a plan has {}", PLAN.map(|name| format!("`plan.{name}`")).join(", ")));
                let is_known = PLAN.contains(&name.as_ref());
                (!is_known).then(|| {
                    let message = format!("there is no `plan.{}`", shown(name));
                    Diagnostic::error(code::UNKNOWN_NAME, span, message, "a plan has nothing of this name").help(help)
                })
            }
            Reference::Block(kind, name) if kind.as_ref() == "output" => {
                let outputs = &names.declared.outputs;
                let help = did_you_mean(name, outputs.keys().map(AsRef::as_ref));
                let is_known = outputs.contains_key(name) || names.declared.broken;
                if is_known { None } else { Some(nothing(span, "output", name, help)) }
            }
            Reference::Block(kind, _) if kind.as_ref() == "run" => Some(another_run(span)),
            _ => unknown_name(names, reference, span, Context::Plain),
        });
    }
    diagnostics
}

/// Returns the first reference in the value that a test gives a variable, where none can stand.
pub(crate) fn reference_in_value_of_test(module: &Module<'_>, root: Root) -> Option<Diagnostic> {
    let (reference, span) = module.arena.references(root).next()?;
    Some(match reference {
        Reference::Block(kind, _) if kind.as_ref() == "run" => another_run(span),
        _ => no_plain_value(span),
    })
}

fn another_run(span: Span) -> Diagnostic {
    let message = "a run cannot look at another run";
    let help = "write the value itself into both; nothing is applied, so no run leaves anything for another";
    Diagnostic::error(code::TEST, span, message, "each run plans by itself").help(help)
}

/// Says that something refers where only a plain value can stand.
pub(crate) fn no_plain_value(span: Span) -> Diagnostic {
    let message = "a reference where only a plain value can stand";
    Diagnostic::error(code::MISPLACED, span, message, "not available here").help("write the value itself")
}

/// What may be referred to in one folder.
#[derive(Clone, Copy)]
struct Names<'m> {
    declared: &'m Declared,
    vocabulary: &'m Vocabulary<'m>,
}

fn unknown_name(module: Names<'_>, reference: &Reference, span: Span, context: Context<'_>) -> Option<Diagnostic> {
    let repetition = match context {
        Context::Instance(repetition) | Context::Postcondition(repetition) => Some(repetition),
        _ => None,
    };
    // What is declared nowhere may be declared in the file that could not be read.
    let declared = |is_declared: bool| is_declared || module.declared.broken;
    let nothing = |what: &str, name: &str, help: Option<String>| Some(nothing(span, what, name, help));
    match reference {
        Reference::Variable(name) if !declared(module.declared.variables.contains_key(name)) => {
            nothing("variable", name, did_you_mean(name, module.declared.variables.keys().map(AsRef::as_ref)))
        }
        Reference::Local(name) if !declared(module.declared.locals.contains_key(name)) => {
            nothing("local value", name, did_you_mean(name, module.declared.locals.keys().map(AsRef::as_ref)))
        }
        Reference::Block(kind, name) if matches!(kind.as_ref(), "check" | "rollout") => {
            without_value(module, (kind, name), span, context)
        }
        Reference::Module(name) if !declared(module.declared.calls.contains_key(name)) => {
            nothing("module", name, did_you_mean(name, module.declared.calls.keys().map(AsRef::as_ref)))
        }
        Reference::Path(name) if !PATHS.contains(&name.as_ref()) => {
            let message = format!("there is no `path.{}`", shown(name));
            let help = did_you_mean(name, PATHS)
                .unwrap_or_else(|| "write `path.module` for the folder that the file is in".to_owned());
            let label = "there is only `path.module` and `path.root`";
            Some(Diagnostic::error(code::UNKNOWN_NAME, span, message, label).help(help))
        }
        Reference::Data(kind, name) if !module.declared.blocks.contains_key(reference) => {
            if module.declared.broken {
                return None;
            }
            if module.vocabulary.source(kind).is_none() {
                let message = format!("unknown source `{}`", shown(kind));
                let help = did_you_mean(kind, module.vocabulary.source_names());
                let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message, "there is no such source");
                return Some(diagnostic.maybe_help(help));
            }
            let names = module.declared.blocks.keys().filter_map(|block| match block {
                Reference::Data(of, name) if of == kind => Some(name.as_ref()),
                _ => None,
            });
            nothing(&format!("data of `{kind}`"), name, did_you_mean(name, names))
        }
        Reference::Probe(kind, name) => unknown_probe((kind, name), span, context),
        Reference::Block(kind, name) if !module.declared.blocks.contains_key(reference) => {
            unknown_block(module, (kind, name), span)
        }
        Reference::Itself if !matches!(context, Context::Postcondition(_)) => {
            let message = "`self` is used outside of a postcondition";
            let help = "write the name of the block instead";
            Some(Diagnostic::error(code::MISPLACED, span, message, "not available here").help(help))
        }
        Reference::EachKey | Reference::EachValue
            if !matches!(repetition, Some(Repetition::ForEach(_) | Repetition::Unclear)) =>
        {
            let message = "`each` is used outside of a block with `for_each`";
            Some(
                Diagnostic::error(code::MISPLACED, span, message, "not available here")
                    .help("add `for_each` to the block"),
            )
        }
        Reference::CountIndex if !matches!(repetition, Some(Repetition::Count(_) | Repetition::Unclear)) => {
            let message = "`count.index` is used outside of a block with `count`";
            Some(
                Diagnostic::error(code::MISPLACED, span, message, "not available here")
                    .help("add `count` to the block"),
            )
        }
        _ => None,
    }
}

fn nothing(span: Span, what: &str, name: &str, help: Option<String>) -> Diagnostic {
    let message = format!("there is no {what} `{}`", shown(name));
    Diagnostic::error(code::UNKNOWN_NAME, span, message, "declared nowhere").maybe_help(help)
}

/// Says what is wrong with a reference to a block that has no value.
fn without_value(
    module: Names<'_>,
    (kind, name): (&Arc<str>, &Arc<str>),
    span: Span,
    context: Context<'_>,
) -> Option<Diagnostic> {
    let (is_declared, names): (bool, Vec<&str>) = match kind.as_ref() {
        "check" => {
            (module.declared.checks.contains_key(name), module.declared.checks.keys().map(AsRef::as_ref).collect())
        }
        _ => {
            (module.declared.rollouts.contains_key(name), module.declared.rollouts.keys().map(AsRef::as_ref).collect())
        }
    };
    if !is_declared {
        return (!module.declared.broken).then(|| nothing(span, kind, name, did_you_mean(name, names)));
    }
    if matches!(context, Context::Gates) && kind.as_ref() == "check" {
        return None;
    }
    let message = format!("a {kind} has no value");
    let help = match kind.as_ref() {
        "check" => "name it in `gates` of a `rollout`",
        _ => "remove the reference",
    };
    Some(Diagnostic::error(code::MISPLACED, span, message, "not available here").help(help))
}

fn unknown_probe((kind, name): (&Arc<str>, &Arc<str>), span: Span, context: Context<'_>) -> Option<Diagnostic> {
    let Context::Assertion(check) = context else {
        let message = "`probe` is used outside of the assertions of a check";
        let help = "use `data` for what is read while planning";
        return Some(Diagnostic::error(code::MISPLACED, span, message, "not available here").help(help));
    };
    if check.probes.iter().any(|probe| probe.kind == *kind && probe.name == *name) {
        return None;
    }
    let known: Vec<String> = check.probes.iter().map(|probe| format!("probe.{}.{}", probe.kind, probe.name)).collect();
    let written = format!("probe.{kind}.{name}");
    let message = format!("the check has no probe `{}`", shown(&format!("{kind}.{name}")));
    let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message, "declared nowhere in this check");
    Some(diagnostic.maybe_help(did_you_mean(&written, known.iter().map(String::as_str))))
}

/// Says what is wrong with a reference to a host or a resource that is not declared.
fn unknown_block(module: Names<'_>, (kind, name): (&Arc<str>, &Arc<str>), span: Span) -> Option<Diagnostic> {
    let is_kind = kind.as_ref() == "host" || module.vocabulary.kind(kind).is_some();
    if is_kind && module.declared.broken {
        return None;
    }
    if !is_kind {
        let message = format!("`{}` stands for nothing", shown(&format!("{kind}.{name}")));
        let roots = ["var", "local", "host", "data", "module", "path", "each", "count"].into_iter();
        let roots = roots.chain(module.vocabulary.kind_names());
        let workspace = (kind.as_ref() == "terraform")
            .then(|| "use a variable: one folder is one state, and there are no workspaces".to_owned());
        let help = workspace.or_else(|| did_you_mean(kind, roots)).unwrap_or_else(|| {
            "put it in quotes if it is a text; references start with `var`, `local`, `host`, `data`, `each`, \
             `count` or the kind of a resource"
                .to_owned()
        });
        let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message, "not a reference");
        return Some(diagnostic.help(help));
    }
    let names = module.declared.blocks.keys().filter_map(|block| match block {
        Reference::Block(of, name) if of == kind => Some(name.as_ref()),
        _ => None,
    });
    let what = if kind.as_ref() == "host" { "host".to_owned() } else { format!("resource of kind `{kind}`") };
    Some(nothing(span, &what, name, did_you_mean(name, names)))
}
