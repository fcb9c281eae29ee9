//! Originals as HCL, for what is about to be forgotten: complete and exact, so that a person can put it back by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hcl::{Block, Body};
use tune_core::Address;
use tune_core::contract::Kinds;
use tune_core::item::{ItemId, Raw};
use tune_core::state::{Original, Record, State};

/// Returns one block for each resource, with one block in it for each item.
pub(crate) fn hcl(state: &State, addresses: &[Address], kinds: &Kinds) -> String {
    let mut body = Body::builder();
    for address in addresses {
        let items: BTreeMap<&ItemId, &Record> =
            state.items.iter().filter(|(_, record)| record.owner == *address).collect();
        let host = items.keys().next().and_then(|id| state.hosts.get(&id.host));
        let mut block = Block::builder("original").add_label(address.to_string());
        if let Some(host) = host {
            block = block.add_attribute(("host", host.address.to_string()));
        }
        for (id, record) in items {
            block = block.add_block(item(id, record, kinds));
        }
        body = body.add_block(block.build());
    }
    // A body of strings and numbers can always be written; an empty one is the honest answer to nothing.
    hcl::to_string(&body.build()).unwrap_or_default()
}

fn item(id: &ItemId, record: &Record, kinds: &Kinds) -> Block {
    let label = kinds.get(id.kind.as_str()).map_or_else(|| id.key.0.clone(), |kind| kind.label(&id.key));
    let block = Block::builder("item").add_label(label);
    let block = match &record.original {
        Original::Unknown => block.add_attribute(("known", false)),
        Original::Known { raw, run, time, .. } => {
            let block = match raw {
                Raw::Absent => block.add_attribute(("absent", true)),
                Raw::Text(value) => block.add_attribute(("value", value.as_str())),
                Raw::File(file) => {
                    let block = match std::str::from_utf8(&file.content) {
                        Ok(content) => block.add_attribute(("content", content)),
                        Err(_) => block.add_attribute(("content_hex", hexadecimal(&file.content))),
                    };
                    block
                        .add_attribute(("mode", format!("{:04o}", file.mode)))
                        .add_attribute(("owner", format!("{}:{}", file.uid, file.gid)))
                }
            };
            block.add_attribute(("recorded_in_run", *run)).add_attribute(("recorded", time.as_str()))
        }
    };
    block.build()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::render::testing::{Fixture, text as raw};
    use tune_core::item::{FileState, HostId, ItemKey};
    use tune_core::plan::Operation;

    #[test]
    fn everything_that_was_there_is_written_out() {
        let owner = Address::new("sysctl", "etcd").with_name("p\"v");
        let id =
            |key: &str| ItemId { host: HostId("h".to_owned()), kind: "sysctl".to_owned(), key: ItemKey::from(key) };
        let known =
            |raw: Raw| Original::Known { raw, next_boot: None, run: 3, time: "2026-11-20T17:00:00Z".to_owned() };
        let record = |original| Record {
            owner: owner.clone(),
            original,
            applied: raw("1"),
            rolled_back_in: None,
            owes: BTreeSet::new(),
        };
        let mut state = State::default();
        state.items.insert(id("vm.swappiness"), record(known(raw("60 ${x}"))));
        state.items.insert(id("/etc/a.conf"), record(known(Raw::File(FileState::public("a = 1\nb\n")))));
        state.items.insert(id("/etc/b.conf"), record(known(Raw::Absent)));
        state.items.insert(id("vm.x"), record(Original::Unknown));
        let fixture = Fixture::new(Operation::Apply);
        let text = hcl(&state, &[owner], fixture.context().kinds);
        let body: Body = hcl::from_str(&text).unwrap();
        let block = body.blocks().next().unwrap();
        assert_eq!(block.labels()[0].as_str(), "sysctl.etcd[\"p\"v\"]".replace("\"v", "\\\"v"));
        assert_eq!(block.body().blocks().count(), 4);
        for expected in ["absent = true", "known = false", "mode = \"0644\"", "owner = \"0:0\"", "$${x}"] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
}
