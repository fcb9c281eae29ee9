//! Bare values: whether one is of its type, and its canonical form.

use std::collections::BTreeSet;

use tune_core::value::Value;

use crate::table::Type;

/// What `hotplug = 1` stands for.
const HOTPLUG_DEFAULT: [&str; 3] = ["disk", "network", "usb"];

/// Returns the canonical form of a text of a type, or what the type takes.
pub(crate) fn check(of: Type, text: &str) -> Result<String, String> {
    match of {
        Type::Bool => {
            bool_of(text).map(|on| if on { "1" } else { "0" }.to_owned()).ok_or("`true` or `false`".to_owned())
        }
        Type::Int(least, most) => whole(text, least, most),
        Type::Mebibytes(least) => whole(&mebibytes(text), least, i64::MAX)
            .map_err(|range| format!("{range}, in MiB, or a text such as `\"8GiB\"`")),
        Type::Number(least, most) => {
            let number: Option<f64> = text.parse().ok().filter(|_| looks_like_number(text));
            match number.filter(|number| (least..=most).contains(number)) {
                Some(number) => Ok(number.to_string()),
                None => Err(format!("a number from {least} to {most}")),
            }
        }
        Type::Word(words) if words.contains(&text) => Ok(text.to_owned()),
        Type::Word(words) => Err(words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
        Type::Text(is_one, takes) => {
            if is_one(text) {
                Ok(text.to_owned())
            } else {
                Err(takes.to_owned())
            }
        }
        Type::Set(separator, is_one, takes) => set(text, separator, is_one).ok_or_else(|| takes.to_owned()),
        Type::List(separator, is_one, takes) => {
            let words = words(text);
            if !words.is_empty() && words.iter().all(|word| is_one(word)) {
                Ok(words.join(&separator.to_string()))
            } else {
                Err(takes.to_owned())
            }
        }
    }
}

/// Returns the canonical form of a text that was read. One that is not of its type stands for itself.
pub(crate) fn canonical(of: Type, text: &str) -> String {
    check(of, text).unwrap_or_else(|_| text.to_owned())
}

/// Returns the text that a configuration's value stands for, or what the type takes.
pub(crate) fn from_value(of: Type, value: &Value) -> Result<String, String> {
    let text = match (of, value) {
        (Type::Bool, Value::Bool(on)) => if *on { "1" } else { "0" }.to_owned(),
        // `discard = true` is what a person writes for `on`.
        (Type::Word(words), Value::Bool(on)) if words.contains(&"on") => {
            if *on { "on" } else { words.iter().find(|word| **word != "on").copied().unwrap_or_default() }.to_owned()
        }
        (_, Value::Bool(on)) => on.to_string(),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::String(text)) => text.clone(),
        (Type::Set(separator, ..) | Type::List(separator, ..), Value::List(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            match texts {
                Some(texts) if !texts.is_empty() => texts.join(&separator.to_string()),
                _ => return check(of, ""),
            }
        }
        _ => return Err(check(of, "\0").err().unwrap_or_else(|| "one value".to_owned())),
    };
    check(of, &text)
}

/// Returns the meaning of a word that property strings take for a bool.
pub(crate) fn bool_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// Returns the words of a list, whichever of the API's separators stand between them.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split([',', ';', ' ', '\0']).filter(|word| !word.is_empty()).collect()
}

fn set(text: &str, separator: char, is_one: fn(&str) -> bool) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let mut found: BTreeSet<&str> = words(&lower).into_iter().collect();
    if found.is_empty() || !found.iter().all(|word| is_one(word)) {
        return None;
    }
    if is_one("network") {
        let alone = found.contains("0") || found.contains("1");
        if alone && found.len() > 1 {
            return None;
        }
        if found.contains("1") {
            found = HOTPLUG_DEFAULT.into();
        }
    }
    Some(found.into_iter().collect::<Vec<_>>().join(&separator.to_string()))
}

fn whole(text: &str, least: i64, most: i64) -> Result<String, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let number = text.parse::<i64>().ok().filter(|number| is_whole && (least..=most).contains(number));
    number.map(|number| number.to_string()).ok_or_else(|| {
        if most == i64::MAX {
            format!("a whole number from {least} on")
        } else {
            format!("a whole number from {least} to {most}")
        }
    })
}

