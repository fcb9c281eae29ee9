//! CSV as RFC 4180 has it: fields in quotes may hold commas, line breaks and doubled quotes; nothing else is forgiven.

use std::sync::Arc;

use super::MAX_ITEMS;
use crate::value::{Entries, Value};

/// Returns a list of objects, one for each row below the first, or why the text is no such table.
pub(super) fn decode(text: &str) -> Result<Value, String> {
    // Line breaks are the same everywhere, also within quotes.
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader { rest: text.strip_suffix('\r').unwrap_or(&text), line: 1 };
    let header = reader.record()?.ok_or("there is no first line that names the columns")?;
    let columns: Vec<Arc<str>> = header.into_iter().map(Arc::from).collect();
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].contains(column) {
            return Err(format!("column {} has the same name as one before it", at + 1));
        }
    }
    let mut rows = Vec::new();
    loop {
        let line = reader.line;
        let Some(fields) = reader.record()? else { break };
        if fields.len() != columns.len() {
            return Err(format!("the row at line {line} has {} fields and not {}", fields.len(), columns.len()));
        }
        if rows.len().saturating_mul(columns.len()) > MAX_ITEMS {
            return Err("the table is too large".to_owned());
        }
        let entries: Entries = columns.iter().cloned().zip(fields.into_iter().map(Value::string)).collect();
        rows.push(Value::map(entries));
    }
    Ok(Value::list(rows))
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    /// Reads the next row; empty lines are none.
    fn record(&mut self) -> Result<Option<Vec<String>>, String> {
        while let Some(rest) = self.rest.strip_prefix('\n') {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            let field = if self.rest.starts_with('"') { self.quoted()? } else { self.plain()? };
            fields.push(field);
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
        self.line += 1;
        Ok(Some(fields))
    }

    fn plain(&mut self) -> Result<String, String> {
        let length = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(length);
        if field.contains('"') {
            return Err(format!("line {}: a quote in a field that does not start with one", self.line));
        }
        self.rest = rest;
        Ok(field.to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let start = self.line;
        let mut field = String::new();
        let mut rest = &self.rest[1..];
        loop {
            let (part, after) =
                rest.split_once('"').ok_or_else(|| format!("line {start}: a quote that is never closed"))?;
            field.push_str(part);
            self.line += part.matches('\n').count();
            match after.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    rest = more;
                }
                None if after.is_empty() || after.starts_with([',', '\n']) => {
                    self.rest = after;
                    return Ok(field);
                }
                None => return Err(format!("line {}: text behind the end of a quoted field", self.line)),
            }
        }
    }
}
