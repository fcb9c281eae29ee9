# Three etcd members, taken one after another. The module's parameter is read when the module is loaded, so each member
# must reboot; the gate makes sure that all of them are back, and keep up, before the next one goes.

locals {
  members = toset(["etcd-1", "etcd-2", "etcd-3"])
}

host "etcd" {
  for_each = local.members
  address  = each.key # an alias of the ssh configuration
  user     = "root"
}

resource "sysctl" "network" {
  for_each = host.etcd
  host     = each.value
  settings = {
    "net.core.somaxconn"                 = 8192
    "net.ipv4.tcp_slow_start_after_idle" = 0
  }
}

resource "zfs_module" "volumes" {
  for_each   = host.etcd
  host       = each.value
  parameters = { zvol_threads = 8 } # etcd's disk is a volume of ZFS; taken only when the module is loaded
}

data "etcd" "cluster" {
  hosts = values(host.etcd)
}

check "etcd" {
  probe "etcd" "now" {
    hosts = values(host.etcd)
  }
  assert {
    condition     = probe.etcd.now.healthy_voters == length(host.etcd)
    error_message = "Not healthy: ${join(", ", [for m in probe.etcd.now.members : "${m.name} (${m.error})" if !m.healthy])}."
  }
  assert {
    condition     = length(probe.etcd.now.alarms) == 0
    error_message = "etcd raised an alarm."
  }
}

rollout "etcd" {
  members         = host.etcd
  last            = [for h in values(host.etcd) : h if h.name == data.etcd.cluster.leader_host]
  max_unavailable = 1
  gates           = [check.etcd]
  settle          = "3s"
  timeout         = "3m"
}

output "leader" {
  value = data.etcd.cluster.leader
}
