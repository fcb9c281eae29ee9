//! The published schema is the one of the code.

use std::fs;
use std::path::Path;

use tune_core::contract::Kind;
use tune_core::schema::Type;

/// Set this variable to write the file anew.
const REGENERATE: &str = "TUNE_REGENERATE";

#[test]
fn the_published_schema_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/zfs_module.json");
    let current = format!("{:#}\n", crate::kind().schema().json);
    if std::env::var_os(REGENERATE).is_some() {
        fs::write(&file, &current).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(published == current, "schema/zfs_module.json is stale: run the tests once with {REGENERATE}=1");
}

#[test]
fn attributes_have_types_and_a_manual() {
    let kind = crate::kind();
    let shown: Vec<String> = kind
        .schema()
        .attributes
        .iter()
        .map(|(name, attribute)| format!("{name} {:?} {}", attribute.of_type, attribute.required))
        .collect();
    assert_eq!(
        shown,
        [
            "drop_in String false",
            "host Host true",
            "load_time List(String) false",
            "module String false",
            "parameters Map(Scalar) true",
        ]
    );
    assert_eq!(kind.schema().attributes["parameters"].of_type, Type::Map(Box::new(Type::Scalar)));
    assert!(kind.schema().attributes.values().all(|attribute| !attribute.doc.is_empty()));
}
