//! Reads what ssh says when it cannot connect. ssh gives only prose and one exit code, so its prose is searched for the
//! sentences that every release has had; whatever is not recognised is shown as it is.

use std::fmt::Write as _;

use tune_core::contract::ConnectionError;
use tune_core::text::visible;

use crate::error::{
    CONNECT, HOST_KEY_CHANGED, HOST_KEY_UNKNOWN, REFUSED, TIMEOUT, UNREACHABLE, UNRESOLVABLE, WRONG_KEY, not_sent,
    quoted, transient,
};

/// Returns the error for a failed connect. `log` is everything that ssh wrote.
pub(crate) fn explain(host: &str, log: &str) -> ConnectionError {
    let has = |text: &str| log.contains(text);
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") || has("has changed and you have requested strict checking") {
        return key_changed(host, log);
    }
    if has("host key is known for") || has("Host key verification failed") {
        return key_unknown(host, log);
    }
    if has("Could not resolve hostname") || has("Name or service not known") {
        return not_sent(
            UNRESOLVABLE,
            format!("the name of `{host}` cannot be resolved{}", quoted(log)),
            "Check the address of the host block, or give it a `Host` entry in the ssh configuration.",
        );
    }
    if has("Permission denied (") || has("Too many authentication failures") {
        return not_sent(
            WRONG_KEY,
            format!("`{host}` refuses every key that was offered{}", quoted(log)),
            "Check the user of the host block, and that `ssh-add -l` lists a key that the host accepts.",
        );
    }
    if has("Connection refused") {
        return transient(not_sent(
            REFUSED,
            format!("`{host}` refuses connections{}", quoted(log)),
            "Check that sshd runs there, and the port.",
        ));
    }
    if has("timed out") || has("did not properly respond") {
        return timed_out(host, &format!("connecting to `{host}` timed out{}", quoted(log)));
    }
    if has("No route to host") || has("Network is unreachable") || has("Host is down") {
        return transient(not_sent(
            UNREACHABLE,
            format!("`{host}` cannot be reached{}", quoted(log)),
            "Check that the host is up, and the network between.",
        ));
    }
    let closed = has("Connection closed") || has("Connection reset") || has("kex_exchange_identification");
    let error = not_sent(
        CONNECT,
        format!("ssh could not connect to `{host}`{}", quoted(log)),
        "Try the same with `ssh` by hand; tune uses the same configuration, keys and known hosts.",
    );
    if closed { transient(error) } else { error }
}

/// Returns the error of a connect that took too long.
pub(crate) fn timed_out(host: &str, message: &str) -> ConnectionError {
    transient(not_sent(
        TIMEOUT,
        message,
        format!("Check that `{host}` is up and that no firewall swallows the connection."),
    ))
}

fn key_changed(host: &str, log: &str) -> ConnectionError {
    let mut message = format!("`{host}` shows another host key than the one that is known");
    if let Some(fingerprint) = log.split_whitespace().find(|word| word.starts_with("SHA256:")) {
        let _ = write!(message, ": it is {} now", visible(fingerprint.trim_end_matches('.'), 80));
    }
    if let Some(place) = after(log, "Offending ", " key in ") {
        let _ = write!(message, ", the known one is in {}", visible(place, 200));
    }
    let remove = log.lines().map(str::trim).find(|line| line.starts_with("ssh-keygen ") && line.contains(" -R "));
    let help = match remove {
        Some(command) => format!(
            "If the machine was set up anew, and only then, remove the old key with `{}` and connect once by hand.",
            visible(command, 300)
        ),
        None => "If the machine was set up anew, and only then, remove the old key from the known hosts.".to_owned(),
    };
    not_sent(HOST_KEY_CHANGED, message, help)
}

fn key_unknown(host: &str, log: &str) -> ConnectionError {
    let name = log
        .split_once("host key is known for ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map_or_else(|| host.to_owned(), |name| visible(name, 120));
    not_sent(
        HOST_KEY_UNKNOWN,
        format!("the host key of `{name}` is not known yet, and tune trusts no key by itself"),
        format!(
            "Connect once by hand with `ssh {host}`, compare the fingerprint with the one on the machine's console, and let ssh add it to `known_hosts`."
        ),
    )
}

/// Returns the rest of the line behind `first … second`.
fn after<'a>(log: &'a str, first: &str, second: &str) -> Option<&'a str> {
    log.lines().find(|line| line.starts_with(first))?.split_once(second).map(|(_, rest)| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{REFUSED, UNRESOLVABLE};

    const CHANGED: &str = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
The fingerprint for the ED25519 key sent by the remote host is\nSHA256:Qy0UNWfLg4WMFpgWXuNNMT8MAfNE1AkqhKrRRXIoPZk.\r
Please contact your system administrator.\r
Add correct host key in /home/a/known_hosts to get rid of this message.\r
Offending ED25519 key in /home/a/known_hosts:3\r
  remove with:\r
  ssh-keygen -f \"/home/a/known_hosts\" -R \"[127.0.0.1]:2222\"\r
Host key for [127.0.0.1]:2222 has changed and you have requested strict checking.\r
Host key verification failed.\r\n";

    #[test]
    fn a_changed_key_names_the_file_the_fingerprint_and_the_way_out() {
        let error = explain("pve", CHANGED);
        assert_eq!(error.code, HOST_KEY_CHANGED);
        assert!(error.message.contains("/home/a/known_hosts:3"), "{error:?}");
        assert!(error.message.contains("SHA256:Qy0UNWfLg4WMFpgWXuNNMT8MAfNE1AkqhKrRRXIoPZk now"), "{error:?}");
        let help = error.help.unwrap();
        assert!(help.contains("ssh-keygen -f \"/home/a/known_hosts\" -R \"[127.0.0.1]:2222\""), "{help}");
        assert!(!help.contains('\r') && !error.message.contains('\r'));
    }

    #[test]
    fn every_sentence_of_ssh_has_its_code() {
        for (log, code, transient) in [
            (
                "No ED25519 host key is known for [h]:22 and you have requested strict checking.\r\nHost key verification failed.",
                HOST_KEY_UNKNOWN,
                false,
            ),
            ("ssh: connect to host h port 22: Connection refused", REFUSED, true),
            ("connect to host h port 22: No route to host", UNREACHABLE, true),
            ("connect to host h port 22: Connection timed out", TIMEOUT, true),
            ("Could not resolve hostname h: Name or service not known", UNRESOLVABLE, false),
            ("root@h: Permission denied (publickey,password).", WRONG_KEY, false),
            ("kex_exchange_identification: Connection closed by remote host", CONNECT, true),
            ("Bad owner or permissions on /home/a/.ssh/config", CONNECT, false),
        ] {
            let error = explain("h", log);
            assert_eq!((error.code, error.transient), (code, transient), "{log}");
            assert_eq!(error.sent, tune_core::contract::Sent::No);
        }
    }

    #[test]
    fn what_ssh_says_is_on_one_line_whatever_ends_its_lines() {
        let error = explain("h", "kex_exchange_identification: closed\r\nConnection closed by 10.0.0.7 port 22\r\n");
        let said = "kex_exchange_identification: closed; Connection closed by 10.0.0.7 port 22";
        assert_eq!(error.message, format!("ssh could not connect to `h`: {said}"));
    }

    #[test]
    fn what_ssh_repeats_from_a_host_cannot_play_with_the_terminal() {
        let error = explain("h", "kex: \u{1b}]0;owned\u{7}");
        assert!(!error.message.contains('\u{1b}'), "{error:?}");
    }
}
