//! The configuration file of a virtual machine: parsing and printing, byte for byte as the real one. What cannot be
//! parsed is dropped, and is gone with the next write.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use sha1::{Digest, Sha1};

use crate::drive;
use crate::numbers::print_integer;
use crate::schema::check::check_format;
use crate::schema::formats::pattern;
use crate::schema::options::options;
use crate::schema::property::parse_boolean;
use crate::schema::{Format, Kind, truthy};

/// The options of one section by name; a description is among them as `description`.
pub(crate) type Section = BTreeMap<String, String>;

/// A parsed configuration file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conf {
    pub(crate) main: Section,
    pub(crate) pending: Section,
    pub(crate) snapshots: BTreeMap<String, Section>,
    pub(crate) special: BTreeMap<String, Section>,
    /// SHA-1 of the file that was parsed.
    pub(crate) digest: String,
}

enum Place {
    Main,
    Pending,
    Special(String),
    Snapshot(String),
    Unknown,
}

impl Conf {
    /// Parses a file. Lines that do not fit are left out.
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let text: String = raw.iter().map(|byte| char::from(*byte)).collect();
        let mut conf = Conf { digest: digest(raw), ..Conf::default() };
        let mut place = Place::Main;
        let mut description: Option<String> = None;
        for line in text.split('\n').filter(|line| !line.trim().is_empty()) {
            if let Some(next) = section(line) {
                conf.finish(&place, &mut description);
                place = next;
                if let Some(section) = conf.section_mut(&place) {
                    section.clear();
                }
                continue;
            }
            conf.line(&place, line, &mut description);
        }
        conf.finish(&place, &mut description);
        conf.main.remove("snapstate");
        conf
    }

    fn section_mut(&mut self, place: &Place) -> Option<&mut Section> {
        match place {
            Place::Main => Some(&mut self.main),
            Place::Pending => Some(&mut self.pending),
            Place::Special(name) => Some(self.special.entry(name.clone()).or_default()),
            Place::Snapshot(name) => Some(self.snapshots.entry(name.clone()).or_default()),
            Place::Unknown => None,
        }
    }

    fn finish(&mut self, place: &Place, description: &mut Option<String>) {
        if let Some(text) = description.take()
            && let Some(section) = self.section_mut(place)
        {
            section.insert("description".to_owned(), text.trim_end().to_owned());
        }
    }

    fn line(&mut self, place: &Place, line: &str, description: &mut Option<String>) {
        let pending = matches!(place, Place::Pending);
        let informative = matches!(place, Place::Special(name) if name == "cloudinit");
        let Some(section) = self.section_mut(place) else { return };
        let after = |name: &str| {
            let value = line.strip_prefix(name)?.strip_prefix(':')?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        if let Some(comment) = line.strip_prefix('#') {
            let text = description.get_or_insert_default();
            text.push_str(&decode_text(comment));
            text.push('\n');
        } else if let Some(value) = after("description") {
            description.get_or_insert_default().push_str(&decode_text(&value));
        } else if let Some(state) = pattern!(r"snapstate:\s*(prepare|delete)\s*$").captures(line) {
            section.insert("snapstate".to_owned(), state[1].to_owned());
        } else if let Some(value) = after("args") {
            section.insert("args".to_owned(), value);
        } else if let Some(value) = after("delete") {
            if pending {
                section.insert("delete".to_owned(), value);
            }
        } else if let Some(found) = pattern!(r"^([a-z][a-z_\-]*[0-9]*):(.+)$").captures(line) {
            let key = &found[1];
            let value = match found[2].trim() {
                "" => found[2].chars().last().map(String::from).unwrap_or_default(),
                value => value.to_owned(),
            };
            if informative {
                section.insert(key.to_owned(), value);
            } else if let Ok(value) = check_type(key, Some(&value)) {
                let key = if key == "cdrom" { "ide2" } else { key };
                section.insert(key.to_owned(), value);
            }
        }
    }

    /// Prints the file. The error is the text for the first option that the parser would not take back; `self` is
    /// brought into canonical form on the way.
    pub(crate) fn print(&mut self) -> Result<Vec<u8>, String> {
        self.main.remove("snapstate");
        if self.main.get("sockets").is_some_and(|value| truthy(value)) {
            self.main.remove("smp");
        } else if let Some(count) = self.main.remove("smp") {
            self.main.insert("sockets".to_owned(), count);
            self.main.remove("cores");
        }
        let mut used = Vec::new();
        clean(&mut self.main, &mut used)?;
        clean(&mut self.pending, &mut used)?;
        for section in self.snapshots.values_mut() {
            clean(section, &mut Vec::new())?;
        }
        self.main.retain(|key, value| !key.starts_with("unused") || !used.contains(value));
        Ok(encode(&self.text()))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        raw_section(&self.main, false, &mut text);
        if !self.pending.is_empty() {
            text.push_str("\n[PENDING]\n");
            raw_section(&self.pending, true, &mut text);
        }
        for (name, section) in &self.special {
            if name != "cloudinit" || drive::cloudinit_key(&self.main, "").is_some() {
                text.push_str(&format!("\n[special:{name}]\n"));
                raw_section(section, false, &mut text);
            }
        }
        for (name, section) in &self.snapshots {
            text.push_str(&format!("\n[{name}]\n"));
            raw_section(section, false, &mut text);
        }
        text
    }

    /// An option's value, where it is not false.
    pub(crate) fn truthy(&self, key: &str) -> Option<&str> {
        self.main.get(key).map(String::as_str).filter(|value| truthy(value))
    }

    /// A number, where the option is set.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.main.get(key)?.parse().ok()
    }

    /// Whether the machine is a template.
    pub(crate) fn is_template(&self) -> bool {
        self.main.get("template").is_some_and(|value| value == "1")
    }

    /// The assigned memory in MiB.
    pub(crate) fn memory(&self) -> u64 {
        current_memory(self.main.get("memory").map(String::as_str))
    }
}

