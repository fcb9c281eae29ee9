//! What makes a configured change run: a reload, a restart, a reboot. An activation is data, so that many changes, of
//! whichever kinds, share one.

use std::collections::BTreeSet;
use std::fmt;

/// How much an activation does to a machine, the least first. A stronger one does what a weaker one on the same machine
/// would have done, except [`Verb::BootImage`], which prepares the next boot and is never saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// The copy of files that the next boot reads before the root file system is built anew. Nothing is interrupted.
    BootImage,
    /// A service reads its configuration again. It goes on working.
    Reload,
    /// A service stops and starts.
    Restart,
    /// The operating system goes down and boots.
    Reboot,
    /// A virtual machine is stopped as a process and started anew.
    PowerCycle,
}

impl Verb {
    /// Returns the verb with the name under which it is stored.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::BootImage, "boot_image"),
        (Self::Reload, "reload"),
        (Self::Restart, "restart"),
        (Self::Reboot, "reboot"),
        (Self::PowerCycle, "power_cycle"),
    ];

    /// Returns the name under which the verb is stored.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(verb, _)| *verb == self).map_or("", |(_, word)| word)
    }

    /// Returns whether what runs there is away for a while.
    pub fn interrupts(self) -> bool {
        self >= Self::Restart
    }
}

/// One activation on one connection: a verb, and what it is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Activation {
    /// What is done.
    pub verb: Verb,
    /// To what: a unit's name for reload and restart, a virtual machine's number for a power cycle, empty where the
    /// whole machine is meant.
    pub subject: String,
}

impl Activation {
    /// Returns the activation of a whole machine.
    pub fn machine(verb: Verb) -> Self {
        Self { verb, subject: String::new() }
    }

    /// Returns the activation of one unit or one virtual machine.
    pub fn of(verb: Verb, subject: impl Into<String>) -> Self {
        Self { verb, subject: subject.into() }
    }

    /// Returns whether this makes `other`, on the same machine, unnecessary.
    pub fn covers(&self, other: &Self) -> bool {
        self == other
            || match other.verb {
                Verb::BootImage => false,
                // Restarting one unit says nothing about another.
                Verb::Reload if self.verb == Verb::Restart => self.subject == other.subject,
                _ => self.verb > other.verb && self.verb >= Verb::Reboot,
            }
    }
}

/// Prints what a person calls it: `reboot`, `restart of etcd.service`.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verb {
            Verb::BootImage => f.write_str("rebuild of the boot image"),
            Verb::Reload => write!(f, "reload of {}", self.subject),
            Verb::Restart => write!(f, "restart of {}", self.subject),
            Verb::Reboot => f.write_str("reboot"),
            Verb::PowerCycle => f.write_str("power cycle"),
        }
    }
}

/// Returns the activations of one machine that remain when each one that another covers is left out, in the order in
/// which they are done: the boot image first, what interrupts most last.
pub fn coalesced(wanted: &BTreeSet<Activation>) -> Vec<Activation> {
    let covered = |one: &&Activation| wanted.iter().any(|other| other != *one && other.covers(one));
    wanted.iter().filter(|one| !covered(one)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(activations: &[Activation]) -> Vec<String> {
        coalesced(&activations.iter().cloned().collect()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_strongest_remains_and_the_boot_image_comes_first() {
        let restart = Activation::of(Verb::Restart, "etcd.service");
        let other = Activation::of(Verb::Restart, "chrony.service");
        let reload = Activation::of(Verb::Reload, "etcd.service");
        let reboot = Activation::machine(Verb::Reboot);
        let image = Activation::machine(Verb::BootImage);
        assert_eq!(of(&[restart.clone(), reload.clone()]), ["restart of etcd.service"]);
        assert_eq!(of(&[other.clone(), reload]), ["reload of etcd.service", "restart of chrony.service"]);
        assert_eq!(of(&[restart.clone(), other]), ["restart of chrony.service", "restart of etcd.service"]);
        assert_eq!(of(&[reboot.clone(), restart, image.clone()]), ["rebuild of the boot image", "reboot"]);
        assert_eq!(
            of(&[Activation::of(Verb::PowerCycle, "107"), reboot, image]),
            ["rebuild of the boot image", "power cycle"]
        );
    }

    #[test]
    fn every_verb_has_its_word() {
        for (verb, word) in Verb::ALL {
            assert_eq!(verb.word(), word);
        }
    }
}
