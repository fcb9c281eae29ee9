//! From attributes to items, or to every mistake in them. Nothing here depends on a machine.

use tune_core::address::Address;
use tune_core::contract::{Desired, DesiredItem};
use tune_core::item::{ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::resource::Resource;
use tune_core::text;
use tune_core::value::{self as values, Value};

use crate::attributes::Attributes;
use crate::codes::{BAD_DROP_IN, BAD_MODULE, BAD_NAME, BAD_VALUE, NO_PARAMETERS, NOT_AMONG, OCTAL, OUT_OF_RANGE};
use crate::drop_in;
use crate::known;
use crate::name::{Name, ZFS};
use crate::value;

/// The kernel takes at most a page in one write; values are far shorter.
const LONGEST_VALUE: usize = 1000;

/// One entry of `parameters` without a mistake of its own.
struct Setting {
    /// As written, for paths.
    written: String,
    name: Name,
    value: String,
    load_time: bool,
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
        let message = format!("`{}` is not a host", text::visible(&attributes.host.0, 80));
        return Err(vec![Problem::new(BAD_VALUE, AttributePath::attribute("host"), message, "not a host")]);
    };
    let module = attributes.module.as_deref().unwrap_or(ZFS);
    if Name::new(module, "x").is_none() {
        let message = format!("`{}` is not the name of a kernel module", text::visible(module, 80));
        problems.push(
            Problem::new(BAD_MODULE, AttributePath::attribute("module"), message, "letters, digits, `_` and `-` only")
                .with_help("write it as `lsmod` prints it"),
        );
        return Err(problems);
    }
    if attributes.parameters.is_empty() {
        problems.push(
            Problem::new(
                NO_PARAMETERS,
                AttributePath::attribute("parameters"),
                "`parameters` is empty",
                "nothing to set",
            )
            .with_help("write at least one parameter, or remove the resource"),
        );
    }
    problems.extend(not_among(&attributes));
    let mut settings = Vec::new();
    for (written, scalar) in &attributes.parameters {
        match setting(module, written, &scalar.0, attributes.load_time.as_deref()) {
            Ok(setting) => settings.push(setting),
            Err(problem) => problems.push(*problem),
        }
    }
    let file = file_item(&attributes, resource).map_err(|problem| problems.push(problem)).ok();
    match file {
        Some((key, path)) if problems.is_empty() => {
            Ok(Desired { host, guest: None, items: items(settings, key, path) })
        }
        _ => Err(problems),
    }
}

/// Running values first, each of which is read back, then the files. The least size of the cache goes before the
/// greatest, which may not be below it.
fn items(mut settings: Vec<Setting>, file: ItemKey, file_path: AttributePath) -> Vec<DesiredItem> {
    settings.sort_by_key(|setting| (setting.name.parameter != known::ARC_MIN, setting.name.clone()));
    let (at_load, running): (Vec<Setting>, Vec<Setting>) = settings.into_iter().partition(|setting| setting.load_time);
    let mut items: Vec<DesiredItem> = Vec::new();
    for setting in &running {
        let want = Raw::Text(setting.value.clone());
        items.push(DesiredItem { key: setting.name.key(), path: at(&setting.written), want });
    }
    for setting in &at_load {
        let want = drop_in::file(std::iter::once((&setting.name, setting.value.as_str())));
        items.push(DesiredItem { key: drop_in::single(&setting.name), path: at(&setting.written), want });
    }
    if !running.is_empty() {
        let want = drop_in::file(running.iter().map(|setting| (&setting.name, setting.value.as_str())));
        items.push(DesiredItem { key: file, path: file_path, want });
    }
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
    let Some(Value::Map(parameters)) = resource.attributes.get("parameters") else { return Vec::new() };
    let nulls = parameters.iter().filter(|(_, value)| **value == Value::Null);
    nulls
        .map(|(written, _)| {
            let message = format!("`{}` has no value", text::visible(written, 80));
            Problem::new(BAD_VALUE, at(written), message, "`null` is not a value")
                .with_help("to stop managing it, remove it: what was there before is put back then")
        })
        .collect()
}

