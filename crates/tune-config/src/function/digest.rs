//! Functions that reduce a text or a file to a short value that stands for it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Call, Failure, Function, Shape, file, row, takes};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    row("base64sha256", &[takes("text", Shape::Text)], Shape::Text, "The SHA-256 digest in Base64.", |call| {
        Ok(base64::<Sha256>(call.text(0).as_bytes()))
    })
    .example(r#"base64sha256("hello")"#),
    row("base64sha512", &[takes("text", Shape::Text)], Shape::Text, "The SHA-512 digest in Base64.", |call| {
        Ok(base64::<Sha512>(call.text(0).as_bytes()))
    })
    .example(r#"base64sha512("hello")"#),
    row(
        "filebase64sha256",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The SHA-256 digest of a file's bytes in Base64.",
        |call| Ok(base64::<Sha256>(&file::bytes(call)?)),
    )
    .example(r#"filebase64sha256("motd.txt")"#),
    row(
        "filebase64sha512",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The SHA-512 digest of a file's bytes in Base64.",
        |call| Ok(base64::<Sha512>(&file::bytes(call)?)),
    )
    .example(r#"filebase64sha512("motd.txt")"#),
    row(
        "filemd5",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The MD5 digest of a file's bytes in hexadecimal.",
        |call| Ok(digits::<Md5>(&file::bytes(call)?)),
    )
    .example(r#"filemd5("motd.txt")"#),
    row(
        "filesha1",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The SHA-1 digest of a file's bytes in hexadecimal.",
        |call| Ok(digits::<Sha1>(&file::bytes(call)?)),
    )
    .example(r#"filesha1("motd.txt")"#),
    row(
        "filesha256",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The SHA-256 digest of a file's bytes in hexadecimal.",
        |call| Ok(digits::<Sha256>(&file::bytes(call)?)),
    )
    .example(r#"filesha256("motd.txt")"#),
    row(
        "filesha512",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The SHA-512 digest of a file's bytes in hexadecimal.",
        |call| Ok(digits::<Sha512>(&file::bytes(call)?)),
    )
    .example(r#"filesha512("motd.txt")"#),
    row(
        "md5",
        &[takes("text", Shape::Text)],
        Shape::Text,
        "The MD5 digest in hexadecimal; good against accidents, not against people.",
        |call| Ok(digits::<Md5>(call.text(0).as_bytes())),
    )
    .example(r#"md5("hello")"#),
    row(
        "sha1",
        &[takes("text", Shape::Text)],
        Shape::Text,
        "The SHA-1 digest in hexadecimal; good against accidents, not against people.",
        |call| Ok(digits::<Sha1>(call.text(0).as_bytes())),
    )
    .example(r#"sha1("hello")"#),
    row("sha256", &[takes("text", Shape::Text)], Shape::Text, "The SHA-256 digest in hexadecimal.", |call| {
        Ok(digits::<Sha256>(call.text(0).as_bytes()))
    })
    .example(r#"sha256("hello")"#),
    row("sha512", &[takes("text", Shape::Text)], Shape::Text, "The SHA-512 digest in hexadecimal.", |call| {
        Ok(digits::<Sha512>(call.text(0).as_bytes()))
    })
    .example(r#"sha512("hello")"#),
    row(
        "uuidv5",
        &[takes("namespace", Shape::Text), takes("name", Shape::Text)],
        Shape::Text,
        "The UUID that belongs to a name, always the same; the namespace is `dns`, `url`, `oid`, `x500` or a UUID.",
        uuid,
    )
    .example(r#"uuidv5("dns", "example.com")"#),
];

/// Returns the bytes in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn digits<D: Digest>(bytes: &[u8]) -> Value {
    Value::string(hexadecimal(&D::digest(bytes)))
}

fn base64<D: Digest>(bytes: &[u8]) -> Value {
    Value::string(STANDARD.encode(D::digest(bytes)))
}

/// A UUID of version 5: the SHA-1 digest of namespace and name, with the version written over it (RFC 9562, 5.5).
fn uuid(call: &mut Call<'_>) -> Result<Value, Failure> {
    /// What the well-known namespaces have in common: they differ in the fourth byte.
    const KNOWN: u128 = 0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8;
    let numbered = |number: u128| KNOWN + (number << 96);
    let namespace = match call.text(0) {
        "dns" => numbered(0),
        "url" => numbered(1),
        "oid" => numbered(2),
        "x500" => numbered(4),
        text => {
            read_uuid(text).ok_or_else(|| Failure::of(0, "a namespace is `dns`, `url`, `oid`, `x500`, or a UUID"))?
        }
    };
    let digest = Sha1::new().chain_update(namespace.to_be_bytes()).chain_update(call.text(1)).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = hexadecimal(&bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(Value::string(parts.join("-")))
}

/// Reads a UUID with or without dashes, in braces, or as a URN.
fn read_uuid(text: &str) -> Option<u128> {
    let lower = text.to_ascii_lowercase();
    let plain = lower.strip_prefix("urn:uuid:").unwrap_or(&lower);
    let plain = plain.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(plain);
    let digits = match plain.len() {
        32 => plain.to_owned(),
        36 => {
            let parts: Vec<&str> = plain.split('-').collect();
            let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
            if lengths != [8, 4, 4, 4, 12] {
                return None;
            }
            parts.concat()
        }
        _ => return None,
    };
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(&digits, 16).ok().filter(|_| is_hexadecimal)
}
