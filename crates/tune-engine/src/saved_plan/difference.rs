//! What moved between a promise and the plan of this moment, at the level of the value, what causes other differences
//! first. The words of the two plans say from what to what; the digests alone decide.

use std::collections::BTreeMap;

use tune_core::text::visible;

use super::{Item, Machine, Promise, Resource};

/// What is shown is cut after this many characters.
const LONGEST: usize = 200;

pub(super) fn between(then: &Promise, now: &Promise) -> Vec<String> {
    if then == now {
        return Vec::new();
    }
    if then.tune != now.tune {
        return vec![format!("it was saved by tune {}, and this is tune {}", safe(&then.tune), safe(&now.tune))];
    }
    let mut all = Vec::new();
    // The first apply names the state.
    if then.state.lineage != now.state.lineage && !then.state.lineage.is_empty() {
        all.push("it was saved for another state".to_owned());
    } else if then.state != now.state {
        let (saved, found) = (then.state.serial, now.state.serial);
        all.push(format!("the state moved on: it had serial {saved}, and has {found} now"));
    }
    if then.order != now.order {
        all.push("it was saved with other options".to_owned());
    }
    named(&then.files, &now.files, &mut all, |name, _, _| vec![format!("`{name}` was changed")]);
    let (before, after) = (variables(then), variables(now));
    named(&before, &after, &mut all, |name, _, _| vec![format!("`{name}` has another value")]);
    named(&then.providers, &now.providers, &mut all, |name, _, _| vec![format!("`{name}` says something else")]);
    let (before, after) = (by_address(then), by_address(now));
    named(&before, &after, &mut all, machine);
    named(&then.resources, &now.resources, &mut all, resource);
    if all.is_empty() {
        all.push("the order has changed: what is taken when, or what a rollout waits for".to_owned());
    }
    all
}

fn variables(promise: &Promise) -> BTreeMap<String, &String> {
    promise.variables.iter().map(|(name, digest)| (format!("var.{name}"), digest)).collect()
}

/// By the name in the configuration, the name in the state being part of what is compared.
fn by_address(promise: &Promise) -> BTreeMap<String, (&String, &Machine)> {
    promise.hosts.iter().map(|(id, machine)| (machine.address.clone(), (id, machine))).collect()
}

/// Compares things that have names.
fn named<T: PartialEq>(
    then: &BTreeMap<String, T>,
    now: &BTreeMap<String, T>,
    all: &mut Vec<String>,
    changed: impl Fn(&str, &T, &T) -> Vec<String>,
) {
    for (name, before) in then {
        match now.get(name) {
            Some(after) if after == before => {}
            Some(after) => all.extend(changed(&safe(name), before, after)),
            None => all.push(format!("`{}` is not there any more", safe(name))),
        }
    }
    for name in now.keys().filter(|name| !then.contains_key(*name)) {
        all.push(format!("`{}` is new", safe(name)));
    }
}

fn machine(name: &str, (id, then): &(&String, &Machine), (new_id, now): &(&String, &Machine)) -> Vec<String> {
    let mut all = Vec::new();
    if id != new_id || then.identity != now.identity {
        all.push(format!("`{name}` is another machine"));
    }
    if then.reached != now.reached {
        all.push(format!("`{name}` is reached in another way, or as another user"));
    }
    if then.waits_for_boot != now.waits_for_boot {
        all.push(format!("what waits for the next boot of `{name}`, and is not ours, has changed"));
    }
    all
}

fn resource(name: &str, then: &Resource, now: &Resource) -> Vec<String> {
    let mut all = Vec::new();
    let (before, after) = (items(name, then), items(name, now));
    named(&before, &after, &mut all, |_, before, after| vec![item(name, before, after)]);
    if then.host != now.host {
        all.push(format!("`{name}` is on another machine"));
    } else if then.terms != now.terms || all.is_empty() {
        all.push(format!("`{name}` has other dependencies, consents or items"));
    }
    all
}

fn items<'a>(owner: &str, resource: &'a Resource) -> BTreeMap<String, &'a Item> {
    resource.items.iter().map(|item| (format!("{}` of `{owner}", item.key), item)).collect()
}

fn item(owner: &str, then: &Item, now: &Item) -> String {
    let what = format!("`{}` of `{owner}`", safe(&then.label));
    if then.reading != now.reading {
        return match (&then.live, &now.live) {
            (Some(before), Some(after)) if before != after => {
                format!("{what} was {}, and is {} now", safe(before), safe(after))
            }
            (Some(before), None) => format!("{what} was {}, and cannot be read now", safe(before)),
            (None, Some(after)) => format!("{what} could not be read, and is {} now", safe(after)),
            _ => {
                format!("{what} was read as another one: its content, where it comes from, or what the next boot gives")
            }
        };
    }
    match (&then.after, &now.after) {
        (Some(before), Some(after)) if before != after => {
            format!("{what} was to become {}, and would become {} now", safe(before), safe(after))
        }
        _ if then.step != now.step => {
            format!("{what} was planned as `{}`, and would be `{}` now", safe(&then.step), safe(&now.step))
        }
        _ => format!("{what} would be changed in another way: its content, when it takes effect, or how it is undone"),
    }
}

fn safe(text: &str) -> String {
    visible(text, LONGEST)
}
