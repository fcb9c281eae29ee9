# One block for many hosts, with a value that differs from host to host. An instance is named by its key, so taking one
# out of the map reverts that one and touches no other; renaming a key is shown as a rename, and nothing is done.

locals {
  backlog = {
    "app-1" = 8192
    "app-2" = 8192
    "db-1"  = 16384
  }
}

host "node" {
  for_each = local.backlog
  address  = each.key
}

resource "sysctl" "network" {
  for_each = host.node
  host     = each.value
  settings = {
    "net.core.somaxconn"           = local.backlog[each.key]
    "net.ipv4.tcp_max_syn_backlog" = local.backlog[each.key]
  }
}
