//! Which module calls which: every folder in every place where a `module` block puts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::declare::meta;
use super::read::Reading;
use super::{CallBlock, Declared, TreeNode};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::source::{FileError, Span};

/// More modules than this are taken for a mistake: each may call many others.
const MAX_MODULES: usize = 1_000;
/// How deep modules may call each other.
const MAX_DEPTH: usize = 20;

impl Reading<'_, '_> {
    /// Follows every `module` block.
    pub(super) fn tree(&mut self) {
        self.tree.push(TreeNode { folder: 0, parent: None, children: BTreeMap::new() });
        let mut at = 0;
        while at < self.tree.len() {
            let folder = self.tree[at].folder;
            let calls: Vec<(Arc<str>, String, Span)> = self.folders[folder]
                .calls
                .iter()
                .filter_map(|(name, call)| {
                    let (source, span) = call.source.as_ref()?;
                    Some((name.clone(), source.clone(), *span))
                })
                .collect();
            for (name, source, span) in calls {
                if let Some(child) = self.called(at, &source, span) {
                    let number = self.tree.len();
                    self.tree.push(TreeNode {
                        folder: child,
                        parent: Some((at, name.clone())),
                        children: BTreeMap::new(),
                    });
                    self.tree[at].children.insert(name.clone(), number);
                    let call = &self.folders[folder].calls[&name];
                    arguments(call, &name, &self.folders[child], &mut self.output.diagnostics);
                }
            }
            at += 1;
        }
    }

    /// Returns the folder that a `module` block in a module calls.
    fn called(&mut self, at: usize, source: &str, span: Span) -> Option<usize> {
        let path = match join(&self.folders[self.tree[at].folder].path, source) {
            Ok(path) => path,
            Err(error) => {
                let message = "the folder of a module cannot be read";
                let mistake = Diagnostic::error(code::MODULE, span, message, error.to_string());
                self.output.diagnostics.push(mistake.help("move the module into the folder of the configuration"));
                return None;
            }
        };
        let mut above = Some(at);
        let mut depth = 0;
        while let Some(node) = above {
            if self.folders[self.tree[node].folder].path == path {
                let message = "a module calls itself";
                let label = if node == at {
                    "this is the folder that the block stands in"
                } else {
                    "this folder calls the one that the block stands in"
                };
                self.output.diagnostics.push(Diagnostic::error(code::CYCLE, span, message, label));
                return None;
            }
            above = self.tree[node].parent.as_ref().map(|(parent, _)| *parent);
            depth += 1;
        }
        if depth > MAX_DEPTH || self.tree.len() >= MAX_MODULES {
            let message = "the modules call too many others";
            let label = format!("at most {MAX_MODULES} modules, {MAX_DEPTH} deep, can be called");
            self.output.diagnostics.push(Diagnostic::error(code::BUDGET, span, message, label));
            return None;
        }
        self.module(&path, span)
    }
}

/// Reports values for variables that the module does not have, and variables that have no value.
fn arguments(call: &CallBlock, name: &str, module: &Declared, diagnostics: &mut Vec<Diagnostic>) {
    if module.broken {
        return;
    }
    let given = &call.block.content.attributes;
    let known: Vec<&str> = module.variables.keys().map(AsRef::as_ref).chain(meta()).collect();
    for (argument, attribute) in given {
        if !module.variables.contains_key(argument) {
            let message = format!("the module `{}` has no variable `{}`", shown(name), shown(argument));
            diagnostics.push(
                Diagnostic::error(code::UNKNOWN_ATTRIBUTE, attribute.name, message, "not a variable of the module")
                    .label(call.block.header, "in this block")
                    .maybe_help(did_you_mean(argument, known.iter().copied())),
            );
        }
    }
    for (variable, block) in &module.variables {
        if block.default.is_none() && !given.contains_key(variable) {
            let message = format!("the module `{}` needs a value for `{}`", shown(name), shown(variable));
            let label = format!("`{}` is missing here", shown(variable));
            diagnostics.push(
                Diagnostic::error(code::MISSING_ATTRIBUTE, call.block.header, message, label)
                    .label(block.header, "it has no default"),
            );
        }
    }
}

/// Returns the folder that a path leads to from another one; it must not lead out of the configuration.
fn join(folder: &str, path: &str) -> Result<String, FileError> {
    if path.contains(['\\', '\0']) {
        return Err(FileError::Outside);
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop().ok_or(FileError::Outside)?,
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_from_folder_to_folder() {
        let join = |folder: &str, path: &str| join(folder, path).ok();
        assert_eq!(join("", "./modules/a"), Some("modules/a".to_owned()));
        assert_eq!(join("modules/a", "../b/./c/"), Some("modules/b/c".to_owned()));
        assert_eq!(join("modules/a", "../.."), Some(String::new()));
        assert_eq!(join("modules/a", "../../../x"), None);
        assert_eq!(join("", "../x"), None);
        assert_eq!(join("", "./a\\..\\b"), None);
    }
}
