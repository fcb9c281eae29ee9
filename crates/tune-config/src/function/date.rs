//! Functions about moments, written as RFC 3339 has them. What time it is now, no function says.

pub(super) mod moment;

use moment::Moment;

use super::{Call, Failure, Function, Shape, row, takes};
use crate::value::Value;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) const FUNCTIONS: &[Function] = &[
    row(
        "formatdate",
        &[takes("format", Shape::Text), takes("moment", Shape::Text)],
        Shape::Text,
        "A moment written by a pattern such as `DD MMM YYYY hh:mm`; letters of its own stand between apostrophes.",
        formatdate,
    )
    .example(r#"formatdate("DD MMM YYYY hh:mm ZZZ", "2018-01-02T23:12:01Z")"#),
    row(
        "timeadd",
        &[takes("moment", Shape::Text), takes("duration", Shape::Text)],
        Shape::Text,
        "The moment that is a duration such as `1h30m` or `-10s` later.",
        |call| {
            let moment = moment_of(call, 0)?;
            let duration = duration(call.text(1)).ok_or_else(|| {
                Failure::of(1, "this is no duration such as `1h30m`; the units are h, m, s, ms, us and ns")
            })?;
            let later =
                moment.later(duration).ok_or_else(|| Failure::new("the result is before year 0 or after 9999"))?;
            Ok(Value::string(later.to_string()))
        },
    )
    .example(r#"timeadd("2017-11-22T00:00:00Z", "-1h30m")"#),
    row(
        "timecmp",
        &[takes("moment", Shape::Text), takes("other", Shape::Text)],
        Shape::Number,
        "-1, 0 or 1, after whether the moment is before, at or behind the other.",
        |call| Ok(Value::integer(moment_of(call, 0)?.instant().cmp(&moment_of(call, 1)?.instant()) as i8)),
    )
    .example(r#"timecmp("2017-11-22T01:00:00+01:00", "2017-11-22T00:00:00Z")"#),
];

fn moment_of(call: &Call<'_>, position: usize) -> Result<Moment, Failure> {
    Moment::parse(call.text(position))
        .ok_or_else(|| Failure::of(position, "this is no moment such as `2018-01-02T23:12:01Z` (RFC 3339)"))
}

fn formatdate(call: &mut Call<'_>) -> Result<Value, Failure> {
    let moment = moment_of(call, 1)?;
    let mut text = String::new();
    let mut rest = call.text(0);
    while let Some(c) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            rest = literal(quoted, &mut text).ok_or_else(|| Failure::of(0, "an apostrophe is never closed"))?;
        } else if c.is_ascii_alphabetic() {
            let length = rest.find(|other| other != c).unwrap_or(rest.len());
            let field = field(&moment, &rest[..length]).ok_or_else(|| {
                let shown = tune_core::text::visible(&rest[..length], 20);
                Failure::of(0, format!("`{shown}` means nothing here; put letters of your own between apostrophes"))
            });
            text.push_str(&field?);
            rest = &rest[length..];
        } else {
            text.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(Value::string(text))
}

/// Appends what stands up to the closing apostrophe and returns what is behind it; two of them are one in the text.
fn literal<'a>(quoted: &'a str, text: &mut String) -> Option<&'a str> {
    if let Some(rest) = quoted.strip_prefix('\'') {
        text.push('\'');
        return Some(rest);
    }
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('\'')?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                text.push('\'');
                rest = more;
            }
            None => return Some(after),
        }
    }
}

fn field(moment: &Moment, letters: &str) -> Option<String> {
    let month = MONTHS[usize::from(moment.month) - 1];
    let day = DAYS[moment.weekday()];
    let twelve = if moment.hour.is_multiple_of(12) { 12 } else { moment.hour % 12 };
    Some(match letters {
        "YYYY" => format!("{:04}", moment.year),
        "YY" => format!("{:02}", moment.year % 100),
        "MMMM" => month.to_owned(),
        "MMM" => month[..3].to_owned(),
        "MM" => format!("{:02}", moment.month),
        "M" => moment.month.to_string(),
        "DD" => format!("{:02}", moment.day),
        "D" => moment.day.to_string(),
        "EEEE" => day.to_owned(),
        "EEE" => day[..3].to_owned(),
        "hh" => format!("{:02}", moment.hour),
        "h" => moment.hour.to_string(),
        "HH" => format!("{twelve:02}"),
        "H" => twelve.to_string(),
        "AA" => if moment.hour < 12 { "AM" } else { "PM" }.to_owned(),
        "aa" => if moment.hour < 12 { "am" } else { "pm" }.to_owned(),
        "mm" => format!("{:02}", moment.minute),
        "m" => moment.minute.to_string(),
        "ss" => format!("{:02}", moment.second),
        "s" => moment.second.to_string(),
        "Z" => moment.zone(),
        "ZZZ" if moment.offset == 0 => "UTC".to_owned(),
        "ZZZ" | "ZZZZ" => moment.offset_text(""),
        "ZZZZZ" => moment.offset_text(":"),
        _ => return None,
    })
}

/// Reads a duration in nanoseconds: numbers with units one after another, with one sign in front of all.
fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum: i128 = 0;
    while !rest.is_empty() {
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(length);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && part.is_empty()) || part.contains('.') || whole.len() > 20 {
            return None;
        }
        let length = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(length);
        rest = behind;
        let unit: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // More digits than these are less than a nanosecond, whatever the unit.
        let part = &part[..part.len().min(15)];
        let scale = 10_i128.pow(u32::try_from(part.len()).ok()?);
        let part: i128 = if part.is_empty() { 0 } else { part.parse().ok()? };
        sum = sum.checked_add(whole.checked_mul(unit)? + part * unit / scale)?;
    }
    i64::try_from(if negative { -sum } else { sum }).ok()
}
