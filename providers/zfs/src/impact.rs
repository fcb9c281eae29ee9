//! Judges what a change would do to one machine: what forbids it, what needs consent, when it takes effect, and what must
//! be done for that. What is merely worth knowing is in [`crate::advice`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use tune_core::activation::{Activation, Verb};
use tune_core::contract::{DesiredItem, Effect, Impact, ItemImpact, Question};
use tune_core::item::Raw;
use tune_core::problem::Problem;
use tune_core::reading::ItemReading;
use tune_core::resource::Consent;
use tune_core::text;
use tune_remote::Evidence;

use crate::advice;
use crate::codes::{
    ABOVE_CAP, BUILT_IN, FOREIGN_FILE, HIDES_FILE, HOST_GLOBAL, IGNORED, LOAD_TIME, NOT_LOADED, OVERRIDDEN, READ_ONLY,
    UNKNOWN_PARAMETER, WRONG_SHAPE,
};
use crate::drop_in;
use crate::known;
use crate::load;
use crate::machine::{self, Machine};
use crate::name::{Name, ZFS};
use crate::value;

/// One parameter that is wanted at run time, with what was found.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) item: &'a DesiredItem,
    pub(crate) name: Name,
    /// As it is written.
    pub(crate) value: &'a str,
    pub(crate) found: &'a ItemReading,
}

/// One file that is wanted, or for a revert, what is to be there instead.
#[derive(Debug, Clone)]
pub(crate) struct WantedFile<'a> {
    pub(crate) item: &'a DesiredItem,
    pub(crate) path: &'a str,
    /// The parameter, if the file is for a single one that is taken only when the module is loaded.
    pub(crate) single: Option<Name>,
    pub(crate) found: &'a ItemReading,
}

impl Wanted<'_> {
    /// Returns whether something has to be written.
    pub(crate) fn differs(&self) -> bool {
        crate::canonical(&self.found.raw) != crate::canonical(&self.item.want)
    }

    /// Returns what is in use, as a number.
    pub(crate) fn live_number(&self) -> Option<i128> {
        match &self.found.raw {
            Raw::Text(text) => value::number(text),
            Raw::Absent | Raw::File(_) => None,
        }
    }
}

impl WantedFile<'_> {
    /// Returns whether something has to be written.
    pub(crate) fn differs(&self) -> bool {
        self.found.raw != self.item.want
    }

    /// Returns whether it belongs into the boot image.
    pub(crate) fn is_in_boot_image(&self, machine: &Machine<'_>) -> bool {
        let modules = [drop_in::modules(&self.item.want), drop_in::modules(&self.found.raw)].concat();
        modules.iter().any(|module| machine.is_in_boot_image(module))
    }
}

/// Everything that a question is about.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) wanted: Vec<Wanted<'a>>,
    pub(crate) files: Vec<WantedFile<'a>>,
    pub(crate) machine: Machine<'a>,
}

impl Asked<'_> {
    /// Returns what a parameter would be set to at the next load, once everything is as wanted.
    pub(crate) fn next_load(&self, name: &Name) -> Option<load::Set> {
        let texts: Vec<(&str, Option<String>)> =
            self.files.iter().map(|file| (file.path, drop_in::text(&file.item.want))).collect();
        self.machine.load_with(texts.iter().map(|(path, text)| (*path, text.as_deref()))).outcome(name)
    }
}

/// Judges a question of the planner.
pub(crate) fn impact(question: &Question<'_>) -> Impact {
    let asked = asked(question);
    let mut items = BTreeMap::new();
    for wanted in &asked.wanted {
        let impact = ItemImpact { needs: dangers(wanted), ..ItemImpact::default() };
        items.insert(wanted.item.key.clone(), impact);
    }
    for file in &asked.files {
        let activations = activations(file, &asked);
        let effect = if activations.is_empty() { Effect::NextBoot } else { Effect::Activation };
        let needs = file_dangers(file, &asked);
        items.insert(file.item.key.clone(), ItemImpact { effect, activations, needs, ..ItemImpact::default() });
    }
    let mut problems: Vec<Problem> = asked.wanted.iter().filter_map(|wanted| problem(wanted, &asked)).collect();
    problems.extend(asked.files.iter().filter_map(|file| single_problem(file, &asked)));
    problems.extend(asked.files.iter().filter_map(|file| file_problem(file, question, &asked.machine)));
    Impact { items, advice: advice::advice(&asked), problems, ..Impact::default() }
}

