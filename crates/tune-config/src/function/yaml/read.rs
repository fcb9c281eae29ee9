//! Reads YAML. What plain words mean is decided here and not by the parser: `yes` and `on` are bools, `0x1f` is a number,
//! a date is a moment in RFC 3339.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use tune_core::Number;

use crate::convert::text_of;
use crate::function::date::moment::Moment;
use crate::value::{Data, Entries, Value};

/// Deeper texts are refused, because reading is recursive.
const MAX_DEPTH: u32 = 64;
/// Longer texts are refused.
const MAX_BYTES: usize = 8 << 20;
/// What is referred to is counted again each time, so that a short text cannot stand for an endless value.
const MAX_WEIGHT: u64 = 1 << 21;

const CORE: &str = "tag:yaml.org,2002:";

/// Returns the value that a text with one document holds, or why it holds none.
pub(in crate::function) fn decode(text: &str) -> Result<Value, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("the text is larger than {} MiB", MAX_BYTES >> 20));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), depth: 0, line: 1 };
    match reader.next()? {
        Event::StreamStart => {}
        _ => return Err("there is no YAML document".to_owned()),
    }
    let Event::DocumentStart(_) = reader.next()? else { return Err("there is no YAML document".to_owned()) };
    let first = reader.next()?;
    let value = reader.value(first)?;
    let (Event::DocumentEnd, Event::StreamEnd) = (reader.next()?, reader.next()?) else {
        return Err("there is more than one YAML document".to_owned());
    };
    Ok(value)
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Value>,
    depth: u32,
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        let no_yaml = |error: &ScanError| format!("the text is not YAML at line {}", error.marker().line());
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => Err(no_yaml(&error)),
            None => Err("the text is not YAML".to_owned()),
        }
    }

    /// Reads the value that starts with this event.
    fn value(&mut self, event: Event<'a>) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("line {}: more than {MAX_DEPTH} levels within each other", self.line));
        }
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                (
                    value
                        .ok_or_else(|| format!("line {}: a reference to something that is not complete", self.line))?,
                    0,
                )
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value =
                    scalar(&text, style, tag.as_deref()).map_err(|reason| format!("line {}: {reason}", self.line))?;
                (value, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.expect_tag(tag.as_deref(), "seq")?;
                (self.list()?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.expect_tag(tag.as_deref(), "map")?;
                (self.map()?, anchor)
            }
            _ => return Err(format!("line {}: the text is not YAML", self.line)),
        };
        if value.weight() > MAX_WEIGHT {
            return Err("the value would be too large".to_owned());
        }
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        self.depth -= 1;
        Ok(value)
    }

    fn expect_tag(&self, tag: Option<&Tag>, wanted: &str) -> Result<(), String> {
        match tag.map(kind_of) {
            None => Ok(()),
            Some(Some(kind)) if kind == wanted => Ok(()),
            Some(_) => Err(format!("line {}: a tag that means nothing here", self.line)),
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Value::list(items)),
                event => items.push(self.value(event)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value, String> {
        let mut entries = Entries::new();
        loop {
            let event = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::map(entries));
            }
            let line = self.line;
            let key = self.value(event)?;
            let event = self.next()?;
            let value = self.value(event)?;
            if key.as_str() == Some("<<") {
                let merged = value.as_entries();
                let merged = merged.ok_or_else(|| format!("line {line}: only a map can be merged with `<<`"))?;
                entries.extend(merged.iter().map(|(key, value)| (key.clone(), value.clone())));
                continue;
            }
            let name: Option<Arc<str>> = text_of(&key);
            let name = name.ok_or_else(|| format!("line {line}: a key must be a text"))?;
            entries.insert(name, value);
        }
    }
}

