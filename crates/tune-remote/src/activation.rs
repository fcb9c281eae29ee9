//! Activations on a host: a look at what one is about, and doing it.

use std::time::Duration;

use tune_core::activation::{Activation, Verb};
use tune_core::contract::{ConnectionError, Order, Sent, Sight};
use tune_core::text::visible;

use crate::connection::{GRACE, HostConnection, nonce};
use crate::connector::name;
use crate::error::{
    ACTIVATION, LOST, NO_UNIT, TIMEOUT, UNIT_FAILED, UNIT_NAME, UNREADABLE, not_sent, quoted, transient,
};
use crate::protocol::Answer;
use crate::script::act;

/// How long one look may take. A host that is just going down answers nothing, and the next look must not be late.
const LOOK: Duration = Duration::from_secs(30);
/// How long a connection that leads to a host which is going down may take to close.
const CLOSE: Duration = Duration::from_secs(5);

impl HostConnection {
    /// Looks at what an activation is about.
    pub(crate) async fn see(&self, activation: &Activation) -> Result<Sight, ConnectionError> {
        self.check(activation)?;
        let nonce = nonce()?;
        let script = act::sight(&self.shared.ground, &nonce, activation);
        let deadline = LOOK.min(self.shared.options.read_timeout);
        let output = self.exec(&*self.transport, &script, deadline, false).await?;
        let answer = self.answer(&output, &nonce, false)?;
        if !answer.ended {
            return Err(self.silence(&output, true, false));
        }
        let seen = Seen::of(&answer);
        match activation.verb {
            Verb::Reboot => self.machine(&seen),
            Verb::BootImage | Verb::PowerCycle => Ok(Sight { mark: seen.mark, waits_for: None, is_stranded: false }),
            Verb::Reload | Verb::Restart => self.unit(&activation.subject, seen),
        }
    }

    /// Does an activation. A reboot is only under way when this returns.
    pub(crate) async fn begin(&self, order: &Order) -> Result<(), ConnectionError> {
        self.check(&order.activation)?;
        self.check_lineage(&order.lineage)?;
        if order.activation.verb == Verb::Reboot && order.mark.is_empty() {
            return Err(not_sent(
                ACTIVATION,
                format!("a reboot of `{}` was asked for without the boot that it is to end", name(&self.host)),
                "Look at the host first.",
            ));
        }
        let nonce = nonce()?;
        let options = &self.shared.options;
        let holder = format!("{}, run {} of state {}", options.writer, order.epoch.run, order.lineage);
        let patience = options.lock_patience;
        let script = act::activate(&self.shared.ground, &nonce, &visible(&holder, 200), order, patience.as_secs());
        let deadline = order.deadline + patience + GRACE;
        let output = self.exec(&*self.transport, &script, deadline, true).await;
        if order.activation.verb == Verb::Reboot {
            // What still seems to stand leads to a host that goes down; the next look needs a new connection.
            let _ = tokio::time::timeout(CLOSE, self.transport.close()).await;
        }
        let output = output?;
        let answer = self.answer(&output, &nonce, true)?;
        let seen = Seen::of(&answer);
        match (seen.result.as_str(), seen.unit.as_ref()) {
            ("begun" | "done" | "already", _) => Ok(()),
            ("failed", _) => Err(self.failed(&order.activation, &seen)),
            ("expired", _) => Err(self.expired(order)),
            (_, Some(_)) => self.unit(&order.activation.subject, seen).map(drop),
            _ => Err(self.silence(&output, true, true)),
        }
    }

    /// Refuses what no script of ours does, and names that are none.
    fn check(&self, activation: &Activation) -> Result<(), ConnectionError> {
        match activation.verb {
            Verb::Reboot | Verb::BootImage => Ok(()),
            Verb::Reload | Verb::Restart if is_unit(&activation.subject) => Ok(()),
            Verb::Reload | Verb::Restart => Err(not_sent(
                UNIT_NAME,
                format!("`{}` cannot be the name of a unit", visible(&activation.subject, 80)),
                "Write a unit's name as `systemctl list-units` prints it.",
            )),
            Verb::PowerCycle => Err(not_sent(
                ACTIVATION,
                format!("`{}` cannot switch itself off and on again", name(&self.host)),
                "Power-cycle a virtual machine through its hypervisor.",
            )),
        }
    }

    fn machine(&self, seen: &Seen) -> Result<Sight, ConnectionError> {
        if seen.mark.is_empty() {
            let message = format!("`{}` does not say which boot this is", name(&self.host));
            return Err(not_sent(UNREADABLE, message, "See whether /proc is mounted there."));
        }
        let waits_for = match seen.system.as_deref() {
            // A unit that failed is no unit to wait for.
            None | Some("running" | "degraded" | "offline") => None,
            Some("initializing" | "starting") => Some("units to start".to_owned()),
            Some("stopping") => Some("the shutdown that is under way".to_owned()),
            Some("maintenance") => Some("somebody to end its rescue mode".to_owned()),
            Some(_) => Some("systemd to answer".to_owned()),
        };
        Ok(Sight { mark: seen.mark.clone(), waits_for, is_stranded: false })
    }

