//! Property strings such as `scsi0: imgs:100/disk.raw,cache=none,size=32G`: parsing, checking and printing.

use std::collections::BTreeMap;

use super::check::{NOT_IN_SCHEMA, add_error, check_scalar_kind, check_text};
use super::formats::format_size;
use super::{Errors, Kind, Props, truthy};

/// The sub-options of a property string by name, aliases resolved and booleans as `1` and `0`.
pub(crate) type Parsed = BTreeMap<String, String>;

/// Parses and checks `data`. The error is the text with its line feeds; after a first line `format error` there is one
/// line for each sub-option, named with `path` in front.
pub(crate) fn parse_property_string(props: &Props, data: &str, path: &str) -> Result<Parsed, String> {
    let mut parsed = Parsed::new();
    let mut bare_word = false;
    for part in data.split(',') {
        if part.trim().is_empty() {
            continue;
        }
        if let Some((key, value)) = part.split_once('=') {
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key.is_empty() || value.is_empty() || value.contains('\n') {
                return Err("missing key in comma-separated list property\n".to_owned());
            }
            insert(props, &mut parsed, key, value)?;
        } else {
            let Some(key) = props.default_key() else {
                return Err("value without key, but schema does not define a default key\n".to_owned());
            };
            if bare_word || parsed.get(key).is_some_and(|value| truthy(value)) {
                return Err(format!("duplicate key in comma-separated list property: {key}\n"));
            }
            bare_word = true;
            parsed.insert(key.to_owned(), normal(props, key, part));
        }
    }
    let errors = check(props, &parsed, path);
    if !errors.is_empty() {
        let lines: String = errors.iter().map(|(key, text)| format!("{key}: {text}\n")).collect();
        return Err(format!("format error\n{lines}"));
    }
    if let Some(validator) = props.validator {
        validator(&parsed)?;
    }
    Ok(parsed)
}

fn insert(props: &Props, parsed: &mut Parsed, key: &str, value: &str) -> Result<(), String> {
    if parsed.contains_key(key) {
        return Err(format!("duplicate key in comma-separated list property: {key}\n"));
    }
    let mut name = key;
    if let Some(prop) = props.table.get(key)
        && let Some(target) = prop.alias
    {
        if let Some(holder) = prop.key_alias {
            if parsed.contains_key(holder) {
                return Err(format!("key alias '{holder}' is already defined\n"));
            }
            parsed.insert(holder.to_owned(), key.to_owned());
        }
        if parsed.contains_key(target) {
            return Err(format!("key '{target}' is already defined (via alias)\n"));
        }
        name = target;
    }
    parsed.insert(name.to_owned(), normal(props, name, value));
    Ok(())
}

fn normal(props: &Props, key: &str, value: &str) -> String {
    let boolean = props.table.get(key).is_some_and(|prop| prop.kind == Kind::Boolean);
    match boolean.then(|| parse_boolean(value)).flatten() {
        Some(flag) => String::from(if flag { "1" } else { "0" }),
        None => value.to_owned(),
    }
}

fn check(props: &Props, parsed: &Parsed, path: &str) -> Errors {
    let mut errors = Errors::new();
    let full = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, prop) in &props.table {
        match parsed.get(*key) {
            None if prop.optional || prop.alias.is_some() => {}
            None => add_error(&mut errors, &full(key), "property is missing and it is not optional"),
            Some(value) => {
                let name = full(key);
                let checked = check_scalar_kind(value, prop.kind).and_then(|()| check_text(value, prop, &name));
                if let Err(message) = checked {
                    add_error(&mut errors, &name, &message);
                }
                if let Some(other) = prop.requires.filter(|other| !parsed.contains_key(*other)) {
                    add_error(&mut errors, &full(other), &format!("missing property required by '{name}'"));
                }
            }
        }
    }
    for key in parsed.keys().filter(|key| !props.table.contains_key(key.as_str())) {
        add_error(&mut errors, &full(key), NOT_IN_SCHEMA);
    }
    errors
}

/// Prints a property string: the default sub-option bare and first, the others in the order of their names. A sub-option
/// that is the key of another (a network card's model) is printed with it. Sizes are taken as bytes.
pub(crate) fn print_property_string(props: &Props, parsed: &Parsed) -> String {
    let mut parts = Vec::new();
    let default = props.default_key();
    let pair = props.table.iter().find_map(|(name, prop)| Some((prop.key_alias?, prop.alias?, *name)));
    let (holder, target) = pair.map_or((None, None), |(holder, target, _)| (Some(holder), Some(target)));
    if let Some(value) = default.and_then(|key| parsed.get(key)) {
        match target.and_then(|target| parsed.get(target)).filter(|_| holder == default) {
            Some(other) => parts.push(format!("{value}={other}")),
            None => parts.push(value.clone()),
        }
    }
    for (key, value) in parsed {
        if Some(key.as_str()) == default || Some(key.as_str()) == target {
            continue;
        }
        let size = props.table.get(key.as_str()).is_some_and(|prop| prop.size);
        match size.then(|| value.parse().ok()).flatten() {
            Some(bytes) => parts.push(format!("{key}={}", format_size(bytes))),
            None => parts.push(format!("{key}={value}")),
        }
    }
    parts.join(",")
}

/// The words for yes and no inside property strings, in any case.
pub(crate) fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" => Some(false),
        _ => None,
    }
}
