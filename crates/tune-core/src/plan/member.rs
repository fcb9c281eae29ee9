//! One member looked at again while the plan runs: whether the facts still allow its turn, and afterwards whether the
//! running system uses what the plan wanted. Pure, like all of planning.

use std::collections::{BTreeMap, BTreeSet};

use super::{Guest, ItemPlan, Member, Place, Plan, ResourcePlan, Step};
use crate::activation::{Activation, Verb};
use crate::address::Address;
use crate::contract::{Desired, DesiredItem, Impact, Kind, Kinds, Lookup, Question, ReadRequest};
use crate::item::{HostId, ItemId, ItemKey, Raw};
use crate::path::AttributePath;
use crate::reading::{Facts, HostReading, ItemReading, Reading};
use crate::resource::Consent;
use crate::rollout::Rollout;

/// Which side of each item's change is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What was there before the run: after an undo.
    Before,
    /// What the plan wants.
    After,
}

/// What a look at a member's own resources says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// What must still be activated, by who does it, before that side is in effect.
    pub activations: BTreeMap<HostId, BTreeSet<Activation>>,
    /// Items that are not on that side, with what is there.
    pub differing: Vec<(ItemId, Raw)>,
    /// What the planned activations would take down, as the facts are now.
    pub down: BTreeSet<Address>,
    /// Members of groups that may go down too, because nobody tells where they or what they run on are now; each with
    /// why.
    pub perhaps_down: BTreeMap<Address, String>,
    /// What is not ours, would be activated with them, and was not accepted; as phrases.
    pub foreign: Vec<String>,
}

/// Returns what to read before and after a member's turn: its own items, and where a whole machine goes down, those that
/// tell where guests run.
pub fn member_lookups(plan: &Plan, member: &Member) -> BTreeMap<HostId, ReadRequest> {
    let mut keys: BTreeMap<HostId, BTreeMap<&str, BTreeSet<ItemKey>>> = BTreeMap::new();
    let machine = plan.hosts.iter().find(|(_, planned)| planned.host.address == member.host);
    // The member's own facts are wanted even where all of its items live in an API.
    keys.extend(machine.map(|(id, _)| (id.clone(), BTreeMap::new())));
    for (_, resource) in own(plan, member) {
        for item in &resource.items {
            let kinds = keys.entry(item.id.host.clone()).or_default();
            kinds.entry(&item.id.kind).or_default().insert(item.id.key.clone());
        }
    }
    for (address, guest) in guests(plan, member) {
        let kinds = keys.entry(guest.told_by.clone()).or_default();
        kinds.entry(&address.kind).or_default().extend(guest.items.iter().cloned());
    }
    let lookup = |(kind, keys): (&str, BTreeSet<ItemKey>)| Lookup { kind: kind.to_owned(), keys };
    let request = |kinds: BTreeMap<&str, BTreeSet<ItemKey>>| ReadRequest {
        lookups: kinds.into_iter().map(lookup).collect(),
        fence: None,
    };
    keys.into_iter().map(|(host, kinds)| (host, request(kinds))).collect()
}

/// Judges what was read with [`member_lookups`]. A machine that is missing in `readings` could not be read; nothing is
/// said about its items.
pub fn judge_member(
    kinds: &Kinds,
    plan: &Plan,
    member: &Member,
    readings: &BTreeMap<HostId, HostReading>,
    side: Side,
) -> Judgement {
    let mut judgement = Judgement::default();
    let lookups = member_lookups(plan, member);
    for (address, resource) in own(plan, member) {
        for (host, items) in by_host(resource) {
            let Some(view) = View::of(&lookups, readings, host, &address.kind) else { continue };
            let desired = desired(plan, resource, host, &items, side);
            if let Some(impact) = view.impact(kinds, &address.kind, &desired) {
                judgement.take(kinds, resource, &view, (&items, &desired, &impact), side);
            }
        }
    }
    let places: Vec<(&Address, Place)> = guests(plan, member)
        .map(|(address, guest)| {
            let view = View::of(&lookups, readings, &guest.told_by, &address.kind);
            let kind = kinds.get(address.kind.as_str());
            let name = plan.hosts[&guest.told_by].host.address.clone();
            let place = match (view, kind) {
                (Some(View { answer, reading }), Some(kind)) => {
                    place(&**kind, (name, guest.host.clone(), &guest.items), reading, &answer.facts).0
                }
                _ => Place::Unknown(format!("`{name}` gave no answer")),
            };
            (&guest.host, place)
        })
        .collect();
    let places: Vec<(&Address, &Place)> = places.iter().map(|(guest, place)| (*guest, place)).collect();
    let strongest = member.activations.iter().map(|planned| planned.activation.verb).max();
    judgement.down = taken_down(&member.host, strongest, &carried(&places));
    judgement.perhaps_down = perhaps_down(&plan.rollouts, &judgement.down, &places);
    judgement.foreign.extend(at_boot(plan, member, readings));
    judgement
}

