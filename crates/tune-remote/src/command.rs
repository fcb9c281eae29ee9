//! Running one program on a host, for a probe: its words as they are, its output to the byte, its time kept on the host.

use std::time::Duration;

use tune_core::contract::{ConnectionError, Sent};
use tune_core::source::{Command, CommandOutput};
use tune_core::text::visible;

use crate::connection::{GRACE, HostConnection, nonce};
use crate::connector::name;
use crate::error::{COMMAND, COMMAND_DEADLINE, COMMAND_OUTPUT, not_sent};
use crate::protocol::find;
use crate::script::act;
use crate::transport::LIMIT;

/// What an answer holds besides a program's output.
const FRAME: usize = 64 * 1024;

impl HostConnection {
    /// Runs a program and returns what it printed and how it ended.
    pub(crate) async fn run(&self, command: &Command) -> Result<CommandOutput, ConnectionError> {
        let host = name(&self.host);
        let program = command.words.first().map_or("", String::as_str);
        if program.is_empty() || program.starts_with('-') || command.words.iter().any(|word| word.contains('\0')) {
            let message = format!("`{}` cannot be run as a program on `{host}`", visible(&command.words.join(" "), 80));
            return Err(not_sent(COMMAND, message, "Write a program and its arguments as a list of words."));
        }
        let limit = command.output_limit.min(LIMIT - FRAME);
        let nonce = nonce()?;
        let script = act::command(&self.shared.ground, &nonce, command, limit + 1);
        // It may do anything, so it is never ended from here; the host ends it.
        let output = self.exec(&*self.transport, &script, command.deadline + GRACE, true).await?;
        let answer = self.answer(&output, &nonce, true)?;
        let (Some(contents), true) = (answer.contents, answer.ended) else {
            return Err(self.silence(&output, true, true));
        };
        let mark = format!("\n{nonce} status ");
        let end = contents.windows(mark.len()).rposition(|bytes| bytes == mark.as_bytes());
        let Some((printed, words)) = end.map(|end| (&contents[..end], &contents[end + mark.len()..])) else {
            return Err(self.silence(&output, true, true));
        };
        let words = String::from_utf8_lossy(words);
        let (status, expired) = words.split_once(' ').unwrap_or((&words, "0"));
        let failed = |code, message: String, help: &str| {
            Err(ConnectionError { sent: Sent::Perhaps, ..not_sent(code, message, help) })
        };
        if expired == "1" {
            let message =
                format!("`{}` on `{host}` did not end within {}", visible(program, 80), time(command.deadline));
            return failed(COMMAND_DEADLINE, message, "Give it more time, or let it do less.");
        }
        if printed.len() > limit {
            let message = format!("`{}` on `{host}` printed more than {limit} bytes", visible(program, 80));
            return failed(COMMAND_OUTPUT, message, "Let it print less.");
        }
        let Ok(status) = status.parse() else { return Err(self.silence(&output, true, true)) };
        Ok(CommandOutput { status, output: printed.to_vec(), complaint: complaint(&output.stderr, &nonce).to_vec() })
    }
}

/// Returns what the program complained: what a login shell said before is not its own.
fn complaint<'a>(stderr: &'a [u8], nonce: &str) -> &'a [u8] {
    let begin = format!("{nonce} begin\n");
    find(stderr, begin.as_bytes()).map_or(&[], |at| &stderr[at + begin.len()..])
}

fn time(deadline: Duration) -> String {
    if deadline.subsec_millis() == 0 { format!("{} s", deadline.as_secs()) } else { format!("{deadline:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_shell_says_is_not_the_programs() {
        assert_eq!(complaint(b"stty: no terminal\nN begin\nno such thing\n", "N"), b"no such thing\n");
        assert_eq!(complaint(b"stty: no terminal\n", "N"), b"");
    }
}
