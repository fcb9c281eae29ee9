//! What can go wrong with a call, and what it means for whoever made it: nothing was sent, the API refused, or nobody
//! knows. Texts of the API are made visible here, before anybody can show them.

use std::collections::BTreeMap;
use std::fmt;

use tune_core::contract::{ConnectionError, Sent};
use tune_core::problem::Code;
use tune_core::reading::Unreadable;
use tune_core::text::visible;

use crate::codes::{
    API_REFUSED, DISTRUSTED, LOST, NODE_AWAY, NOT_AN_API, NOT_LOGGED_IN, UNREACHABLE, WRONG_FINGERPRINT,
};
use crate::permissions;
use crate::settings::Endpoint;
use crate::tls::Distrust;

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was sent.
    Unreached(Unreached),
    /// It was sent, and no whole answer came: it may have taken effect, and it may be going on.
    Lost {
        /// What came in place of an answer.
        reason: String,
    },
    /// Something answered that is not the API.
    NotApi {
        /// What it said.
        what: String,
    },
    /// The API does not know the user, or not with this password or token.
    NotLoggedIn {
        /// What it said.
        reason: String,
    },
    /// The node that was asked could not reach the one that is meant. Nothing happened.
    NodeAway {
        /// What it said.
        reason: String,
    },
    /// The API refused.
    Refused {
        /// The status.
        code: u16,
        /// What it said.
        message: String,
        /// What it said of single arguments.
        errors: BTreeMap<String, String>,
    },
}

/// Why nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// There was no connection.
    NoConnection {
        /// The endpoint, where one was tried.
        endpoint: Option<String>,
        /// Why.
        reason: String,
    },
    /// The certificate was refused.
    Distrusted {
        /// The endpoint.
        endpoint: String,
        /// Why.
        distrust: Distrust,
    },
}

impl Failure {
    pub(crate) fn not_sent(reason: impl fmt::Display) -> Self {
        Self::Unreached(Unreached::NoConnection { endpoint: None, reason: reason.to_string() })
    }

    pub(crate) fn unreached(endpoint: &Endpoint, reason: impl fmt::Display) -> Self {
        Self::Unreached(Unreached::NoConnection { endpoint: Some(endpoint.to_string()), reason: reason.to_string() })
    }

    pub(crate) fn lost(reason: impl fmt::Display) -> Self {
        Self::Lost { reason: reason.to_string() }
    }

