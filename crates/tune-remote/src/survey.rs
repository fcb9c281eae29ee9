//! What a survey saw: every path with its type, rights, link, mode and content. It says what is there and judges nothing.

use std::collections::BTreeMap;

use tune_core::text::visible;

use crate::protocol::{Answer, find};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    File,
    Directory,
    /// A device, a socket, a pipe.
    Special,
    Absent,
    /// Behind a directory that the user may not enter.
    Hidden,
}

/// One path as it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) kind: Type,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Where it points, if it is a symbolic link; everything else is about what it points to.
    pub(crate) link: Option<String>,
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<(u32, u32)>,
    /// The content of a readable file; an error is what the system said instead.
    pub(crate) content: Option<Result<Vec<u8>, String>>,
}

/// All paths of one survey.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) paths: BTreeMap<String, Seen>,
    /// For each mark the paths that followed it.
    pub(crate) marks: BTreeMap<String, Vec<String>>,
    /// For each glob of which only times were asked, what there is and when it was last changed.
    pub(crate) times: BTreeMap<String, Vec<(String, i64)>>,
}

impl Survey {
    /// Returns the content of a file that could be read.
    pub(crate) fn content(&self, path: &str) -> Option<&[u8]> {
        self.paths.get(path)?.content.as_ref()?.as_deref().ok()
    }
}

/// Returns the survey in an answer, or `None` when it is not whole. Paths lose `root` in front.
pub(crate) fn parse(answer: &Answer<'_>, stderr: &str, root: &str, nonce: &str) -> Option<Survey> {
    let mut survey = Survey::default();
    let mut readable = Vec::new();
    let mut link = None;
    let mut mark: Option<String> = None;
    let local = |path: &[u8]| {
        let path = String::from_utf8_lossy(path);
        path.strip_prefix(root).unwrap_or(&path).to_owned()
    };
    for record in &answer.records {
        let (word, rest) = split(record.line);
        match word {
            b"mark" => mark = Some(String::from_utf8_lossy(rest).into_owned()),
            b"link" => {
                let target = record.body.strip_suffix(b"\n").unwrap_or(record.body);
                link = Some(String::from_utf8_lossy(target).into_owned());
            }
            b"path" => {
                let (kind, rest) = split(rest);
                let (access, path) = split(rest);
                let seen = Seen {
                    kind: match kind {
                        b"file" => Type::File,
                        b"directory" => Type::Directory,
                        b"special" => Type::Special,
                        b"absent" => Type::Absent,
                        b"hidden" => Type::Hidden,
                        _ => return None,
                    },
                    readable: access.contains(&b'r'),
                    writable: access.contains(&b'w'),
                    link: link.take(),
                    mode: None,
                    owner: None,
                    content: None,
                };
                let path = local(path);
                if seen.kind == Type::File && seen.readable {
                    readable.push(path.clone());
                }
                if let Some(mark) = &mark {
                    survey.marks.entry(mark.clone()).or_default().push(path.clone());
                }
                survey.paths.insert(path, seen);
            }
            b"stat" => {
                for line in record.body.split(|&byte| byte == b'\n') {
                    read_stat(&mut survey, line, local);
                }
            }
            b"times" => {
                let lines = record.body.split(|&byte| byte == b'\n');
                let times = lines.filter_map(|line| {
                    let (time, path) = split(line);
                    Some((local(path), std::str::from_utf8(time).ok()?.parse().ok()?))
                });
                survey.times.insert(String::from_utf8_lossy(rest).into_owned(), times.collect());
            }
            _ => return None,
        }
    }
    read_contents(&mut survey, answer.contents?, &readable, stderr, root, nonce)?;
    Some(survey)
}

/// `MODE UID GID PATH`, as stat printed it.
fn read_stat(survey: &mut Survey, line: &[u8], local: impl Fn(&[u8]) -> String) -> Option<()> {
    let (mode, rest) = split(line);
    let (uid, rest) = split(rest);
    let (gid, path) = split(rest);
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let seen = survey.paths.get_mut(&local(path))?;
    seen.mode = u32::from_str_radix(text(mode)?, 8).ok();
    seen.owner = Some((text(uid)?.parse().ok()?, text(gid)?.parse().ok()?));
    Some(())
}