fn asked<'a>(question: &Question<'a>) -> Asked<'a> {
    let machine =
        Machine { evidence: Cow::Owned(Evidence::from_texts(&question.reading.evidence)), facts: question.facts };
    let (mut wanted, mut files) = (Vec::new(), Vec::new());
    for item in &question.desired.items {
        let Some(Ok(found)) = question.reading.items.get(&item.key) else { continue };
        if let Some(path) = drop_in::path(&item.key) {
            files.push(WantedFile { item, path, single: drop_in::single_name(&item.key), found });
        } else if let (Some(name), Raw::Text(value)) = (Name::of(&item.key), &item.want) {
            wanted.push(Wanted { item, name, value, found });
        }
    }
    Asked { wanted, files, machine }
}

/// What must be done before a file is in effect.
fn activations(file: &WantedFile<'_>, asked: &Asked<'_>) -> BTreeSet<Activation> {
    let machine = &asked.machine;
    let mut activations = BTreeSet::new();
    let is_wanted = file.item.want != Raw::Absent;
    if file.is_in_boot_image(machine) && (file.differs() || (is_wanted && machine.boot_image_lacks(file.path))) {
        activations.insert(Activation::machine(Verb::BootImage));
    }
    let reboots = file.single.as_ref().is_some_and(|name| needs_reboot(name, file, asked));
    if reboots {
        activations.insert(Activation::machine(Verb::Reboot));
    }
    activations
}

/// Whether the module uses another value than it would after the next load. Where nothing would set the parameter any
/// more, the module's own value is not known; then it is enough to know that ours is in use.
fn needs_reboot(name: &Name, file: &WantedFile<'_>, asked: &Asked<'_>) -> bool {
    let Some(running) = asked.machine.running(name).map(value::canonical) else { return false };
    match asked.next_load(name) {
        Some(set) => value::canonical_input(&set.value) != running,
        None => drop_in::value_in(&file.found.raw, name).is_some_and(|ours| value::canonical_input(&ours) == running),
    }
}

fn dangers(wanted: &Wanted<'_>) -> BTreeMap<Consent, String> {
    let danger = known::danger(&wanted.name).filter(|_| wanted.differs() && value::canonical(wanted.value) != "0");
    danger.map(|danger| (Consent::DataLoss, danger_of(&wanted.name, wanted.value, danger))).into_iter().collect()
}

/// A dangerous value that is in use already, without being ours, must not be made to last without consent either.
fn file_dangers(file: &WantedFile<'_>, asked: &Asked<'_>) -> BTreeMap<Consent, String> {
    if !file.differs() {
        return BTreeMap::new();
    }
    let lasting = asked.wanted.iter().filter(|wanted| !wanted.differs() && file.single.is_none());
    let lasting = lasting.map(|wanted| (wanted.name.clone(), wanted.value.to_owned()));
    let single = file.single.iter().filter_map(|name| Some((name.clone(), drop_in::value_in(&file.item.want, name)?)));
    let dangers =
        lasting.chain(single).filter(|(_, value)| value::canonical(value) != "0").filter_map(|(name, value)| {
            let danger = known::danger(&name)?;
            Some((Consent::DataLoss, danger_of(&name, &value, danger)))
        });
    dangers.collect()
}

fn danger_of(name: &Name, value: &str, danger: &str) -> String {
    format!("with `{} = {value}` {danger}", name.shown())
}

/// The one reason that matters most why a parameter cannot be set.
fn problem(wanted: &Wanted<'_>, asked: &Asked<'_>) -> Option<Problem> {
    let (name, path, machine) = (&wanted.name, &wanted.item.path, &asked.machine);
    if wanted.found.raw == Raw::Absent {
        return Some(missing(name, path, machine));
    }
    if machine.evidence.modes.get(&name.path()).is_some_and(|mode| mode & 0o222 == 0) {
        let message = format!("`{}` can only be set when the module is loaded", name.shown());
        return Some(
            Problem::new(LOAD_TIME, path.clone(), message, "its file is read-only while the module runs")
                .with_help(format!("list it in `load_time`, as in `load_time = [\"{}\"]`", name.parameter)),
        );
    }
    if let Some(problem) = above_cap(wanted, asked) {
        return Some(problem);
    }
    if !wanted.differs() {
        return None;
    }
    not_writable(wanted, machine).or_else(|| wrong_shape(wanted)).or_else(|| ignored(wanted, asked))
}

