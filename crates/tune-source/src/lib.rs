//! What the kinds of sources share: an HTTP client that goes through doors, TLS from files of the configuration's folder,
//! answers from plain structs, times, and hosts that are asked side by side.
//!
//! It asks once and bounds its own waiting; it neither retries nor sleeps. It knows no kind of source.

mod answer;
mod codes;
mod folder;
mod hosts;
pub mod http;
pub mod metrics;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod tls;
mod url;

pub use answer::{answer, attribute, bad_block, block, check_number};
pub use codes::EXPLANATIONS;
pub use folder::Folder;
pub use hosts::{Asked, HostName, check_hosts, connection, host_name};
pub use time::{TimeLimit, within};
pub use tls::{Tls, TlsFiles};
pub use url::{Place, Scheme, Url};

use tune_core::contract::ConnectionError;
use tune_core::problem::Code;
use tune_core::reading::Unreadable;

/// Returns the error of a source that got no answer.
pub fn unreadable(code: Code, message: impl Into<String>, help: impl Into<String>) -> Unreadable {
    Unreadable { code, message: message.into(), help: Some(help.into()) }
}

/// Returns the error of a connection as that of a source.
pub fn of_connection(error: ConnectionError) -> Unreadable {
    Unreadable { code: error.code, message: error.message, help: error.help }
}
