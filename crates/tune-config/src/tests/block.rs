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
