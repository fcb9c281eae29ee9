//! The texts that say what a module is loaded with: one file of modprobe.d, the kernel's command line, and the joined
//! options themselves, each read as the program reads it that is responsible. Which files count, and in which order, is
//! [`crate::load`]'s business.

/// An `options` line, or a word of the kernel's command line that is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it begins, counted from 1.
    pub(crate) number: usize,
    /// The module, with underscores.
    pub(crate) module: String,
    /// Everything behind it, as the kernel gets it.
    pub(crate) options: String,
}

/// One parameter as the kernel takes it out of joined options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument {
    /// Where it begins in the text, in characters.
    pub(crate) start: usize,
    pub(crate) parameter: String,
    /// Without quotes; `None` where no `=` follows.
    pub(crate) value: Option<String>,
}

/// Returns the `options` lines of a file of modprobe.d, as kmod reads them. What it would skip is left out.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    logical(text).into_iter().filter_map(|(number, line)| parsed(&line, number)).collect()
}

fn parsed(line: &str, number: usize) -> Option<Line> {
    // A comment is one only from the first character on; a `#` behind a blank is no command that kmod knows.
    let line = line.split('\0').next().unwrap_or_default();
    if line.starts_with('#') {
        return None;
    }
    let (command, rest) = word(line)?;
    let (module, options) = word(rest).filter(|_| command == "options")?;
    if options.is_empty() {
        return None;
    }
    Some(Line { number, module: underscores(module)?, options: options.to_owned() })
}

/// Takes the first word off, and the one blank behind it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    if text.is_empty() {
        return None;
    }
    Some(text.split_once([' ', '\t']).unwrap_or((text, "")))
}

/// Lines after continuation: a backslash in front of a line break joins two lines, any other one is dropped.
fn logical(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let (mut number, mut first, mut line) = (1, 1, String::new());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let c = match c {
            '\\' => match rest.next() {
                Some('\n') => {
                    number += 1;
                    continue;
                }
                Some(next) => next,
                None => break,
            },
            '\n' => {
                number += 1;
                lines.push((first, std::mem::take(&mut line)));
                first = number;
                continue;
            }
            c => c,
        };
        line.push(c);
    }
    if !line.is_empty() {
        lines.push((first, line));
    }
    lines
}

/// A module's name as kmod compares it, or nothing where kmod refuses it: what is in brackets keeps its hyphens.
fn underscores(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    let mut in_brackets = false;
    for c in name.chars() {
        match c {
            '[' if !in_brackets => in_brackets = true,
            ']' if in_brackets => in_brackets = false,
            ']' => return None,
            _ => {}
        }
        plain.push(if c == '-' && !in_brackets { '_' } else { c });
    }
    (!in_brackets).then_some(plain)
}

/// Where kmod stands while it reads the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ignore,
    Module,
    Parameter,
    Value,
}

/// Returns the words of the kernel's command line that are options of modules, `zfs.zfs_txg_timeout=5`. They have no line
/// of their own, so their number is 1.
pub(crate) fn command_line(text: &str) -> Vec<Line> {
    let characters: Vec<char> = text.split('\0').next().unwrap_or_default().chars().chain([' ']).collect();
    let mut lines = Vec::new();
    let (mut start, mut dot, mut equals) = (0, 0, None);
    let (mut state, mut in_quotes, mut quoted_whole) = (State::Module, false, false);
    for (at, &c) in characters.iter().enumerate() {
        match c {
            '"' => {
                in_quotes = !in_quotes;
                if in_quotes && state == State::Module && at == start {
                    quoted_whole = true;
                    start = at + 1;
                } else if state != State::Value {
                    state = State::Ignore;
                }
            }
            '.' if state == State::Module => (state, dot) = (State::Parameter, at),
            '.' if state == State::Parameter => state = State::Ignore,
            '=' if state == State::Parameter => (state, equals) = (State::Value, Some(at)),
            '=' if state == State::Module => state = State::Ignore,
            ' ' | '\n' | '\t' | '\x0b' | '\x0c' | '\r' => {
                let is_last = at + 1 == characters.len();
                match state {
                    State::Value if in_quotes && !is_last => continue,
                    _ if in_quotes && !is_last => {
                        state = State::Ignore;
                        continue;
                    }
                    State::Value | State::Parameter if !in_quotes => {
                        lines.extend(option(&characters, start, dot, equals, at, quoted_whole));
                    }
                    _ => {}
                }
                (start, equals, state, quoted_whole) = (at + 1, None, State::Module, false);
            }
            _ => {}
        }
    }
    lines
}

fn option(
    characters: &[char],
    start: usize,
    dot: usize,
    equals: Option<usize>,
    end: usize,
    quoted_whole: bool,
) -> Option<Line> {
    let text = |from: usize, to: usize| characters.get(from..to).unwrap_or_default().iter().collect::<String>();
    let module = underscores(&text(start, dot))?;
    let options = match equals {
        // `"module.parameter=a b"` is `module.parameter="a b"` to the kernel.
        Some(equals) if quoted_whole => format!("{}=\"{}", text(dot + 1, equals), text(equals + 1, end)),
        _ => text(dot + 1, end),
    };
    (module != "modprobe").then_some(Line { number: 1, module, options })
}

