//! What a file of tests declares: `run` blocks, and what holds for all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::Address;

use super::rest::{Rest, constant_text, elsewhere, twice, unknown_block, validation};
use super::{Declared, names_are_right};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::module::{TestMode, TestRun};
use crate::source::Span;
use crate::syntax::body::{Attribute, Block, Body};
use crate::syntax::ir::{Arena, Reference};

/// The blocks of a file of tests.
const BLOCKS: [&str; 3] = ["test", "variables", "run"];
/// Blocks of Terraform's tests, and what to do here instead.
const ELSEWHERE: [(&str, &str); 5] = [
    ("provider", "remove it: a test plans against a recording and reaches no provider"),
    ("mock_provider", "remove it, and name a recording: `test { recording = \"FILE\" }`"),
    ("override_resource", "change the reading in the recording, which is JSON, or make another one"),
    ("override_data", "change the answer in the recording, which is JSON, or make another one"),
    ("override_module", "give the variables of the run other values"),
];
/// Attributes of Terraform's runs, and what to do here instead.
const ELSEWHERE_IN_RUN: [(&str, &str); 2] = [
    ("providers", "remove it: a test plans against a recording and reaches no provider"),
    ("state_key", "remove it: each run plans with the state that is in its recording"),
];
const RUN: [&str; 7] = ["command", "recording", "variables", "plan_options", "assert", "expect_failures", "module"];

/// What was written for all runs of a file.
#[derive(Default)]
struct Shared {
    variables: BTreeMap<Arc<str>, Attribute>,
    recording: Option<(String, Span)>,
    /// The headers of `test` and `variables`.
    first: BTreeMap<String, Span>,
}

/// Returns the runs of a file of tests. `declared` is the configuration that they test.
pub(in crate::module) fn runs(
    declared: &Declared,
    body: Body,
    arena: &Arena,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<TestRun> {
    for (name, attribute) in &body.attributes {
        let message = format!("`{}` stands outside of any block", shown(name));
        let mistake = Diagnostic::error(code::TEST, attribute.name, message, "an attribute belongs into a block");
        let help = (name.as_ref() == "recording").then(|| "put it into a block `test`".to_owned());
        diagnostics.push(mistake.maybe_help(help));
    }
    let mut reading = Reading { declared, arena, diagnostics, shared: Shared::default() };
    let (own, shared): (Vec<Block>, Vec<Block>) = body.blocks.into_iter().partition(|block| block.kind == "run");
    for block in shared {
        reading.shared(block);
    }
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    let mut runs = Vec::new();
    for block in own {
        let Some(run) = reading.run(block) else { continue };
        if let Some(first) = names.get(&run.name) {
            reading.diagnostics.push(twice(&format!("the run `{}`", shown(&run.name)), run.header, *first));
            continue;
        }
        names.insert(run.name.clone(), run.header);
        runs.push(run);
    }
    runs
}

struct Reading<'a> {
    declared: &'a Declared,
    arena: &'a Arena,
    diagnostics: &'a mut Vec<Diagnostic>,
    shared: Shared,
}

