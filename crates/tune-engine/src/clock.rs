//! Time and fresh names, as the engine takes them: from outside, so that tests give the same output every time.

use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::io::Read as _;

/// Where the engine gets times and fresh names from. Deadlines and back-off do not come from here but from tokio's
/// clock, which tests pause.
pub trait Clock: Debug + Send + Sync {
    /// Returns the present time in RFC 3339, in UTC, to the second.
    fn now(&self) -> String;

    /// Returns a name that no state had before: letters, digits and `-`.
    fn new_id(&self) -> String;
}

/// The machine's clock and random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> String {
        let now = jiff::Timestamp::now();
        jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
    }

    fn new_id(&self) -> String {
        hexadecimal(&random::<16>())
    }
}

/// Returns bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let random = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    random.expect("every Linux has a random source");
    bytes
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_times_are_utc() {
        let clock = SystemClock;
        assert_ne!(clock.new_id(), clock.new_id());
        assert_eq!(clock.new_id().len(), 32);
        let now = clock.now();
        assert!(now.ends_with('Z') && now.len() == "2026-11-20T17:00:00Z".len(), "{now}");
    }
}
