//! Reads and lowers every file of a configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Module;
use super::declare::Declarations;
use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::reference;
use crate::source::{FileId, Files, Sources, Span};
use crate::syntax::body::{Attribute, Body};
use crate::syntax::lower::{Lowering, Output};
use crate::syntax::parse::parse;
use crate::vocabulary::Vocabulary;

/// Values for variables, as a file of them gives them.
#[derive(Debug, Default)]
pub(crate) struct Assignments {
    pub values: BTreeMap<Arc<str>, Attribute>,
    /// Whether the file could not be read to its end, so that it may have given more.
    pub broken: bool,
}

/// Reads the configuration in the folder. Every mistake that can be found without evaluating anything is kept in the
/// answer, and given with all others by [`crate::resolve`] and [`crate::check`].
///
/// `version` is the version of `tune` that `required_version` is compared with.
pub fn load<'a>(files: &'a dyn Files, vocabulary: &Vocabulary<'a>, version: &str) -> Module<'a> {
    let mut sources = Sources::default();
    let mut output = Output::default();
    let mut digests = BTreeMap::new();
    let names = files.list().unwrap_or_else(|error| {
        let message = format!("the folder of the configuration cannot be read: {error}");
        output.diagnostics.push(Diagnostic::without_place(code::FILE, message));
        Vec::new()
    });
    let (configuration, values) = sort(names);
    if configuration.is_empty() && output.diagnostics.is_empty() {
        output.diagnostics.push(
            Diagnostic::without_place(code::NO_FILES, "there is no configuration in this folder")
                .help("write a file whose name ends in `.tune.hcl`, or name another folder with `-chdir`"),
        );
    }
    let mut declarations = Declarations::new(vocabulary.clone(), version);
    let mut broken = false;
    for name in configuration {
        let file = read(files, name, &mut sources, &mut digests, &mut output);
        match file.and_then(|file| lower(file, &sources, &mut output)) {
            Some(body) => declarations.add_file(body, &output.arena, &mut output.diagnostics),
            None => broken = true,
        }
    }
    let assignments: Vec<Assignments> = values
        .into_iter()
        .filter_map(|name| {
            let file = read(files, name, &mut sources, &mut digests, &mut output)?;
            Some(assignments_of(file, &mut sources, &mut output))
        })
        .collect();
    declarations.complete(&output.arena, &mut output.diagnostics);

    let is_secret = |name: &str| declarations.variables.get(name).is_some_and(|variable| variable.sensitive);
    for (name, attribute) in assignments.iter().flat_map(|assignments| &assignments.values) {
        if is_secret(name) {
            output.secrets.push(output.arena.span(attribute.value.expr));
        }
    }
    for variable in declarations.variables.values().filter(|variable| variable.sensitive) {
        output.secrets.extend(variable.default.map(|default| output.arena.span(default.value.expr)));
    }
    output.secrets.drain(..).for_each(|span| sources.mask(span));

    let Declarations { vocabulary, required_version, variables, locals, outputs, blocks, checks, rollouts, .. } =
        declarations;
    let mut module = Module {
        files,
        vocabulary,
        sources,
        arena: Arc::new(output.arena),
        diagnostics: output.diagnostics,
        digests,
        broken,
        required_version,
        variables,
        locals,
        outputs,
        blocks,
        checks,
        rollouts,
        assignments,
    };
    let unknown = reference::unknown_names(&module);
    module.diagnostics.extend(unknown);
    module
}

/// Lowers a file of variable values, which holds nothing but attributes with plain values.
pub(crate) fn assignments_of(file: FileId, sources: &mut Sources, output: &mut Output) -> Assignments {
    let Some(body) = lower(file, sources, output) else {
        // Nothing is known about what the text holds, so all of it may be a secret.
        sources.mask(Span::new(file, 0..sources.get(file).text.len()));
        return Assignments { broken: true, ..Assignments::default() };
    };
    for block in &body.blocks {
        let message = format!("a block `{}` in a file of variable values", shown(&block.kind));
        let label = "only values of variables can stand here";
        output.diagnostics.push(
            Diagnostic::error(code::BLOCK, block.header, message, label).help("write `name = value` for each variable"),
        );
    }
    Assignments { values: body.attributes, broken: false }
}

/// Returns the digest by which a changed file is noticed.
pub(crate) fn hexadecimal_digest(text: &str) -> String {
    crate::function::hexadecimal(&Sha256::digest(text))
}

/// Returns the names of the configuration's files, and those of its files of variable values in the order in which
/// later ones win. Hidden files are none of them: editors keep their locks and copies there.
fn sort(mut names: Vec<String>) -> (Vec<String>, Vec<String>) {
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    let (configuration, rest): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| name.ends_with(".tune.hcl"));
    let (first, rest): (Vec<String>, Vec<String>) = rest.into_iter().partition(|name| name == "tune.vars.hcl");
    let automatic = rest.into_iter().filter(|name| name.ends_with(".auto.vars.hcl"));
    (configuration, first.into_iter().chain(automatic).collect())
}

fn read(
    files: &dyn Files,
    name: String,
    sources: &mut Sources,
    digests: &mut BTreeMap<String, String>,
    output: &mut Output,
) -> Option<FileId> {
    match files.read(&name) {
        Ok(text) => {
            digests.insert(name.clone(), hexadecimal_digest(&text));
            Some(sources.add(name, text))
        }
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", shown(&name));
            output.diagnostics.push(Diagnostic::without_place(code::FILE, message));
            None
        }
    }
}

fn lower(file: FileId, sources: &Sources, output: &mut Output) -> Option<Body> {
    match parse(file, &sources.get(file).text) {
        Ok(parsed) => Some(Lowering::new(file, &parsed.text, &parsed.repeated, output).file(&parsed.body)),
        Err(mistake) => {
            output.diagnostics.push(mistake);
            None
        }
    }
}

/// Lowers an expression that was given as a text of its own.
pub(crate) fn lower_expression(
    file: FileId,
    sources: &Sources,
    output: &mut Output,
) -> Option<crate::syntax::ir::Root> {
    let text = &sources.get(file).text;
    match crate::syntax::parse::parse_expression(file, text) {
        Ok(expression) => {
            let nothing_repeated = HashMap::new();
            Some(Lowering::new(file, text, &nothing_repeated, output).root(&expression))
        }
        Err(mistake) => {
            output.diagnostics.push(mistake);
            None
        }
    }
}
