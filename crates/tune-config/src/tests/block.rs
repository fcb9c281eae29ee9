//! Blocks in resources: how they are put together, referred to and pointed at.

use tune_core::{AttributePath, Value};

use super::good;

const HCL: &str = r#"
provider "cloud" { endpoint = "e" }
host "h" { address = "h" }
resource "vm" "a" {
  for_each = { x = 1 }
  number   = each.value
  disk "scsi1" {
    cache = "none"
  }
  disk "scsi0" {
    cache = each.key
    limit {
      read = "7"
    }
  }
  tag {
    name = "one"
  }
  tag {
    name = each.key
  }
  tag {}
  agent {
    on = true
  }
}
output "x" {
  value = [
    vm.a["x"].disk.scsi0.cache, vm.a["x"].disk["scsi0"].limit.read, vm.a["x"].disk.scsi1.limit,
    vm.a["x"].tag[*].name, vm.a["x"].agent.on, vm.a["x"].limits,
  ]
}
"#;

#[test]
fn blocks_make_up_values() {
    let configuration = good(HCL);
    let vm = configuration.resources.values().next().expect("one resource");
    assert_eq!(
        Value::Map(vm.attributes.clone()).to_string(),
        r#"{ "agent" = { "on" = true }, "disk" = { "scsi0" = { "cache" = "x", "limit" = { "read" = 7 } }, "scsi1" = { "cache" = "none" } }, "number" = 1, "tag" = [{ "name" = "one" }, { "name" = "x" }, {}] }"#
    );
    assert_eq!(configuration.outputs["x"].value.to_string(), r#"["x", 7, null, ["one", "x", null], true, null]"#);
}

/// The attributes of the resource `vm.a` that holds these blocks.
fn made(blocks: &str) -> String {
    let hcl = format!(
        "provider \"cloud\" {{\n  endpoint = \"e\"\n}}\nlocals {{\n  disks = {{ scsi0 = \"none\", scsi1 = \"back\" }}\n}}\nresource \"vm\" \"a\" {{\n  number = 1\n{blocks}\n}}\n"
    );
    match super::resolve_text(&hcl) {
        Ok(configuration) => {
            let vm = configuration.resources.into_values().next().expect("one resource");
            let blocks = vm.attributes.into_iter().filter(|(name, _)| name != "number").collect();
            Value::Map(blocks).to_string()
        }
        Err(mistakes) => super::shown(&mistakes),
    }
}

#[test]
fn dynamic_blocks_are_made_from_values() {
    assert_eq!(
        made(
            "disk \"ide0\" {}\ndynamic \"disk\" {\n  for_each = local.disks\n  labels = [disk.key]\n  content {\n    cache = disk.value\n    dynamic \"limit\" {\n      for_each = disk.key == \"scsi0\" ? [5] : []\n      iterator = it\n      content {\n        read = it.value + length(disk.value)\n      }\n    }\n  }\n}"
        ),
        r#"{ "disk" = { "ide0" = {}, "scsi0" = { "cache" = "none", "limit" = { "read" = 9 } }, "scsi1" = { "cache" = "back" } } }"#
    );
    assert_eq!(
        made(
            "tag {\n  name = \"first\"\n}\ndynamic \"tag\" {\n  for_each = toset([\"b\", \"a\"])\n  content {\n    name = join(\"\", [for x in [tag.key, tag.value] : x])\n  }\n}\ndynamic \"agent\" {\n  for_each = []\n  content {\n    on = agent.value\n  }\n}"
        ),
        r#"{ "tag" = [{ "name" = "first" }, { "name" = "aa" }, { "name" = "bb" }] }"#
    );
}

#[test]
fn dynamic_blocks_keep_the_rules_of_blocks() {
    let dynamic = |name: &str, inside: &str| made(&format!("dynamic \"{name}\" {{\n{inside}\n}}"));
    let content = |inside: &str| format!("content {{\n{inside}\n}}");
    assert_eq!(
        dynamic(
            "disk",
            &format!("for_each = [1, 2]\nlabels = [\"x\"]\n{}", content("cache = [disk.value]\ncahce = 1"))
        ),
        "duplicate «[\"x\"]» the block `disk \"x\"` is made twice\n\
         type «[disk.value]» `disk[\"x\"].cache` has the wrong type\n\
         unknown_attribute «cahce» unknown attribute `cahce`"
    );
    assert_eq!(
        dynamic("disk", &format!("for_each = 5\nlabel = 1\n{}", content("cache = nope"))),
        "name «dynamic \"disk\"» `disk` takes one name\n\
         instances «5» `for_each` of a `dynamic` block must be a list, a set or a map\n\
         unknown_attribute «label» unknown attribute `label`\n\
         unknown_name «nope» `nope` stands for nothing"
    );
    assert_eq!(
        dynamic("agent", &format!("for_each = [1, 2]\nlabels = [1]\n{}", content("on = agnt.value"))),
        "name «labels» `agent` takes no name\n\
         unknown_name «agnt.value» `agnt.value` stands for nothing"
    );
    assert_eq!(
        dynamic("agent", &format!("for_each = [1, 2]\n{}", content("on = true"))),
        "duplicate «dynamic \"agent\"» the block `agent` is made twice"
    );
    assert_eq!(
        dynamic("tag", "for_each = sensitive([1])\niterator = \"x\"\ncontent {}\ncontent {}\nname {}\n"),
        "sensitive_value «sensitive(***)» `for_each` is made from a secret\n\
         name «\"x\"» `iterator` takes a name\n\
         duplicate «content» the block `content` is declared twice\n\
         unknown_block «name» unknown block `name` in `dynamic`"
    );
    assert_eq!(
        dynamic("tag", ""),
        "missing_attribute «dynamic \"tag\"» `dynamic` needs the attribute `for_each`\n\
         missing_attribute «dynamic \"tag\"» `dynamic` needs the block `content`"
    );
    assert_eq!(
        dynamic("tga", "for_each = []\ncontent {}"),
        "unknown_block «dynamic \"tga\"» unknown block `tga` in `vm`"
    );
    assert_eq!(
        dynamic("tag", "for_each = null\ncontent {}"),
        "instances «null» `for_each` of a `dynamic` block must be a list, a set or a map"
    );
    assert_eq!(
        super::shown(&super::mistakes("dynamic \"host\" {\n  for_each = [1]\n  content {}\n}\n")),
        "unknown_block «dynamic \"host\"» unknown block type `dynamic`"
    );
}

#[test]
fn a_path_leads_into_dynamic_blocks() {
    let hcl = "provider \"cloud\" {\n  endpoint = \"e\"\n}\nresource \"vm\" \"a\" {\n  number = 1\n  disk \"x\" {\n    cache = \"1\"\n  }\n  dynamic \"disk\" {\n    for_each = [\"y\"]\n    labels = [disk.value]\n    content {\n      cache = \"2\"\n    }\n  }\n}\n";
    let configuration = good(hcl);
    let cache = |key: &str| {
        let path = AttributePath::attribute("disk").key(key).name("cache");
        let span = configuration.span_of(&"vm.a".parse().expect("an address"), &path).expect("a place");
        configuration.sources.marked(span)
    };
    assert_eq!([cache("x"), cache("y")], ["\"1\"", "\"2\""]);
}

#[test]
fn a_path_leads_into_blocks() {
    let configuration = good(HCL);
    let address = "vm.a[\"x\"]".parse().expect("an address");
    let marked = |path: &AttributePath| {
        configuration.sources.marked(configuration.span_of(&address, path).expect("a place")).to_owned()
    };
    let disk = |name: &str| AttributePath::attribute("disk").key(name);
    assert_eq!(marked(&disk("scsi1").name("cache")), "\"none\"");
    assert_eq!(marked(&disk("scsi0").name("limit").name("read")), "\"7\"");
    assert_eq!(marked(&disk("scsi0").key("cache")), "each.key");
    assert_eq!(marked(&disk("scsi0")), "disk \"scsi0\"");
    assert_eq!(marked(&disk("scsi9")), "resource \"vm\" \"a\"");
    assert_eq!(marked(&disk("scsi0").name("iothread")), "disk \"scsi0\"");
    assert_eq!(marked(&AttributePath::attribute("tag").index(1).name("name")), "each.key");
    assert_eq!(marked(&AttributePath::attribute("agent").name("on")), "true");
}
