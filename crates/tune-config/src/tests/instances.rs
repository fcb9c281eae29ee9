//! Hosts, resources, `for_each`, `count` and `depends_on`.

use tune_core::resource::{Become, Transport};

use super::good;

/// Shows every host and every resource of a configuration.
fn check(hcl: &str, expect: &[&str]) {
    let configuration = good(hcl);
    let hosts = configuration.hosts.values().map(|host| {
        let transport = match &host.transport {
            Transport::Local => "local".to_owned(),
            Transport::Api(api) => format!("the API at {}", api.endpoint),
            Transport::Ssh(ssh) => format!(
                "{}{}{}{}",
                ssh.user.as_ref().map_or_else(String::new, |user| format!("{user}@")),
                ssh.address,
                ssh.port.map_or_else(String::new, |port| format!(":{port}")),
                ssh.config.as_ref().map_or_else(String::new, |config| format!(" -F {config}")),
            ),
        };
        let sudo = if host.become_ == Become::Sudo { " sudo" } else { "" };
        format!("{}: {transport}{sudo}", host.address)
    });
    let resources = configuration.resources.values().map(|resource| {
        let attributes = tune_core::Value::Map(resource.attributes.clone());
        let after: Vec<String> = resource.depends_on.iter().map(ToString::to_string).collect();
        let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
        format!("{}: {attributes}{after}", resource.address)
    });
    let shown: Vec<String> = hosts.chain(resources).collect();
    assert_eq!(shown, expect);
}

#[test]
fn a_block_of_hosts_and_a_resource_on_each() {
    check(
        r#"
        locals {
          members = { pve = 107, fawn = 108 }
        }
        host "k3s" {
          for_each = local.members
          address  = "k3s-vm-${each.key}"
          user     = "root"
          port     = each.value
          become   = "sudo"
        }
        resource "sysctl" "etcd" {
          for_each = host.k3s
          host     = each.value
          settings = {
            "vm.swappiness"  = 10
            "vm.dirty_ratio" = "5"
          }
          drop_in = "99-${each.value.name}-${each.value.key}.conf"
        }
        "#,
        &[
            r#"host.k3s["fawn"]: root@k3s-vm-fawn:108 sudo"#,
            r#"host.k3s["pve"]: root@k3s-vm-pve:107 sudo"#,
            r#"sysctl.etcd["fawn"]: { "drop_in" = "99-k3s-vm-fawn-fawn.conf", "host" = "host.k3s[\"fawn\"]", "settings" = { "vm.dirty_ratio" = "5", "vm.swappiness" = 10 } }"#,
            r#"sysctl.etcd["pve"]: { "drop_in" = "99-k3s-vm-pve-pve.conf", "host" = "host.k3s[\"pve\"]", "settings" = { "vm.dirty_ratio" = "5", "vm.swappiness" = 10 } }"#,
        ],
    );
}

#[test]
fn hosts_of_every_sort() {
    check(
        r#"
        host "plain" { address = "example.org" }
        host "full" {
          address    = "10.0.0.1"
          user       = "root"
          port       = "2222"
          connection = "ssh"
          ssh_config = "./ssh/config"
        }
        host "here" {
          connection = "local"
          become     = "sudo"
        }
        host "many" {
          count   = 2
          address = "m${count.index}"
        }
        host "none" {
          count   = 0
          address = "x"
        }
        "#,
        &[
            "host.full: root@10.0.0.1:2222 -F ssh/config",
            "host.here: local sudo",
            "host.many[0]: m0",
            "host.many[1]: m1",
            "host.plain: example.org",
        ],
    );
}

const THREE: &str = r#"
    host "h" { connection = "local" }
    resource "sysctl" "a" {
      for_each = toset(["x", "y"])
      host     = host.h
      settings = { k = each.value }
    }
    resource "sysctl" "b" {
      count    = 2
      host     = host.h
      settings = {}
    }
"#;

/// What the resource `c` depends on, when this stands in it.
fn depends(line: &str, expect: &[&str]) {
    let hcl = format!(
        "{THREE}\nlocals {{\n  ax = sysctl.a[\"x\"].settings\n  plain = 1\n}}\nresource \"sysctl\" \"c\" {{\n  host = host.h\n  {line}\n}}\n"
    );
    let configuration = good(&hcl);
    let address = "sysctl.c".parse().expect("an address");
    let shown: Vec<String> = configuration.resources[&address].depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(shown, expect, "{line}");
    for to in &configuration.resources[&address].depends_on {
        assert!(configuration.edge_span(&address, to).is_some(), "{line}: {to}");
    }
}

