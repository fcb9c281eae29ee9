//! Whom groups can spare: before members are taken, and before one that failed is taken down to be put back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time;
use tune_core::Address;
use tune_core::contract::{Pending, ReadRequest};
use tune_core::plan::Member;
use tune_core::resource::Consent;
use tune_core::rollout::{Quorum, Rollout, Verdict};

use super::course::Course;
use super::facts::Obstacle;
use super::gate::Looks;
use crate::report::{GateReport, Trouble};
use crate::together::side_by_side;

/// By then voters that lost their leader have elected another one, if they can.
const ELECTION: Duration = Duration::from_secs(30);

/// The members that each rollout would lose.
type Losses<'p> = BTreeMap<&'p Address, (&'p Rollout, BTreeSet<&'p Address>)>;

impl Course<'_, '_> {
    /// Returns which members of each rollout would be down.
    pub(super) fn losses(&self, down: &BTreeSet<Address>) -> Losses<'_> {
        let rollouts = self.plan.rollouts.iter().filter_map(|(name, rollout)| {
            let lost: BTreeSet<_> = rollout.members.iter().filter(|member| down.contains(*member)).collect();
            (!lost.is_empty()).then_some((name, (rollout, lost)))
        });
        rollouts.collect()
    }

    /// Returns whether the gates pass, and every group can spare the members that would be down.
    pub(super) async fn can_spare(&self, rules: &Rollout, down: &BTreeSet<Address>) -> Result<(), Obstacle> {
        let losses = self.losses(down);
        for (name, (rollout, lost)) in &losses {
            let (cap, lost) = (rollout.max_unavailable.of(rollout.members.len()), lost.len());
            if lost > cap && !rollout.accept.contains(&Consent::Outage) {
                return Err(Obstacle::firm(format!(
                    "{lost} members of `{name}` would be down together now, and `max_unavailable` allows {cap}"
                )));
            }
        }
        let looks = self.look_at(&self.gates_of(rules, down)).await;
        let gates = red(&looks);
        if !gates.is_empty() {
            return Err(Obstacle::Passing(Trouble { reason: "gates do not pass".to_owned(), gates }));
        }
        for (name, (rollout, lost)) in losses {
            if rollout.accept.contains(&Consent::Outage) {
                continue;
            }
            let (quorum, lost) = (quorum_of(rollout, &looks), lost.len());
            if let Some(Quorum { voters, healthy, .. }) = quorum.filter(|quorum| quorum.allows_down() < lost) {
                return Err(Obstacle::passing(format!(
                    "`{name}` has {healthy} of {voters} voters, so it cannot spare {lost}"
                )));
            }
            // Whoever is away already counts, even where the gates do not mind.
            let cap = rollout.max_unavailable.of(rollout.members.len());
            let away = match quorum {
                Some(quorum) => quorum.voters.saturating_sub(quorum.healthy),
                None => self.silent(rollout.members.iter().filter(|member| !down.contains(*member))).await.len(),
            };
            if away + lost > cap {
                return Err(Obstacle::passing(format!(
                    "{away} members of `{name}` are away already, and its `max_unavailable` is {cap}"
                )));
            }
        }
        Ok(())
    }

    /// Returns whether every group can spare what works of the members that putting a failed one back takes down. Who is
    /// no use to its group as it is, is no loss to it; and gates need not pass, because what failed may be why they do
    /// not.
    pub(super) async fn can_lose(
        &self,
        rules: &Rollout,
        failed: &Member,
        down: &BTreeSet<Address>,
    ) -> Result<(), Obstacle> {
        let looks = self.look_past_elections(rules, down).await;
        for (name, (rollout, mut lost)) in self.losses(down) {
            if rollout.accept.contains(&Consent::Outage) {
                continue;
            }
            self.all_told(rollout, &looks)?;
            let quorum = quorum_of(rollout, &looks);
            let away = if let Some(quorum) = quorum {
                lost.retain(|member| !self.is_no_use(rollout, quorum, (member, failed)));
                quorum.voters.saturating_sub(quorum.healthy)
            } else {
                let silent = self.silent(&rollout.members).await;
                lost.retain(|member| **member != failed.host && !silent.contains(*member));
                silent.len()
            };
            if lost.is_empty() {
                continue;
            }
            let names = lost.iter().map(|member| format!("`{member}`")).collect::<Vec<_>>().join(", ");
            if let Some(Quorum { voters, healthy, .. }) = quorum.filter(|quorum| quorum.allows_down() < lost.len()) {
                return Err(Obstacle::passing(format!(
                    "`{name}` has {healthy} of {voters} voters and cannot spare {names}"
                )));
            }
            let cap = rollout.max_unavailable.of(rollout.members.len());
            if away + lost.len() > cap {
                return Err(Obstacle::passing(format!(
                    "{away} members of `{name}` are away already, its `max_unavailable` is {cap}, and {names} would be \
                     down too"
                )));
            }
        }
        Ok(())
    }

    /// Where members vote, and whoever tells of them gives no answer, everybody may be needed.
    fn all_told(&self, rollout: &Rollout, looks: &Looks) -> Result<(), Obstacle> {
        let votes =
            |query: &Address| self.conduct.sources.get(query.kind.as_str()).is_some_and(|source| source.knows_quorum());
        for (gate, look) in rollout.gates.iter().filter_map(|gate| Some((gate, looks.get(gate)?))) {
            let mut silent = look.answers.iter().filter_map(|(query, answer)| Some((query, answer.as_ref().err()?)));
            if let Some((_, error)) = silent.find(|(query, _)| votes(query)) {
                let (name, why) = (&rollout.address, &error.message);
                return Err(Obstacle::passing(format!("`{gate}` cannot tell who of `{name}` is healthy: {why}")));
            }
        }
        Ok(())
    }

    /// Looks at the gates. Where nobody leads any more, it is looked again once the others have had time to elect: until
    /// then nobody seems to be of use, and all of them are needed.
    async fn look_past_elections(&self, rules: &Rollout, down: &BTreeSet<Address>) -> Looks {
        let gates = self.gates_of(rules, down);
        let looks = self.look_at(&gates).await;
        let quorums = self.losses(down).into_values().filter_map(|(rollout, _)| quorum_of(rollout, &looks));
        if quorums.into_iter().all(|quorum| quorum.healthy > 0 || quorum.voters == 0) {
            return looks;
        }
        time::sleep(ELECTION).await;
        self.look_at(&gates).await
    }

    /// Whether it is known of a member that its group loses nothing with it. Healthy voters follow a leader, whom a majority
    /// has elected: where fewer are healthy than that, some vote that seem not to be well. Where none is, nobody leads, and
    /// the member that failed may be why; what it takes down with it may be needed to elect.
    fn is_no_use(&self, rollout: &Rollout, quorum: &Quorum, (member, failed): (&Address, &Member)) -> bool {
        let has_majority = quorum.healthy * 2 > quorum.voters;
        let may_be_why = quorum.healthy == 0 && *member == failed.host;
        let name = |member: &Address| self.conduct.hosts.get(member).map(|host| &host.name);
        let is_unwell = name(member).is_some_and(|own| quorum.unwell.contains(own));
        // A name that several members have tells of none.
        let is_its_own = || rollout.members.iter().filter(|other| name(other) == name(member)).count() == 1;
        (has_majority || may_be_why) && is_unwell && is_its_own()
    }

    /// Returns which members do not answer. So nobody is taken while guests of a machine that was taken before are still
    /// on their way up.
    async fn silent<'a>(&self, members: impl IntoIterator<Item = &'a Address>) -> BTreeSet<&'a Address> {
        let engine = self.run.engine;
        let hosts = members.into_iter().filter_map(|member| Some((member, self.conduct.hosts.get(member)?)));
        let looks = hosts.map(|(member, host)| -> Pending<'_, Option<&'a Address>> {
            Box::pin(async move {
                let connection = engine.connection(host).await;
                let asked = ReadRequest::default();
                let answer = engine.ask(&*connection, host, &asked, engine.limits.read_deadline).await;
                answer.is_err().then_some(member)
            })
        });
        let looks = side_by_side(engine.limits.reads, looks.collect()).await;
        looks.into_iter().flatten().collect()
    }
}

/// The gates that do not pass.
fn red(looks: &Looks) -> Vec<GateReport> {
    let failing = looks.iter().filter(|(_, look)| look.verdict != Verdict::Pass);
    let report = |(check, look): (&Address, &crate::look::Checked)| GateReport {
        check: check.clone(),
        verdict: look.verdict.clone(),
        seconds: 0,
    };
    failing.map(report).collect()
}

/// The voters of a rollout that can spare least, as its gates know them.
fn quorum_of<'l>(rollout: &Rollout, looks: &'l Looks) -> Option<&'l Quorum> {
    let quorums = rollout.gates.iter().filter_map(|gate| looks.get(gate)?.quorum.as_ref());
    quorums.min_by_key(|quorum| quorum.allows_down())
}