/// Returns the part of a tag behind `!!`; `None` if it is of another sort.
fn kind_of(tag: &Tag) -> Option<String> {
    format!("{}{}", tag.handle, tag.suffix).strip_prefix(CORE).map(str::to_owned)
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let kind = match tag.map(kind_of) {
        None => None,
        Some(Some(kind)) => Some(kind),
        Some(None) => return Err("an unknown tag".to_owned()),
    };
    match kind.as_deref() {
        Some("str") => return Ok(Value::string(text)),
        Some("binary") => {
            let is_base64 = STANDARD.decode(text.replace(['\r', '\n'], "")).is_ok();
            return if is_base64 { Ok(Value::string(text)) } else { Err("this is not Base64".to_owned()) };
        }
        None | Some("bool" | "int" | "float" | "null" | "timestamp") => {}
        Some(_) => return Err("an unknown tag".to_owned()),
    }
    if style != ScalarStyle::Plain {
        return Ok(Value::string(text));
    }
    let plain = plain(text)?;
    let fits = match kind.as_deref() {
        Some("bool") => matches!(plain.data, Data::Bool(_)),
        Some("int" | "float") => matches!(plain.data, Data::Number(_)),
        Some("timestamp") => moment(text).is_some(),
        Some("null") => return Ok(Value::NULL),
        _ => true,
    };
    if fits { Ok(plain) } else { Err("the text is not what its tag says".to_owned()) }
}

/// Returns what a text without quotes means.
fn plain(text: &str) -> Result<Value, String> {
    let out_of_range = || "a number that is too large".to_owned();
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::NULL,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN"
        | ".NAN" => {
            return Err("there is no infinite number, and none that is no number".to_owned());
        }
        text => {
            let based = |prefix: &str, radix: u32| {
                let digits = text.strip_prefix(prefix).filter(|digits| !digits.is_empty())?;
                digits.chars().all(|c| c.is_digit(radix)).then(|| u64::from_str_radix(digits, radix))
            };
            if let Some(number) = based("0x", 16).or_else(|| based("0o", 8)) {
                return Ok(Value::number(Number::from(number.map_err(|_| out_of_range())?)));
            }
            if let Some(moment) = moment(text) {
                return Ok(Value::string(moment.to_string()));
            }
            match decimal(text) {
                Some(digits) => Value::number(digits.parse().map_err(|_| out_of_range())?),
                None => Value::string(text),
            }
        }
    })
}

/// Returns a decimal number with digits on both sides of its point, as [`Number`] reads it.
fn decimal(text: &str) -> Option<String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_number = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) || !exponent_is_number {
        return None;
    }
    let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
    Some(format!("{sign}0{whole}.{part}0{exponent}"))
}

/// Reads a date, alone or with a time: `2001-12-14`, `2001-12-14 21:59:43`, `2001-12-14t21:59:43.1-05:00`.
fn moment(text: &str) -> Option<Moment> {
    let year = text.get(..5)?.strip_suffix('-').filter(|year| year.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[5..at], Some(&text[at..])),
        None => (&text[5..], None),
    };
    let number = |text: &str| {
        let is_short = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_short)
    };
    let (month, day) = date.split_once('-')?;
    let (month, day) = (number(month)?, number(day)?);
    let year = year.parse().ok()?;
    let Some(time) = time else { return Moment::checked(year, [month, day, 0, 0, 0], 0, 0) };
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let is_spaced = clock.starts_with(' ');
    let offset = match zone {
        "" if is_spaced => 0,
        "Z" if !is_spaced => 0,
        zone if !is_spaced && zone.len() == 6 => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = i64::from(hours * 60 + minutes);
            if zone.starts_with('-') { -minutes } else { minutes }
        }
        _ => return None,
    };
    let (clock, fraction) = clock[1..].split_once('.').unwrap_or((&clock[1..], "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let parts: Vec<u32> = clock.split(':').map(number).collect::<Option<_>>()?;
    let [hour, minute, second] = parts.as_slice() else { return None };
    Moment::checked(year, [month, day, *hour, *minute, *second], 0, offset)
}
