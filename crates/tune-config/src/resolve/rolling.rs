//! `check` and `rollout` blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tune_core::path::PathStep;
use tune_core::resource::Consent;
use tune_core::rollout::{Cap, Check, OnFailure, Rollout};
use tune_core::{Address, AttributePath};

use super::condition::Outcome;
use super::content::Expected;
use super::instance::Instance;
use super::{Dependencies, Resolution, Surroundings};
use crate::code;
use crate::convert::{given, number_of};
use crate::diagnostic::{Diagnostic, closest, shown};
use crate::duration;
use crate::live;
use crate::module::{CheckBlock, RolloutBlock, Validation};
use crate::syntax::body::Attribute;
use crate::syntax::ir::{Expr, Reference};
use crate::types::Type;
use crate::value::{Data, Value};

const ACCEPTED: [(Consent, &str); 2] = [(Consent::Outage, "outage"), (Consent::ForeignPending, "foreign_pending")];

impl Resolution<'_> {
    pub(super) fn checks(&mut self) {
        for (name, block) in &self.declared().checks {
            self.check(name, block);
        }
    }

    fn check(&mut self, name: &str, block: &CheckBlock) {
        let module = self.module;
        let mut check = Check { address: self.address("check", name), probes: Vec::new() };
        let mut complete = true;
        for probe in &block.probes {
            let source = module.vocabulary.source(&probe.kind);
            let attributes = source.map(|source| &source.schema.attributes);
            let what = format!("`{}`", probe.kind);
            let expected = Expected { attributes, what: &what, header: probe.header };
            let mut unused = Dependencies::default();
            let entries = self.content(&probe.content, expected, &Instance::single(), &mut unused);
            let provider = source.and_then(|source| source.schema.provider).map(|default| {
                let named = probe.provider.as_ref();
                self.provider_address(&probe.kind, default, named, probe.header)
            });
            let address = Address::new(&probe.kind, &probe.name);
            match self.query(address, &entries, attributes, provider.clone().flatten()) {
                Some(query) if provider != Some(None) => check.probes.push(query),
                _ => complete = false,
            }
            let reference = Reference::Probe(probe.kind.clone(), probe.name.clone());
            let answer = source.map_or(Value::POISON, |source| Value::unknown(source.answer_type()));
            self.names_mut().insert(reference, answer);
        }
        for assertion in &block.assertions {
            self.assertion(name, assertion);
        }
        if complete && self.scope().is_certain {
            let live = live::LiveCheck::new(module, block, self.names());
            self.live.checks.insert(check.address.clone(), live);
            self.configuration.checks.insert(check.address.clone(), check);
        }
        self.names_mut().retain(|name, _| !matches!(name, Reference::Probe(..)));
    }

    /// Looks for mistakes that any answer of a probe would leave. What fails already while planning is a warning: a check
    /// says how things are, and stops nothing by itself.
    fn assertion(&mut self, name: &str, assertion: &Validation) {
        let outcome = self.condition(assertion, Surroundings::default(), &mut Dependencies::default());
        if let Outcome::Fails(failure) = outcome {
            let message = format!("the check `{}` fails: {}", shown(name), failure.reason);
            let span = self.module.arena.span(assertion.condition.expr);
            let warning = Diagnostic::warning(code::CHECK, span, message, failure.label);
            let subject = self.subject(&format!("check.{name}"));
            self.diagnostics.push(warning.subject(subject));
        }
    }

    pub(super) fn rollouts(&mut self) {
        for (name, block) in &self.declared().rollouts {
            Attributes { resolution: self, block, complete: true }.rollout(name);
        }
    }
}

/// The attributes of one rollout.
struct Attributes<'r, 'm> {
    resolution: &'r mut Resolution<'m>,
    block: &'r RolloutBlock,
    /// Whether everything was right and is known.
    complete: bool,
}