impl Reading<'_> {
    /// Takes in what holds for all runs.
    fn shared(&mut self, block: Block) {
        if !BLOCKS.contains(&block.kind.as_str()) {
            let message = format!("unknown block type `{}` in a file of tests", shown(&block.kind));
            let help = elsewhere(&ELSEWHERE, &block.kind)
                .or_else(|| did_you_mean(&block.kind, BLOCKS))
                .unwrap_or_else(|| "write `test`, `variables` or `run \"NAME\"`".to_owned());
            self.diagnostics.push(Diagnostic::error(code::TEST, block.header, message, "not for tests").help(help));
            return;
        }
        if !names_are_right(&block, 0, self.diagnostics) {
            return;
        }
        if let Some(first) = self.shared.first.insert(block.kind.clone(), block.header) {
            self.diagnostics.push(twice(&format!("the block `{}`", block.kind), block.header, first));
            return;
        }
        if block.kind == "variables" {
            self.shared.variables = self.variables(block);
            return;
        }
        let mut rest = Rest::new(block, "the block `test`", self.diagnostics);
        // Runs never wait for each other here, so nothing needs to be said about that.
        let _ = rest.take("parallel");
        self.shared.recording = rest.take("recording").and_then(|attribute| self.text(attribute));
        rest.finish(&["recording"], self.diagnostics);
    }

    fn run(&mut self, mut block: Block) -> Option<TestRun> {
        if !names_are_right(&block, 1, self.diagnostics) {
            return None;
        }
        let (name, header) = (block.labels[0].0.clone(), block.header);
        let mut variables = self.shared.variables.clone();
        let mut assertions = Vec::new();
        let (mut mode, mut target, mut exclude) = (TestMode::Normal, Vec::new(), Vec::new());
        for inner in std::mem::take(&mut block.body.blocks) {
            match inner.kind.as_str() {
                "variables" => variables.extend(self.variables(inner)),
                "assert" => assertions.extend(validation(inner, "`assert`", self.diagnostics)),
                "plan_options" => (mode, target, exclude) = self.options(inner),
                "module" => {
                    let message = "a test cannot plan another module";
                    let mistake = Diagnostic::error(code::TEST, inner.header, message, "not available here");
                    self.diagnostics.push(mistake.help("put the tests beside that module, and run them with `-chdir`"));
                }
                other => match elsewhere(&ELSEWHERE, other) {
                    Some(help) => {
                        let message = format!("unknown block `{}` in a run", shown(other));
                        let mistake = Diagnostic::error(code::TEST, inner.header, message, "not for tests");
                        self.diagnostics.push(mistake.help(help));
                    }
                    None => unknown_block(&inner, "a run", &RUN, self.diagnostics),
                },
            }
        }
        if let Some(items) = block.body.words.remove("command") {
            for (word, span) in items.iter().filter(|(word, _)| word != "plan") {
                let message = format!("`command` is `plan` here, and not `{}`", shown(word));
                let mistake = Diagnostic::error(code::TEST, *span, message, "a test only plans");
                self.diagnostics.push(mistake.help("write `command = plan`; nothing is ever applied by a test"));
            }
        }
        let expected = block.body.words.remove("expect_failures").unwrap_or_default();
        self.expected(&expected);
        let mut rest = Rest::new(block, "a run", self.diagnostics);
        // Runs never wait for each other here, so nothing needs to be said about that.
        let _ = rest.take("parallel");
        for (name, help) in ELSEWHERE_IN_RUN {
            if let Some(attribute) = rest.take(name) {
                let message = format!("unknown attribute `{name}` of a run");
                let mistake = Diagnostic::error(code::TEST, attribute.name, message, "not for tests");
                self.diagnostics.push(mistake.help(help));
            }
        }
        let own = rest.take("recording").and_then(|attribute| self.text(attribute));
        rest.finish(&RUN, self.diagnostics);
        if assertions.is_empty() && expected.is_empty() {
            let message = format!("the run `{}` expects nothing", shown(&name));
            let mistake = Diagnostic::warning(code::TEST, header, message, "it passes whenever there is a plan");
            self.diagnostics.push(mistake.help("write `assert { … }` or `expect_failures = […]`"));
        }
        let recording = own.or_else(|| self.shared.recording.clone());
        let variables = variables.into_iter().collect();
        Some(TestRun { name, header, mode, target, exclude, recording, variables, expected, assertions })
    }

    fn text(&mut self, attribute: Attribute) -> Option<(String, Span)> {
        let text = constant_text(self.arena, attribute, self.diagnostics)?;
        Some((text, self.arena.span(attribute.value.expr)))
    }

    fn variables(&mut self, block: Block) -> BTreeMap<Arc<str>, Attribute> {
        for inner in &block.body.blocks {
            unknown_block(inner, "`variables`", &[], self.diagnostics);
        }
        let known = &self.declared.variables;
        for (name, attribute) in &block.body.attributes {
            if !known.contains_key(name) && !self.declared.broken {
                let message = format!("there is no variable `{}`", shown(name));
                let mistake = Diagnostic::error(code::UNKNOWN_VARIABLE, attribute.name, message, "declared nowhere");
                self.diagnostics.push(mistake.maybe_help(did_you_mean(name, known.keys().map(AsRef::as_ref))));
            }
        }
        block.body.attributes
    }

    fn options(&mut self, mut block: Block) -> (TestMode, Vec<Address>, Vec<Address>) {
        let mut mode = TestMode::Normal;
        for (word, span) in block.body.words.remove("mode").into_iter().flatten() {
            mode = match word.as_str() {
                "normal" => TestMode::Normal,
                "destroy" => TestMode::Destroy,
                "refresh-only" => TestMode::RefreshOnly,
                other => {
                    let message = format!("there is no mode `{}`", shown(other));
                    let label = "`normal`, `destroy` or `refresh-only`";
                    self.diagnostics.push(Diagnostic::error(code::TEST, span, message, label));
                    mode
                }
            };
        }
        let [target, exclude] = ["target", "exclude"].map(|name| {
            let words = block.body.words.remove(name).into_iter().flatten();
            let mut addresses = Vec::new();
            for (word, span) in words {
                if let Ok(address) = word.parse() {
                    addresses.push(address);
                } else {
                    let message = format!("`{}` is not an address", shown(&word));
                    let mistake = Diagnostic::error(code::TEST, span, message, "not an address");
                    self.diagnostics.push(mistake.help("write one as in `sysctl.etcd[\"pve\"]`"));
                }
            }
            addresses
        });
        Rest::new(block, "`plan_options`", self.diagnostics).finish(&["mode", "target", "exclude"], self.diagnostics);
        (mode, target, exclude)
    }

    /// Reports what is expected to fail and does not exist, or never fails while planning.
    fn expected(&mut self, expected: &[(String, Span)]) {
        for (name, span) in expected {
            let parts: Vec<&str> = name.split('.').collect();
            let declared = self.declared;
            let block = |kind: &str, name: &str| Reference::Block(kind.into(), name.into());
            let exists = match parts.as_slice() {
                ["var", name] => declared.variables.contains_key(*name),
                ["output", name] => declared.outputs.contains_key(*name),
                ["check", name] => declared.checks.contains_key(*name),
                ["data", kind, name] => declared.blocks.contains_key(&Reference::Data((*kind).into(), (*name).into())),
                [kind, name] => declared.blocks.contains_key(&block(kind, name)),
                _ => false,
            };
            if !exists && !declared.broken {
                let message = format!("there is no `{}` that could be refused", shown(name));
                let mistake = Diagnostic::error(code::UNKNOWN_NAME, *span, message, "declared nowhere");
                let help = "name a block as in `var.x`, `sysctl.x`, `data.KIND.x`, `check.x` or `output.x`";
                self.diagnostics.push(mistake.help(help));
            }
        }
    }
}
