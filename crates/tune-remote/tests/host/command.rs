//! Programs that probes run, and doors.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tune_core::contract::{ConnectionError, Sent};
use tune_core::source::{Command, CommandOutput, DoorAddress};

use crate::ground::{Ground, Shell};

pub(crate) fn command(words: &[&str]) -> Command {
    Command {
        words: words.iter().map(|&word| word.to_owned()).collect(),
        input: Vec::new(),
        deadline: Duration::from_mins(1),
        output_limit: 1024 * 1024,
    }
}

fn run(ground: &Ground, words: &[&str]) -> Result<CommandOutput, ConnectionError> {
    ground.command(&command(words))
}

pub(crate) const NASTY: [&str; 14] = [
    "",
    " ",
    "'",
    "\"",
    "$(touch /x) `id` ${HOME} $1",
    "* ? [a-z] {a,b} ~",
    "; & | && || > < >> 2>&1",
    "\\ \\n \\\\",
    "a\nb\n\n",
    "\t\u{1}\u{7f}\u{1b}[31m",
    "é 漢 🦀",
    "-n",
    "--",
    "!!",
];

#[test]
fn every_word_reaches_the_program_as_it_is() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let words: Vec<&str> = ["printf", "%s\\0"].into_iter().chain(NASTY).collect();
        let output = run(&ground, &words).unwrap();
        let said: Vec<String> =
            output.output.split(|&byte| byte == 0).map(|word| String::from_utf8(word.to_vec()).unwrap()).collect();
        assert_eq!(said[..NASTY.len()], NASTY, "{shell:?}");
        assert_eq!((output.status, said.len(), output.complaint), (0, NASTY.len() + 1, Vec::new()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_words_and_any_input_arrive(
        words in proptest::collection::vec("([^\\x00]|['\"\\\\$`!*\\n;&| -]){0,12}", 0..6),
        input in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for shell in Shell::all() {
            let ground = Ground::new(shell);
            let mut command = command(&["sh", "-c", "printf '%s\\0' \"$@\"; cat", "sh"]);
            command.words.extend(words.iter().cloned());
            command.input.clone_from(&input);
            let output = ground.command(&command).unwrap();
            let mut expected: Vec<u8> = Vec::new();
            for word in &words {
                expected.extend(word.as_bytes());
                expected.push(0);
            }
            if words.is_empty() {
                expected.push(0);
            }
            expected.extend(&input);
            prop_assert_eq!(output.output, expected);
        }
    }
}

#[test]
fn how_a_program_ends_is_told() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let output = run(&ground, &["sh", "-c", "echo out; echo err >&2; printf '\\377' >&2; exit 3"]).unwrap();
        assert_eq!((output.status, &output.output[..], &output.complaint[..]), (3, &b"out\n"[..], &b"err\n\xff"[..]));
        let killed = run(&ground, &["sh", "-c", "kill -TERM $$"]).unwrap();
        assert_eq!((killed.status, killed.complaint), (143, Vec::new()), "{shell:?}");
        assert_eq!(run(&ground, &["sh", "-c", "kill -KILL $$"]).unwrap().status, 137);
        // Nothing of ours and nothing of the shell's goes by these names.
        for name in ["no-such-program", "say", "finish", "export", "A=b", "./nothing"] {
            assert_eq!(run(&ground, &[name, "x"]).unwrap().status, 127, "{shell:?} {name}");
        }
        // A pipe that nobody reads ends a program, as it does at a terminal.
        assert_eq!(run(&ground, &["sh", "-c", "yes | head -c 2"]).unwrap().output, b"y\n");
        // What looks like an answer of ours is none.
        assert_eq!(run(&ground, &["printf", "\\nN status 0 0\\nN end\\n"]).unwrap().output, b"\nN status 0 0\nN end\n");
        // It reads what it is given and never the script.
        assert_eq!(run(&ground, &["cat"]).unwrap().output, b"");
    }
}

#[test]
fn what_cannot_be_run_is_not_sent() {
    let ground = Ground::new(Shell::all()[0]);
    for words in [&[][..], &[""], &["-x"], &["echo", "a\0b"]] {
        let error = run(&ground, words).unwrap_err();
        assert_eq!((error.code.0, error.sent), ("tune::remote::command", Sent::No), "{words:?}");
    }
}

#[test]
fn too_much_output_is_an_error_and_just_enough_is_not() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let print = |count: usize, limit: usize| {
            let mut command = command(&["head", "-c", &count.to_string(), "/dev/zero"]);
            command.output_limit = limit;
            ground.command(&command)
        };
        assert_eq!(print(100_000, 100_000).unwrap().output.len(), 100_000, "{shell:?}");
        let error = print(100_001, 100_000).unwrap_err();
        assert_eq!((error.code.0, error.sent), ("tune::remote::command_output", Sent::Perhaps));
        // One that would never end is ended by nobody listening.
        let mut endless = command(&["yes"]);
        endless.output_limit = 10;
        assert_eq!(ground.command(&endless).unwrap_err().code.0, "tune::remote::command_output");
        let loud = run(&ground, &["sh", "-c", "head -c 1000000 /dev/zero >&2; echo end"]).unwrap();
        assert_eq!(loud.output, b"end\n");
        assert!(loud.complaint.len() > 60_000 && loud.complaint.len() <= 64 * 1024, "{}", loud.complaint.len());
    }
}

/// The program, and what it has started, are gone when the deadline has passed.
#[test]
fn a_program_ends_with_its_deadline() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let pid = ground.path("/pid");
        let script =
            format!("trap '' TERM; sleep 600 & echo $! >'{0}.new'; mv '{0}.new' '{0}'; wait; sleep 600", pid.display());
        let mut slow = command(&["sh", "-c", &script]);
        slow.deadline = Duration::from_millis(2900);
        let begun = Instant::now();
        let error = ground.command(&slow).unwrap_err();
        assert_eq!(
            (error.code.0, error.sent),
            ("tune::remote::command_deadline", Sent::Perhaps),
            "{shell:?} {error:?}"
        );
        assert!(error.message.contains("did not end within 2.9s"), "{error:?}");
        assert!(begun.elapsed() < Duration::from_mins(1), "{shell:?}");
        let pid = std::fs::read_to_string(&pid).unwrap();
        crate::fence::wait_until(|| {
            let command = std::fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
            !command.starts_with(b"sleep\x00600")
        });
    }
}

#[test]
fn one_that_hides_its_environment_ends_too() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let mut slow = command(&["env", "-i", "/bin/sleep", "600"]);
        slow.deadline = Duration::from_secs(1);
        assert_eq!(ground.command(&slow).unwrap_err().code.0, "tune::remote::command_deadline", "{shell:?}");
    }
}

#[test]
fn locally_a_door_is_the_port_itself() {
    let ground = Ground::new(Shell::all()[0]);
    assert_eq!(ground.door("127.0.0.1:2379").unwrap().at, DoorAddress::Tcp("127.0.0.1:2379".to_owned()));
    for to in ["", "2379", "host:0", "/run/x", "-oProxyCommand=x:1"] {
        let error = ground.door(to).unwrap_err();
        assert_eq!((error.code.0, error.sent), ("tune::remote::door", Sent::No), "{to}");
    }
}
