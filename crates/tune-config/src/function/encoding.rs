//! Functions that encode and decode texts.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::{Call, Failure, Function, Shape, csv, json, row, takes, yaml};
use crate::value::Value;

/// As lenient as Terraform's decoder: the bits that a last letter has too many need not be zero.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
/// What each byte from 0x80 to 0x9f means in windows-1252; a zero stands for nothing.
const WINDOWS_1252: [u16; 32] = [
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0,
    0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
];

pub(super) const FUNCTIONS: &[Function] = &[
    row("base64decode", &[takes("text", Shape::Text)], Shape::Text, "The text that is encoded in Base64.", |call| {
        let text = String::from_utf8(bytes_of(call, 0)?);
        text.map(Value::string).map_err(|_| Failure::of(0, "the decoded bytes are not UTF-8 text"))
    })
    .example(r#"base64decode("aGVsbG8=")"#),
    row("base64encode", &[takes("text", Shape::Text)], Shape::Text, "The text encoded in Base64.", |call| {
        Ok(Value::string(STANDARD.encode(call.text(0))))
    })
    .example(r#"base64encode("hello")"#),
    row(
        "csvdecode",
        &[takes("text", Shape::Text)],
        Shape::List,
        "The rows of a table in CSV as objects; the first line names the columns.",
        |call| csv::decode(call.text(0)).map_err(|reason| Failure::of(0, reason)),
    )
    .example(r#"csvdecode("host,swap\npve,10\nnas,0\n")"#),
    row("jsondecode", &[takes("text", Shape::Text)], Shape::Any, "The value that is written in JSON.", |call| {
        json::decode(call.text(0)).map_err(|reason| Failure::of(0, reason))
    })
    .example(r#"jsondecode("{\"a\": [1, true]}")"#),
    row("jsonencode", &[takes("value", Shape::Any).or_null()], Shape::Text, "The value written in JSON.", |call| {
        Ok(Value::string(json::encode(call.value(0))))
    })
    .example("jsonencode({ a = [1, true] })"),
    row(
        "textdecodebase64",
        &[takes("text", Shape::Text), takes("encoding", Shape::Text)],
        Shape::Text,
        "The text that was encoded in the given encoding, and then in Base64.",
        text_decode,
    )
    .example(r#"textdecodebase64("aABpAA==", "UTF-16LE")"#),
    row(
        "textencodebase64",
        &[takes("text", Shape::Text), takes("encoding", Shape::Text)],
        Shape::Text,
        "The text in the given encoding, and that in Base64; PowerShell wants `UTF-16LE`.",
        text_encode,
    )
    .example(r#"textencodebase64("hi", "UTF-16LE")"#),
    row(
        "urlencode",
        &[takes("text", Shape::Text)],
        Shape::Text,
        "The text as it stands in the query of a URL.",
        |call| Ok(Value::string(url(call.text(0)))),
    )
    .example(r#"urlencode("a b&c")"#),
    row("yamldecode", &[takes("text", Shape::Text)], Shape::Any, "The value that is written in YAML.", |call| {
        yaml::decode(call.text(0)).map_err(|reason| Failure::of(0, reason))
    })
    .example(r#"yamldecode("a: 1\nb: [x, true]\n")"#),
    row("yamlencode", &[takes("value", Shape::Any).or_null()], Shape::Text, "The value written in YAML.", |call| {
        Ok(Value::string(yaml::encode(call.value(0))))
    })
    .example(r#"yamlencode({ a = 1, b = ["x"] })"#),
];

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    /// With a mark that says in which order the bytes are; without one, the large end comes first.
    Utf16,
    Utf16Le,
    Utf16Be,
    Ascii,
    Latin1,
    Windows1252,
}

/// Returns the bytes that an argument holds in Base64. Line breaks in it count for nothing.
fn bytes_of(call: &Call<'_>, position: usize) -> Result<Vec<u8>, Failure> {
    let text = call.text(position).replace(['\r', '\n'], "");
    LENIENT.decode(text).map_err(|_| Failure::of(position, "the text is not Base64"))
}

fn encoding_of(call: &Call<'_>) -> Result<Encoding, Failure> {
    Ok(match call.text(1).to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Encoding::Utf8,
        "utf-16" | "utf16" => Encoding::Utf16,
        "utf-16le" => Encoding::Utf16Le,
        "utf-16be" => Encoding::Utf16Be,
        "us-ascii" | "ascii" => Encoding::Ascii,
        "iso-8859-1" | "iso_8859-1" | "latin1" => Encoding::Latin1,
        "windows-1252" | "cp1252" => Encoding::Windows1252,
        _ => {
            let reason = "the known encodings are `UTF-8`, `UTF-16`, `UTF-16LE`, `UTF-16BE`, `US-ASCII`, `ISO-8859-1` and \
                          `windows-1252`";
            return Err(Failure::of(1, reason));
        }
    })
}

fn text_encode(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.text(0);
    let words = |bytes_of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes_of).collect::<Vec<u8>>();
    let single = |byte: fn(char) -> Option<u8>| text.chars().map(byte).collect::<Option<Vec<u8>>>();
    let bytes = match encoding_of(call)? {
        Encoding::Utf8 => Some(text.as_bytes().to_vec()),
        Encoding::Utf16 => Some([&[0xfe, 0xff], words(u16::to_be_bytes).as_slice()].concat()),
        Encoding::Utf16Le => Some(words(u16::to_le_bytes)),
        Encoding::Utf16Be => Some(words(u16::to_be_bytes)),
        Encoding::Ascii => single(|c| u8::try_from(c).ok().filter(u8::is_ascii)),
        Encoding::Latin1 => single(|c| u8::try_from(c).ok()),
        Encoding::Windows1252 => single(|c| match u8::try_from(c) {
            Ok(byte) if !(0x80..0xa0).contains(&byte) => Some(byte),
            _ => {
                let position = WINDOWS_1252.iter().position(|code| *code != 0 && u32::from(*code) == u32::from(c));
                position.and_then(|position| u8::try_from(position + 0x80).ok())
            }
        }),
    };
    let bytes = bytes.ok_or_else(|| Failure::of(0, "the text holds a character that the encoding does not have"))?;
    Ok(Value::string(STANDARD.encode(bytes)))
}

fn text_decode(call: &mut Call<'_>) -> Result<Value, Failure> {
    let bytes = bytes_of(call, 0)?;
    let words = |bytes: &[u8], word: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let text = char::decode_utf16(pairs.iter().map(|pair| word(*pair))).collect::<Result<String, _>>().ok();
        text.filter(|_| rest.is_empty())
    };
    let text = match encoding_of(call)? {
        Encoding::Utf8 => String::from_utf8(bytes).ok(),
        Encoding::Utf16 => match bytes.as_slice() {
            [0xff, 0xfe, rest @ ..] => words(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] | rest => words(rest, u16::from_be_bytes),
        },
        Encoding::Utf16Le => words(&bytes, u16::from_le_bytes),
        Encoding::Utf16Be => words(&bytes, u16::from_be_bytes),
        Encoding::Ascii => Some(bytes).filter(|bytes| bytes.is_ascii()).and_then(|bytes| String::from_utf8(bytes).ok()),
        Encoding::Latin1 => Some(bytes.into_iter().map(char::from).collect()),
        Encoding::Windows1252 => bytes
            .into_iter()
            .map(|byte| match byte {
                0x80..0xa0 => {
                    let code = WINDOWS_1252[usize::from(byte - 0x80)];
                    char::from_u32(u32::from(code)).filter(|_| code != 0)
                }
                byte => Some(char::from(byte)),
            })
            .collect(),
    };
    text.map(Value::string).ok_or_else(|| Failure::of(0, "the decoded bytes are no text in this encoding"))
}

fn url(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            byte => {
                encoded.push('%');
                encoded.push_str(&super::hexadecimal(&[byte]).to_uppercase());
            }
        }
    }
    encoded
}
