//! The published schema is the one of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tune_core::schema::Type;

use crate::table::OPTIONS;

/// Set this variable to write the file anew.
const REGENERATE: &str = "TUNE_REGENERATE";

#[test]
fn the_published_schema_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/proxmox_vm.json");
    let current = format!("{:#}\n", crate::kind().schema().json);
    if std::env::var_os(REGENERATE).is_some() {
        fs::write(&file, &current).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(published == current, "schema/proxmox_vm.json is stale: run the tests once with {REGENERATE}=1");
}

#[test]
fn the_published_schemas_of_the_sources_are_current() {
    for source in crate::sources() {
        tune_source::testing::check_schema(&*source);
    }
}

#[test]
fn every_row_is_an_attribute_with_a_manual() {
    let kind = crate::kind();
    let schema = kind.schema();
    assert_eq!((schema.kind, schema.provider), ("proxmox_vm", Some("proxmox")));
    for option in OPTIONS {
        for name in crate::attributes::names(option) {
            assert!(schema.attributes.contains_key(&name), "{name}");
        }
    }
    assert!(schema.attributes.values().all(|attribute| !attribute.doc.is_empty()));
    let required: Vec<&String> =
        schema.attributes.iter().filter(|(_, attribute)| attribute.required).map(|(name, _)| name).collect();
    assert_eq!(required, ["vmid"]);
    assert_eq!(schema.attributes["guest"].of_type, Type::Host);
    for block in ["disk", "network"] {
        let attribute = &schema.attributes[block];
        assert!(attribute.is_block);
        let Type::Map(of) = &attribute.of_type else { panic!("{block} is no map") };
        let Type::Object(fields) = &**of else { panic!("{block} is no map of objects") };
        assert!(fields.values().all(|field| !field.doc.is_empty() && !field.required));
    }
    assert!(schema.doc.starts_with("Options of a virtual machine"), "{}", schema.doc);
}

#[test]
fn every_code_is_explained_once() {
    let codes: Vec<&str> = crate::kind().explanations().iter().map(|entry| entry.code.0).collect();
    let once: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(once.len(), codes.len());
    assert!(codes.iter().all(|code| code.starts_with("tune::proxmox::")));
}
