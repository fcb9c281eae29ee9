//! The attributes that a configuration writes: a few that say which machine is meant, and one for each row of the
//! tables.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Value as Json, json};
use tune_core::schema::{Attribute, HostReference, KindSchema, Type};

use crate::table::{self, DRIVE_SUBS, NET_SUBS, OPTIONS, OptionRow, Row, Shape};

/// The attributes that every machine has, whatever its options.
///
/// Options of a virtual machine in a Proxmox VE cluster: its disks, its network devices, and the machine as a whole.
///
/// The machine exists already and is found by its number, on whichever node it lives. Only what is written here is
/// managed: the rest of a disk's or a network device's line is kept byte for byte. The plan says of every option whether
/// it takes effect at once or waits for a power cycle; a reboot inside the guest is none. What was there before is
/// recorded, and `tune destroy` puts it back.
#[derive(Debug, JsonSchema)]
#[schemars(title = "proxmox_vm")]
#[expect(dead_code, reason = "its fields are looked at as a schema; the attributes are decoded by their tables")]
struct Fixed {
    /// The machine's number, from 100 on.
    vmid: u32,
    /// The host that runs inside the machine: while the machine is off, this host is down.
    guest: Option<HostReference>,
}

/// Returns the schema of the kind.
pub(crate) fn schema() -> KindSchema {
    let mut schema = KindSchema::of::<Fixed>("proxmox_vm");
    schema.provider = Some("proxmox");
    let doc = schema.doc.split_once("\n\n").map_or_else(String::new, |(_, doc)| doc.to_owned());
    schema.json["description"] = json!(doc);
    schema.doc = doc;
    let mut json = std::mem::take(&mut schema.json);
    for (name, attribute, of) in blocks().into_iter().chain(options()) {
        json["properties"][&name] = of;
        schema.attributes.insert(name, attribute);
    }
    json["additionalProperties"] = json!(false);
    schema.json = json;
    schema
}

/// Returns the names under which an option can be written: one, or one for each number.
pub(crate) fn names(option: &OptionRow) -> Vec<String> {
    match option.last {
        None => vec![option.row.name.to_owned()],
        Some(last) => (0..=last).map(|index| format!("{}{index}", option.row.name)).collect(),
    }
}

fn blocks() -> Vec<(String, Attribute, Json)> {
    let disks = "A disk, by its key such as `scsi0`. Only what is written here is managed.";
    let nets = "A network device, by its key such as `net0`. Only what is written here is managed.";
    let block = |name: &str, doc: &str, rows: &[Row]| {
        let attribute = Attribute {
            of_type: Type::Map(Box::new(Type::Object(fields(rows)))),
            required: false,
            doc: doc.to_owned(),
            is_block: true,
            is_secret: false,
        };
        let of = json!({
            "description": doc,
            "type": "object",
            "x-tune-block": true,
            "additionalProperties": object(rows),
        });
        (name.to_owned(), attribute, of)
    };
    vec![block("disk", disks, DRIVE_SUBS), block("network", nets, NET_SUBS)]
}

fn options() -> impl Iterator<Item = (String, Attribute, Json)> {
    OPTIONS.iter().flat_map(|option| {
        names(option).into_iter().map(move |name| {
            let (of_type, mut of) = match option.shape {
                Shape::Value => (type_of(&option.row), json_of(&option.row)),
                // The short form is the value of the sub-option that the string is about.
                Shape::String(_, subs) => (Type::Any, json!({ "anyOf": [json_of(&option.row), object(subs)] })),
            };
            of["description"] = json!(option.row.doc);
            let doc = option.row.doc.to_owned();
            (name, Attribute { of_type, required: false, doc, is_block: false, is_secret: false }, of)
        })
    })
}

fn fields(rows: &[Row]) -> BTreeMap<String, Attribute> {
    let field = |row: &Row| Attribute {
        of_type: type_of(row),
        required: false,
        doc: row.doc.to_owned(),
        is_block: false,
        is_secret: false,
    };
    rows.iter().map(|row| (row.name.to_owned(), field(row))).collect()
}

fn object(rows: &[Row]) -> Json {
    let mut properties = serde_json::Map::new();
    for row in rows {
        let mut of = json_of(row);
        of["description"] = json!(row.doc);
        properties.insert(row.name.to_owned(), of);
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn type_of(row: &Row) -> Type {
    match row.of {
        table::Type::Bool => Type::Bool,
        table::Type::Int(..) => Type::Integer,
        table::Type::Number(..) => Type::Number,
        table::Type::Text(..) => Type::String,
        table::Type::Word(_) | table::Type::Mebibytes(_) => Type::Scalar,
        table::Type::Set(..) | table::Type::List(..) => Type::Any,
    }
}

fn json_of(row: &Row) -> Json {
    match row.of {
        table::Type::Bool => json!({ "type": "boolean" }),
        table::Type::Int(least, i64::MAX) => json!({ "type": "integer", "minimum": least }),
        table::Type::Int(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        table::Type::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        table::Type::Mebibytes(least) => {
            json!({ "anyOf": [{ "type": "integer", "minimum": least }, { "type": "string" }] })
        }
        table::Type::Word(words) if words.contains(&"on") => {
            json!({ "anyOf": [{ "type": "boolean" }, { "enum": words }] })
        }
        table::Type::Word(words) => json!({ "enum": words }),
        table::Type::Text(..) => json!({ "type": "string" }),
        table::Type::Set(..) | table::Type::List(..) => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
    }
}
