//! From an attribute's path back to the text.

use tune_core::AttributePath;

use super::good;

const HCL: &str = r#"
locals {
  common = { "vm.dirty_ratio" = 5 }
}
host "h" {
  for_each = toset(["a", "b"])
  address  = "${each.key}.example.org"
}
resource "sysctl" "etcd" {
  for_each = host.h
  host     = each.value
  settings = {
    "vm.swappiness"  = 10
    "${each.key}.x"  = 11
    plain            = 12
    "vm.dirty_ratio" = [
      13,
    ][0]
  }
  tags = ["one", "two"]
}
resource "sysctl" "common" {
  host       = host.h["a"]
  settings   = local.common
  depends_on = [sysctl.etcd["b"]]
}
"#;

fn check(address: &str, path: &AttributePath, expect: &str) {
    let configuration = good(HCL);
    let span = configuration.span_of(&address.parse().expect("an address"), path).expect("a place");
    assert_eq!(configuration.sources.marked(span), expect);
}

#[test]
fn a_path_leads_to_the_finest_text() {
    let etcd = "sysctl.etcd[\"a\"]";
    let settings = || AttributePath::attribute("settings");
    check(etcd, &settings().key("vm.swappiness"), "\"vm.swappiness\"  = 10");
    check(etcd, &settings().key("plain"), "plain            = 12");
    check(etcd, &settings().key("vm.dirty_ratio"), "\"vm.dirty_ratio\"");
    check(etcd, &settings().key("a.x"), "settings");
    check(etcd, &settings(), "settings");
    check(etcd, &AttributePath::attribute("tags").index(1), "\"two\"");
    check(etcd, &AttributePath::attribute("tags").index(7), "[\"one\", \"two\"]");
    check(etcd, &AttributePath::attribute("host"), "each.value");
    check(etcd, &AttributePath::attribute("drop_in"), "resource \"sysctl\" \"etcd\"");
    check(etcd, &AttributePath::default(), "resource \"sysctl\" \"etcd\"");
    check("sysctl.common", &settings().key("vm.dirty_ratio"), "local.common");
    check("host.h[\"b\"]", &AttributePath::attribute("address"), "\"${each.key}.example.org\"");
}

#[test]
fn blocks_and_edges_have_places() {
    let configuration = good(HCL);
    let address = |text: &str| text.parse().expect("an address");
    let marked = |span: Option<crate::Span>| span.map(|span| configuration.sources.marked(span));
    assert_eq!(marked(configuration.block_span(&address("host.h[\"a\"]"))), Some("host \"h\""));
    assert_eq!(marked(configuration.block_span(&address("sysctl.nope"))), None);
    let edge = configuration.edge_span(&address("sysctl.common"), &address("sysctl.etcd[\"b\"]"));
    assert_eq!(marked(edge), Some("sysctl.etcd[\"b\"]"));
}