impl Attributes<'_, '_> {
    fn rollout(mut self, name: &str) {
        let address = self.resolution.address("rollout", name);
        let (members, mut edges) = self.members();
        let mut rollout = Rollout::new(address.clone(), members);
        let last = self.last(&mut rollout);
        rollout.max_unavailable = self.cap().unwrap_or(rollout.max_unavailable);
        rollout.canary = self.canary();
        rollout.gates = self.gates(&mut edges);
        rollout.settle = self.duration("settle").unwrap_or(rollout.settle);
        rollout.timeout = self.duration("timeout").unwrap_or(rollout.timeout);
        rollout.soak = self.duration("soak").unwrap_or(rollout.soak);
        self.refuse_no_time(&rollout);
        rollout.on_failure = self.on_failure();
        if let Some(attribute) = self.block.attributes.get("lifecycle") {
            let accept = self.resolution.accept(*attribute, &ACCEPTED, &Instance::single());
            self.complete &= accept.is_some();
            rollout.accept = accept.unwrap_or_default();
        }
        if !self.complete || !self.resolution.scope().is_certain {
            return;
        }
        let resolution = self.resolution;
        resolution.configuration.places.edges.insert(address.clone(), edges);
        if let Some(last) = last {
            resolution.live.lasts.insert(address.clone(), last);
        }
        resolution.configuration.rollouts.insert(address, rollout);
    }

    fn value(&mut self, name: &str, of_type: &Type) -> Option<(Attribute, Value)> {
        let attribute = *self.block.attributes.get(name)?;
        let path = AttributePath::attribute(name);
        let mut unused = Dependencies::default();
        let instance = Instance::single();
        let value = self.resolution.attribute(&path, attribute, (of_type, false), &instance, &mut unused);
        self.complete &= !value.has_poison() && !value.has_unknown();
        Some((attribute, value))
    }

    fn members(&mut self) -> (Vec<Address>, BTreeMap<Address, crate::source::Span>) {
        let (mut members, mut places) = (Vec::new(), BTreeMap::new());
        let Some((attribute, value)) = self.value("members", &Type::Any) else {
            self.complete = false;
            return (members, places);
        };
        if value.is_poison() || value.is_unknown() {
            return (members, places);
        }
        if value.is_null() {
            let header = self.block.header;
            self.resolution.missing("members", "a rollout", header, Some(attribute));
            self.complete = false;
            return (members, places);
        }
        let items: Vec<(PathStep, Value)> = match &value.data {
            Data::List(list) | Data::Set(list) => {
                list.items.iter().enumerate().map(|(at, item)| (PathStep::Index(at), item.clone())).collect()
            }
            Data::Map(map) if map.host.is_none() => {
                map.entries.iter().map(|(key, value)| (PathStep::Key(key.to_string()), value.clone())).collect()
            }
            _ => {
                let label = format!("this is {}", given(&value));
                let help = value.as_host().map(|_| "write a list: `[host.NAME]`".to_owned());
                self.refuse(attribute, &[], "`members` must be a list or a map of hosts", label, help);
                return (members, places);
            }
        };
        if items.is_empty() {
            self.refuse(attribute, &[], "a rollout has no members", "this is empty".to_owned(), None);
        }
        for (step, item) in items {
            let path = [step];
            let span = self.resolution.place(attribute, &path);
            match item.as_host() {
                Some(host) if places.contains_key(host) => {
                    let message = format!("`{}` is a member twice", shown(&host.to_string()));
                    let label = "it is in the list before".to_owned();
                    self.refuse(attribute, &path, &message, label, None);
                }
                Some(host) => {
                    members.push(host.clone());
                    places.insert(host.clone(), span);
                }
                None if item.is_poison() || item.is_unknown() => {}
                None => {
                    let label = format!("a host is needed, but this is {}", given(&item));
                    let help = (value.as_entries().is_some() || item.as_entries().is_some())
                        .then(|| "write `values(host.NAME)` for every host of a block".to_owned());
                    self.refuse(attribute, &path, "a member is no host", label, help);
                }
            }
        }
        (members, places)
    }

