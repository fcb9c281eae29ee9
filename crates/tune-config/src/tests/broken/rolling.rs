//! Rollouts and checks, data and probes.

use super::Broken;

#[rustfmt::skip]
pub(super) const BROKEN: Broken = &[
    (
r#"host "h" {
  count   = 3
  address = "h${count.index}"
}
host "one" { address = "one" }
resource "sysctl" "s" {
  host     = host.one
  settings = {}
}
rollout "a" {
  members         = [host.h[0], host.h[1], host.h[0], "x", host.h]
  max_unavailable = 0
  canary          = 0
  settle          = "30"
  timeout         = "0s"
  soak            = "1.5h"
  on_failure      = "revert_membr"
  last            = ["x"]
  gates           = [check.c, check.nope, sysctl.s, "check.c", check.c]
  lifecycle {
    accept = ["outage", "decrease"]
  }
}
rollout "b" {
  members         = []
  max_unavailable = "0%"
  gates           = check.c
  timeout         = "5s"
  settle          = "10s"
}
rollout "c" {
  members         = host.one
  max_unavailable = "101%"
  setle           = "1s"
}
rollout "d" {
  members         = sensitive([host.one])
  max_unavailable = 1.5
  last            = 5
}
check "c" {
  probe "etcd" "now" { hosts = [host.one] }
  assert {
    condition     = rollout.a == 1
    error_message = "x"
  }
}
locals {
  x = check.c
  y = probe.etcd.now
}
"#,
        &[
            "rollout «host.h[0]» `host.h[0]` is a member twice",
            r#"rollout «"x"» a member is no host"#,
            "rollout «host.h» a member is no host",
            "invalid_value «0» `max_unavailable` cannot have this value",
            "invalid_value «0» `canary` cannot have this value",
            r#"invalid_value «"30"» `settle` is no length of time"#,
            r#"invalid_value «"0s"» `timeout` cannot have this value"#,
            r#"invalid_value «"1.5h"» `soak` is no length of time"#,
            r#"invalid_value «"revert_membr"» `on_failure` cannot have this value"#,
            r#"rollout «["x"]» `last` must be a list of hosts"#,
            "unknown_name «check.nope» there is no check `nope`",
            "type «sysctl.s» `gates` takes references to checks",
            r#"type «"check.c"» `gates` takes references to checks"#,
            "duplicate «check.c» the gate `check.c` is named twice",
            r#"invalid_value «"decrease"» there is nothing called `decrease` to accept"#,
            "rollout «[]» a rollout has no members",
            r#"invalid_value «"0%"» `max_unavailable` cannot have this value"#,
            "invalid_value «check.c» `gates` must be a list of checks",
            "rollout «host.one» `members` must be a list or a map of hosts",
            r#"invalid_value «"101%"» `max_unavailable` cannot have this value"#,
            "unknown_attribute «setle» unknown attribute `setle`",
            "sensitive_value «sensitive(**********)» a secret cannot be used in `members`",
            "invalid_value «1.5» `max_unavailable` cannot have this value",
            "rollout «5» `last` must be a list of hosts",
            "misplaced «rollout.a» a rollout has no value",
            "misplaced «check.c» a check has no value",
            "misplaced «probe.etcd.now» `probe` is used outside of the assertions of a check",
        ],
    ),
    (
r#"host "h" { address = "h" }
data "etcd" "a" {
  hosts = ["h"]
  hsots = []
}
data "etcd" "b" {
  hosts = [host.h]
}
data "ssh" "c" {
  host    = host.h
  command = ["id"]
}
data "etc" "d" {}
locals {
  a = data.etcd.b.leadr
  b = data.etcd.nope.leader
  c = data.etcdd.b.leader
  d = data.etcd
  e = data.etcd.b.members["x"]
}
check "c" {
  probe "etcd" "now" { hosts = [host.h] }
  probe "etcd" "now" { hosts = [host.h] }
  probe "nope" "x" {}
  probe "etcd" {}
  prob "etcd" "y" {}
  assert {
    condition     = probe.etcd.now.healthy_votes == 1
    error_message = probe.etcd.now
  }
  assert {
    condition     = probe.etcd.nwo.voters
    error_message = [5]
  }
  assert {
    condition = probe.etcd.now.voters
  }
}
"#,
        &[
            r#"type «"h"» `hosts[0]` has the wrong type"#,
            "unknown_attribute «hsots» unknown attribute `hsots`",
            r#"unknown_kind «"ssh"» `ssh` can be asked in a `probe` only"#,
            r#"unknown_kind «"etc"» unknown source `etc`"#,
            "index «.leadr» there is no attribute `leadr`",
            "unknown_name «data.etcd.nope» there is no data of `etcd` `nope`",
            "unknown_name «data.etcdd.b» unknown source `etcdd`",
            "unknown_name «data.etcd» `data` needs two names, a kind of source and a name",
            r#"index «["x"]» a position in a list is a number"#,
            r#"duplicate «probe "etcd" "now"» the probe `etcd.now` is declared twice"#,
            r#"unknown_kind «"nope"» unknown source `nope`"#,
            r#"name «probe "etcd"» `probe` takes 2 names, a kind and a name"#,
            r#"unknown_block «prob "etcd" "y"» unknown block `prob` in a check"#,
            "index «.healthy_votes» there is no attribute `healthy_votes`",
            "type «probe.etcd.now» an error message must be a string",
            "unknown_name «probe.etcd.nwo» the check has no probe `etcd.nwo`",
            "type «[5]» an error message must be a string",
            "missing_attribute «assert» `assert` needs the attribute `error_message`",
            "type «probe.etcd.now.voters» a condition must be a bool",
        ],
    ),
];
