//! What became of each item of a batch, from the lines that a script printed.

use tune_core::contract::Outcome;
use tune_core::text::visible;

use crate::error::reason;
use crate::protocol::Answer;
use crate::script::form;

/// Returns one outcome per item, in order; what no line speaks of is unknown. `None` when no line speaks of any.
pub(crate) fn outcomes(answer: &Answer<'_>, count: usize) -> Option<Vec<Outcome>> {
    let mut outcomes = vec![Outcome::Unknown; count];
    let mut live: Option<(usize, String)> = None;
    let mut bytes: Option<(usize, Vec<u8>)> = None;
    let mut any = false;
    for record in &answer.records {
        let mut words = record.text().split(' ');
        let (word, index) = (words.next(), words.next().and_then(|word| word.parse::<usize>().ok()));
        let Some(index) = index.filter(|index| *index < count) else { continue };
        match word {
            Some("live") => live = Some((index, record.message())),
            Some("bytes-of") => bytes = Some((index, record.decoded())),
            Some("outcome") => {
                let form = live.take().filter(|(of, _)| *of == index).map(|(_, form)| form);
                let content = bytes.take().filter(|(of, _)| *of == index).map(|(_, content)| content);
                let found = form.as_deref().and_then(|form| form::parse(form, content));
                let message = record.message();
                outcomes[index] = match (words.next(), found) {
                    (Some("done"), _) => Outcome::Done,
                    (Some("not_tried"), _) => Outcome::NotTried,
                    (Some("conflict"), Some(live)) => Outcome::Conflict { live },
                    (Some("refused"), _) => Outcome::Refused { message: sentence(&message) },
                    (Some("broken"), live) => Outcome::Broken { message: sentence(&message), live },
                    _ => continue,
                };
                any = true;
            }
            _ => {}
        }
    }
    any.then_some(outcomes)
}

/// Returns a reason as people read it. Scripts report sentences of their own, the words for what stands in a file's
/// place, or the complaint of a tool.
fn sentence(message: &str) -> String {
    match message {
        "link" => "a symbolic link stands in its place".to_owned(),
        "directory" => "a directory stands in its place".to_owned(),
        "special" => "something that is no regular file stands in its place".to_owned(),
        "unreadable" => "it cannot be read".to_owned(),
        _ if message.starts_with("the system stored ") => visible(message, 300),
        _ if message.contains(": ") => complaint(message),
        _ => visible(message, 300),
    }
}

fn complaint(message: &str) -> String {
    let reason = reason(message);
    match reason.as_str() {
        "no space left on device" | "disk quota exceeded" => "the disk is full".to_owned(),
        "read-only file system" => "the file system is read-only".to_owned(),
        "permission denied" | "operation not permitted" => format!("not permitted ({})", visible(message.trim(), 200)),
        "invalid argument" | "numerical result out of range" => {
            format!("the system refuses the value: {reason}")
        }
        _ => visible(message.trim(), 300),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::parse;
    use tune_core::item::Raw;

    #[test]
    fn a_missing_line_is_unknown() {
        let stdout = b"N begin\nN outcome 0 done\nN live 1\ndGV4dCA5\nN outcome 1 conflict\nN outcome 7 done\n";
        let outcomes = outcomes(&parse(stdout, "N").unwrap(), 3).unwrap();
        assert_eq!(outcomes, [Outcome::Done, Outcome::Conflict { live: Raw::Text("9".into()) }, Outcome::Unknown]);
    }

    #[test]
    fn no_line_at_all_is_no_answer() {
        assert_eq!(outcomes(&parse(b"N begin\n", "N").unwrap(), 2), None);
    }

    #[test]
    fn complaints_become_reasons() {
        assert_eq!(sentence("cat: write error: Invalid argument\n"), "the system refuses the value: invalid argument");
        assert_eq!(sentence("mktemp: failed: No space left on device"), "the disk is full");
        assert_eq!(sentence("sh: 1: cannot create /p: Read-only file system"), "the file system is read-only");
        assert_eq!(sentence("link"), "a symbolic link stands in its place");
        assert_eq!(sentence("the system stored `a: \u{1b}` instead of `b`"), "the system stored `a: ␛` instead of `b`");
    }
}