    /// Evaluates `last`, and returns what is needed to do so again.
    fn last(&mut self, rollout: &mut Rollout) -> Option<live::LiveLast> {
        let attribute = *self.block.attributes.get("last")?;
        let (value, dependencies) = self.resolution.evaluate(attribute.value, Surroundings::default());
        if value.has_secret() {
            self.complete = false;
            let span = self.resolution.place(attribute, &[]);
            let message = "a secret cannot be used in `last`";
            let label = "this is made from a sensitive value, and the order is shown";
            self.resolution.diagnostics.push(Diagnostic::error(code::SENSITIVE_VALUE, span, message, label));
            return None;
        }
        let resolution = &*self.resolution;
        rollout.last_depends_on =
            dependencies.data.iter().filter_map(|address| resolution.queries.get(address)).cloned().collect();
        match live::hosts_of(&value) {
            Ok(hosts) => rollout.last = hosts.into_iter().filter(|host| rollout.members.contains(host)).collect(),
            Err(None) => self.complete &= value.has_unknown() && !value.has_poison(),
            Err(Some(reason)) => {
                let message = "`last` must be a list of hosts";
                self.refuse(attribute, &[], message, reason, None);
            }
        }
        let module = self.resolution.module;
        let members: BTreeSet<Address> = rollout.members.iter().cloned().collect();
        let resolution = &*self.resolution;
        let scope = resolution.scope();
        let elsewhere = dependencies.data.iter().find(|address| address.module != scope.path);
        if let Some(elsewhere) = elsewhere {
            let message = "`last` depends on data of another module";
            let label = format!("it is made from `data.{}`", shown(&elsewhere.to_string()));
            let help = "put the rollout and the data into one module: it is read again before each member";
            self.refuse(attribute, &[], message, label, Some(help.to_owned()));
            return None;
        }
        let here: Vec<&Reference> =
            resolution.sorted.iter().filter(|(node, _)| *node == scope.node).map(|(_, reference)| reference).collect();
        let place = (module, resolution.declared());
        Some(live::LiveLast::new(place, attribute.value, members, &here, resolution.names()))
    }

    fn cap(&mut self) -> Option<Cap> {
        let (attribute, value) = self.value("max_unavailable", &Type::Scalar)?;
        if value.is_null() || value.is_poison() || value.is_unknown() {
            return None;
        }
        let message = "`max_unavailable` cannot have this value";
        let (cap, label) = if let Some(percent) = value.as_str().and_then(|text| text.strip_suffix('%')) {
            let percent = percent.parse::<u8>().ok().filter(|percent| (1..=100).contains(percent));
            (percent.map(Cap::Percent), "a percentage is a whole number between 1 and 100")
        } else {
            let count = number_of(&value).and_then(|number| number.as_u64());
            let count = count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
            (count.map(Cap::Count), "a whole number above zero is needed, or a percentage")
        };
        if cap.is_none() {
            let help = Some("write a number such as `1`, or a part of the members such as `\"25%\"`".to_owned());
            self.invalid(attribute, message, label.to_owned(), help);
        }
        cap
    }

    fn canary(&mut self) -> Option<usize> {
        let (attribute, value) = self.value("canary", &Type::Integer)?;
        let number = value.as_number()?;
        let count = number.as_u64().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
        if count.is_none() {
            let label = "a whole number above zero is needed".to_owned();
            self.invalid(attribute, "`canary` cannot have this value", label, None);
        }
        count
    }

    fn duration(&mut self, name: &str) -> Option<std::time::Duration> {
        let (attribute, value) = self.value(name, &Type::String)?;
        let text = value.as_str()?;
        let duration = duration::parse(text);
        if let Err(reason) = duration {
            let message = format!("`{name}` is no length of time");
            let help = Some("write a number and its unit, such as `\"30s\"`, `\"10m\"` or `\"24h\"`".to_owned());
            self.invalid(attribute, &message, reason.to_owned(), help);
        }
        duration.ok()
    }

    /// A member that may take no time at all fails before it starts.
    fn refuse_no_time(&mut self, rollout: &Rollout) {
        let Some(attribute) = self.block.attributes.get("timeout").copied() else { return };
        if rollout.timeout.is_zero() {
            self.invalid(attribute, "`timeout` cannot have this value", "no time at all".to_owned(), None);
        } else if rollout.timeout <= rollout.settle && self.complete {
            let message = "`timeout` is not longer than `settle`";
            let label = "the gates could never hold long enough in this time".to_owned();
            self.invalid(attribute, message, label, Some("make `timeout` longer, or `settle` shorter".to_owned()));
        }
    }