/// Returns a size in MiB as the API takes it; a text without a unit is in MiB already.
fn mebibytes(text: &str) -> String {
    let unit = |units: [&str; 2], factor: i64| {
        let number = units.iter().find_map(|unit| text.strip_suffix(unit))?.trim_end();
        number.parse::<i64>().ok()?.checked_mul(factor).map(|number| number.to_string())
    };
    unit(["GiB", "G"], 1024).or_else(|| unit(["MiB", "M"], 1)).unwrap_or_else(|| text.to_owned())
}

fn looks_like_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::{self, OPTIONS, Shape};

    fn of(option: &str) -> Type {
        table::option(option).unwrap().row.of
    }

    fn canonical_of(option: &str, text: &str) -> String {
        canonical(of(option), text)
    }

    #[test]
    fn spellings_of_one_value_are_one() {
        assert_eq!(canonical_of("onboot", "on"), "1");
        assert_eq!(canonical_of("cores", "007"), "7");
        assert_eq!(canonical_of("cpulimit", "1.50"), "1.5");
        assert_eq!(canonical_of("memory", "8GiB"), "8192");
        assert_eq!(canonical_of("memory", "8192"), "8192");
        assert_eq!(canonical_of("tags", "Zeta;alpha,Beta alpha"), "alpha;beta;zeta");
        assert_eq!(canonical_of("hotplug", "1"), canonical_of("hotplug", "network,disk,usb"));
        assert_eq!(canonical_of("cores", "many"), "many");
    }

    #[test]
    fn values_of_a_configuration_become_texts() {
        let discard = table::DRIVE_SUBS.iter().find(|row| row.name == "discard").unwrap().of;
        assert_eq!(from_value(discard, &Value::from(true)).as_deref(), Ok("on"));
        assert_eq!(from_value(discard, &Value::from(false)).as_deref(), Ok("ignore"));
        let tags = Value::List(vec![Value::from("k3s"), Value::from("etcd")]);
        assert_eq!(from_value(of("tags"), &tags).as_deref(), Ok("etcd;k3s"));
        assert_eq!(from_value(of("onboot"), &Value::from("yes")).as_deref(), Ok("1"));
    }

    #[test]
    fn a_wrong_value_is_told_what_is_taken() {
        let refused = |option: &str, value: Value| from_value(of(option), &value).unwrap_err();
        assert_eq!(refused("cores", Value::from(0)), "a whole number from 1 to 8192");
        assert_eq!(refused("cores", Value::from("+1")), "a whole number from 1 to 8192");
        assert_eq!(
            refused("memory", Value::from(8)),
            "a whole number from 16 on, in MiB, or a text such as `\"8GiB\"`"
        );
        assert_eq!(refused("onboot", Value::from(2)), "`true` or `false`");
        assert_eq!(refused("bios", Value::from("OVMF")), "`seabios`, `ovmf`");
        assert_eq!(refused("cpulimit", Value::from(129)), "a number from 0 to 128");
        assert_eq!(refused("tags", Value::from("a!b")), "tags of letters, digits and `-_+.`");
        assert_eq!(refused("tags", Value::List(vec![])), "tags of letters, digits and `-_+.`");
        assert!(refused("hotplug", Value::from("0,disk")).starts_with("`network`"));
        assert_eq!(refused("onboot", Value::Null), "`true` or `false`");
    }

    proptest! {
        #[test]
        fn canonical_forms_are_settled(position in 0..OPTIONS.len(), text in "(\\PC{0,8}|[0-9]{1,6}(\\.[0-9]{1,3})?|on|[a-z]{1,4};[a-z]{1,4})") {
            let rows: Vec<Type> = match OPTIONS[position].shape {
                Shape::Value => vec![OPTIONS[position].row.of],
                Shape::String(_, subs) => subs.iter().map(|row| row.of).collect(),
            };
            for of in rows {
                let once = canonical(of, &text);
                prop_assert_eq!(canonical(of, &once), once);
            }
        }
    }
}
