# Locals, functions, `for`, conditionals and templates, and outputs, which are printed after an apply. All of it is
# evaluated before any host is asked, so a plan has nothing unknown in it.

locals {
  addresses = ["app-1", "app-2"]
  role      = "web"
  base      = { "net.core.somaxconn" = 4096 }
  by_role = {
    web = { "net.ipv4.tcp_keepalive_time" = 10 * 60 }
    db  = { "vm.swappiness" = 1 }
  }
  settings = merge(local.base, lookup(local.by_role, local.role, {}))
}

host "app" {
  for_each = { for address in local.addresses : upper(address) => address }
  address  = each.value
  user     = startswith(each.value, "app-") ? "root" : null
}

resource "sysctl" "role" {
  for_each = host.app
  host     = each.value
  settings = local.settings
  drop_in  = format("80-%s.conf", local.role)
}

output "summary" {
  description = "What was asked for, in one line."
  value       = "${length(local.settings)} settings on ${join(", ", sort([for it in values(host.app) : it.address]))}"
}
