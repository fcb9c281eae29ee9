//! Judges what a change would do to one machine: what forbids it, what needs consent, and when it takes effect. What is
//! merely worth knowing is in [`crate::advice`].

use std::collections::BTreeMap;

use tune_core::contract::{DesiredItem, Effect, Impact, ItemImpact, Question};
use tune_core::item::Raw;
use tune_core::problem::Problem;
use tune_core::reading::{Facts, ItemReading};
use tune_core::resource::Consent;
use tune_core::text;
use tune_remote::Evidence;

use crate::advice;
use crate::boot;
use crate::codes::{FOREIGN_FILE, HIDES_FILE, HOST_GLOBAL, READ_ONLY, UNKNOWN_KEY, WRONG_SHAPE};
use crate::drop_in;
use crate::key::Key;
use crate::known;
use crate::machine;
use crate::pairs;
use crate::value;

/// One parameter that is wanted, with what was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) item: &'a DesiredItem,
    /// Its name; of a pair, the half that is wanted.
    pub(crate) name: &'a str,
    /// The wanted value in canonical form, except that a text is as it was written.
    pub(crate) value: &'a str,
    pub(crate) found: &'a ItemReading,
}

/// What is known about the machine, apart from the parameters themselves.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) evidence: Evidence,
    pub(crate) facts: &'a Facts,
}

impl Wanted<'_> {
    /// Returns whether something has to be written.
    pub(crate) fn differs(&self) -> bool {
        crate::canonical(&self.item.key, &self.found.raw) != crate::canonical(&self.item.key, &self.item.want)
    }
}

impl Machine<'_> {
    /// Returns the kind of container that shares the kernel's parameters with a machine. WSL is a machine of its own.
    pub(crate) fn container(&self) -> Option<&str> {
        self.facts.container.as_deref().filter(|kind| *kind != "wsl")
    }
}

/// Judges a question of the planner.
pub(crate) fn impact(question: &Question<'_>) -> Impact {
    let machine = Machine { evidence: Evidence::from_texts(&question.reading.evidence), facts: question.facts };
    let wanted: Vec<Wanted<'_>> = question.desired.items.iter().filter_map(|item| wanted(item, question)).collect();
    let file = question.desired.items.iter().find(|item| drop_in::path(&item.key).is_some());
    let mut items: BTreeMap<_, _> =
        wanted.iter().map(|wanted| (wanted.item.key.clone(), item_impact(wanted))).collect();
    let mut problems: Vec<Problem> = wanted.iter().filter_map(|wanted| problem(wanted, &machine)).collect();
    if let Some(file) = file {
        items.insert(file.key.clone(), ItemImpact { effect: Effect::NextBoot, ..ItemImpact::default() });
        problems.extend(file_problem(file, question, &machine));
    }
    Impact { items, advice: advice::advice(&wanted, file, &machine), problems, ..Impact::default() }
}

fn wanted<'a>(item: &'a DesiredItem, question: &Question<'a>) -> Option<Wanted<'a>> {
    let Some(Ok(found)) = question.reading.items.get(&item.key) else { return None };
    let Raw::Text(want) = &item.want else { return None };
    let (name, value) = match pairs::pair_of(&item.key) {
        Some(_) => pairs::half(&item.want)?,
        None => (item.key.0.as_str(), want.as_str()),
    };
    Some(Wanted { item, name, value, found })
}

fn item_impact(wanted: &Wanted<'_>) -> ItemImpact {
    let mut needs = BTreeMap::new();
    if let Raw::Text(live) = &wanted.found.raw
        && let (Some(before), Some(after)) = (value::numbers(live), value::numbers(wanted.value))
        && before.len() == after.len()
        && known::shrinks(wanted.name, &before, &after)
    {
        let before = value::canonical(wanted.name, live);
        let sentence = format!("this would lower `{}` from {before} to {}", wanted.name, wanted.value);
        needs.insert(Consent::Decrease, sentence);
    }
    ItemImpact {
        effect: Effect::AtOnce,
        may_cut_connection: known::may_cut_connection(wanted.name),
        needs,
        ..ItemImpact::default()
    }
}