fn missing(name: &Name, path: &tune_core::path::AttributePath, machine: &Machine<'_>) -> Problem {
    let (module, parameter) = (&name.module, &name.parameter);
    if machine.is_loaded(name) {
        let message = format!("the module `{module}` has no parameter `{parameter}`");
        let label = format!("no such file in `/sys/module/{module}/parameters`");
        return Problem::new(UNKNOWN_PARAMETER, path.clone(), message, label).with_help(format!(
            "check the spelling with `modinfo -p {module}`; another version of the module may have other parameters"
        ));
    }
    let message = format!("the module `{module}` is not loaded");
    Problem::new(NOT_LOADED, path.clone(), message, format!("there is no `{}`", name.path()))
        .with_help(format!("load it with `modprobe {module}`, or leave this host out"))
}

fn not_writable(wanted: &Wanted<'_>, machine: &Machine<'_>) -> Option<Problem> {
    // An ordinary user may write nothing, which says nothing about the parameter.
    if machine.facts.uid != 0 {
        return None;
    }
    let (name, path) = (wanted.name.shown(), wanted.item.path.clone());
    if let Some(container) = machine.container().filter(|_| machine.is_kernels_own(&wanted.name.path())) {
        let container = text::visible(container, 40);
        let message = format!("`{name}` belongs to the machine under this {container} container");
        return Some(
            Problem::new(HOST_GLOBAL, path, message, "shared with everything on that machine")
                .with_help("make a `host` block for that machine, and set it there")
                .that_stops_applying(),
        );
    }
    (!wanted.found.writable).then(|| {
        let message = format!("`{name}` cannot be written, even by root");
        Problem::new(READ_ONLY, path, message, "its file is read-only").that_stops_applying()
    })
}

/// A module refuses a text where it holds a number, so that is said before anything is written.
fn wrong_shape(wanted: &Wanted<'_>) -> Option<Problem> {
    let Raw::Text(live) = &wanted.found.raw else { return None };
    let (name, shown) = (wanted.name.shown(), text::visible(wanted.value, 80));
    let canonical = value::canonical(wanted.value);
    let label = match live.trim() {
        "Y" | "N" if canonical == "0" || canonical == "1" => return None,
        "Y" | "N" => "it takes `true` or `false`",
        live if value::number(live).is_some() && value::number(wanted.value).is_none() => "it takes one whole number",
        _ => return None,
    };
    let message = format!("`{name}` cannot be `{shown}`");
    Some(Problem::new(WRONG_SHAPE, wanted.item.path.clone(), message, label))
}

/// What ZFS would take without a word, and not use.
fn ignored(wanted: &Wanted<'_>, asked: &Asked<'_>) -> Option<Problem> {
    known::reported(&wanted.name)?;
    let number = value::number(wanted.value)?;
    let other = |parameter: &str, field: &str| {
        let ours = asked.wanted.iter().find(|other| other.name.module == ZFS && other.name.parameter == parameter);
        ours.and_then(|ours| value::number(ours.value)).or_else(|| asked.machine.arcstat(field))
    };
    let (label, help) = if wanted.name.parameter == known::ARC_MAX {
        let memory = asked.machine.facts.memory_kib.map(|kib| i128::from(kib) * 1024);
        if let Some(memory) = memory.filter(|memory| number >= *memory) {
            (format!("this host has {memory} bytes of memory"), "choose less than the host's memory".to_owned())
        } else {
            let least = other(known::ARC_MIN, "c_min").filter(|least| number <= *least)?;
            let help = format!("set `{}` to less than {number} as well, or choose more", known::ARC_MIN);
            (format!("the least size of the cache is {least} bytes"), help)
        }
    } else {
        // It is written before the greatest size, which therefore has to be what it is now.
        let greatest = asked.machine.arcstat("c_max").filter(|greatest| number > *greatest)?;
        let help = format!("raise `{}` first, in an apply of its own, or choose less", known::ARC_MAX);
        (format!("the greatest size of the cache is {greatest} bytes"), help)
    };
    let message = format!("ZFS would ignore `{} = {}`", wanted.name.shown(), wanted.value);
    Some(Problem::new(IGNORED, wanted.item.path.clone(), message, label).with_help(help))
}