impl Judgement {
    fn take(
        &mut self,
        kinds: &Kinds,
        resource: &ResourcePlan,
        view: &View<'_>,
        (items, desired, impact): (&[&ItemPlan], &Desired, &Impact),
        side: Side,
    ) {
        for wanted in &desired.items {
            let Some(item) = items.iter().find(|item| item.id.key == wanted.key) else { continue };
            let Some(Ok(found)) = view.reading.items.get(&wanted.key) else { continue };
            let same = kinds.get(item.id.kind.as_str()).is_some_and(|kind| {
                kind.canonical(&wanted.key, &found.raw) == kind.canonical(&wanted.key, &wanted.want)
            });
            if !same {
                self.differing.push((item.id.clone(), found.raw.clone()));
            }
            let Some(judged) = impact.items.get(&wanted.key) else { continue };
            if side == Side::After || in_effect_differs(item, found) {
                let here = self.activations.entry(item.id.host.clone()).or_default();
                // With nothing left that sets a value, its kind cannot tell what a boot would yield. What made ours run is
                // then what makes the earlier one run.
                let is_mute = side == Side::Before && judged.activations.is_empty();
                here.extend(if is_mute { &item.activations } else { &judged.activations }.iter().cloned());
            }
            if !resource.accept.contains(&Consent::ForeignPending) {
                self.foreign.extend(judged.needs.get(&Consent::ForeignPending).cloned());
            }
        }
        self.activations.retain(|_, activations| !activations.is_empty());
    }
}

/// An undo activates only where what is in effect is not what it was, rule 23.
fn in_effect_differs(item: &ItemPlan, found: &ItemReading) -> bool {
    found.running.value != item.running.value
}

/// What was read of one kind on one machine.
struct View<'a> {
    answer: &'a HostReading,
    reading: &'a Reading,
}

impl<'a> View<'a> {
    fn of(
        lookups: &BTreeMap<HostId, ReadRequest>,
        readings: &'a BTreeMap<HostId, HostReading>,
        host: &HostId,
        kind: &str,
    ) -> Option<Self> {
        let answer = readings.get(host)?;
        let position = lookups.get(host)?.lookups.iter().position(|lookup| lookup.kind == kind)?;
        Some(Self { answer, reading: answer.readings.get(position)? })
    }

    fn impact(&self, kinds: &Kinds, kind: &str, desired: &Desired) -> Option<Impact> {
        let recorded = desired.items.iter().map(|item| item.key.clone()).collect();
        let question = Question { desired, reading: self.reading, facts: &self.answer.facts, recorded: &recorded };
        Some(kinds.get(kind)?.impact(&question))
    }
}

/// The resources of a member.
fn own<'a>(plan: &'a Plan, member: &Member) -> impl Iterator<Item = (&'a Address, &'a ResourcePlan)> {
    let own: BTreeSet<&Address> = member.waves.iter().flat_map(|wave| wave.batches.values()).flatten().collect();
    let own: Vec<_> = own.into_iter().filter_map(|address| plan.resources.get_key_value(address)).collect();
    own.into_iter()
}

/// The guests that may go down with a member: those that it can carry, where it goes down as a whole machine, and those
/// that they can carry. Nobody else is asked where they run, or to take *n* guests one after another would take *n*²
/// answers.
fn guests<'a>(plan: &'a Plan, member: &'a Member) -> impl Iterator<Item = (&'a Address, &'a Guest)> {
    let can_carry = |down: &BTreeSet<&Address>, guest: &Guest| {
        guest.carriers.as_ref().is_none_or(|carriers| carriers.iter().any(|carrier| down.contains(carrier)))
    };
    let mut down: BTreeSet<&Address> = member.is_machine().then_some(&member.host).into_iter().collect();
    let mut left: Vec<&Guest> = plan.guests.values().filter(|_| !down.is_empty()).collect();
    loop {
        let (with_it, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|guest| can_carry(&down, guest));
        if with_it.is_empty() {
            break;
        }
        down.extend(with_it.iter().map(|guest| &guest.host));
        left = others;
    }
    let is_known = move |guest: &Guest| plan.hosts.contains_key(&guest.told_by);
    plan.guests.iter().filter(move |(_, guest)| !down.is_empty() && can_carry(&down, guest) && is_known(guest))
}

/// Returns where a guest runs and which hosts can carry it, as what was read of its items tells.
pub(super) fn place(
    kind: &dyn Kind,
    (host, guest, keys): (Address, Address, &BTreeSet<ItemKey>),
    reading: &Reading,
    facts: &Facts,
) -> (Place, Option<BTreeSet<Address>>) {
    let mut items = Vec::new();
    let mut why = "it gave no answer about this guest".to_owned();
    for key in keys {
        match reading.items.get(key) {
            Some(Ok(found)) => {
                let path = AttributePath::default();
                items.push(DesiredItem { key: key.clone(), path, want: found.raw.clone() });
            }
            Some(Err(unreadable)) => why.clone_from(&unreadable.message),
            None => {}
        }
    }
    if items.is_empty() {
        return (Place::Unknown(why), None);
    }
    let desired = Desired { host, guest: Some(guest), items };
    let impact = kind.impact(&Question { desired: &desired, reading, facts, recorded: keys });
    (impact.runs_on.map_or(Place::Elsewhere, Place::On), impact.carriers)
}

