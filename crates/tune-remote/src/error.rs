//! Why a host did not answer or an item could not be read, with stable codes. Texts that come from a host are made
//! visible here, before anybody can show them.

use tune_core::contract::{ConnectionError, Sent};
use tune_core::problem::Code;
use tune_core::reading::Unreadable;
use tune_core::text::{visible, visible_lines};

pub(crate) const ACTIVATION: Code = Code("tune::remote::activation");
pub(crate) const ADDRESS: Code = Code("tune::remote::address");
pub(crate) const BUSY: Code = tune_core::contract::BUSY; // "tune::remote::busy"
pub(crate) const COMMAND: Code = Code("tune::remote::command");
pub(crate) const COMMAND_DEADLINE: Code = Code("tune::remote::command_deadline");
pub(crate) const COMMAND_OUTPUT: Code = Code("tune::remote::command_output");
pub(crate) const CONNECT: Code = Code("tune::remote::connect");
pub(crate) const DIRECTORY: Code = Code("tune::remote::directory");
pub(crate) const DISK_FULL: Code = Code("tune::remote::disk_full");
pub(crate) const DOOR: Code = Code("tune::remote::door");
pub(crate) const GARBLED: Code = Code("tune::remote::garbled");
pub(crate) const HOST_KEY_CHANGED: Code = Code("tune::remote::host_key_changed");
pub(crate) const HOST_KEY_UNKNOWN: Code = Code("tune::remote::host_key_unknown");
pub(crate) const LEDGER: Code = Code("tune::remote::ledger");
pub(crate) const LOST: Code = Code("tune::remote::lost");
pub(crate) const MISSING_TOOL: Code = Code("tune::remote::missing_tool");
pub(crate) const NO_CLIENT: Code = Code("tune::remote::no_client");
pub(crate) const NO_PLACE: Code = Code("tune::remote::no_place");
pub(crate) const NO_SYSTEMD: Code = Code("tune::remote::no_systemd");
pub(crate) const NO_UNIT: Code = Code("tune::remote::no_unit");
pub(crate) const NOT_A_FILE: Code = Code("tune::remote::not_a_file");
pub(crate) const NOT_PERMITTED: Code = Code("tune::remote::not_permitted");
pub(crate) const NOT_TEXT: Code = Code("tune::remote::not_text");
pub(crate) const READ_ONLY: Code = Code("tune::remote::read_only");
pub(crate) const RECORD: Code = Code("tune::remote::record");
pub(crate) const REFUSED: Code = Code("tune::remote::refused");
pub(crate) const RESTORED: Code = Code("tune::remote::restored");
pub(crate) const STALE: Code = Code("tune::remote::stale");
pub(crate) const SUDO_DENIED: Code = Code("tune::remote::sudo_denied");
pub(crate) const SUDO_PASSWORD: Code = Code("tune::remote::sudo_password");
pub(crate) const SYMLINK: Code = Code("tune::remote::symlink");
pub(crate) const TIMEOUT: Code = Code("tune::remote::timeout");
pub(crate) const TOO_LONG: Code = Code("tune::remote::too_long");
pub(crate) const UNIT_FAILED: Code = Code("tune::remote::unit_failed");
pub(crate) const UNIT_NAME: Code = Code("tune::remote::unit_name");
pub(crate) const UNREADABLE: Code = Code("tune::remote::unreadable");
pub(crate) const UNREACHABLE: Code = Code("tune::remote::unreachable");
pub(crate) const UNRESOLVABLE: Code = Code("tune::remote::unresolvable");
pub(crate) const WRITE_ONLY: Code = Code("tune::remote::write_only");
pub(crate) const WRONG_KEY: Code = Code("tune::remote::wrong_key");

/// Returns an error about something that was certainly not sent.
pub(crate) fn not_sent(code: Code, message: impl Into<String>, help: impl Into<String>) -> ConnectionError {
    ConnectionError { code, sent: Sent::No, transient: false, message: message.into(), help: Some(help.into()) }
}

