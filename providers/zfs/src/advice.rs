//! What is true and useful about a change and was not asked for. Each piece of advice is given only where something on
//! the machine makes it matter.

use tune_core::path::AttributePath;
use tune_core::problem::{Advice, Code};
use tune_core::text;

use crate::codes::{
    ARC_SHRINKS_LATER, BUILT_IN, DECREASE, NEEDS_REBOOT, NEXT_LOAD_UNKNOWN, NO_REBOOT_NEEDED, OVERRIDDEN, STALE_IMAGE,
    TXG_NOT_SYNC,
};
use crate::drop_in;
use crate::impact::{Asked, Wanted};
use crate::known;
use crate::load::{Place, Set};
use crate::machine::{self, Machine};
use crate::name::{Name, ZFS};
use crate::value;

/// Returns everything worth knowing about what is wanted.
pub(crate) fn advice(asked: &Asked<'_>) -> Vec<Advice> {
    let mut advice = Vec::new();
    for wanted in &asked.wanted {
        advice.extend(txg_not_sync(wanted));
        advice.extend(decrease(wanted));
        advice.extend(arc_shrinks_later(wanted));
    }
    advice.extend(asked.files.iter().filter_map(|file| {
        let name = file.single.as_ref()?;
        at_load(name, &drop_in::value_in(&file.item.want, name)?, &file.item.path, &asked.machine)
    }));
    advice.extend(asked.files.iter().filter_map(|file| {
        let name = file.single.as_ref().filter(|_| drop_in::text(&file.item.want).is_some())?;
        no_reboot_needed(name, &file.item.path, &asked.machine)
    }));
    advice.extend(next_load(asked));
    advice
}

/// Returns whether the module is part of the kernel. ZFS never is part of a distribution's, and where something is mounted
/// over the kernel's own files, they tell nothing about that.
pub(crate) fn is_built_in(name: &Name, machine: &Machine<'_>) -> bool {
    let is_loaded = name.module == ZFS || machine.is_loaded(name) || !machine.is_kernels_own(&name.path());
    machine.running(name).is_some() && !is_loaded
}

/// What a value is good for matters to whoever is about to set it; afterwards a plan should be quiet.
fn txg_not_sync(wanted: &Wanted<'_>) -> Option<Advice> {
    let concerns = wanted.name.module == ZFS && wanted.name.parameter == known::TXG_TIMEOUT && wanted.differs();
    let text = "zfs_txg_timeout does not shorten synchronous writes (the intent log acknowledges those); expect smaller, \
                more frequent transaction groups.";
    concerns.then(|| of(wanted, TXG_NOT_SYNC, text.to_owned()))
}

fn decrease(wanted: &Wanted<'_>) -> Option<Advice> {
    let (before, after) = (wanted.live_number()?, value::number(wanted.value)?);
    // 0 means that the module chooses, which is less than nothing.
    let lowers = known::is_bytes(&wanted.name) && after < before && after != 0;
    let (before, after) = (value::human(before), value::human(after));
    lowers.then(|| {
        of(wanted, DECREASE, format!("On this host this lowers {}, from {before} to {after}.", wanted.name.shown()))
    })
}

fn arc_shrinks_later(wanted: &Wanted<'_>) -> Option<Advice> {
    let is_max = wanted.name.module == ZFS && wanted.name.parameter == known::ARC_MAX;
    let lowers = is_max && value::number(wanted.value)? < wanted.live_number()?;
    let text = "The cache does not shrink at once: it gives memory back as it evicts.";
    lowers.then(|| of(wanted, ARC_SHRINKS_LATER, text.to_owned()))
}

fn at_load(name: &Name, value: &str, path: &AttributePath, machine: &Machine<'_>) -> Option<Advice> {
    let running = machine.running(name)?;
    if value::canonical(running) == value::canonical_input(value) {
        return None;
    }
    let (shown, running) = (name.shown(), text::visible(&value::canonical(running), 80));
    let text = format!(
        "{} takes {shown} only when it is loaded: {running} is in use until a reboot, then {value}.",
        name.module
    );
    Some(Advice { code: NEEDS_REBOOT, path: path.clone(), text })
}