/// Returns the parameters in joined options, as the kernel splits them. What follows `--` does not reach the module.
pub(crate) fn arguments(options: &str) -> Vec<Argument> {
    let characters: Vec<char> = options.chars().collect();
    let mut arguments = Vec::new();
    let mut at = 0;
    loop {
        while characters.get(at).is_some_and(|c| is_space(*c)) {
            at += 1;
        }
        let Some(&first) = characters.get(at) else { return arguments };
        let begin = at;
        let quoted = first == '"';
        at += usize::from(quoted);
        let from = at;
        let (mut in_quotes, mut equals) = (quoted, None);
        while let Some(&c) = characters.get(at).filter(|c| in_quotes || !is_space(**c)) {
            if c == '=' && equals.is_none() && at > from {
                equals = Some(at);
            }
            in_quotes ^= c == '"';
            at += 1;
        }
        let text = |from: usize, to: usize| characters.get(from..to).unwrap_or_default().iter().collect::<String>();
        let mut end = at;
        let unquoted = |end: usize| if end > from && characters[end - 1] == '"' { end - 1 } else { end };
        let (name_end, value_start) = match equals {
            Some(equals) if characters.get(equals + 1).is_some_and(|c| *c == '"') => {
                end = unquoted(end);
                (equals, Some(equals + 2))
            }
            Some(equals) => (equals, Some(equals + 1)),
            None => (end, None),
        };
        if quoted && end == at {
            end = unquoted(end);
        }
        let parameter = text(from, name_end.min(end));
        let value = value_start.map(|start| text(start.min(end), end));
        if value.is_none() && parameter == "--" {
            return arguments;
        }
        arguments.push(Argument { start: begin, parameter, value });
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' | '\u{a0}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read_as_kmod_does() {
        let text = "# options zfs a=1\noptions zfs b=1 c=2\n # options zfs d=1\n\toptions\tnvme-core  e=1\n\
                    options zfs \\\n  f=1 \\\n g=2\nalias x zfs\noptions zfs\noptions zfs \noptions z[-]s-x h=1\n\
                    options z]s i=1\nopt\\ions zfs j=\\1\nOPTIONS zfs k=1\noptions zfs l=1\r\noptions zfs m=1\\";
        let shown: Vec<String> =
            lines(text).iter().map(|line| format!("{} {} {:?}", line.number, line.module, line.options)).collect();
        assert_eq!(
            shown,
            [
                r#"2 zfs "b=1 c=2""#,
                r#"4 nvme_core " e=1""#,
                r#"5 zfs "  f=1  g=2""#,
                r#"11 z[-]s_x "h=1""#,
                r#"13 zfs "j=1""#,
                r#"15 zfs "l=1\r""#,
                r#"16 zfs "m=1""#,
            ]
        );
    }

    fn on_command_line(text: &str) -> Vec<String> {
        command_line(text).iter().map(|line| format!("{} {}", line.module, line.options)).collect()
    }

    #[test]
    fn the_command_line_is_read_as_kmod_does() {
        for (text, expect) in [
            ("BOOT_IMAGE=/vmlinuz root=ZFS=rpool/ROOT quiet zfs.zfs_txg_timeout=3\n", &["zfs zfs_txg_timeout=3"][..]),
            ("nvme-core.io_timeout=5\tzfs.a=1", &["nvme_core io_timeout=5", "zfs a=1"]),
            ("zfs.flag zfs.a.b=1 a=zfs.c", &["zfs flag"]),
            ("zfs.a=\"x y\" zfs.b=1", &["zfs a=\"x y\"", "zfs b=1"]),
            ("\"zfs.a=x y\" zfs.b=1", &["zfs a=\"x y\"", "zfs b=1"]),
            ("x\"zfs.a=1\" zfs.b=1", &["zfs b=1"]),
            ("modprobe.blacklist=zfs", &[]),
            ("zfs.a=\"open", &[]),
            ("", &[]),
        ] {
            assert_eq!(on_command_line(text), expect, "{text}");
        }
    }

    fn arguments_of(text: &str) -> Vec<String> {
        let shown = |it: &Argument| match &it.value {
            Some(value) => format!("{}:{}={value}", it.start, it.parameter),
            None => format!("{}:{}", it.start, it.parameter),
        };
        arguments(text).iter().map(shown).collect()
    }

    #[test]
    fn options_are_split_as_the_kernel_does() {
        for (text, expect) in [
            ("a=1  b c=", &["0:a=1", "5:b", "7:c="][..]),
            ("a=\"x y\" \"b=x y\" c=\"x\"y", &["0:a=x y", "8:b=x y", "16:c=x\"y"]),
            ("a=1 -- b=2", &["0:a=1"]),
            ("=a \"", &["0:=a", "3:"]),
            ("a=\"open b=1", &["0:a=open b=1"]),
            ("\r\n", &[]),
        ] {
            assert_eq!(arguments_of(text), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "[-a=#.\\\\\"\\n\\r\\x00 \\[\\]]{0,40}|\\PC{0,40}", line in "[a.=\" ]{0,24}") {
            let n_lines = text.split('\n').count();
            let options = format!("options zfs {text}");
            prop_assert!(lines(&options).iter().all(|line| line.number <= n_lines && !line.module.is_empty()));
            let _ = (lines(&text), command_line(&text), command_line(&line), arguments(&text), arguments(&line));
        }
    }
}
