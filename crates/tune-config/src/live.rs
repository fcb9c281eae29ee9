//! Expressions that are evaluated again while a plan runs: the assertions of checks over what probes answer, and which
//! members of a rollout go last.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use tune_core::rollout::{Answers, Live, Verdict};
use tune_core::{Address, InstanceKey};

use crate::convert::{bool_of, convert, given, text_of};
use crate::diagnostic::{Diagnostic, shown};
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::module::{CheckBlock, Declared, Module};
use crate::source::{FileError, Files};
use crate::syntax::ir::{Access, Arena, Expr, ExprId, Reference, Root, Step};
use crate::types::Type;
use crate::value::{Data, Entries, Value};

/// All that is kept for it.
#[derive(Default)]
pub(crate) struct Evaluations {
    pub arena: Arc<Arena>,
    /// The files that expressions have read, as they were then.
    pub files: Kept,
    pub checks: BTreeMap<Address, LiveCheck>,
    pub lasts: BTreeMap<Address, LiveLast>,
}

/// Files and folders as they were read.
#[derive(Default)]
pub(crate) struct Kept {
    pub files: BTreeMap<String, Vec<u8>>,
    pub folders: BTreeMap<String, Vec<String>>,
}

impl Files for Kept {
    fn list(&self) -> Result<Vec<String>, FileError> {
        self.entries("")
    }

    fn read(&self, path: &str) -> Result<String, FileError> {
        String::from_utf8(self.bytes(path)?).map_err(|_| FileError::NotText)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.files.get(path).cloned().ok_or(FileError::NotFound)
    }

    fn entries(&self, folder: &str) -> Result<Vec<String>, FileError> {
        self.folders.get(folder).cloned().ok_or(FileError::NotFound)
    }
}

/// One check.
pub(crate) struct LiveCheck {
    /// The names that its assertions use, without its probes.
    names: HashMap<Reference, Value>,
    /// By probe, the type of its answers.
    probes: Vec<(Reference, Address, Type)>,
    assertions: Vec<LiveAssertion>,
}

struct LiveAssertion {
    condition: Root,
    error_message: Root,
    /// Parts of the condition that say something about what was found, with their text.
    findings: Vec<(ExprId, String)>,
}

/// One `last`.
pub(crate) struct LiveLast {
    root: Root,
    members: BTreeSet<Address>,
    names: HashMap<Reference, Value>,
    /// Local values that are made from data, in an order in which they can be evaluated.
    locals: Vec<(Reference, Root)>,
    /// By kind of source, the type of its answers.
    answers: BTreeMap<Arc<str>, Type>,
}

impl LiveCheck {
    pub(crate) fn new(module: &Module<'_>, block: &CheckBlock, names: &HashMap<Reference, Value>) -> Self {
        let arena = &module.arena;
        let roots = block.assertions.iter().flat_map(|assertion| [assertion.condition, assertion.error_message]);
        let used = roots.flat_map(|root| arena.references(root)).map(|(reference, _)| reference);
        let names = used
            .filter(|reference| !matches!(reference, Reference::Probe(..)))
            .filter_map(|reference| Some((reference.clone(), names.get(reference)?.clone())))
            .collect();
        let probes = block.probes.iter().filter_map(|probe| {
            let of_type = module.vocabulary.source(&probe.kind)?.answer_type();
            let reference = Reference::Probe(probe.kind.clone(), probe.name.clone());
            Some((reference, Address::new(&probe.kind, &probe.name), of_type))
        });
        let assertions = block.assertions.iter().map(|assertion| LiveAssertion {
            condition: assertion.condition,
            error_message: assertion.error_message,
            findings: findings(module, assertion.condition),
        });
        Self { names, probes: probes.collect(), assertions: assertions.collect() }
    }
}

