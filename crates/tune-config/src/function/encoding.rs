//! Functions that encode, decode, digest and read.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::{Call, Failure, Function, Shape, json, row, takes};
use crate::code;
use crate::source::confined;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    row("base64decode", &[takes("text", Shape::Text)], Shape::Text, "The text that is encoded in Base64.", |call| {
        let bytes = STANDARD.decode(call.text(0)).map_err(|_| Failure::of(0, "the text is not Base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| Failure::of(0, "the decoded bytes are not UTF-8 text"))?;
        Ok(Value::string(text))
    }),
    row("base64encode", &[takes("text", Shape::Text)], Shape::Text, "The text encoded in Base64.", |call| {
        Ok(Value::string(STANDARD.encode(call.text(0))))
    }),
    row("file", &[takes("path", Shape::Text)], Shape::Text, "The text of a file in the configuration's folder.", file),
    row("jsondecode", &[takes("text", Shape::Text)], Shape::Any, "The value that is written in JSON.", |call| {
        json::decode(call.text(0)).map_err(|reason| Failure::of(0, reason))
    }),
    row("jsonencode", &[takes("value", Shape::Any).or_null()], Shape::Text, "The value written in JSON.", |call| {
        Ok(Value::string(json::encode(call.value(0))))
    }),
    row("sha256", &[takes("text", Shape::Text)], Shape::Text, "The SHA-256 digest in hexadecimal.", |call| {
        Ok(Value::string(hexadecimal(&Sha256::digest(call.text(0)))))
    }),
];

/// Returns the bytes in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn file(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = confined(call.text(0)).and_then(|path| call.files.read(&path));
    text.map(Value::string).map_err(|error| Failure { argument: Some(0), code: code::FILE, reason: error.to_string() })
}
