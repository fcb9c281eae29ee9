//! Where guests run, whether or not the plan concerns their resources: rule 38.

use std::collections::{BTreeMap, BTreeSet};

use super::Planning;
use crate::address::Address;
use crate::item::{HostId, ItemKey};
use crate::plan::member::place;
use crate::plan::{Guest, Place};

/// Who is asked where a guest runs, and by which items.
struct Teller {
    guest: Address,
    name: Address,
    items: BTreeSet<ItemKey>,
}

impl Planning<'_> {
    /// Finds every guest that was asked for.
    pub(super) fn guests(&mut self) {
        for (address, teller) in self.tellers() {
            let Some(told_by) = self.ids.get(&teller.name).cloned() else { continue };
            let (place, carriers) = self.place(&address, &teller, &told_by);
            let Teller { guest: host, items, .. } = teller;
            self.plan.guests.insert(address, Guest { host, told_by, items, place, carriers });
        }
    }

    fn tellers(&self) -> BTreeMap<Address, Teller> {
        let mut tellers = BTreeMap::new();
        for (id, record, asked) in self.recorded_items() {
            let guest = self.request.state.resources.get(&record.owner).and_then(|record| record.guest.clone());
            let (Some(guest), Some(name)) = (guest, asked.filter(|_| self.wanted.asks_recorded(&record.owner))) else {
                continue;
            };
            let teller = tellers.entry(record.owner).or_insert(Teller { guest, name, items: BTreeSet::new() });
            teller.items.insert(id.key);
        }
        let bystanders = self.wanted.asked_bystanders().filter_map(|(address, desired)| Some((address, desired?)));
        for (address, desired) in self.wanted.desired.iter().chain(bystanders) {
            let Some(guest) = desired.guest.clone() else { continue };
            let items = desired.items.iter().map(|item| item.key.clone()).collect();
            tellers.insert(address.clone(), Teller { guest, name: desired.host.clone(), items });
        }
        tellers
    }

    fn place(&self, address: &Address, teller: &Teller, told_by: &HostId) -> (Place, Option<BTreeSet<Address>>) {
        let record = self.request.state.hosts.get(told_by);
        let (reading, facts) = match self.reading(&teller.name, &address.kind) {
            Err(unreachable) => return (Place::Unknown(unreachable.message.clone()), None),
            Ok((_, facts)) if record.is_some_and(|record| record.is_another(facts)) => {
                return (Place::Unknown(format!("another machine answers as `{}`", teller.name)), None);
            }
            Ok(answer) => answer,
        };
        let question = (teller.name.clone(), teller.guest.clone(), &teller.items);
        self.kind(&address.kind).map_or((Place::Elsewhere, None), |kind| place(kind, question, reading, facts))
    }
}
