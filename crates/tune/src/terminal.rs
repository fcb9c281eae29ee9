//! Everything that touches the terminal: the one decision about colour, the only writes to standard output and standard
//! error, and the questions. It knows nothing of what is said.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anstream::ColorChoice;

/// One of the two streams that are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// How wide text is laid out where nobody watches.
pub(crate) const WIDTH_OF_A_FILE: usize = 100;

/// Decides once whether to colour, for everything that this program prints.
///
/// `-no-color`, `NO_COLOR` and a dumb terminal forbid it, `CLICOLOR_FORCE` asks for it; otherwise each stream is
/// coloured when it is a terminal.
pub(crate) fn decide_colour(no_color: bool) {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let choice = if no_color || is_set("NO_COLOR") || dumb {
        ColorChoice::Never
    } else if is_set("CLICOLOR_FORCE") && std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        ColorChoice::AlwaysAnsi
    } else {
        ColorChoice::Auto
    };
    choice.write_global();
}

/// Writes to standard output. A reader that went away is no error: it has seen enough.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    quietly(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes to standard error. There is nowhere left to report a failure of that to.
pub(crate) fn complain(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Returns how many columns the terminal has.
pub(crate) fn width() -> usize {
    let measured = if is_watched(Stream::Output) { terminal_size::terminal_size() } else { None };
    measured.map_or(WIDTH_OF_A_FILE, |(width, _)| usize::from(width.0).clamp(60, 160))
}

/// Returns whether a person watches a stream, so that lines may be redrawn.
pub(crate) fn is_watched(stream: Stream) -> bool {
    let is_terminal = match stream {
        Stream::Output => io::stdout().is_terminal(),
        Stream::Error => io::stderr().is_terminal(),
    };
    is_terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Returns whether a person can be asked something.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What Ctrl-C types where it is no signal.
const INTERRUPT: u8 = 3;

/// Asks a question and returns the line that was typed, without its end; `None` at the end of input.
pub(crate) fn ask(question: &str) -> io::Result<Option<String>> {
    complain(question);
    let mut line = Vec::new();
    let mut input = io::stdin().lock();
    loop {
        let typed = input.fill_buf()?;
        let end = typed.iter().position(|byte| matches!(*byte, b'\n' | INTERRUPT));
        let taken = end.map_or(typed.len(), |end| end + 1);
        line.extend_from_slice(&typed[..taken]);
        input.consume(taken);
        if end.is_some() || taken == 0 {
            break;
        }
    }
    if line.is_empty() || line.ends_with(&[INTERRUPT]) {
        return Ok(None);
    }
    let line = String::from_utf8(line).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Asks as [`ask`] does, but what is typed is not shown.
pub(crate) fn ask_secretly(question: &str) -> io::Result<Option<String>> {
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

    let stdin = io::stdin();
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    // With signals left on, Ctrl-C would end the program before it can show typing again. So it ends the line instead.
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let answer = ask(question);
    tcsetattr(&stdin, OptionalActions::Now, &shown)?;
    complain("\n");
    answer
}

fn quietly(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
