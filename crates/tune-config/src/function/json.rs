//! JSON, with numbers exact in both directions.

use std::sync::Arc;

use crate::value::{Data, Entries, Value};

/// Deeper texts are refused, because reading is recursive.
const MAX_DEPTH: u32 = 64;

/// Returns the value in JSON, written as Terraform writes it: keys sorted, no spaces, safe to stand in HTML.
pub(super) fn encode(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// Returns the value that a JSON text holds, or why it holds none, without quoting from it.
pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value();
    reader.space();
    match value {
        Some(value) if reader.rest.is_empty() => Ok(value),
        _ => Err(format!("the text is not JSON from byte {} on", text.len() - reader.rest.len())),
    }
}

fn write(value: &Value, text: &mut String) {
    let separate = |text: &mut String, at: usize| {
        if at > 0 {
            text.push(',');
        }
    };
    match &value.data {
        Data::Null | Data::Unknown(_) | Data::Poison => text.push_str("null"),
        Data::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Data::Number(number) => text.push_str(&number.to_string()),
        Data::String(content) => quote(content, text),
        Data::List(list) | Data::Set(list) => {
            text.push('[');
            for (at, item) in list.items.iter().enumerate() {
                separate(text, at);
                write(item, text);
            }
            text.push(']');
        }
        Data::Map(map) => {
            text.push('{');
            for (at, (key, value)) in map.entries.iter().enumerate() {
                separate(text, at);
                quote(key, text);
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
    }
}

fn quote(content: &str, text: &mut String) {
    let quoted = serde_json::Value::from(content).to_string();
    for c in quoted.chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
}

/// Reads from the front; every reading answers `None` where the text is not JSON.
struct Reader<'a> {
    rest: &'a str,
    depth: u32,
}

impl Reader<'_> {
    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.rest.as_bytes().first()? {
            b'n' => self.word("null").map(|()| Value::NULL),
            b't' => self.word("true").map(|()| Value::bool(true)),
            b'f' => self.word("false").map(|()| Value::bool(false)),
            b'"' => self.string().map(Value::string),
            b'[' => self.nested(Self::list),
            b'{' => self.nested(Self::object),
            _ => self.number(),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        let value = if self.depth > MAX_DEPTH { None } else { read(self) };
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Option<Value> {
        self.word("[")?;
        let mut items = Vec::new();
        if !self.next_is("]") {
            loop {
                items.push(self.value()?);
                if self.next_is("]") {
                    break;
                }
                self.word(",")?;
            }
        }
        Some(Value::list(items))
    }

    fn object(&mut self) -> Option<Value> {
        self.word("{")?;
        let mut entries = Entries::new();
        if !self.next_is("}") {
            loop {
                self.space();
                let key = self.string()?;
                self.space();
                self.word(":")?;
                entries.insert(key, self.value()?);
                if self.next_is("}") {
                    break;
                }
                self.word(",")?;
            }
        }
        Some(Value::map(entries))
    }

    fn string(&mut self) -> Option<Arc<str>> {
        let mut end = 1;
        let bytes = self.rest.strip_prefix('"')?.as_bytes();
        while bytes.get(end - 1)? != &b'"' {
            end += if bytes[end - 1] == b'\\' { 2 } else { 1 };
        }
        let text: String = serde_json::from_str(self.rest.get(..=end)?).ok()?;
        self.rest = &self.rest[end + 1..];
        Some(text.into())
    }

    fn number(&mut self) -> Option<Value> {
        let length = self
            .rest
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(self.rest.len());
        let digits = &self.rest[..length];
        // What is a number at all is JSON's to say, how large it is ours.
        serde_json::from_str::<serde_json::Number>(digits).ok()?;
        let number = digits.parse().ok()?;
        self.rest = &self.rest[length..];
        Some(Value::number(number))
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn next_is(&mut self, word: &str) -> bool {
        self.space();
        self.word(word).is_some()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}