    fn unit(&self, subject: &str, seen: Seen) -> Result<Sight, ConnectionError> {
        let host = name(&self.host);
        let Some(unit) = &seen.unit else {
            return Err(transient(not_sent(LOST, format!("`{host}` said nothing of `{subject}`"), "Try again.")));
        };
        match unit.load.as_str() {
            "loaded" => {}
            "not-found" => {
                let message = format!("`{host}` has no unit `{subject}`");
                return Err(not_sent(NO_UNIT, message, "See `systemctl list-unit-files` there."));
            }
            other => {
                let message =
                    format!("the unit `{subject}` of `{host}` cannot be started: it is {}", visible(other, 40));
                return Err(not_sent(NO_UNIT, message, "See `systemctl status` there."));
            }
        }
        let sub = visible(&unit.sub, 40);
        let waits_for = match unit.active.as_str() {
            "active" => None,
            "reloading" | "refreshing" => Some(format!("{subject} to reload")),
            "activating" => Some(format!("{subject} to start ({sub})")),
            "deactivating" => Some(format!("{subject} to stop ({sub})")),
            // It has done its work and is not meant to stay.
            "inactive" if unit.kind == "oneshot" => None,
            "failed" => {
                return Err(not_sent(
                    UNIT_FAILED,
                    format!("`{subject}` on `{host}` has failed{}", lines(&seen.log)),
                    "See `systemctl status` and `journalctl -u` there.",
                ));
            }
            other => Some(format!("{subject} to run (it is {})", visible(other, 40))),
        };
        Ok(Sight { mark: seen.mark, waits_for, is_stranded: false })
    }

    fn failed(&self, activation: &Activation, seen: &Seen) -> ConnectionError {
        let host = name(&self.host);
        let said = format!("{}{}", lines(&seen.message), lines(&seen.log));
        let error = not_sent(
            ACTIVATION,
            format!("the {activation} on `{host}` failed{said}"),
            match activation.verb {
                Verb::Reload | Verb::Restart => "See `systemctl status` and `journalctl -u` there.",
                _ => "Try it by hand there.",
            },
        );
        ConnectionError { sent: Sent::Perhaps, ..error }
    }

    fn expired(&self, order: &Order) -> ConnectionError {
        let (activation, seconds) = (&order.activation, order.deadline.as_secs());
        let error = transient(not_sent(
            TIMEOUT,
            format!("the {activation} on `{}` was not done within {seconds} s", name(&self.host)),
            "See whether the service hangs; tune looks at it again before it does anything else there.",
        ));
        ConnectionError { sent: Sent::Perhaps, ..error }
    }
}

/// What a script said of an activation.
#[derive(Debug, Default)]
struct Seen {
    mark: String,
    system: Option<String>,
    unit: Option<Unit>,
    log: String,
    result: String,
    message: String,
}

/// What systemd says of a unit, in its own words.
#[derive(Debug)]
struct Unit {
    load: String,
    active: String,
    sub: String,
    kind: String,
}

impl Seen {
    fn of(answer: &Answer<'_>) -> Self {
        let mut seen = Self::default();
        for record in &answer.records {
            let line = record.text();
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "mark" => record.message().trim_end().clone_into(&mut seen.mark),
                "system" => seen.system = Some(record.message().trim().to_owned()),
                "log" => seen.log = record.message(),
                "unit" => seen.unit = Unit::parse(rest),
                "result" => {
                    rest.clone_into(&mut seen.result);
                    seen.message = record.message();
                }
                _ => {}
            }
        }
        seen
    }
}

impl Unit {
    fn parse(words: &str) -> Option<Self> {
        let mut words = words.split(' ').map(str::to_owned);
        Some(Self { load: words.next()?, active: words.next()?, sub: words.next()?, kind: words.next()? })
    }
}

/// Returns whether a text can be the name of a unit: what systemd allows in one, and nothing that could be an option.
fn is_unit(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.@\\".contains(c))
}

/// Returns `: LINE; LINE` for the last words of a program, or nothing. The last ones say why.
fn lines(text: &str) -> String {
    let all: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last: Vec<String> = all.iter().rev().take(8).rev().map(|line| visible(line, 200)).collect();
    quoted(&last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::parse;
    use proptest::prelude::*;

    #[test]
    fn names_of_units_are_told_from_options_and_globs() {
        for name in ["etcd.service", "getty@tty1.service", r"dev-disk-by\x2did.swap", "-.mount"] {
            assert_eq!(is_unit(name), name != "-.mount", "{name}");
        }
        for name in ["", "--force", "a b", "*", "etcd.service;reboot", "a/b", "a\n", "é", "$(id)"] {
            assert!(!is_unit(name), "{name}");
        }
    }

    #[test]
    fn the_last_lines_are_kept() {
        let text = (0..20).map(|number| format!("line {number}\n")).collect::<Vec<_>>().join("\n");
        assert_eq!(
            lines(&text),
            ": ".to_owned() + &(12..20).map(|n| format!("line {n}")).collect::<Vec<_>>().join("; ")
        );
        assert_eq!(lines("\u{1b}[31mred\n"), ": ␛[31mred");
        assert_eq!(lines("\n \n"), "");
        assert!(lines(&"x".repeat(5000)).len() < 700);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'N'), Just(b'\n'), Just(b' ')], 0..120)) {
            let mut hostile = b"N begin\nN unit loaded".to_vec();
            hostile.extend(bytes);
            if let Some(answer) = parse(&hostile, "N") {
                let _ = Seen::of(&answer);
            }
        }
    }
}
