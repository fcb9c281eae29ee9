//! What is true and useful about a change and was not asked for. Each piece of advice is given once per resource, and
//! only where something on the machine makes it matter.

use tune_core::contract::DesiredItem;
use tune_core::item::Raw;
use tune_core::path::AttributePath;
use tune_core::problem::{Advice, Code};

use crate::boot::{self, Boot, Outcome, Program};
use crate::codes::{
    BACKGROUND_NOT_BELOW, DIRTY_NOT_SYNC, INTERFACE, KEEPALIVE, KUBELET, LATE_MODULE, LIMIT_RAISED, NEXT_BOOT_UNKNOWN,
    OTHER_INIT, OVERRIDDEN, PODS, RELOAD_BY_HAND, SPREADS, SWAP_OFF,
};
use crate::drop_in;
use crate::impact::{Machine, Wanted};
use crate::key::Key;
use crate::known;
use crate::machine;
use crate::pairs;
use crate::value;

/// Returns everything worth knowing about what is wanted.
pub(crate) fn advice(wanted: &[Wanted<'_>], file: Option<&DesiredItem>, machine: &Machine<'_>) -> Vec<Advice> {
    let mut advice = next_boot(wanted, file, machine);
    advice.extend(TABLE.iter().filter_map(|row| {
        let concerned: Vec<&Wanted<'_>> = wanted.iter().filter(|wanted| (row.concerns)(wanted, machine)).collect();
        let first = concerned.first()?;
        let text = (row.text)(&names(&concerned), concerned.len());
        Some(Advice { code: row.code, path: first.item.path.clone(), text })
    }));
    advice.extend(wanted.iter().filter_map(|wanted| late_module(wanted, machine)));
    advice.extend(wanted.iter().filter_map(|wanted| kubelet(wanted, machine)));
    advice.extend(background_not_below(wanted, machine));
    advice
}

/// Advice that depends on one parameter and the machine.
struct Row {
    code: Code,
    concerns: fn(&Wanted<'_>, &Machine<'_>) -> bool,
    /// Given the names of all parameters that it concerns, and how many they are.
    text: fn(&str, usize) -> String,
}

const TABLE: &[Row] = &[
    Row {
        code: DIRTY_NOT_SYNC,
        // What a value is good for matters to whoever is about to set it; afterwards a plan should be quiet.
        concerns: |wanted, _| {
            wanted.name.starts_with("vm.dirty_") && pairs::pair_of(&wanted.item.key).is_some() && wanted.differs()
        },
        text: |names, n| {
            let verb = plural(n, "decides", "decide");
            format!(
                "{names} {verb} when buffered writers must wait; synchronous writes such as etcd's fdatasync do not \
                 get faster by themselves."
            )
        },
    },
    Row {
        code: SWAP_OFF,
        concerns: |wanted, machine| wanted.name == "vm.swappiness" && machine.facts.swap_active == Some(false),
        text: |names, _| format!("{names} has no effect while no swap is active on this machine."),
    },
    Row {
        code: KEEPALIVE,
        concerns: |wanted, _| wanted.name.starts_with("net.ipv4.tcp_keepalive_") && wanted.differs(),
        text: |names, n| {
            let verb = plural(n, "concerns", "concern");
            format!(
                "{names} {verb} only sockets with SO_KEEPALIVE; the kernel's SMB client never sets it (see its \
                 echo_interval)."
            )
        },
    },
    Row {
        code: PODS,
        concerns: |wanted, machine| known::is_per_namespace(wanted.name) && machine::runs_pods(&machine.evidence),
        text: |names, n| {
            let verb = plural(n, "reaches", "reach");
            format!(
                "{names} {verb} no pod on this machine except those with hostNetwork; set securityContext.sysctls \
                 there."
            )
        },
    },
    Row {
        code: SPREADS,
        concerns: |wanted, _| known::spreads(wanted.name) && wanted.differs(),
        text: |names, n| {
            let it = plural(n, "it", "them");
            format!(
                "Writing {names} sets every interface; an interface with a value of its own loses it, and undoing \
                 {it} does not bring that back."
            )
        },
    },
    Row {
        code: INTERFACE,
        concerns: |wanted, _| known::interface(wanted.name).is_some(),
        text: |names, n| {
            let verb = plural(n, "exists", "exist");
            format!("{names} {verb} only with the interface; a network manager may set another value when it comes up.")
        },
    },
    Row {
        code: LIMIT_RAISED,
        concerns: |wanted, machine| {
            matches!(wanted.name, "fs.file-max" | "fs.nr_open")
                && machine::boot_program(&machine.evidence) == Program::Systemd
                && machine.container().is_none()
        },
        text: |names, _| {
            format!("systemd raises {names} to the greatest possible value at boot, so any value in a file lowers it.")
        },
    },
];

/// What decides the next boot, once our file is written.
fn next_boot(wanted: &[Wanted<'_>], file: Option<&DesiredItem>, machine: &Machine<'_>) -> Vec<Advice> {
    let Some(DesiredItem { key, path, want: Raw::File(content) }) = file else { return Vec::new() };
    let (Some(ours), Ok(text)) = (drop_in::path(key), str::from_utf8(&content.content)) else { return Vec::new() };
    let files = || machine::files(&machine.evidence, Some((ours, text)));
    let whole = |code, text| Advice { code, path: AttributePath::clone(path), text };
    let mut advice = Vec::new();
    if let Some(init) = machine::other_init(&machine.evidence) {
        advice.push(whole(
            OTHER_INIT,
            format!(
                "This machine boots with {init}, not systemd: the next boot is taken to apply sysctl.d by name, \
                     then /etc/sysctl.conf."
            ),
        ));
    }
    if let Some(file) = machine::unreadable(&machine.evidence) {
        let text = format!("{file} cannot be read by this user, so what the next boot would set is not known.");
        advice.push(whole(NEXT_BOOT_UNKNOWN, text));
        return advice;
    }
    let program = machine::boot_program(&machine.evidence);
    let (boot, by_hand) = (Boot::of(program, files()), Boot::of(Program::Procps, files()));
    for wanted in wanted {
        let names = pairs::names_of(&wanted.item.key);
        let found = match boot.outcome(&names) {
            outcome if is_wanted(&outcome, wanted) => {
                advice.extend(reload_by_hand(wanted, &by_hand.outcome(&names)));
                continue;
            }
            Outcome::Set(set) if boot::is_after(&set.file, ours) => format!(
                "{} sets {} = {} after our file: the next boot would undo this. Remove that line, or set drop_in to a \
                 later name.",
                set.source(),
                set.name,
                set.value
            ),
            Outcome::Set(set) if boot::counts(&set.file) => format!(
                "{} sets {} = {}, and the boot skips our line because it repeats an earlier one: the next boot would \
                 undo this. Remove that line.",
                set.source(),
                set.name,
                set.value
            ),
            Outcome::Set(set) => format!(
                "{} sets {} = {} and is read last: the next boot would undo this. Remove that line.",
                set.source(),
                set.name,
                set.value
            ),
            Outcome::Excluded(source) => format!(
                "{source} excludes {} after our file: the next boot would not set it. Remove that line, or set \
                 drop_in to a later name.",
                wanted.name
            ),
            // Our file is among the files, so something sets it.
            Outcome::KernelDefault => continue,
        };
        advice.push(Advice { code: OVERRIDDEN, path: wanted.item.path.clone(), text: found });
    }
    advice
}

fn is_wanted(outcome: &Outcome, wanted: &Wanted<'_>) -> bool {
    let canonical = |name: &str, text: &str| value::canonical(name, text);
    // A second name is as good as the first; the other half of a pair is not.
    matches!(outcome, Outcome::Set(set)
        if pairs::first_name(&set.name) == wanted.name && set.value == canonical(wanted.name, wanted.value))
}

fn reload_by_hand(wanted: &Wanted<'_>, outcome: &Outcome) -> Option<Advice> {
    let Outcome::Set(set) = outcome else { return None };
    if is_wanted(outcome, wanted) {
        return None;
    }
    let text = format!(
        "{} sets {} = {}: `sysctl --system`, run by hand, would apply it last and undo this until the next boot.",
        set.source(),
        set.name,
        set.value
    );
    Some(Advice { code: RELOAD_BY_HAND, path: wanted.item.path.clone(), text })
}

fn late_module(wanted: &Wanted<'_>, machine: &Machine<'_>) -> Option<Advice> {
    let module = known::module(wanted.name)?;
    if wanted.found.raw == Raw::Absent
        || machine.container().is_some()
        || machine::loads_module(&machine.evidence, module)
    {
        return None;
    }
    let text = format!(
        "{} comes with the module {module}, which no file of modules-load.d names: if it is loaded late, the next \
         boot cannot set it.",
        wanted.name
    );
    Some(Advice { code: LATE_MODULE, path: wanted.item.path.clone(), text })
}

fn kubelet(wanted: &Wanted<'_>, machine: &Machine<'_>) -> Option<Advice> {
    let theirs = known::kubelet_writes(wanted.name)?;
    if theirs == wanted.value || !machine::runs_pods(&machine.evidence) {
        return None;
    }
    let text = format!("The kubelet sets {} = {theirs} at each start and would undo this.", wanted.name);
    Some(Advice { code: KUBELET, path: wanted.item.path.clone(), text })
}

/// A threshold of one of the dirty pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threshold {
    Percent(i128),
    Bytes(i128),
}

/// The kernel silently uses half of the foreground threshold when the background one is not below it. Percent and bytes
/// cannot be compared: percent are of the memory that is available at the moment.
fn background_not_below(wanted: &[Wanted<'_>], machine: &Machine<'_>) -> Option<Advice> {
    let names = (["vm.dirty_ratio", "vm.dirty_bytes"], ["vm.dirty_background_ratio", "vm.dirty_background_bytes"]);
    let find = |names: [&str; 2]| wanted.iter().find(|wanted| names.contains(&wanted.name));
    let cause = find(names.1).or_else(|| find(names.0))?;
    let not_below = match (threshold(names.1, wanted, machine)?, threshold(names.0, wanted, machine)?) {
        (Threshold::Percent(background), Threshold::Percent(foreground))
        | (Threshold::Bytes(background), Threshold::Bytes(foreground)) => background >= foreground,
        _ => false,
    };
    not_below.then(|| Advice {
        code: BACKGROUND_NOT_BELOW,
        path: cause.item.path.clone(),
        text: "The background threshold is not below the foreground one, so the kernel silently uses half of the \
               foreground one."
            .to_owned(),
    })
}

fn threshold([percent, bytes]: [&str; 2], wanted: &[Wanted<'_>], machine: &Machine<'_>) -> Option<Threshold> {
    let asked = |name: &str| wanted.iter().find(|wanted| wanted.name == name)?.value.parse().ok();
    if let Some(percent) = asked(percent) {
        return Some(Threshold::Percent(percent));
    }
    if let Some(bytes) = asked(bytes) {
        return Some(Threshold::Bytes(bytes));
    }
    let live = |name: &str| -> Option<i128> {
        machine::live(&machine.evidence, &Key::parse(name).ok()?.proc_path())?.parse().ok()
    };
    match live(bytes) {
        Some(bytes) if bytes > 0 => Some(Threshold::Bytes(bytes)),
        _ => live(percent).map(Threshold::Percent),
    }
}

fn names(concerned: &[&Wanted<'_>]) -> String {
    let names: Vec<&str> = concerned.iter().map(|wanted| wanted.name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn plural(n: usize, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}