    fn on_failure(&mut self) -> OnFailure {
        const WORDS: [(&str, OnFailure); 3] = [
            ("revert_member", OnFailure::RevertMember),
            ("revert_run", OnFailure::RevertRun),
            ("halt", OnFailure::Halt),
        ];
        let Some((attribute, value)) = self.value("on_failure", &Type::String) else { return OnFailure::default() };
        let Some(word) = value.as_str() else { return OnFailure::default() };
        if let Some((_, found)) = WORDS.iter().find(|(known, _)| *known == word) {
            return *found;
        }
        let help = match closest(word, WORDS.map(|(word, _)| word)) {
            Some(close) => format!("did you mean `\"{close}\"`?"),
            None => format!("write {}", WORDS.map(|(word, _)| format!("`\"{word}\"`")).join(" or ")),
        };
        let label = "there is nothing of this name to do".to_owned();
        self.invalid(attribute, "`on_failure` cannot have this value", label, Some(help));
        OnFailure::default()
    }

    /// Reads `gates`. Its elements are references, not values.
    fn gates(&mut self, edges: &mut BTreeMap<Address, crate::source::Span>) -> Vec<Address> {
        let Some(attribute) = self.block.attributes.get("gates").copied() else { return Vec::new() };
        let arena: Arc<_> = self.resolution.module.arena.clone();
        let help = Some("write references such as `[check.NAME]`, without quotes around them".to_owned());
        let Expr::List(items) = arena.expr(attribute.value.expr) else {
            if !matches!(arena.expr(attribute.value.expr), Expr::Mistake) {
                self.invalid(attribute, "`gates` must be a list of checks", "this is no list".to_owned(), help);
            }
            self.complete = false;
            return Vec::new();
        };
        let mut gates = Vec::new();
        for item in items {
            let span = arena.span(*item);
            let gate = match arena.expr(*item) {
                Expr::Reference(Reference::Block(kind, name)) if kind.as_ref() == "check" => {
                    self.resolution.address("check", name)
                }
                Expr::Mistake => continue,
                _ => {
                    self.complete = false;
                    let message = "`gates` takes references to checks";
                    let diagnostic = Diagnostic::error(code::TYPE, span, message, "this is none");
                    self.resolution.diagnostics.push(diagnostic.maybe_help(help.clone()));
                    continue;
                }
            };
            if let Some(first) = edges.get(&gate) {
                self.complete = false;
                let message = format!("the gate `{gate}` is named twice");
                let diagnostic = Diagnostic::error(code::DUPLICATE, span, message, "named again here");
                self.resolution.diagnostics.push(diagnostic.label(*first, "first named here"));
                continue;
            }
            let check = self.resolution.declared().checks.get(gate.name.as_str());
            if check.is_some_and(|check| check.probes.is_empty()) {
                self.complete = false;
                let message = format!("`{gate}` cannot be a gate");
                let label = "it has no probe, so it would say the same each time";
                let diagnostic = Diagnostic::error(code::INVALID, span, message, label);
                self.resolution.diagnostics.push(diagnostic.help("ask in it with a `probe` block"));
                continue;
            }
            edges.insert(gate.clone(), span);
            gates.push(gate);
        }
        gates
    }

    fn refuse(&mut self, at: Attribute, path: &[PathStep], message: &str, label: String, help: Option<String>) {
        self.complete = false;
        let span = self.resolution.place(at, path);
        let diagnostic = Diagnostic::error(code::ROLLOUT, span, message, label);
        self.resolution.diagnostics.push(diagnostic.maybe_help(help));
    }

    fn invalid(&mut self, at: Attribute, message: &str, label: String, help: Option<String>) {
        self.complete = false;
        let span = self.resolution.place(at, &[]);
        let diagnostic = Diagnostic::error(code::INVALID, span, message, label);
        self.resolution.diagnostics.push(diagnostic.maybe_help(help));
    }
}