    /// Returns whether the call may have taken effect although there is no answer.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::NotApi { .. })
    }

    /// Returns whether the same call may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreached(Unreached::NoConnection { .. })
            | Self::Lost { .. }
            | Self::NotApi { .. }
            | Self::NodeAway { .. } => true,
            Self::Refused { message, .. } => {
                message.contains("got timeout") || message.contains("no quorum") || self.lock().is_some()
            }
            Self::Unreached(Unreached::Distrusted { .. }) | Self::NotLoggedIn { .. } => false,
        }
    }

    /// Returns the lock that is in the way.
    pub(crate) fn lock(&self) -> Option<&str> {
        match self {
            Self::Refused { message, .. } => locked_by(message),
            _ => None,
        }
    }

    /// Returns whether the machine is not on the node that was asked: it is gone, or it has moved.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if is_elsewhere(message))
    }

    /// Returns whether the node that was meant could not be reached by the one that was asked, and nothing happened.
    pub(crate) fn is_node_away(&self) -> bool {
        matches!(self, Self::NodeAway { .. })
    }

    /// Returns whether somebody changed the machine since it was read.
    pub(crate) fn is_outdated(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains("checksum mismatch"))
    }

    /// Returns what was said to a user about a machine, and what to do about it where that is known.
    pub(crate) fn advice(&self, vmid: u32, user: &str) -> String {
        let text = self.text();
        if let Some((path, privilege)) = permissions::lacking(&text) {
            let user = visible(user, 80);
            return format!(
                "{text}: `{user}` needs {privilege} on {path}; add it to the role that it has there, with `pveum role modify \
                 ROLE --append --privs {privilege}`"
            );
        }
        if let Some(lock) = self.lock() {
            let lock = visible(lock, 40);
            return format!(
                "{text}: let the {lock} end and apply again, or where none is under way any more, end the lock with `qm unlock {vmid}`"
            );
        }
        if text.contains("storage '") && text.contains("' does not exist") {
            return format!("{text}: see `pvesm status` for those that do, and `qm config {vmid}` for the disk");
        }
        text
    }

    /// Returns what was said, on one line.
    pub(crate) fn text(&self) -> String {
        let text = match self {
            Self::Unreached(Unreached::NoConnection { reason, .. })
            | Self::Lost { reason }
            | Self::NotLoggedIn { reason }
            | Self::NodeAway { reason } => reason.clone(),
            Self::Unreached(Unreached::Distrusted { distrust, .. }) => distrust.to_string(),
            Self::NotApi { what } => format!("an answer that is not the API's: {what}"),
            Self::Refused { message, errors, .. } if errors.is_empty() => message.clone(),
            Self::Refused { errors, .. } => {
                let of_each = |(name, text): (&String, &String)| format!("{name}: {}", text.replace('\n', " "));
                errors.iter().map(of_each).collect::<Vec<_>>().join("; ")
            }
        };
        visible(text.trim(), 400)
    }

    /// Returns the failure as that of a whole connection.
    pub(crate) fn into_error(self, api: &str) -> ConnectionError {
        let sent = if self.is_unknown() { Sent::Perhaps } else { Sent::No };
        let (code, message, help) = self.words(api);
        ConnectionError { code, sent, transient: self.may_pass(), message, help }
    }

    /// Returns the failure as the reason why one item cannot be read.
    pub(crate) fn into_unreadable(self, api: &str) -> Unreadable {
        let (code, message, help) = self.words(api);
        Unreadable { code, message, help }
    }

    fn words(&self, api: &str) -> (Code, String, Option<String>) {
        let text = self.text();
        let api = visible(api, 120);
        let help = |help: &str| Some(help.to_owned());
        match self {
            Self::Unreached(Unreached::NoConnection { endpoint, .. }) => {
                let at = endpoint.clone().unwrap_or(api);
                (
                    UNREACHABLE,
                    format!("`{at}` cannot be reached: {text}"),
                    help("check `endpoint`, and that the node is up"),
                )
            }
            Self::Unreached(Unreached::Distrusted { endpoint, distrust }) if distrust.is_pinned => (
                WRONG_FINGERPRINT,
                format!(
                    "`{endpoint}` shows another certificate than the pinned one, with the fingerprint {}",
                    distrust.shown
                ),
                help(
                    "compare it with `pvenode cert info` on the node: after a renewal pin the new one, otherwise somebody \
                     stands in between",
                ),
            ),
            Self::Unreached(Unreached::Distrusted { endpoint, distrust }) => (
                DISTRUSTED,
                format!(
                    "the certificate of `{endpoint}` is not trusted ({}); its fingerprint is {}",
                    visible(&distrust.why, 200),
                    distrust.shown
                ),
                help(
                    "give the cluster's CA as `ca_file`, or compare the fingerprint with `pvenode cert info` on the node and \
                     write it as `tls_fingerprint`",
                ),
            ),
            Self::Lost { .. } => (LOST, format!("`{api}` gave no answer: {text}"), None),
            Self::NotApi { .. } => {
                (NOT_AN_API, format!("`{api}` gave {text}"), help("check that `endpoint` names the API, with its port"))
            }
            Self::NotLoggedIn { .. } => (
                NOT_LOGGED_IN,
                format!("`{api}` refuses the login: {text}"),
                help("check the token's name, its secret and its expiry with `pveum user token list USER`"),
            ),
            Self::NodeAway { .. } => (
                NODE_AWAY,
                format!("a node behind `{api}` cannot be reached: {text}"),
                help("check that the node is up"),
            ),
            Self::Refused { .. } => {
                let lacking = permissions::lacking(&text);
                let lacking = lacking.map(|(path, privilege)| {
                    format!(
                        "give the user, or the token, {privilege} on {path}, as docs/guides/proxmox.md shows with `pveum`"
                    )
                });
                (API_REFUSED, format!("`{api}` refused: {text}"), lacking)
            }
        }
    }
}