/// The assigned memory in MiB of a value of `memory`.
pub(crate) fn current_memory(value: Option<&str>) -> u64 {
    let props = crate::schema::options::memory();
    let parsed = value.filter(|value| truthy(value));
    let parsed = parsed.and_then(|value| crate::schema::property::parse_property_string(&props, value, "").ok());
    parsed.and_then(|memory| memory.get("current")?.parse().ok()).unwrap_or(512)
}

/// SHA-1 of a file, as 40 hexadecimal digits.
pub(crate) fn digest(raw: &[u8]) -> String {
    Sha1::digest(raw).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn section(line: &str) -> Option<Place> {
    let inner = line.strip_prefix('[')?.trim_end().strip_suffix(']')?;
    if inner.contains(']') {
        return None;
    }
    let lower = inner.to_lowercase();
    Some(match lower.as_str() {
        "pending" => Place::Pending,
        "special:cloudinit" | "special:fleecing" => Place::Special(inner["special:".len()..].to_owned()),
        _ if crate::schema::formats::config_id(inner).is_ok() => Place::Snapshot(inner.to_owned()),
        _ => Place::Unknown,
    })
}

fn clean(section: &mut Section, used: &mut Vec<String>) -> Result<(), String> {
    for (key, value) in section.iter_mut() {
        if key == "description" || key == "delete" || key == "snapstate" {
            continue;
        }
        *value = check_type(key, Some(value)).map_err(|error| format!("unable to parse value of '{key}' - {error}"))?;
        if drive::is_drive_key(key)
            && let Some(file) = drive::Drive::parse(key, value).and_then(|drive| drive.options.get("file").cloned())
        {
            used.push(file);
        }
    }
    Ok(())
}

/// Checks a value as the parser and the writer of the file do, and returns it in canonical form. The error ends with a line
/// feed.
pub(crate) fn check_type(key: &str, value: Option<&str>) -> Result<String, String> {
    let Some(prop) = options().get(key) else { return Err(format!("unknown setting '{key}'\n")) };
    let Some(value) = value else { return Err("got undefined value\n".to_owned()) };
    if value.contains(['\n', '\r']) {
        return Err("property contains a line feed\n".to_owned());
    }
    let failed = || Err(format!("type check ('{}') failed - got '{value}'\n", prop.kind.name()));
    match prop.kind {
        Kind::Boolean => match parse_boolean(value) {
            Some(flag) => Ok(String::from(if flag { "1" } else { "0" })),
            None => failed(),
        },
        Kind::Integer if !value.is_empty() && value.chars().all(char::is_numeric) => Ok(print_integer(value)),
        Kind::Number if pattern!(r"^\d+(\.\d+)?$").is_match(value) => Ok(value.to_owned()),
        Kind::Integer | Kind::Number | Kind::Array => failed(),
        Kind::String if !matches!(prop.format, Format::None) => {
            check_format(&prop.format, value, "").map(|()| value.to_owned())
        }
        Kind::String => Ok(match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inner) => inner.to_owned(),
            None => value.to_owned(),
        }),
    }
}

