//! Takes apart what a script printed. Everything in it comes from a host and is trusted in nothing: a login shell may
//! print banners before it, a file may hold any bytes, a connection may end in the middle.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// What one script answered.
#[derive(Debug, Default)]
pub(crate) struct Answer<'a> {
    /// The records, in order, up to the contents.
    pub(crate) records: Vec<Record<'a>>,
    /// Everything after the record `bytes`, where file contents stand as they are.
    pub(crate) contents: Option<&'a [u8]>,
    /// Whether the script came to its end.
    pub(crate) ended: bool,
}

/// One line of ours, and what followed it.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// The line behind the nonce. Not necessarily UTF-8, because paths may stand in it.
    pub(crate) line: &'a [u8],
    /// The lines up to the next record.
    pub(crate) body: &'a [u8],
}

impl Record<'_> {
    /// Returns the line if it is text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.line).unwrap_or("")
    }

    /// Returns the body as the bytes that were sent in base64; damage gives nothing.
    pub(crate) fn decoded(&self) -> Vec<u8> {
        const LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new());
        let encoded: Vec<u8> = self.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        LENIENT.decode(encoded).unwrap_or_default()
    }

    /// Returns the decoded body as text.
    pub(crate) fn message(&self) -> String {
        String::from_utf8_lossy(&self.decoded()).into_owned()
    }
}

/// Returns the answer in what a host printed, or `None` if the script never began.
pub(crate) fn parse<'a>(stdout: &'a [u8], nonce: &str) -> Option<Answer<'a>> {
    let begin = format!("{nonce} begin\n");
    // The first marker may stand behind a banner that does not end its line.
    let start = find(stdout, begin.as_bytes())?;
    let mut rest = &stdout[start + begin.len()..];
    let mark = format!("{nonce} ");
    let mut answer = Answer::default();
    while let Some(line) = rest.strip_prefix(mark.as_bytes()) {
        let Some(length) = line.iter().position(|&byte| byte == b'\n') else { break };
        let (line, after) = (&line[..length], &line[length + 1..]);
        match line {
            b"end" => {
                answer.ended = true;
                break;
            }
            b"bytes" => {
                let last = format!("\n{nonce} end\n");
                let length = find(after, last.as_bytes());
                answer.ended = length.is_some();
                answer.contents = Some(&after[..length.unwrap_or(after.len())]);
                break;
            }
            _ => {}
        }
        let length = if after.starts_with(mark.as_bytes()) {
            0
        } else {
            find(after, format!("\n{mark}").as_bytes()).map_or(after.len(), |index| index + 1)
        };
        answer.records.push(Record { line, body: &after[..length] });
        rest = &after[length..];
    }
    Some(answer)
}

/// Returns where `needle` begins first.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(offset) = haystack[from..].iter().position(|&byte| byte == first) {
        let index = from + offset;
        if haystack[index..].starts_with(needle) {
            return Some(index);
        }
        from = index + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_banner_without_a_line_break_is_no_part_of_the_answer() {
        let answer =
            parse(b"Welcome!\n> N begin\nN outcome 0 done\nN outcome 1 refused\nbm8=\nN end\nbye", "N").unwrap();
        assert!(answer.ended);
        let records: Vec<_> = answer.records.iter().map(|record| (record.text(), record.message())).collect();
        assert_eq!(records, [("outcome 0 done", String::new()), ("outcome 1 refused", "no".to_owned())]);
    }

    #[test]
    fn what_never_began_and_what_never_ended_differ() {
        assert!(parse(b"bash: sh: command not found\n", "N").is_none());
        let answer = parse(b"N begin\nN outcome 0 done\nN outc", "N").unwrap();
        assert!(!answer.ended);
        assert_eq!(answer.records.len(), 1);
    }

    #[test]
    fn contents_are_taken_as_they_are() {
        let answer = parse(b"N begin\nN bytes\n\0\xff\nN outcome 0 done\n\nN end\n", "N").unwrap();
        assert_eq!(answer.contents, Some(&b"\0\xff\nN outcome 0 done\n"[..]));
        assert!(answer.ended && answer.records.is_empty());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'N'), Just(b'\n'), Just(b' ')], 0..200)) {
            let mut hostile = b"N begin\n".to_vec();
            hostile.extend(bytes);
            if let Some(answer) = parse(&hostile, "N") {
                for record in answer.records {
                    let _ = record.message();
                }
            }
        }
    }
}