fn no_reboot_needed(name: &Name, path: &AttributePath, machine: &Machine<'_>) -> Option<Advice> {
    let mode = machine.evidence.modes.get(&name.path())?;
    (mode & 0o200 != 0).then(|| Advice {
        code: NO_REBOOT_NEEDED,
        path: path.clone(),
        text: format!(
            "On this host {} can be set while the module runs. Leave it out of load_time, and no reboot is needed.",
            name.shown()
        ),
    })
}

/// What decides the next load, once our files are written.
fn next_load(asked: &Asked<'_>) -> Vec<Advice> {
    let machine = &asked.machine;
    let Some(file) = asked.files.iter().find(|file| drop_in::text(&file.item.want).is_some()) else {
        return Vec::new();
    };
    if let Some(unreadable) = machine::unreadable(&machine.evidence) {
        let text = format!("{unreadable} cannot be read by this user, so what the next load would use is not known.");
        return vec![Advice { code: NEXT_LOAD_UNKNOWN, path: file.item.path.clone(), text }];
    }
    let mut advice = Vec::new();
    // Files of single parameters that are overridden never come into effect, which is a problem and not advice.
    if asked.files.iter().any(|file| file.single.is_none() && drop_in::text(&file.item.want).is_some()) {
        advice.extend(asked.wanted.iter().filter_map(|wanted| overridden(wanted, asked)));
    }
    if let Some(wanted) = asked.wanted.iter().find(|wanted| is_built_in(&wanted.name, machine)) {
        let text = format!(
            "{} is part of the kernel, so no file of modprobe.d reaches it: the next boot would undo this. Write {}={} on \
             the kernel's command line.",
            wanted.name.module,
            wanted.name.key(),
            wanted.value
        );
        advice.push(of(wanted, BUILT_IN, text));
    }
    for file in &asked.files {
        if !file.differs() && file.is_in_boot_image(machine) && machine.boot_image_lacks(file.path) {
            advice.extend(stale(file.path, machine).map(|text| Advice {
                code: STALE_IMAGE,
                path: file.item.path.clone(),
                text,
            }));
        }
    }
    advice
}

fn overridden(wanted: &Wanted<'_>, asked: &Asked<'_>) -> Option<Advice> {
    let set = asked.next_load(&wanted.name)?;
    if value::canonical_input(&set.value) != value::canonical_input(wanted.value) {
        return Some(of(wanted, OVERRIDDEN, overriding(&wanted.name, &set)));
    }
    // The same value from another file is as good, as long as that file is where the module is loaded from.
    let Place::File { path, .. } = &set.place else { return None };
    let ours = asked.files.iter().any(|file| file.path == path);
    if ours || !asked.machine.is_in_boot_image(&wanted.name.module) || !asked.machine.boot_image_lacks(path) {
        return None;
    }
    stale(path, &asked.machine).map(|text| of(wanted, STALE_IMAGE, text))
}

fn overriding(name: &Name, set: &Set) -> String {
    let (shown, value) = (name.shown(), text::visible(&set.value, 80));
    match &set.place {
        Place::CommandLine => format!(
            "The kernel's command line sets {} = {value} and beats every file: the next boot would undo this. Remove it \
             there.",
            name.key()
        ),
        Place::File { .. } => format!(
            "{} sets {shown} = {value} after our file: the next boot would undo this. Remove that line, or set drop_in \
             to a later name.",
            set.place
        ),
    }
}

fn stale(path: &str, machine: &Machine<'_>) -> Option<String> {
    let (image, _) = machine.boot_image()?;
    Some(format!(
        "{image} is older than {path}: a boot would read the copy inside the image, which does not have the present \
         lines."
    ))
}

fn of(wanted: &Wanted<'_>, code: Code, text: String) -> Advice {
    Advice { code, path: wanted.item.path.clone(), text }
}