/// The one reason that matters most why a parameter cannot be written.
fn problem(wanted: &Wanted<'_>, machine: &Machine<'_>) -> Option<Problem> {
    let path = || wanted.item.path.clone();
    let name = wanted.name;
    if wanted.found.raw == Raw::Absent {
        let (label, help) = missing(name, machine);
        return Some(
            Problem::new(UNKNOWN_KEY, path(), format!("this kernel has no parameter `{name}`"), label).with_help(help),
        );
    }
    if !wanted.differs() {
        return None;
    }
    // An ordinary user may write nothing, which says nothing about the parameter.
    if machine.facts.uid == 0 {
        let proc_path = Key::parse(name).ok()?.proc_path();
        let shared = !known::is_containers_own(name) && machine::is_kernels_own(&machine.evidence, &proc_path);
        if let Some(container) = machine.container().filter(|_| shared) {
            let container = text::visible(container, 40);
            let message = format!("`{name}` belongs to the machine under this {container} container");
            return Some(
                Problem::new(HOST_GLOBAL, path(), message, "shared with everything on that machine")
                    .with_help("make a `host` block for that machine, and set it there")
                    .that_stops_applying(),
            );
        }
        if !wanted.found.writable {
            let label = match machine.container() {
                Some(container) => format!("read-only in this {} container", text::visible(container, 40)),
                None => "its file is read-only".to_owned(),
            };
            let message = format!("`{name}` cannot be written, even by root");
            return Some(Problem::new(READ_ONLY, path(), message, label).that_stops_applying());
        }
    }
    wrong_shape(wanted)
}

fn missing(name: &str, machine: &Machine<'_>) -> (String, String) {
    let parts = name.split('.').count();
    if name.starts_with("net.ipv") && name.contains(".conf.") && parts > 5 {
        let label = "no such file below `/proc/sys`".to_owned();
        return (
            label,
            "write a dot inside an interface's name as a slash, as in `net.ipv4.conf.eth0/100.forwarding`".to_owned(),
        );
    }
    match (known::module(name), machine.container()) {
        (Some(module), _) => (
            format!("it comes with the module `{module}`, which is not loaded"),
            format!("load `{module}`, and list it in a file of `/etc/modules-load.d` so that it is there at boot"),
        ),
        (None, Some(container)) => (
            format!("no such file below `/proc/sys` in this {} container", text::visible(container, 40)),
            "check the spelling; parameters of the machine as a whole may be missing in a container".to_owned(),
        ),
        (None, None) => (
            "no such file below `/proc/sys`".to_owned(),
            format!("check the spelling with `sysctl -a`; this is kernel {}", text::visible(&machine.facts.kernel, 80)),
        ),
    }
}

/// The kernel would keep the rest of a vector, or refuse a text, so both are said before anything is written.
fn wrong_shape(wanted: &Wanted<'_>) -> Option<Problem> {
    let Raw::Text(live) = &wanted.found.raw else { return None };
    let live = pairs::pair_of(&wanted.item.key)
        .map_or(live.as_str(), |_| pairs::half(&wanted.found.raw).map_or("", |(_, value)| value));
    let expected = value::numbers(live).filter(|numbers| !numbers.is_empty() && !known::is_text(wanted.name))?.len();
    let (name, shown) = (wanted.name, text::visible(wanted.value, 80));
    let takes = if expected == 1 { "one whole number".to_owned() } else { format!("{expected} whole numbers") };
    let label = match value::numbers(wanted.value) {
        Some(numbers) if numbers.len() == expected => return None,
        Some(numbers) => format!("{} given, and {takes} wanted", numbers.len()),
        None => format!("it takes {takes}"),
    };
    Some(Problem::new(WRONG_SHAPE, wanted.item.path.clone(), format!("`{name}` cannot be `{shown}`"), label))
}

fn file_problem(file: &DesiredItem, question: &Question<'_>, machine: &Machine<'_>) -> Option<Problem> {
    let path = drop_in::path(&file.key)?;
    let (Raw::File(want), Some(Ok(found))) = (&file.want, question.reading.items.get(&file.key)) else { return None };
    if let Raw::File(state) = &found.raw {
        let ours = drop_in::is_ours(&String::from_utf8_lossy(&state.content));
        if !ours && state.content != want.content && !question.recorded.contains(&file.key) {
            return Some(
                Problem::new(
                    FOREIGN_FILE,
                    file.path.clone(),
                    format!("`{path}` is somebody else's file"),
                    "not written by `tune`",
                )
                .with_help("choose another file name with `drop_in`"),
            );
        }
    }
    let all = machine::files(&machine.evidence, None).map(|(file, _)| file);
    if let Some(hidden) = boot::hidden_by(path, all).first() {
        return Some(
            Problem::new(
                HIDES_FILE,
                file.path.clone(),
                format!("`{path}` would hide `{hidden}`"),
                "no line of that file would be applied at boot",
            )
            .with_help("choose another file name with `drop_in`"),
        );
    }
    let differs = found.raw != file.want;
    (differs && machine.facts.uid == 0 && !found.writable).then(|| {
        Problem::new(
            READ_ONLY,
            file.path.clone(),
            format!("`{path}` cannot be written, even by root"),
            "its file system is read-only, or the file is protected",
        )
        .with_help("set the parameters where the image of this machine is made")
    })
}