fn raw_section(section: &Section, pending: bool, text: &mut String) {
    if let Some(description) = section.get("description") {
        if truthy(description) {
            let lines: Vec<&str> = description.split('\n').collect();
            let kept = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1);
            for line in &lines[..kept] {
                text.push_str(&format!("#{}\n", encode_text(line)));
            }
        } else if pending {
            text.push_str("#\n");
        }
    }
    for (key, value) in section.iter().filter(|(key, _)| *key != "description") {
        text.push_str(&format!("{key}: {value}\n"));
    }
}

/// Bytes of a file: one byte a character where all fit, else UTF-8.
fn encode(text: &str) -> Vec<u8> {
    let single: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    single.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// Percent-encodes what a comment line cannot hold.
fn encode_text(text: &str) -> String {
    let plain = |byte: u8| matches!(byte, 0x20..=0x24 | 0x26..=0x39 | 0x3b..=0x7e);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

/// The reverse of [`encode_text`]; `text` has one character for each byte of the file.
fn decode_text(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    String::from_utf8_lossy(&percent_decode(&bytes)).into_owned()
}

/// Replaces `%XX` by its byte and leaves everything else.
pub(crate) fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%'
            && let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2))
        {
            decoded.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"));
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    decoded
}

/// An option's value as JSON: numbers for integers and booleans, texts for everything else.
pub(crate) fn typed(key: &str, value: &str) -> Json {
    let numeric = options().get(key).is_some_and(|prop| matches!(prop.kind, Kind::Integer | Kind::Boolean));
    if !numeric {
        return Json::from(value);
    }
    match value.parse::<u64>() {
        Ok(number) => Json::from(number),
        Err(_) => value.parse::<f64>().map_or_else(|_| Json::from(value), Json::from),
    }
}

/// A section as a JSON object.
pub(crate) fn section_json(section: &Section) -> Map<String, Json> {
    section.iter().map(|(key, value)| (key.clone(), typed(key, value))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_that_do_not_fit_are_gone_with_the_next_write() {
        let file =
            b"cores: 2\r\nkvm: 2\nsockets : 2\nnope: 1\nscsi0: imgs:1/a.raw,cyls=3\n#a%20b\nonboot: yes\nmemory: 0512\n";
        let mut conf = Conf::parse(file);
        assert_eq!(conf.print().unwrap(), b"#a b\ncores: 2\nmemory: 0512\nonboot: 1\n");
        assert_eq!(conf.digest, digest(file));
    }

    #[test]
    fn sections_are_kept_apart_and_printed_in_their_order() {
        let file = b"cores: 1\n\n[PENDING]\ncores: 2\ndelete: net0\n\n[before]\ncores: 3\nsnaptime: 5\n";
        let mut conf = Conf::parse(file);
        assert_eq!(conf.pending["cores"], "2");
        assert_eq!(conf.snapshots["before"]["cores"], "3");
        assert_eq!(conf.print().unwrap(), file);
    }

    #[test]
    fn the_last_of_two_lines_counts() {
        assert_eq!(Conf::parse(b"cores: 1\ncores: 2\n").main["cores"], "2");
    }

    #[test]
    fn text_outside_of_latin_1_is_kept_as_utf_8() {
        let mut conf = Conf::default();
        conf.main.insert("ciuser".to_owned(), "\u{e9}".to_owned());
        assert_eq!(conf.print().unwrap(), b"ciuser: \xe9\n");
        conf.main.insert("ciuser".to_owned(), "\u{2713}".to_owned());
        assert_eq!(conf.print().unwrap(), "ciuser: \u{2713}\n".as_bytes());
    }

    proptest! {
        #[test]
        fn printing_again_changes_nothing(file in "((cores|name|onboot|memory|description|#|scsi0|\\[PENDING\\]|\\[snap\\]|delete|foo|net0):? ?[ -~]{0,20}\n){0,12}") {
            let mut conf = Conf::parse(file.as_bytes());
            if let Ok(first) = conf.print() {
                let second = Conf::parse(&first).print().expect("what was printed can be read");
                prop_assert_eq!(String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
            }
        }

        #[test]
        fn a_description_comes_back(text in "[^\r\u{85}]{0,40}") {
            let mut conf = Conf::default();
            conf.main.insert("description".to_owned(), text.clone());
            let printed = conf.print().expect("any description can be printed");
            let read = Conf::parse(&printed);
            let back = read.main.get("description").map_or("", String::as_str);
            prop_assert_eq!(back.trim_end(), text.trim_end());
        }
    }
}