#[test]
fn dependencies_are_as_fine_as_the_reference() {
    let (ax, ay, b0, b1) = (r#"sysctl.a["x"]"#, r#"sysctl.a["y"]"#, "sysctl.b[0]", "sysctl.b[1]");
    depends("settings = {}", &[]);
    depends("settings = sysctl.a[\"x\"].settings", &[ax]);
    depends("settings = sysctl.a.y.settings", &[ay]);
    depends("settings = { k = length(sysctl.a) }", &[ax, ay]);
    depends("settings = { k = sysctl.b[1].level == null }", &[b1]);
    depends("settings = { k = length(sysctl.b[*].level) }", &[b0, b1]);
    depends("settings = { for k in [\"x\"] : k => sysctl.a[k].settings.k }", &[ax]);
    depends("settings = local.ax", &[ax]);
    depends("settings = { k = local.plain }", &[]);
    depends("settings = true ? {} : sysctl.a[\"x\"].settings", &[]);
    depends("settings = {}\n  depends_on = [sysctl.a]", &[ax, ay]);
    depends("settings = {}\n  depends_on = [sysctl.a[\"x\"], sysctl.b[1]]", &[ax, b1]);
    depends("settings = { k = sysctl.a[\"y\"].settings.k }\n  depends_on = [sysctl.b.0]", &[ay, b0]);
}

#[test]
fn what_for_each_goes_through_comes_first() {
    let hcl = format!(
        "{THREE}\nresource \"sysctl\" \"c\" {{\n  for_each = sysctl.a\n  host = each.value.host\n  settings = each.value.settings\n}}\n"
    );
    let configuration = good(&hcl);
    let after: Vec<String> = configuration
        .resources
        .values()
        .filter(|resource| resource.address.name == "c")
        .map(|resource| format!("{} after {}", resource.address, resource.depends_on.len()))
        .collect();
    assert_eq!(after, [r#"sysctl.c["x"] after 2"#, r#"sysctl.c["y"] after 2"#]);
}

#[test]
fn a_host_passes_on_what_it_was_made_from() {
    let hcl = format!(
        "{THREE}\nhost \"i\" {{\n  address = sysctl.a[\"x\"].settings.k\n}}\nresource \"sysctl\" \"c\" {{\n  host = host.i\n  settings = {{}}\n}}\n"
    );
    let configuration = good(&hcl);
    let address = "sysctl.c".parse().expect("an address");
    let after: Vec<String> = configuration.resources[&address].depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(after, [r#"sysctl.a["x"]"#]);
}

#[test]
fn lifecycle_and_absent_attributes() {
    let configuration = good(
        r#"
        host "h" { connection = "local" }
        resource "sysctl" "a" {
          host     = host.h
          settings = { a = true, b = "x", c = 1.50 }
          drop_in  = null
          level    = "7"
          tags     = toset(["b", "a"])
          peers    = [host.h]
          lifecycle {
            prevent_revert = true
            accept         = ["outage", "decrease"]
          }
        }
        "#,
    );
    let resource = configuration.resources.values().next().expect("one resource");
    assert_eq!(
        tune_core::Value::Map(resource.attributes.clone()).to_string(),
        r#"{ "host" = "host.h", "level" = 7, "peers" = ["host.h"], "settings" = { "a" = true, "b" = "x", "c" = 1.5 }, "tags" = ["a", "b"] }"#
    );
    assert!(resource.lifecycle.prevent_revert);
    let accepted: Vec<&str> = resource.lifecycle.accept.iter().map(|consent| consent.word()).collect();
    assert_eq!(accepted, ["decrease", "outage"]);
}

#[test]
fn blocks_may_stand_in_any_order_and_file() {
    let files = [
        ("b.tune.hcl", "resource \"sysctl\" \"a\" {\n  host = host.h\n  settings = { k = local.x }\n}\n"),
        ("a.tune.hcl", "locals {\n  x = local.y + 1\n}\n"),
        ("c.tune.hcl", "host \"h\" {\n  connection = \"local\"\n}\nlocals {\n  y = 1\n}\n"),
        ("notes.txt", "nothing"),
        (".#a.tune.hcl", "an editor's"),
    ];
    let configuration = super::resolve_files(&files, &crate::Inputs::default()).expect("a good configuration");
    assert_eq!(configuration.resources.len(), 1);
    assert_eq!(configuration.files.keys().collect::<Vec<_>>(), ["a.tune.hcl", "b.tune.hcl", "c.tune.hcl"]);
}

#[test]
fn many_instances_and_references_are_quick() {
    // Every one of 3000 resources refers to a map of 3000 hosts; copying it each time would take minutes.
    let configuration = good(
        r#"
        host "h" {
          for_each = { for i in range(3000) : "n${i}" => i }
          address  = each.key
        }
        resource "sysctl" "s" {
          for_each = host.h
          host     = host.h[each.key]
          settings = { a = host.h[each.key].address, b = length(host.h) }
        }
        "#,
    );
    assert_eq!(configuration.resources.len(), 3000);
}