fn not_among(attributes: &Attributes) -> Vec<Problem> {
    let listed = attributes.load_time.iter().flatten();
    listed
        .filter(|name| !attributes.parameters.contains_key(*name))
        .map(|name| {
            let message = format!("`{}` is not among the parameters", text::visible(name, 80));
            Problem::new(NOT_AMONG, AttributePath::attribute("load_time"), message, "nothing gives it a value")
                .with_help("set it in `parameters`, or remove it here")
        })
        .collect()
}

/// One entry of `parameters`, or the first thing that is wrong with it.
fn setting(module: &str, written: &str, text: &str, load_time: Option<&[String]>) -> Result<Setting, Box<Problem>> {
    let shown = text::visible(written, 80);
    let Some(name) = Name::new(module, written) else {
        let message = format!("`{shown}` is not the name of a parameter");
        let problem = Problem::new(BAD_NAME, at(written), message, "letters, digits, `_` and `-` only");
        let dotted = written.split_once('.').filter(|(before, _)| *before == module);
        return Err(Box::new(match dotted {
            Some((_, rest)) => problem.with_help(format!("leave the module out: `{}`", text::visible(rest, 80))),
            None => problem.with_help(format!("write it as `modinfo -p {module}` prints it")),
        }));
    };
    let value =
        written_value(&name, text, &shown).map_err(|problem| Box::new(Problem { path: at(written), ..*problem }))?;
    if let Some(problem) = out_of_range(&name, &value, &shown) {
        return Err(Box::new(Problem { path: at(written), ..problem }));
    }
    let load_time = match load_time {
        Some(listed) => listed.iter().any(|listed| listed == written),
        None => known::is_load_time(&name),
    };
    Ok(Setting { written: written.to_owned(), name, value, load_time })
}

/// What is written to the module: a number in plain digits, a text as it is.
fn written_value(name: &Name, text: &str, shown: &str) -> Result<String, Box<Problem>> {
    let trimmed = text.trim_matches([' ', '\t']);
    let here =
        |code, message: String, label: String| Box::new(Problem::new(code, AttributePath::default(), message, label));
    if known::is_bytes(name)
        && let Some(bytes) = value::bytes(trimmed)
    {
        return Ok(bytes.to_string());
    }
    if trimmed.starts_with(|c: char| c.is_ascii_digit()) && known::is_bytes(name) && value::number(trimmed).is_none() {
        let message = format!("`{shown}` cannot be `{}`", text::visible(trimmed, 80));
        let problem = here(BAD_VALUE, message, "not a number of bytes".to_owned());
        return Err(Box::new(problem.with_help("write a whole number, or a binary unit such as `512MiB` or `8GiB`")));
    }
    if let Some(read) = value::octal(trimmed) {
        let message = format!("the value of `{shown}` would be read as octal");
        let problem = here(OCTAL, message, format!("the kernel reads `{}` as {read}", text::visible(trimmed, 80)));
        return Err(Box::new(problem.with_help("write the number without leading zeros")));
    }
    let complaint = if trimmed.is_empty() {
        "it is empty"
    } else if text.len() > LONGEST_VALUE {
        "it is longer than the kernel takes"
    } else if !trimmed.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')) {
        "white space, quotes, backslashes and characters beyond ASCII cannot be written in modprobe.d"
    } else {
        return Ok(if value::number(trimmed).is_some() { value::canonical(trimmed) } else { trimmed.to_owned() });
    };
    Err(here(BAD_VALUE, format!("the value of `{shown}` cannot be written"), complaint.to_owned()))
}

fn out_of_range(name: &Name, value: &str, shown: &str) -> Option<Problem> {
    let number = value::number(value)?;
    let here = |label: String| {
        let message = format!("`{shown}` cannot be {number}");
        Problem::new(OUT_OF_RANGE, AttributePath::default(), message, label)
    };
    if let Some((least, greatest, why)) = known::range(name)
        && !(least..=greatest).contains(&number)
    {
        return Some(here(format!("{least} to {greatest}: {why}")));
    }
    let least = known::reported(name)?.least;
    if number == 0 {
        return Some(
            here("0 does not bring automatic sizing back while the module runs".to_owned())
                .with_help("remove the parameter: what was in use before is put back then"),
        );
    }
    (number < least).then(|| here(format!("ZFS ignores less than {}", value::human(least))))
}

fn at(written: &str) -> AttributePath {
    AttributePath::attribute("parameters").key(written)
}