/// Returns the same error, of a kind that may pass by itself.
pub(crate) fn transient(mut error: ConnectionError) -> ConnectionError {
    error.transient = true;
    error
}

/// Returns the error of an item that cannot be read.
pub(crate) fn unreadable(code: Code, message: impl Into<String>, help: impl Into<String>) -> Unreadable {
    Unreadable { code, message: message.into(), help: Some(help.into()) }
}

/// What is known when a command ended without an answer of ours.
#[derive(Debug)]
pub(crate) struct Silence<'a> {
    pub(crate) host: &'a str,
    pub(crate) stdout: &'a [u8],
    pub(crate) stderr: &'a str,
    /// `None` if the connection ended before the command did.
    pub(crate) status: Option<i32>,
    /// Whether the script began to work.
    pub(crate) began: bool,
    /// Whether the script can write anything.
    pub(crate) writes: bool,
}

/// Returns why a command gave no answer, from what is left of it.
pub(crate) fn no_answer(silence: &Silence<'_>) -> ConnectionError {
    let &Silence { host, stdout, stderr, status, began, writes } = silence;
    let said = stderr.to_lowercase();
    let has = |text: &str| said.contains(text);
    let sent =
        |error: ConnectionError| ConnectionError { sent: if writes { Sent::Perhaps } else { Sent::No }, ..error };
    if began || status.is_none() {
        return sent(transient(not_sent(
            LOST,
            format!("the connection to `{host}` was lost before it answered{}", quoted(stderr)),
            "Run the same command again; it looks first at what has become of the host.",
        )));
    }
    if has("sudo: a password is required") || has("sudo: a terminal is required") || has("sudo: no tty present") {
        return not_sent(
            SUDO_PASSWORD,
            format!("sudo on `{host}` wants a password, and tune never types one"),
            "Allow the user to run commands without a password (NOPASSWD in sudoers), or connect as root.",
        );
    }
    if has("not in the sudoers file")
        || has("may not run sudo")
        || has("not allowed to execute")
        || has("sudo: you must have a tty")
    {
        return not_sent(
            SUDO_DENIED,
            format!("sudo on `{host}` does not let the user run commands as root{}", quoted(stderr)),
            "Allow it in sudoers, or connect as root.",
        );
    }
    if status == Some(127) || has("command not found") || has("not found") {
        let tool = if has("sudo") { "sudo" } else { "sh" };
        return not_sent(
            MISSING_TOOL,
            format!("`{host}` has no `{tool}`{}", quoted(stderr)),
            if tool == "sudo" {
                "Install sudo there, or connect as root and remove `become`."
            } else {
                "Give the user a login shell that can run `sh`."
            },
        );
    }
    if has("account is currently not available") || has("nologin") || has("this account") {
        return not_sent(
            WRONG_KEY,
            format!("`{host}` lets the user log in but not run commands{}", quoted(stderr)),
            "Give the user a login shell, or connect as another user.",
        );
    }
    let shown = if stdout.is_empty() { stderr.to_owned() } else { String::from_utf8_lossy(stdout).into_owned() };
    sent(not_sent(
        GARBLED,
        format!("`{host}` answered with something else than tune's script{}", quoted(&shown)),
        "Log in by hand and see what the login shell or a forced command prints and does.",
    ))
}