/// The next load would cut the value off, whatever is taken now.
fn above_cap(wanted: &Wanted<'_>, asked: &Asked<'_>) -> Option<Problem> {
    let name = &wanted.name;
    if (name.module.as_str(), name.parameter.as_str()) != (ZFS, known::DIRTY_MAX) {
        return None;
    }
    let cap_name = Name::new(ZFS, known::DIRTY_MAX_MAX)?;
    let ours = asked.files.iter().find(|file| file.single.as_ref() == Some(&cap_name));
    let ours = ours.and_then(|file| drop_in::value_in(&file.item.want, &cap_name));
    let cap = ours.as_deref().or_else(|| asked.machine.running(&cap_name)).and_then(value::number)?;
    let number = value::number(wanted.value).filter(|number| *number > cap && cap > 0)?;
    let message = format!("`{}` cannot be {number}", name.shown());
    let label = format!("`{}` is {cap}, and the next load would cut it off there", known::DIRTY_MAX_MAX);
    Some(
        Problem::new(ABOVE_CAP, wanted.item.path.clone(), message, label)
            .with_help(format!("choose less, or set `{}` as well", known::DIRTY_MAX_MAX)),
    )
}

/// Why a parameter that is taken only at a load would never come into effect.
fn single_problem(file: &WantedFile<'_>, asked: &Asked<'_>) -> Option<Problem> {
    let (name, path, machine) = (file.single.as_ref()?, &file.item.path, &asked.machine);
    let value = drop_in::value_in(&file.item.want, name)?;
    if machine.running(name).is_none() {
        return Some(missing(name, path, machine));
    }
    if machine.facts.uid == 0
        && let Some(container) = machine.container().filter(|_| machine.is_kernels_own(&name.path()))
    {
        let container = text::visible(container, 40);
        let message = format!("`{}` belongs to the machine under this {container} container", name.shown());
        return Some(
            Problem::new(HOST_GLOBAL, path.clone(), message, "shared with everything on that machine")
                .with_help("make a `host` block for that machine, and set it there")
                .that_stops_applying(),
        );
    }
    if advice::is_built_in(name, machine) {
        let message = format!("`{}` is part of the kernel, so no file of modprobe.d reaches it", name.module);
        return Some(
            Problem::new(BUILT_IN, path.clone(), message, "it can only be set on the kernel's command line")
                .with_help(format!("write `{}={value}` on the kernel's command line", name.key())),
        );
    }
    if machine::unreadable(&machine.evidence).is_some() {
        return None;
    }
    let set =
        asked.next_load(name).filter(|set| value::canonical_input(&set.value) != value::canonical_input(&value))?;
    let message = format!("`{}` would not come into effect", name.shown());
    let shown = text::visible(&set.value, 80);
    Some(
        Problem::new(OVERRIDDEN, path.clone(), message, format!("{} sets it to {shown}, and wins", set.place))
            .with_help("remove it there first; a reboot would change nothing"),
    )
}

fn file_problem(file: &WantedFile<'_>, question: &Question<'_>, machine: &Machine<'_>) -> Option<Problem> {
    let Raw::File(want) = &file.item.want else { return None };
    let (path, at) = (file.path, file.item.path.clone());
    let way_out = match &file.single {
        Some(_) => "see whose it is, and remove it first",
        None => "choose another file name with `drop_in`",
    };
    if let Raw::File(state) = &file.found.raw {
        let ours = drop_in::is_ours(&String::from_utf8_lossy(&state.content));
        if !ours && state.content != want.content && !question.recorded.contains(&file.item.key) {
            return Some(
                Problem::new(FOREIGN_FILE, at, format!("`{path}` is somebody else's file"), "not written by `tune`")
                    .with_help(way_out),
            );
        }
    }
    let all = machine::files(&machine.evidence).map(|(file, _)| file);
    if let Some(hidden) = load::hidden_by(path, all).first() {
        let message = format!("`{path}` would hide `{hidden}`");
        return Some(Problem::new(HIDES_FILE, at, message, "no line of that file would be used").with_help(way_out));
    }
    (file.differs() && machine.facts.uid == 0 && !file.found.writable).then(|| {
        let label = "its file system is read-only, or the file is protected";
        Problem::new(READ_ONLY, at, format!("`{path}` cannot be written, even by root"), label)
            .with_help("set the parameters where the image of this machine is made")
            .that_stops_applying()
    })
}
