//! Gates: checks that must pass before members are begun and hold afterwards. Probes are asked one round after another,
//! never two at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{self, Instant};
use tune_core::Address;
use tune_core::plan::{Member, Plan, Stage};
use tune_core::rollout::{Check, Rollout, Verdict};
use tune_core::state::State;

use super::activation::Pause;
use super::course::Course;
use crate::conduct::Conduct;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::look::Checked;
use crate::report::{GateReport, Trouble};
use crate::watch::Phase;

/// What one look at some gates gave.
pub(super) type Looks = BTreeMap<Address, Checked>;

/// Since when gates have not passed.
#[derive(Debug, Default)]
struct Red(BTreeMap<Address, Instant>);

impl Red {
    /// Takes a look in, and returns what does not pass.
    fn take(&mut self, looks: &Looks) -> Vec<GateReport> {
        let now = Instant::now();
        self.0.retain(|gate, _| looks.get(gate).is_some_and(|look| look.verdict != Verdict::Pass));
        let failing = looks.iter().filter(|(_, look)| look.verdict != Verdict::Pass);
        let report = |(check, look): (&Address, &Checked)| {
            let since = *self.0.entry(check.clone()).or_insert(now);
            let seconds = now.duration_since(since).as_secs();
            GateReport { check: check.clone(), verdict: look.verdict.clone(), seconds }
        };
        failing.map(report).collect()
    }
}

impl Engine {
    /// Before anything is changed at all, every gate of every rollout that has turns must pass. One that rests has none
    /// in this run.
    pub(super) async fn gates_pass_before_all(
        &self,
        plan: &Plan,
        conduct: &Conduct<'_>,
        state: &State,
    ) -> Result<(), EngineError> {
        let now = super::soak::time(&self.clock.now());
        let rests = |name: &Address| super::soak::left(state.soaks.get(name), now) > conduct.wait;
        let rollouts = plan.rollouts.iter().filter(|(name, rollout)| !rests(name) && is_concerned(plan, rollout));
        let gates: BTreeSet<&Address> = rollouts.flat_map(|(_, rollout)| &rollout.gates).collect();
        let looks = self.check(&checks(plan, gates), conduct).await;
        let gates = Red::default().take(&looks);
        if gates.is_empty() { Ok(()) } else { Err(EngineError::Gates { gates }) }
    }
}

/// Whether a rollout has turns, or loses members in another's; not only if guests of it move.
fn is_concerned(plan: &Plan, rollout: &Rollout) -> bool {
    let has_turns = plan.stages.iter().any(|stage| match stage {
        Stage::Turn(turn) => turn.rollout.as_ref() == Some(&rollout.address),
        Stage::Quiet(_) => false,
    });
    has_turns || plan.members().flat_map(|member| &member.down).any(|host| rollout.members.contains(host))
}

/// A gate whose check is not in the plan cannot pass, so it must not be left out.
fn checks<'p>(plan: &Plan, gates: impl IntoIterator<Item = &'p Address>) -> BTreeMap<Address, Check> {
    let check = |gate: &Address| {
        plan.checks.get(gate).cloned().unwrap_or_else(|| Check { address: gate.clone(), probes: Vec::new() })
    };
    gates.into_iter().map(|gate| (gate.clone(), check(gate))).collect()
}

impl Course<'_, '_> {
    /// Returns the gates of members: those of their rollout, and those of every rollout with members that they take
    /// down.
    pub(super) fn gates_of(&self, rules: &Rollout, down: &BTreeSet<Address>) -> BTreeMap<Address, Check> {
        let others = self.losses(down);
        checks(self.plan, rules.gates.iter().chain(others.values().flat_map(|(rollout, _)| &rollout.gates)))
    }

    pub(super) async fn look_at(&self, gates: &BTreeMap<Address, Check>) -> Looks {
        self.run.engine.check(gates, self.conduct).await
    }

    /// Waits until the gates of members have passed for as long as they must.
    pub(super) async fn pass(&self, rules: &Rollout, members: &[&Member]) -> Result<(), Trouble> {
        self.hold(rules, members, |_| false).await.map(|_| ())
    }

    /// Waits until gates pass, or at last are no worse than they were before; returns whether they pass.
    pub(super) async fn regain(&self, rules: &Rollout, member: &Member, before: &Looks) -> Result<bool, Trouble> {
        let was_red = before.values().any(|look| look.verdict != Verdict::Pass);
        let no_worse = |looks: &Looks| {
            was_red && looks.iter().all(|(gate, look)| before.get(gate).is_none_or(|then| is_no_worse(look, then)))
        };
        self.hold(rules, &[member], no_worse).await
    }

    /// Waits until gates hold for as long as they must. When the time is up, `suffices` decides; returns whether they
    /// pass.
    async fn hold(
        &self,
        rules: &Rollout,
        members: &[&Member],
        suffices: impl Fn(&Looks) -> bool,
    ) -> Result<bool, Trouble> {
        let down = self.down_with(members);
        let gates = self.gates_of(rules, &down);
        if gates.is_empty() {
            return Ok(true);
        }
        let until = self.until(members);
        let settle = self.losses(&down).values().map(|(it, _)| it.settle).fold(rules.settle, Duration::max);
        let (mut red, mut green, mut said) = (Red::default(), None, None);
        let mut pause = Pause::default();
        loop {
            let looks = self.look_at(&gates).await;
            let failing = red.take(&looks);
            let now = Instant::now();
            green = if failing.is_empty() { green.or(Some(now)) } else { None };
            if green.is_some_and(|since| now.duration_since(since) >= settle) {
                for member in members {
                    self.phase(&member.host, Phase::Settled);
                }
                return Ok(true);
            }
            if now >= until {
                return if suffices(&looks) { Ok(false) } else { Err(too_late(failing, green, settle)) };
            }
            let news: Vec<Verdict> = failing.iter().map(|gate| gate.verdict.clone()).collect();
            if said.as_ref() != Some(&news) {
                for member in members {
                    self.phase(&member.host, Phase::Gate { failing: failing.clone() });
                }
                said = Some(news);
            }
            // The last look is the one at the very end of the time.
            time::sleep_until((now + pause.next()).min(until)).await;
        }
    }

    /// Everything that went down with members, as the facts were when they did.
    pub(super) fn down_with(&self, members: &[&Member]) -> BTreeSet<Address> {
        let sheet = self.sheet();
        let underway = members.iter().filter_map(|member| sheet.underway.get(&member.host));
        underway.flat_map(|it| it.down.iter().cloned()).collect()
    }

    fn until(&self, members: &[&Member]) -> Instant {
        let sheet = self.sheet();
        let untils = members.iter().filter_map(|member| sheet.underway.get(&member.host)).map(|it| it.until);
        untils.max().unwrap_or_else(Instant::now)
    }
}

fn too_late(gates: Vec<GateReport>, green: Option<Instant>, settle: Duration) -> Trouble {
    let reason = match green {
        Some(since) => format!(
            "its gates had passed for {} seconds when the time was up, and must for {}",
            since.elapsed().as_secs(),
            settle.as_secs()
        ),
        None => "it did not pass its gates in time".to_owned(),
    };
    Trouble { reason, gates }
}

/// Rule 43: a gate that was red when a revert began must not get worse.
fn is_no_worse(now: &Checked, then: &Checked) -> bool {
    match (&then.verdict, &then.quorum, &now.quorum) {
        (Verdict::Pass, _, _) => now.verdict == Verdict::Pass,
        (_, Some(then), Some(now)) => now.healthy >= then.healthy,
        (_, Some(_), None) => false,
        (_, None, _) => true,
    }
}
