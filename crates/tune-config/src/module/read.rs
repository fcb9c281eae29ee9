//! Reads and lowers every file of a configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hcl_edit::expr::Expression;
use sha2::{Digest as _, Sha256};

use super::declare::Declarations;
use super::{Declared, Module, TreeNode};
use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::reference;
use crate::source::{FileId, Files, Sources, Span};
use crate::syntax::body::{Attribute, Body};
use crate::syntax::ir::Root;
use crate::syntax::lower::{Lowering, Output};
use crate::syntax::parse::{Parsed, parse};
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
    let sources = Sources::default();
    let mut output = Output::default();
    let digests = BTreeMap::new();
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
    let mut reading =
        Reading { files, vocabulary, version, sources, output, digests, folders: Vec::new(), tree: Vec::new() };
    reading.folder(String::new(), configuration);
    let assignments: Vec<Assignments> = values.into_iter().filter_map(|name| reading.assignments(name)).collect();
    reading.tree();
    let Reading { mut sources, mut output, digests, folders, tree, .. } = reading;

    for (name, attribute) in assignments.iter().flat_map(|assignments| &assignments.values) {
        if folders[0].variables.get(name).is_some_and(|variable| variable.sensitive) {
            output.secrets.push(output.arena.span(attribute.value.expr));
        }
    }
    for variable in folders.iter().flat_map(|folder| folder.variables.values()) {
        if variable.sensitive {
            output.secrets.extend(variable.default.map(|default| output.arena.span(default.value.expr)));
        }
    }
    output.secrets.drain(..).for_each(|span| sources.mask(span));

    let mut module = Module {
        files,
        vocabulary: vocabulary.clone(),
        sources,
        arena: Arc::new(output.arena),
        diagnostics: output.diagnostics,
        digests,
        folders,
        tree,
        assignments,
    };
    let unknown = reference::unknown_names(&module);
    module.diagnostics.extend(unknown);
    module
}

/// All that is known while folders are read.
pub(super) struct Reading<'r, 'a> {
    files: &'a dyn Files,
    vocabulary: &'r Vocabulary<'a>,
    version: &'r str,
    sources: Sources,
    pub(super) output: Output,
    digests: BTreeMap<String, String>,
    pub(super) folders: Vec<Declared>,
    pub(super) tree: Vec<TreeNode>,
}

impl Reading<'_, '_> {
    /// Reads one folder and returns which one it is.
    fn folder(&mut self, path: String, names: Vec<String>) -> usize {
        let mut declarations = Declarations::new(self.vocabulary.clone(), self.version);
        for name in names {
            let name = if path.is_empty() { name } else { format!("{path}/{name}") };
            let file = read(self.files, name, &mut self.sources, &mut self.digests, &mut self.output);
            match file.and_then(|file| lower(file, &self.sources, &mut self.output)) {
                Some(body) => declarations.add_file(body, &self.output.arena, &mut self.output.diagnostics),
                None => declarations.declared.broken = true,
            }
        }
        declarations.complete(&self.output.arena, &mut self.output.diagnostics);
        self.folders.push(Declared { path, ..declarations.declared });
        self.folders.len() - 1
    }

    fn assignments(&mut self, name: String) -> Option<Assignments> {
        let file = read(self.files, name, &mut self.sources, &mut self.digests, &mut self.output)?;
        Some(assignments_of(file, &mut self.sources, &mut self.output))
    }

    /// Returns the folder of a module, which is read when it is called for the first time.
    pub(super) fn module(&mut self, path: &str, source: Span) -> Option<usize> {
        if let Some(known) = self.folders.iter().position(|folder| folder.path == path) {
            return Some(known);
        }
        let nothing = |reason: String| {
            let message = format!("there is no module in `{}`", shown(path));
            Diagnostic::error(code::MODULE, source, message, reason)
        };
        let names = match self.files.entries(path) {
            Ok(names) => sort(names).0,
            Err(error) => {
                self.output.diagnostics.push(nothing(error.to_string()));
                return None;
            }
        };
        if names.is_empty() {
            let mistake = nothing("no file in this folder ends in `.tune.hcl`".to_owned());
            self.output.diagnostics.push(mistake);
            return None;
        }
        Some(self.folder(path.to_owned(), names))
    }
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

pub(super) fn read(
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

pub(super) fn lower(file: FileId, sources: &Sources, output: &mut Output) -> Option<Body> {
    match parse(file, &sources.get(file).text) {
        Ok(Parsed { body, text, repeated }) => Some(Lowering::new(file, &text, &repeated, output).file(body)),
        Err(mistake) => {
            output.diagnostics.push(mistake);
            None
        }
    }
}

/// Lowers an expression that was given as a text of its own.
pub(crate) fn lower_expression(file: FileId, sources: &Sources, output: &mut Output) -> Option<Root> {
    lower_part(file, sources, output, |whole| whole)
}

/// Lowers an expression that was typed into a console. With `type(…)` around it, which no configuration knows, it is
/// what stands in the parentheses, and the answer says that its type is asked for.
pub(crate) fn lower_question(file: FileId, sources: &Sources, output: &mut Output) -> Option<(Root, bool)> {
    let mut asks_type = false;
    let root = lower_part(file, sources, output, |whole| match whole {
        Expression::FuncCall(call) if call.name.name.as_str() == "type" && call.args.len() == 1 => {
            asks_type = true;
            call.args.iter().next().unwrap_or(whole)
        }
        _ => whole,
    })?;
    Some((root, asks_type))
}

fn lower_part(
    file: FileId,
    sources: &Sources,
    output: &mut Output,
    part: impl FnOnce(&Expression) -> &Expression,
) -> Option<Root> {
    let text = &sources.get(file).text;
    match crate::syntax::parse::parse_expression(file, text) {
        Ok(expression) => {
            let nothing_repeated = HashMap::new();
            Some(Lowering::new(file, text, &nothing_repeated, output).root(part(&expression)))
        }
        Err(mistake) => {
            output.diagnostics.push(mistake);
            None
        }
    }
}
