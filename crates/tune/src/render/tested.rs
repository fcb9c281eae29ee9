//! A plan as the assertions of a test see it: the words of the JSON plan, arranged so that one resource is one lookup.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tune_core::contract::Kinds;
use tune_core::plan::{Plan, Step};
use tune_core::{Address, Value};

use super::json;

/// Returns what `plan` stands for in a test: an object of `resources`, by address, and of what concerns the whole plan.
pub(crate) fn value(plan: &Plan, kinds: &Kinds) -> Value {
    let mut document = serde_json::to_value(json::document(plan, kinds, None)).unwrap_or_default();
    let mut whole = document["tune"].take();
    let changes = document["resource_changes"].take();
    let changes = if let Json::Array(changes) = changes { changes } else { Vec::new() };
    let resources: serde_json::Map<String, Json> = changes
        .into_iter()
        .filter_map(|change| {
            let name = change["address"].as_str()?.to_owned();
            let address: Address = name.parse().ok()?;
            Some((name, resource(change, &address, plan)))
        })
        .collect();
    let turns = whole["turns"].take();
    let members: Vec<Json> = each(&turns, "members").map(|member| member["host"].clone()).collect();
    let activations = each(&turns, "members").flat_map(|member| {
        let host = member["host"].clone();
        each(&json!([member]), "activations").cloned().collect::<Vec<_>>().into_iter().map(move |activation| {
            json!({ "host": host, "verb": activation["verb"], "subject": activation.get("subject").unwrap_or(&json!("")) })
        })
    });
    let activations: Vec<Json> = activations.collect();
    let seen = json!({
        "resources": resources,
        "members": members,
        "turns": turns,
        "activations": activations,
        "advice": whole["advice"].take(),
        "problems": whole["problems"].take(),
        "owed": whole["owed"].take(),
        "summary": whole["summary"].take(),
        "applyable": document["applyable"].take(),
        "complete": document["complete"].take(),
    });
    Value::try_from(seen).unwrap_or_default()
}

/// Returns every element of the lists of that name.
fn each<'a>(of: &'a Json, name: &'static str) -> impl Iterator<Item = &'a Json> {
    of.as_array().into_iter().flatten().flat_map(move |one| one[name].as_array().into_iter().flatten())
}

fn resource(mut change: Json, address: &Address, plan: &Plan) -> Json {
    let planned = &plan.resources[address];
    let activations: Vec<String> = planned
        .items
        .iter()
        .flat_map(|item| &item.activations)
        .map(|activation| activation.verb.word().to_owned())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let about = |list: &[(Address, tune_core::problem::Advice)]| -> Vec<String> {
        list.iter().filter(|(of, _)| of == address).map(|(_, advice)| advice.code.to_string()).collect()
    };
    let problems: Vec<String> = plan
        .problems
        .iter()
        .filter(|mistake| mistake.address == *address)
        .map(|mistake| mistake.problem.code.to_string())
        .collect();
    let items: BTreeMap<String, Json> = change["tune"]["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| Some((item["label"].as_str()?.to_owned(), item.clone())))
        .collect();
    let is_written = |step: &Step| step.change().is_some();
    json!({
        "action": change["change"]["actions"][0].take(),
        "before": change["change"]["before"].take(),
        "after": change["change"]["after"].take(),
        "importing": change["change"].get("importing").is_some(),
        "host": change["tune"]["host"].take(),
        "depends_on": change["tune"]["depends_on"].take(),
        "reversible": planned.items.iter().all(|item| item.reversible || !is_written(&item.step)),
        "activations": activations,
        "advice": about(&plan.advice),
        "problems": problems,
        "items": items,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{Fixture, new_file, write};
    use tune_core::plan::Operation;

    #[test]
    fn one_resource_is_one_lookup() {
        let fixture = Fixture::new(Operation::Apply).on(
            "etcd",
            "pve",
            vec![write("vm.swappiness", "60", "10"), new_file("/etc/x.conf")],
        );
        let seen = serde_json::to_value(value(&fixture.plan, fixture.context().kinds)).unwrap();
        let resource = &seen["resources"]["sysctl.etcd[\"pve\"]"];
        assert_eq!(resource["action"], "update");
        assert_eq!(resource["before"]["vm.swappiness"], "60");
        assert_eq!(resource["after"]["vm.swappiness"], "10");
        assert_eq!(resource["after"]["/etc/x.conf"]["mode"], "0644");
        assert_eq!(resource["items"]["vm.swappiness"]["step"], "write");
        assert_eq!(resource["importing"], true);
        assert_eq!((&seen["summary"]["change"], &seen["applyable"]), (&1.into(), &true.into()));
        assert_eq!(seen["members"], serde_json::json!([]));
    }
}