/// Returns the error of a script that reported why it did nothing. Nothing was written when it says so.
pub(crate) fn script_failed(host: &str, what: &str, detail: &str) -> ConnectionError {
    let (word, argument) = what.split_once(' ').unwrap_or((what, ""));
    let shown = visible(detail.trim(), 300);
    match word {
        "busy" => transient(not_sent(
            BUSY,
            format!(
                "another run holds the lock of `{host}`: {}",
                if shown.is_empty() { "it does not say who" } else { &shown }
            ),
            "Wait until it has ended and run the same command again.",
        )),
        "stale" => not_sent(
            STALE,
            format!(
                "`{host}` has already seen a later run of this state (run {})",
                detail.split(' ').next().unwrap_or("?")
            ),
            "The state is older than the host: use the newest state, or import the newest export.",
        ),
        "missing" => not_sent(
            MISSING_TOOL,
            format!("`{host}` has no `{}`", visible(argument, 40)),
            "Install coreutils or busybox there.",
        ),
        "no_systemd" => not_sent(
            NO_SYSTEMD,
            format!("`{host}` is not run by systemd, so it has no units"),
            "Restart the service by hand, or reboot the host.",
        ),
        "no_image_tool" => not_sent(
            MISSING_TOOL,
            format!("`{host}` has neither `update-initramfs` nor `dracut` to build its boot image with"),
            "Install one of them, or build the image by hand.",
        ),
        "unit" => not_sent(
            NO_UNIT,
            format!("systemd on `{host}` does not answer about the unit{}", quoted(detail)),
            "See whether `systemctl` works there.",
        ),
        "boot_id" => not_sent(
            UNREADABLE,
            format!("`{host}` does not say which boot this is"),
            "See whether /proc is mounted there.",
        ),
        "restored" => not_sent(
            RESTORED,
            format!("`{host}` was not confirmed in time and has put everything of this batch back"),
            "See the file `restore.log` beside the ledger in /var/lib/tune on the host.",
        ),
        "lock" => trouble(host, "cannot take the host's lock", detail),
        _ => trouble(host, "cannot record on the host what was there before", detail),
    }
}

/// Returns the error of a host that could not write its ledger or take its lock.
fn trouble(host: &str, what: &str, detail: &str) -> ConnectionError {
    let shown = visible(detail.trim(), 300);
    let reason = reason(detail);
    match reason.as_str() {
        "no space left on device" | "disk quota exceeded" => not_sent(
            DISK_FULL,
            format!("{what}: the disk of `{host}` is full"),
            "Make room in /var/lib and /run; nothing was changed.",
        ),
        "read-only file system" => not_sent(
            READ_ONLY,
            format!("{what}: a file system of `{host}` is read-only ({shown})"),
            "Make /var/lib and /run writable there; without a record tune changes nothing.",
        ),
        "permission denied" | "operation not permitted" => not_sent(
            NOT_PERMITTED,
            format!("{what}: `{host}` does not permit it ({shown})"),
            "Connect as root, or set `become = \"sudo\"` for this host.",
        ),
        _ => not_sent(RECORD, format!("{what}: {shown}"), "See that /var/lib/tune and /run/tune can be written there."),
    }
}

/// Reasons of the system that mean something to us, as tools print them in the C locale.
const REASONS: &[&str] = &[
    "no space left on device",
    "disk quota exceeded",
    "read-only file system",
    "permission denied",
    "operation not permitted",
    "invalid argument",
    "numerical result out of range",
];

/// Returns the system's own reason in the complaints of one or more tools: one that we know, wherever it stands, or
/// else the last words, `cat: x: No such file` giving `no such file`.
pub(crate) fn reason(complaint: &str) -> String {
    let all = complaint.to_lowercase();
    if let Some(known) = REASONS.iter().find(|reason| all.contains(**reason)) {
        return (*known).to_owned();
    }
    let line = all.trim().lines().next_back().unwrap_or("");
    visible(line.rsplit(": ").next().unwrap_or(line).trim_end_matches('.'), 200)
}

/// Returns `: TEXT` for what a host or ssh said, or nothing.
pub(crate) fn quoted(text: &str) -> String {
    // ssh ends its lines as a terminal in raw mode wants it.
    let shown = visible_lines(&text.trim().replace("\r\n", "\n"), 600).replace('\n', "; ");
    if shown.is_empty() { String::new() } else { format!(": {shown}") }
}
