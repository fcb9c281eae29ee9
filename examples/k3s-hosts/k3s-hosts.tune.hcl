# Three hypervisors and the k3s guests on them, tuned for etcd: ZFS below, the page cache above. What both runbooks of
# this cluster did by hand, with what was there before kept for the way back.

locals {
  members = toset(["pve", "pumped-piglet", "still-fawn"])
}

host "hypervisor" {
  for_each = local.members
  address  = "${each.key}.maas"
  user     = "root"
}

host "k3s" {
  for_each = local.members
  address  = "k3s-vm-${each.key}" # any ssh destination: ~/.ssh/config, jump hosts and agents just work
  become   = "sudo"
}

# Smaller and more frequent transaction groups. Synchronous writes do not wait for a group, so this makes no fsync
# faster; the plan says so. Where ZFS is loaded from the boot image, the image is built anew.
resource "zfs_module" "txg" {
  for_each   = host.hypervisor
  host       = each.value
  parameters = { zfs_txg_timeout = 3 }
}

# Hypervisors first: a guest is tuned when the ground that it stands on has settled.
resource "sysctl" "etcd" {
  for_each = host.k3s
  host     = each.value
  settings = {
    "vm.swappiness"             = 10
    "vm.dirty_ratio"            = 5
    "vm.dirty_background_ratio" = 3
  }
  depends_on = [zfs_module.txg]
}
