//! How long a source waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::reading::Unreadable;
use tune_core::value::Value;

use crate::codes::{BAD_TIME, TIMEOUT};
use crate::unreadable;

/// The longest that a source may wait.
const LONGEST: Duration = Duration::from_hours(1);

/// A time as a configuration writes it: `500ms`, `5s`, `2m`.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimit;

impl TimeLimit {
    /// Returns the time that a text is, or `default` where nothing was written or it is mistaken; [`TimeLimit::check`]
    /// tells of the mistake.
    pub fn of(text: Option<&str>, default: Duration) -> Duration {
        text.and_then(parse).unwrap_or(default)
    }

    /// Returns what is wrong with the attribute `name`.
    pub fn check(attributes: &BTreeMap<String, Value>, name: &str) -> Option<Problem> {
        let text = crate::attribute(attributes, name)?;
        if parse(text).is_some() {
            return None;
        }
        let message = format!("`{name}` is not a time from 1ms to 1h");
        let problem = Problem::new(BAD_TIME, AttributePath::attribute(name), message, "not a whole number and a unit");
        Some(problem.with_help("write it like `5s`, `500ms` or `2m`"))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let time = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(3600)?),
        _ => return None,
    };
    (time > Duration::ZERO && time <= LONGEST).then_some(time)
}

/// Returns what comes within the time; `what` names, for a message, what did not: `` `10.0.0.5:2379` ``.
pub async fn within<T>(
    time: Duration,
    what: &str,
    future: impl Future<Output = Result<T, Unreadable>>,
) -> Result<T, Unreadable> {
    tokio::time::timeout(time, future).await.unwrap_or_else(|_| {
        let message = format!("{what} did not answer within {}", shown(time));
        Err(unreadable(TIMEOUT, message, "Check that it is up, or allow more time with `timeout`."))
    })
}

fn shown(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        let seconds = |text| parse(text).map(|time| time.as_secs_f64());
        assert_eq!(["5s", "500ms", "2m", "1h"].map(seconds), [Some(5.0), Some(0.5), Some(120.0), Some(3600.0)]);
        for text in ["", "5", "s", "0s", "-1s", "1.5s", "5 s", "5S", "61m", "2h", "99999999999999999999s", "５s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_mistaken_time_is_told_and_not_used() {
        let attributes = BTreeMap::from([("timeout".to_owned(), Value::from("soon"))]);
        assert_eq!(TimeLimit::of(Some("soon"), Duration::from_secs(5)), Duration::from_secs(5));
        assert_eq!(TimeLimit::check(&attributes, "timeout").unwrap().code, BAD_TIME);
        assert_eq!(TimeLimit::check(&BTreeMap::new(), "timeout"), None);
    }
}