/// Returns the lock that a message speaks of.
pub(crate) fn locked_by(message: &str) -> Option<&str> {
    message.split_once("VM is locked (")?.1.split_once(')').map(|(lock, _)| lock)
}

/// Returns whether a message says that a machine is not where it was looked for.
pub(crate) fn is_elsewhere(message: &str) -> bool {
    (message.contains("onfiguration file") && message.contains("does not exist"))
        || message.contains("unable to find configuration file for VM")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> Failure {
        Failure::Refused { code: 500, message: message.to_owned(), errors: BTreeMap::new() }
    }

    #[test]
    fn texts_of_the_api_have_a_meaning() {
        assert_eq!(refused("VM is locked (backup)").lock(), Some("backup"));
        assert!(refused("Configuration file 'nodes/pve/qemu-server/107.conf' does not exist").is_elsewhere());
        assert!(refused("unable to find configuration file for VM 107 on node 'pve'").is_elsewhere());
        assert!(refused("checksum mismatch (file change by other user?)").is_outdated());
        let flock = refused("can't lock file '/var/lock/qemu-server/lock-107.conf' - got timeout");
        assert!(flock.may_pass() && flock.lock().is_none());
        assert!(!refused("only root can set 'args' config").may_pass());
    }

    #[test]
    fn what_a_person_can_mend_comes_with_how() {
        assert_eq!(
            refused("VM is locked (backup)").advice(107, "tune@pve!tok"),
            "VM is locked (backup): let the backup end and apply again, or where none is under way any more, end the lock \
             with `qm unlock 107`"
        );
        assert!(refused("storage 'nowhere' does not exist").advice(107, "tune@pve!tok").contains("`pvesm status`"));
        let root = "only root can set 'args' config";
        assert_eq!(refused(root).advice(107, "tune@pve!tok"), root);
        assert_eq!(
            refused("Permission check failed (/, Sys.Modify for modifying tag 'x')").advice(107, "tune@pve!tok"),
            "Permission check failed (/, Sys.Modify for modifying tag 'x'): `tune@pve!tok` needs Sys.Modify on /; add it to \
             the role that it has there, with `pveum role modify ROLE --append --privs Sys.Modify`"
        );
    }

    #[test]
    fn a_refused_call_says_which_privilege_to_give() {
        let message = "Permission check failed (/vms/107, VM.PowerMgmt)".to_owned();
        let failure = Failure::Refused { code: 403, message, errors: BTreeMap::new() };
        let help = failure.into_error("https://pve:8006").help.unwrap();
        assert!(help.starts_with("give the user, or the token, VM.PowerMgmt on /vms/107"), "{help}");
        assert_eq!(refused("no such thing").into_error("a").help, None);
    }

    #[test]
    fn nothing_of_the_api_reaches_a_terminal_as_it_is() {
        let error = refused("\u{1b}]0;x\u{7} no\nsuch").into_error("https://pve:8006");
        assert_eq!(error.message, "`https://pve:8006` refused: ␛]0;x\\u{7} no\\nsuch");
        assert_eq!((error.sent, error.transient), (Sent::No, false));
    }

    #[test]
    fn a_lost_answer_may_have_had_an_effect() {
        let error = Failure::lost("596 Broken pipe").into_error("a");
        assert_eq!((error.sent, error.transient), (Sent::Perhaps, true));
        let away = Failure::NodeAway { reason: "No route to host".to_owned() }.into_error("a");
        assert_eq!((away.sent, away.transient), (Sent::No, true));
    }
}
