//! The scripts about activations, and the one that runs a program for a probe.

use std::fmt::Write as _;

use tune_core::activation::Activation;
use tune_core::contract::Order;
use tune_core::source::Command;

use crate::script::form::Contents;
use crate::script::quote::quote;
use crate::script::read::epoch;
use crate::script::{ACTIVATE, ANSWER, COMMAND, COMMON, Ground, Header, LOCK, SIGHT, WATCH, whole};

/// Returns the script that looks at what an activation is about.
pub(crate) fn sight(ground: &Ground, nonce: &str, activation: &Activation) -> String {
    let main = format!("say begin\nsight {}\nfinish\n", verb_and_subject(activation));
    whole(&header(ground, "", ""), nonce, &[COMMON, ANSWER, SIGHT], "", &main)
}

/// Returns the script that does an activation. `patience` is how long it waits for the host's lock, in seconds.
pub(crate) fn activate(ground: &Ground, nonce: &str, holder: &str, order: &Order, patience: u64) -> String {
    let main = format!(
        "say begin\nactivate {} {patience} {} {} {}\n",
        epoch(order.epoch),
        order.deadline.as_secs().max(1),
        verb_and_subject(&order.activation),
        quote(&order.mark)
    );
    let parts = [COMMON, ANSWER, LOCK, WATCH, SIGHT, ACTIVATE];
    whole(&header(ground, &order.lineage, holder), nonce, &parts, "", &main)
}

/// Returns the script that runs a program. After `limit` bytes of its output nobody listens any more.
pub(crate) fn command(ground: &Ground, nonce: &str, command: &Command, limit: usize) -> String {
    let mut contents = Contents::default();
    let input = if command.input.is_empty() { String::new() } else { contents.add(command.input.clone()) };
    // A part of a second counts as a whole one.
    let seconds = command.deadline.as_millis().div_ceil(1000).max(1);
    let mut main = format!("say begin\ncommand_of {seconds} {limit} {}", quote(&input));
    for word in &command.words {
        let _ = write!(main, " {}", quote(word));
    }
    main.push('\n');
    // The watchdog's own part is replaced by what stands behind it.
    let parts = [COMMON, ANSWER, WATCH, COMMAND];
    whole(&header(ground, "", ""), nonce, &parts, &contents.function(), &main)
}

fn header(ground: &Ground, lineage: &str, holder: &str) -> String {
    format!("{}root={}\n", Header { ground, lineage, holder }.text(), quote(&ground.root))
}

fn verb_and_subject(activation: &Activation) -> String {
    format!("{} {}", activation.verb.word(), quote(&activation.subject))
}
