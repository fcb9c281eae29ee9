# Three guests of a k3s cluster, tuned for etcd: keep its pages in memory, and let the kernel write dirty pages early and
# often, so that a flush never has much to do. One resource for all three; each guest keeps its own originals.

locals {
  members = toset(["pve", "pumped-piglet", "still-fawn"])
}

host "k3s" {
  for_each = local.members
  address  = "k3s-vm-${each.key}" # any ssh destination: ~/.ssh/config, jump hosts and agents just work
  become   = "sudo"
}

resource "sysctl" "etcd" {
  for_each = host.k3s
  host     = each.value
  settings = {
    "vm.swappiness"             = 10
    "vm.dirty_ratio"            = 5
    "vm.dirty_background_ratio" = 3
  }
}

output "tuned" {
  description = "Where etcd's settings are."
  value       = { for name, it in host.k3s : name => it.address }
}