/// The contents in order, each followed by the separator. What the separator is, cat's environment with the nonce, is
/// learned from the beginning, where it stands twice.
fn read_contents(
    survey: &mut Survey,
    contents: &[u8],
    readable: &[String],
    stderr: &str,
    root: &str,
    nonce: &str,
) -> Option<()> {
    let first = find(contents, nonce.as_bytes())?;
    let length = find(&contents[first + nonce.len()..], nonce.as_bytes())? + nonce.len();
    let (separator, rest) = contents.split_at_checked(length)?;
    let mut rest = rest.strip_prefix(separator)?;
    for path in readable {
        let length = find(rest, separator)?;
        let content = &rest[..length];
        let seen = survey.paths.get_mut(path)?;
        seen.content = Some(match complaint(stderr, &format!("{root}{path}")) {
            Some(reason) if content.is_empty() => Err(reason),
            _ => Ok(content.to_vec()),
        });
        rest = &rest[length + separator.len()..];
    }
    rest.is_empty().then_some(())
}

/// What cat said about a path. A complaint that names no path may be about any file that is empty.
fn complaint(stderr: &str, path: &str) -> Option<String> {
    let line = stderr.lines().find(|line| line.starts_with("cat: ") && (line.contains(path) || !line.contains('/')))?;
    Some(visible(line.rsplit(": ").next().unwrap_or(line), 200).to_lowercase())
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(index) => (&line[..index], &line[index + 1..]),
        None => (line, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol;
    use proptest::prelude::*;

    fn survey(stdout: &[u8], stderr: &str) -> Option<Survey> {
        parse(&protocol::parse(stdout, "N")?, stderr, "/root", "N")
    }

    #[test]
    fn contents_are_told_apart_by_what_no_content_can_hold() {
        let stdout = b"N begin\nN mark glob\nN link /root/a\n../b\nN path file rw /root/a\nN path file r /root/b\n\
            N path absent w /root/c\nN stat\n644 0 1 /root/a\n600 2 3 /root/b\nN bytes\n\
            E=N\0P=x\0E=N\0P=x\0one\nE=N\0P=x\0\0E=\nE=N\0P=x\0\nN end\n";
        let survey = survey(stdout, "").unwrap();
        assert_eq!(survey.content("/a"), Some(&b"one\n"[..]));
        assert_eq!(survey.content("/b"), Some(&b"\0E=\n"[..]));
        assert_eq!(survey.paths["/a"].link.as_deref(), Some("../b"));
        assert_eq!((survey.paths["/b"].mode, survey.paths["/b"].owner), (Some(0o600), Some((2, 3))));
        assert_eq!(survey.paths["/c"].kind, Type::Absent);
        assert_eq!(survey.marks["glob"], ["/a", "/b", "/c"]);
    }

    #[test]
    fn times_come_with_the_glob_that_asked_for_them() {
        let stdout = b"N begin\nN times /b/*\n1700000000 /root/b/initrd.img-6 1\n-1 /root/b/old\nodd\nN times /c/*\n\
            N stat\nN bytes\nN\0N\0\nN end\n";
        let survey = survey(stdout, "").unwrap();
        let time = |path: &str, time| (path.to_owned(), time);
        assert_eq!(survey.times["/b/*"], [time("/b/initrd.img-6 1", 1_700_000_000), time("/b/old", -1)]);
        assert!(survey.times["/c/*"].is_empty() && survey.paths.is_empty());
    }

    #[test]
    fn a_complaint_belongs_to_its_file() {
        let stdout = b"N begin\nN path file r /root/a\nN path file r /root/b\nN stat\nN bytes\nN\0N\0N\0N\0\nN end\n";
        let survey = survey(stdout, "cat: /root/a: Input/output error\n").unwrap();
        assert_eq!(survey.paths["/a"].content, Some(Err("input/output error".to_owned())));
        assert_eq!(survey.paths["/b"].content, Some(Ok(Vec::new())));
    }

    #[test]
    fn an_answer_that_is_not_whole_is_none() {
        for stdout in
            ["N begin\nN bytes\nN\0\nN end\n", "N begin\nN path odd r /a\nN bytes\nN\0N\0\nN end\n", "N begin\n"]
        {
            assert!(survey(stdout.as_bytes(), "").is_none(), "{stdout:?}");
        }
    }

    proptest! {
        #[test]
        fn no_host_makes_it_panic(
            words in proptest::collection::vec(
                prop_oneof![
                    Just("N "), Just("\n"), Just("path file r /a"), Just("stat"), Just("bytes"), Just("N\0"), Just("end"),
                    Just("644 0 0 /a"), Just("times /b/*\n1 /b/c"), Just("link"), Just("mark"), Just(" "), Just("\u{fffd}"), Just("N begin\n"),
                ],
                0..40,
            ),
        ) {
            let _ = survey(format!("N begin\n{}", words.concat()).as_bytes(), "cat: x");
        }
    }
}