impl LiveLast {
    /// `sorted` is everything that the module declares, in the order of evaluation.
    pub(crate) fn new(
        (module, declared): (&Module<'_>, &Declared),
        root: Root,
        members: BTreeSet<Address>,
        sorted: &[&Reference],
        names: &HashMap<Reference, Value>,
    ) -> Self {
        let (mut used, mut waiting) = (HashSet::new(), vec![root]);
        while let Some(root) = waiting.pop() {
            for (reference, _) in module.arena.references(root) {
                if !used.insert(reference.clone()) {
                    continue;
                }
                if let Reference::Local(name) = reference {
                    waiting.extend(declared.locals.get(name).map(|local| local.value));
                }
            }
        }
        let mut fresh: HashSet<&Reference> = HashSet::new();
        let mut locals = Vec::new();
        for reference in sorted.iter().copied().filter(|reference| used.contains(*reference)) {
            match reference {
                Reference::Data(..) => _ = fresh.insert(reference),
                Reference::Local(name) => {
                    let Some(local) = declared.locals.get(name) else { continue };
                    if module.arena.references(local.value).any(|(reference, _)| fresh.contains(reference)) {
                        fresh.insert(reference);
                        locals.push((reference.clone(), local.value));
                    }
                }
                _ => {}
            }
        }
        let answers = module.vocabulary.sources.iter();
        let answers = answers.map(|source| (Arc::from(source.schema.kind), source.answer_type())).collect();
        let names = used.iter().filter_map(|it| Some((it.clone(), names.get(it)?.clone()))).collect();
        Self { root, members, names, locals, answers }
    }
}

impl Live for Evaluations {
    fn judge(&self, check: &Address, answers: &Answers) -> Verdict {
        let unknown = |reason: String| Verdict::Unknown { reason };
        let Some(live) = self.checks.get(check) else { return unknown(format!("there is no check `{check}`")) };
        let mut names = live.names.clone();
        for (reference, address, of_type) in &live.probes {
            let Some(answer) = answers.get(address) else { return unknown(format!("`{reference}` got no answer")) };
            match convert(&Value::from(answer), of_type) {
                Ok(answer) => _ = names.insert(reference.clone(), answer),
                Err(_) => return unknown(format!("`{reference}` answered something else than it promises")),
            }
        }
        let mut messages = Vec::new();
        for assertion in &live.assertions {
            let condition = match self.evaluate(assertion.condition.expr, &names) {
                Ok(condition) => condition,
                Err(reason) => return unknown(reason),
            };
            match bool_of(&condition) {
                Some(true) => {}
                Some(false) => messages.push(self.complaint(assertion, &names)),
                None if condition.is_null() => return unknown("a condition is `null`".to_owned()),
                None => return unknown(format!("a condition must be a bool, but it is {}", given(&condition))),
            }
        }
        if messages.is_empty() { Verdict::Pass } else { Verdict::Fail { messages } }
    }

    fn last(&self, rollout: &Address, answers: &Answers) -> Result<BTreeSet<Address>, String> {
        let Some(live) = self.lasts.get(rollout) else { return Ok(BTreeSet::new()) };
        let mut names = live.names.clone();
        for (address, answer) in answers {
            let reference = Reference::Data(address.kind.as_str().into(), address.name.as_str().into());
            let Some(of_type) = live.answers.get(address.kind.as_str()) else { continue };
            let Some(block) = names.get_mut(&reference) else { continue };
            let answer = convert(&Value::from(answer), of_type)
                .map_err(|_| format!("`{reference}` answered something else than it promises"))?;
            *block = with_instance(block, &address.key, answer);
        }
        for (reference, root) in &live.locals {
            let value = self.evaluate(root.expr, &names)?;
            names.insert(reference.clone(), value);
        }
        let value = self.evaluate(live.root.expr, &names)?;
        match hosts_of(&value) {
            Ok(hosts) => Ok(hosts.into_iter().filter(|host| live.members.contains(host)).collect()),
            Err(reason) => Err(format!(
                "`last` must be a list of hosts, but {}",
                reason.unwrap_or_else(|| "it is not known".to_owned())
            )),
        }
    }
}

impl Evaluations {
    /// Returns the value, or the evaluator's words about why there is none.
    fn evaluate(&self, expr: ExprId, names: &HashMap<Reference, Value>) -> Result<Value, String> {
        let scope = Scope { names, each: None, index: None };
        let (mut budget, mut diagnostics) = (Budget::default(), Vec::new());
        let value = Evaluator::new(&self.arena, &self.files, scope, &mut budget, &mut diagnostics).evaluate(expr);
        match diagnostics.first() {
            Some(mistake) => Err(reason(mistake)),
            None if value.has_poison() || value.has_unknown() => Err("something it needs is not known".to_owned()),
            None => Ok(value),
        }
    }

