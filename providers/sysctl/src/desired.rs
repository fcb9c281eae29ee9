//! From attributes to items, or to every mistake in them. Nothing here depends on a machine.

use std::collections::BTreeMap;

use tune_core::address::Address;
use tune_core::contract::{Desired, DesiredItem};
use tune_core::item::{ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::resource::Resource;
use tune_core::text;
use tune_core::value::{self as values, Value};

use crate::attributes::Attributes;
use crate::codes::{BAD_DROP_IN, BAD_KEY, BAD_VALUE, BOTH_HALVES, NO_SETTINGS, OCTAL, OUT_OF_RANGE, SAME_KEY};
use crate::drop_in;
use crate::key::Key;
use crate::known;
use crate::pairs;
use crate::value;

/// The kernel takes at most a page in one write; values are far shorter.
const LONGEST_VALUE: usize = 4000;

/// What surrounds a value without being part of it.
const BLANK: [char; 2] = [' ', '\t'];

/// One entry of `settings` without a mistake of its own.
struct Setting {
    /// As written, for messages and paths.
    written: String,
    /// The parameter's name.
    name: String,
    value: String,
}

/// Returns what a resource wants, or all its mistakes.
pub(crate) fn desired(resource: &Resource) -> Result<Desired, Vec<Problem>> {
    let mut problems = nulls(resource);
    if !problems.is_empty() {
        return Err(problems);
    }
    let attributes: Attributes = values::decode(&resource.attributes)
        .map_err(|error| vec![Problem::new(BAD_VALUE, AttributePath::default(), error.to_string(), "")])?;
    let Ok(host) = attributes.host.0.parse::<Address>() else {
        let message = format!("`{}` is not a host", attributes.host.0);
        return Err(vec![Problem::new(BAD_VALUE, AttributePath::attribute("host"), message, "not a host")]);
    };
    if attributes.settings.is_empty() {
        problems.push(
            Problem::new(NO_SETTINGS, AttributePath::attribute("settings"), "`settings` is empty", "nothing to set")
                .with_help("write at least one setting, or remove the resource"),
        );
    }
    let mut settings = Vec::new();
    for (written, scalar) in &attributes.settings {
        match setting(written, &scalar.0) {
            Ok(setting) => settings.push(setting),
            Err(problem) => problems.push(*problem),
        }
    }
    problems.extend(collisions(&settings));
    let file = file_item(&attributes, resource).map_err(|problem| problems.push(problem)).ok();
    match file {
        Some((key, path)) if problems.is_empty() => {
            Ok(Desired { host, guest: None, items: items(settings, key, path) })
        }
        _ => Err(problems),
    }
}

/// Running values first, each of which is read back, then the file. A value that spreads to every interface goes before
/// the values of single interfaces, which it would overwrite.
fn items(mut settings: Vec<Setting>, file: ItemKey, file_path: AttributePath) -> Vec<DesiredItem> {
    settings.sort_by(|a, b| (!known::spreads(&a.name), &a.name).cmp(&(!known::spreads(&b.name), &b.name)));
    let content = drop_in::file(settings.iter().map(|setting| (setting.name.as_str(), setting.value.as_str())));
    let mut items: Vec<DesiredItem> = settings
        .into_iter()
        .map(|setting| {
            let (key, want) = match pairs::pair_with(&setting.name) {
                Some(pair) => (pair.item(), format!("{}={}", setting.name, setting.value)),
                None => (ItemKey(setting.name), setting.value),
            };
            DesiredItem { key, path: at(&setting.written), want: Raw::Text(want) }
        })
        .collect();
    items.push(DesiredItem { key: file, path: file_path, want: content });
    items
}

fn file_item(attributes: &Attributes, resource: &Resource) -> Result<(ItemKey, AttributePath), Problem> {
    let default = drop_in::default_name(&resource.address.name);
    let (name, path) = match &attributes.drop_in {
        Some(name) => (name, AttributePath::attribute("drop_in")),
        None => (&default, AttributePath::default()),
    };
    drop_in::item(name).map(|key| (key, path.clone())).map_err(|complaint| {
        let message = format!("`{}` cannot be the file's name", text::visible(name, 80));
        Problem::new(BAD_DROP_IN, path, message, complaint)
            .with_help(format!("choose a plain name that sorts late, such as `{default}`"))
    })
}

/// A `null` inside the map has no type to be checked against, so it is looked for before decoding.
fn nulls(resource: &Resource) -> Vec<Problem> {
    let Some(Value::Map(settings)) = resource.attributes.get("settings") else { return Vec::new() };
    let nulls = settings.iter().filter(|(_, value)| **value == Value::Null);
    nulls
        .map(|(written, _)| {
            let message = format!("`{}` has no value", text::visible(written, 80));
            Problem::new(BAD_VALUE, at(written), message, "`null` is not a value")
                .with_help("to stop managing it, remove it: what was there before is put back then")
        })
        .collect()
}

/// One entry of `settings`, or the first thing that is wrong with it.
fn setting(written: &str, text: &str) -> Result<Setting, Box<Problem>> {
    let shown = text::visible(written, 80);
    let key = Key::parse(written).map_err(|error| {
        let message = format!("`{shown}` is not the name of a kernel parameter");
        Box::new(Problem::new(BAD_KEY, at(written), message, error.to_string()))
    })?;
    let full_name = key.name();
    let name = pairs::first_name(&full_name);
    let canonical = value::canonical(name, text);
    let wrong = wrong_text(name, text, &shown)
        .or_else(|| refused(name, &canonical, &shown))
        .or_else(|| out_of_range(name, &canonical, &shown))
        .or_else(|| wrong_half(name, &canonical, &shown));
    if let Some(problem) = wrong {
        return Err(Box::new(Problem { path: at(written), ..problem }));
    }
    // Only numbers are rewritten: in a text, two spaces may mean two spaces.
    let value = if value::numbers(&canonical).is_some() { canonical } else { text.trim_matches(BLANK).to_owned() };
    Ok(Setting { written: written.to_owned(), name: name.to_owned(), value })
}

fn wrong_text(name: &str, text: &str, shown: &str) -> Option<Problem> {
    let label = if text.chars().any(|c| c.is_control() && c != '\t') {
        "it holds a line break or another control character"
    } else if text.len() > LONGEST_VALUE {
        "it is longer than the kernel takes"
    } else if text.trim_matches(BLANK).is_empty() && !known::is_text(name) {
        "it is empty"
    } else if let Some((word, read)) = value::octal_word(text).filter(|_| !known::is_text(name)) {
        let message = format!("the value of `{shown}` would be read as octal");
        return Some(
            Problem::new(OCTAL, AttributePath::default(), message, format!("the kernel reads `{word}` as {read}"))
                .with_help("write the number without leading zeros"),
        );
    } else {
        return None;
    };
    let message = format!("the value of `{shown}` cannot be written");
    Some(Problem::new(BAD_VALUE, AttributePath::default(), message, label))
}

fn refused(name: &str, canonical: &str, shown: &str) -> Option<Problem> {
    let refused = known::refusal(name, canonical)?;
    let message = format!("`{shown}` {}", refused.reason);
    Some(Problem::new(refused.code, AttributePath::default(), message, "cannot be managed").with_help("remove it"))
}

fn out_of_range(name: &str, canonical: &str, shown: &str) -> Option<Problem> {
    let (least, greatest) = known::range(name)?;
    let numbers = value::numbers(canonical)?;
    if numbers.iter().all(|number| (least..=greatest).contains(number)) {
        return None;
    }
    let message = format!("`{shown}` cannot be {canonical}");
    let label = format!("the kernel takes {least} to {greatest}");
    Some(Problem::new(OUT_OF_RANGE, AttributePath::default(), message, label))
}

fn wrong_half(name: &str, canonical: &str, shown: &str) -> Option<Problem> {
    let pair = pairs::pair_with(name)?;
    let other = if pair.first == name { pair.second } else { pair.first };
    if canonical == "0" {
        let message = format!("`{shown}` cannot be set to 0");
        let label = format!("0 means that `{other}` is in use");
        return Some(
            Problem::new(BAD_VALUE, AttributePath::default(), message, label)
                .with_help(format!("set `{other}` instead")),
        );
    }
    let too_small = |number: &i128| *number < i128::from(pair.second_least);
    if pair.second == name && value::numbers(canonical)?.iter().any(too_small) {
        let message = format!("`{shown}` cannot be {canonical}");
        let label = format!("the kernel takes {} or more", pair.second_least);
        return Some(Problem::new(OUT_OF_RANGE, AttributePath::default(), message, label));
    }
    None
}

/// Two entries that are one setting.
fn collisions(settings: &[Setting]) -> Vec<Problem> {
    let mut first: BTreeMap<ItemKey, &Setting> = BTreeMap::new();
    let mut problems = Vec::new();
    for setting in settings {
        let pair = pairs::pair_with(&setting.name);
        let item = pair.map_or_else(|| ItemKey(setting.name.clone()), pairs::Pair::item);
        let Some(earlier) = first.get(&item) else {
            first.insert(item, setting);
            continue;
        };
        let (mine, theirs) = (&setting.written, &earlier.written);
        problems.push(if setting.name == earlier.name {
            let message = format!("`{mine}` and `{theirs}` are the same parameter");
            Problem::new(SAME_KEY, at(mine), message, format!("already set as `{theirs}`"))
                .with_help("keep one of the two")
        } else {
            let message = format!("`{mine}` and `{theirs}` cannot both be set");
            Problem::new(BOTH_HALVES, at(mine), message, "the kernel clears one when the other is written")
                .with_help("keep the half that you mean")
        });
    }
    problems
}

fn at(written: &str) -> AttributePath {
    AttributePath::attribute("settings").key(written)
}
