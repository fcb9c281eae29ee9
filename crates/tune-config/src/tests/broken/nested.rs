//! Providers, blocks within blocks, and `lifecycle`.

use super::Broken;

#[rustfmt::skip]
pub(super) const BROKEN: Broken = &[
    (
r#"provider "cloud" {
  endpoint = 5
  tokn     = "x"
}
provider "cloud" {
  alias    = "lab"
  endpoint = "e"
}
provider "cloud" {
  alias    = "lab"
  endpoint = "e"
}
provider "cloud" {
  alias = "l b"
}
provider "clod" {}
host "h" { address = "h" }
resource "vm" "a" {
  number   = 1
  provider = cloud.nope
}
resource "vm" "b" {
  number   = 1
  provider = "cloud"
}
resource "vm" "c" {
  number   = 1
  provider = bare
}
resource "sysctl" "d" {
  host     = host.h
  settings = {}
  provider = cloud
}
"#,
        &[
            "unknown_attribute «tokn» unknown attribute `tokn`",
            r#"duplicate «provider "cloud"» the provider `cloud.lab` is declared twice"#,
            r#"missing_attribute «provider "cloud"» the provider `cloud` needs the attribute `endpoint`"#,
            r#"name «"l b"» `l b` is not a valid name"#,
            r#"unknown_kind «"clod"» unknown provider `clod`"#,
            "provider «cloud.nope» there is no provider `cloud.nope`",
            r#"provider «"cloud"» `provider` takes the name of a provider"#,
            "provider «bare» `vm` lives in the provider `cloud`",
            "provider «provider» `sysctl` lives on hosts and takes no provider",
        ],
    ),
    (
r#"resource "vm" "a" {
  number = 1
}
resource "vm" "b" {
  number = 1
  disk   = { scsi0 = {} }
  disk "scsi0" {
    cache = ["x"]
    cahe  = "x"
    limit {
      read = "x"
    }
  }
  disk "scsi0" {}
  disk {}
  tag {
    name = 1
  }
  tag "x" {}
  tag {}
  tga {}
  number {}
  options "x" {}
  agent {}
  agent {}
  limits = { read = 1, wirte = 2 }
}
provider "cloud" {
  endpoint = "e"
  token    = sensitive("hunter2")
}
locals {
  a = vm.b.disk.scsi0.nope
}
"#,
        &[
            "unknown_block «disk» `disk` is a block of `vm`, not an attribute",
            r#"type «["x"]» `disk["scsi0"].cache` has the wrong type"#,
            "unknown_attribute «cahe» unknown attribute `cahe`",
            r#"type «"x"» `disk["scsi0"].limit.read` has the wrong type"#,
            r#"duplicate «disk "scsi0"» the block `disk "scsi0"` is declared twice"#,
            "name «disk» `disk` takes one name",
            r#"name «tag "x"» `tag` takes no name"#,
            "unknown_block «tga» unknown block `tga` in `vm`",
            "unknown_block «number» unknown block `number` in `vm`",
            r#"unknown_block «options "x"» unknown block `options` in `vm`"#,
            "duplicate «agent» the block `agent` is declared twice",
            r#"type «2» `limits["wirte"]` has the wrong type"#,
            "index «.nope» there is no attribute `nope`",
        ],
    ),
    (
r#"host "h" { address = "h" }
resource "sysctl" "a" {
  host     = host.h
  settings = self.settings
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [settings]
    precondition {
      condition = false
    }
    precondition {
      condition     = 1 == 2
      error_message = "x"
    }
    postcondition {
      condition     = sysctl.a.level == null
      error_message = "x"
    }
    preconditon {}
  }
}
resource "sysctl" "b" {
  host     = host.h
  settings = {}
}
host "i" {
  address = "i"
  lifecycle {}
}
data "etcd" "a" {
  hosts = [host.h]
  lifecycle {
    prevent_revert = true
  }
}
check "quiet" {
  data "etcd" "x" {}
  assert {
    condition     = true
    error_message = "x"
  }
}
rollout "r" {
  members = [host.h]
  gates   = [check.quiet]
  lifecycle {
    precondition {}
  }
}
output "o" {
  value = 1
  postcondition {}
}
"#,
        &[
            "misplaced «self» `self` is used outside of a postcondition",
            "unknown_attribute «prevent_destroy» unknown attribute `prevent_destroy`",
            "unknown_attribute «ignore_changes» unknown attribute `ignore_changes`",
            "unknown_name «settings» `settings` stands for nothing",
            "missing_attribute «precondition» `precondition` needs the attribute `error_message`",
            "condition «false» `sysctl.a` does not meet its precondition: false",
            "condition «1 == 2» `sysctl.a` does not meet its precondition: x",
            "cycle «sysctl.a» `sysctl.a` depends on itself",
            "unknown_block «preconditon» unknown block `preconditon` in `lifecycle`",
            "unknown_block «lifecycle» unknown block `lifecycle` in a host",
            "unknown_attribute «prevent_revert» unknown attribute `prevent_revert`",
            r#"unknown_block «data "etcd" "x"» unknown block `data` in a check"#,
            "invalid_value «check.quiet» `check.quiet` cannot be a gate",
            "unknown_block «precondition» unknown block `precondition` in `lifecycle`",
            "unknown_block «postcondition» unknown block `postcondition` in an output",
        ],
    ),
];