/// The guests of which it is known what they run on.
pub(super) fn carried<'a>(places: &[(&'a Address, &'a Place)]) -> BTreeMap<&'a Address, &'a Address> {
    let on = |(guest, place): &(&'a Address, &'a Place)| match place {
        Place::On(on) => Some((*guest, on)),
        Place::Elsewhere | Place::Unknown(_) => None,
    };
    places.iter().filter_map(on).collect()
}

/// Returns the members of groups that may go down with `down`, because they, or what they run on, may run there for all
/// that is known; each with why it is not known.
pub(super) fn perhaps_down(
    rollouts: &BTreeMap<Address, Rollout>,
    down: &BTreeSet<Address>,
    places: &[(&Address, &Place)],
) -> BTreeMap<Address, String> {
    let carried = carried(places);
    let mut perhaps = BTreeMap::new();
    for (guest, place) in places {
        let Place::Unknown(why) = place else { continue };
        for other in taken_down(guest, Some(Verb::Reboot), &carried) {
            let counts =
                |rollout: &Rollout| rollout.members.contains(&other) && !rollout.accept.contains(&Consent::Outage);
            if !down.contains(&other) && rollouts.values().any(counts) {
                perhaps.insert(other, why.clone());
            }
        }
    }
    perhaps
}

fn by_host(resource: &ResourcePlan) -> BTreeMap<&HostId, Vec<&ItemPlan>> {
    let mut hosts: BTreeMap<&HostId, Vec<&ItemPlan>> = BTreeMap::new();
    for item in &resource.items {
        hosts.entry(&item.id.host).or_default().push(item);
    }
    hosts
}

/// What a resource wants on one machine, on one side. Before the run nothing was wanted of what the run only records.
fn desired(plan: &Plan, resource: &ResourcePlan, host: &HostId, items: &[&ItemPlan], side: Side) -> Desired {
    let wanted = items.iter().filter_map(|item| {
        let want = match (&item.step, side) {
            (Step::Write(change) | Step::Revert(change), Side::After) => change.after.clone(),
            (Step::Write(change) | Step::Revert(change), Side::Before) => change.before.clone(),
            (Step::Keep | Step::Record, Side::After) => item.live.clone()?,
            (Step::Forget, Side::After) if !item.activations.is_empty() => item.live.clone()?,
            _ => return None,
        };
        Some(DesiredItem { key: item.id.key.clone(), path: item.path.clone(), want })
    });
    let address = plan.hosts.get(host).map(|planned| planned.host.address.clone());
    Desired {
        host: address.unwrap_or_else(|| Address::new("host", &host.0)),
        guest: resource.guest.clone(),
        items: wanted.collect(),
    }
}

/// Returns every host that is down while `host` is interrupted by `verb`: itself, and where a whole machine goes down,
/// the guests that run on it, however deep.
pub(super) fn taken_down(
    host: &Address,
    verb: Option<Verb>,
    runs_on: &BTreeMap<&Address, &Address>,
) -> BTreeSet<Address> {
    let Some(verb) = verb.filter(|verb| verb.interrupts()) else { return BTreeSet::new() };
    let mut down = BTreeSet::from([host.clone()]);
    if verb < Verb::Reboot {
        return down;
    }
    loop {
        let more: Vec<Address> = runs_on
            .iter()
            .filter(|(guest, on)| down.contains(**on) && !down.contains(**guest))
            .map(|(guest, _)| (*guest).clone())
            .collect();
        if more.is_empty() {
            break;
        }
        down.extend(more);
    }
    down
}

/// What a boot of the member would activate that was not accepted.
fn at_boot(plan: &Plan, member: &Member, readings: &BTreeMap<HostId, HostReading>) -> Vec<String> {
    let boots = |planned: &&super::PlannedActivation| planned.activation.verb >= Verb::Reboot;
    let causes: BTreeSet<&Address> =
        member.activations.iter().filter(boots).flat_map(|planned| &planned.resources).collect();
    let accepts = |address: &&&Address| plan.resources[**address].accept.contains(&Consent::ForeignPending);
    let by_rollout = plan
        .rollouts
        .values()
        .any(|rollout| rollout.members.contains(&member.host) && rollout.accept.contains(&Consent::ForeignPending));
    if causes.is_empty() || by_rollout || causes.iter().filter(accepts).count() == causes.len() {
        return Vec::new();
    }
    let machine = plan.hosts.iter().find(|(_, planned)| planned.host.address == member.host);
    let facts = machine.and_then(|(id, _)| readings.get(id)).map(|answer| &answer.facts);
    facts.map(|facts| facts.waits_for_boot.clone()).unwrap_or_default()
}
