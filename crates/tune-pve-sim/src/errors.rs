//! Why a call did not succeed, in the terms of the API: a status, a message and errors by parameter.

use std::collections::BTreeMap;

/// A refused or failed call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    /// An answer with a status of 400 and above. The message ends with a line feed, except for unknown calls.
    Error { code: u16, message: String, errors: BTreeMap<String, String> },
    /// Something else holds the lock of this machine's configuration; try again until the time is up.
    Locked(u32),
}

impl Failure {
    /// Anything that went wrong inside a call: status 500.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        let mut message = message.into();
        if !message.ends_with('\n') {
            message.push('\n');
        }
        Failure::Error { code: 500, message, errors: BTreeMap::new() }
    }

    /// A missing privilege: status 403.
    pub(crate) fn permission(what: &str) -> Self {
        let message = format!("Permission check failed ({what})\n");
        Failure::Error { code: 403, message, errors: BTreeMap::new() }
    }

    /// Wrong parameters: status 400.
    pub(crate) fn parameters(errors: BTreeMap<String, String>) -> Self {
        Failure::Error { code: 400, message: "Parameter verification failed.\n".to_owned(), errors }
    }

    /// One wrong parameter.
    pub(crate) fn parameter(key: &str, message: impl Into<String>) -> Self {
        Failure::parameters(BTreeMap::from([(key.to_owned(), message.into())]))
    }

    /// A call that does not exist: status 501.
    pub(crate) fn no_such_call(method: &str, path: &str) -> Self {
        let message = format!("Method '{method} {path}' not implemented");
        Failure::Error { code: 501, message, errors: BTreeMap::new() }
    }

    /// The text that a task ends with when this happens inside it.
    pub(crate) fn task_text(&self) -> String {
        match self {
            Failure::Error { code, message, errors } => {
                let lines: String = errors.iter().map(|(key, text)| format!("{key}: {text}\n")).collect();
                let code = if *code == 500 { String::new() } else { format!("{code} ") };
                let text = format!("{code}{message}{lines}");
                text.strip_suffix('\n').unwrap_or(&text).replace('\n', " ")
            }
            Failure::Locked(vmid) => lock_timeout(*vmid),
        }
    }
}

/// The message when a machine's lock could not be had in time.
pub(crate) fn lock_timeout(vmid: u32) -> String {
    format!("can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout")
}