    /// Returns the message of an assertion that does not hold, with what was found.
    fn complaint(&self, assertion: &LiveAssertion, names: &HashMap<Reference, Value>) -> String {
        let message = match self.evaluate(assertion.error_message.expr, names) {
            Ok(message) if !message.has_secret() => text_of(&message).map(|text| tune_core::text::visible(&text, 500)),
            _ => None,
        };
        let mut message = message.unwrap_or_else(|| "a condition does not hold".to_owned());
        let findings: Vec<String> = assertion
            .findings
            .iter()
            .filter_map(|(expr, text)| {
                let value = self.evaluate(*expr, names).ok()?;
                let value = if value.is_null() { "`null`".to_owned() } else { value.shown()? };
                Some(format!("{text} is {value}"))
            })
            .collect();
        if !findings.is_empty() {
            message = format!("{} ({})", message.trim_end_matches('.'), findings.join(", "));
        }
        message
    }
}

/// Returns the hosts that a value names: one, a list, a set or a map of them; `null` names none. The error is what else
/// it is, as a phrase, or `None` for a value that is not known.
pub(crate) fn hosts_of(value: &Value) -> Result<Vec<Address>, Option<String>> {
    if value.has_poison() || value.has_unknown() {
        return Err(None);
    }
    let one = |item: &Value| item.as_host().cloned().ok_or_else(|| Some(format!("this holds {}", given(item))));
    match &value.data {
        Data::Null => Ok(Vec::new()),
        Data::Map(map) => match &map.host {
            Some(host) => Ok(vec![host.clone()]),
            None => map.entries.values().map(one).collect(),
        },
        Data::List(list) | Data::Set(list) => list.items.iter().map(one).collect(),
        _ => Err(Some(format!("this is {}", given(value)))),
    }
}

/// Returns the parts of a condition that name something a probe found. Parts within a `for` are not among them, because
/// they have another value for each element.
fn findings(module: &Module<'_>, condition: Root) -> Vec<(ExprId, String)> {
    let arena = &module.arena;
    let is_fixed = |step: &Step| match step.access {
        Access::Attribute(_) | Access::Position(_) => true,
        Access::Index(index) => matches!(arena.expr(index), Expr::Literal(_)),
        Access::Splat | Access::AttributeSplat => false,
    };
    let mut findings: Vec<(ExprId, String)> = Vec::new();
    for (id, expr, span) in arena.within(condition) {
        let Expr::Access { base, steps } = expr else { continue };
        let is_probe = matches!(arena.expr(*base), Expr::Reference(Reference::Probe(..)));
        let text = format!("`{}`", shown(module.sources.marked(span)));
        if is_probe && steps.iter().all(is_fixed) && !findings.iter().any(|(_, other)| *other == text) {
            findings.push((id, text));
        }
    }
    findings
}

/// Returns the value of a block with another value for one of its instances.
fn with_instance(block: &Value, key: &InstanceKey, answer: Value) -> Value {
    match (key, &block.data) {
        (InstanceKey::Name(key), Data::Map(map)) => {
            let mut entries: Entries = map.entries.clone();
            entries.insert(key.as_str().into(), answer);
            Value::map(entries)
        }
        (InstanceKey::Index(index), Data::List(list)) => {
            let mut items = list.items.clone();
            if let Some(item) = usize::try_from(*index).ok().and_then(|index| items.get_mut(index)) {
                *item = answer;
            }
            Value::list(items)
        }
        _ => answer,
    }
}

/// Returns what is wrong, in one line.
fn reason(mistake: &Diagnostic) -> String {
    match mistake.labels.first() {
        Some(label) if !label.text.is_empty() => format!("{}: {}", mistake.message, label.text),
        _ => mistake.message.clone(),
    }
}

/// Says what there is, without any value: it may be a secret.
impl fmt::Debug for Evaluations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluations")
            .field("checks", &self.checks.keys())
            .field("lasts", &self.lasts.keys())
            .finish_non_exhaustive()
    }
}
