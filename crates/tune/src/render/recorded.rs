//! What is recorded: every managed item with what was last applied and what was there before.

use std::collections::BTreeMap;

use tune_core::Address;
use tune_core::activation::coalesced;
use tune_core::contract::Kinds;
use tune_core::item::{ItemId, Raw};
use tune_core::state::{Original, Record, State};
use tune_core::text;

use super::columns::{self, Row};
use crate::paint;

/// Values are cut after this many characters.
const LONGEST_VALUE: usize = 300;

/// Returns the state as a person reads it, resource by resource.
pub(crate) fn text(state: &State, kinds: &Kinds, screen: usize) -> String {
    if state.items.is_empty() {
        return "Nothing is managed.\n".to_owned();
    }
    let mut resources: BTreeMap<&Address, Vec<(&ItemId, &Record)>> = BTreeMap::new();
    for (id, record) in &state.items {
        resources.entry(&record.owner).or_default().push((id, record));
    }
    let mut rows = Vec::new();
    for (address, items) in resources {
        let host = items.first().and_then(|(id, _)| state.hosts.get(&id.host));
        let host = host.map(|host| format!("on {}", host.address)).unwrap_or_default();
        rows.push(Row::new(0, paint::strong(address)).remark(host));
        let protected = state.resources.get(address).is_some_and(|resource| resource.prevent_revert);
        if protected {
            rows.push(Row::new(4, paint::faint("# prevent_revert: a destroy refuses to put it back")));
        }
        let label =
            |id: &ItemId| safe(&kinds.get(id.kind.as_str()).map_or(id.key.0.clone(), |kind| kind.label(&id.key)));
        let width = items.iter().map(|(id, _)| columns::width(&label(id))).max().unwrap_or(0);
        for (id, record) in items {
            let left = format!("{} = {}", columns::padded(&label(id), width), show(kinds, id, &record.applied));
            rows.push(Row::new(4, left).remark(original(kinds, id, &record.original)));
            if let Some(run) = record.rolled_back_in {
                rows.push(Row::new(8, paint::notable(format!("rolled back in run {run}"))));
            }
            for activation in coalesced(&record.owes) {
                let owed = format!("the running system may still use what was there: no {activation} was seen since");
                rows.push(Row::new(8, paint::notable(safe(&owed))));
            }
        }
        rows.push(Row::blank());
    }
    rows.pop();
    columns::lay_out(&rows, screen)
}

fn original(kinds: &Kinds, id: &ItemId, original: &Original) -> String {
    match original {
        Original::Known { raw, run, time, .. } => {
            let day = safe(time).chars().take(10).collect::<String>();
            format!("before tune: {} (run {run}, {day})", show(kinds, id, raw))
        }
        Original::Unknown => "before tune: not known".to_owned(),
    }
}

fn show(kinds: &Kinds, id: &ItemId, raw: &Raw) -> String {
    safe(&kinds.get(id.kind.as_str()).map_or_else(|| format!("{raw:?}"), |kind| kind.show(&id.key, raw)))
}

fn safe(shown: &str) -> String {
    text::visible(shown, LONGEST_VALUE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::render::testing::{Fixture, check, text as raw};
    use tune_core::item::{HostId, ItemKey};
    use tune_core::plan::Operation;

    /// A state in which one value and one file are managed.
    fn state() -> State {
        let owner = Address::new("sysctl", "etcd").with_name("pve");
        let id =
            |key: &str| ItemId { host: HostId("h".to_owned()), kind: "sysctl".to_owned(), key: ItemKey::from(key) };
        let known =
            |raw: Raw| Original::Known { raw, next_boot: None, run: 3, time: "2026-11-20T17:00:00Z".to_owned() };
        let record = |applied: &str, original| Record {
            owner: owner.clone(),
            original,
            applied: raw(applied),
            rolled_back_in: None,
            owes: BTreeSet::new(),
        };
        let mut state = State::default();
        state.items.insert(id("vm.swappiness"), record("10", known(raw("60"))));
        state.items.insert(id("vm.x"), record("1", Original::Unknown));
        state
    }

    #[test]
    fn every_value_stands_beside_its_original() {
        let fixture = Fixture::new(Operation::Apply);
        check(
            &text(&state(), fixture.context().kinds, 100),
            r#"sysctl.etcd["pve"]
    vm.swappiness = 10    before tune: 60 (run 3, 2026-11-20)
    vm.x          = 1     before tune: not known
"#,
        );
        check(&text(&State::default(), fixture.context().kinds, 100), "Nothing is managed.\n");
    }
}
