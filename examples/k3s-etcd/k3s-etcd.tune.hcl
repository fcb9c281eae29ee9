# A K3s cluster on three Proxmox VE nodes, tuned for etcd: the disks of its virtual machines, the kernels in them, and ZFS
# on the hypervisors. Each machine is power-cycled when etcd can spare it, one at a time, the leader last.
#
# To make it yours, change the addresses, the numbers of the machines and the names, and give it a token and the
# fingerprint of your cluster: see docs/guides/proxmox.md.

variable "proxmox_endpoint" {
  description = "Where the API of the cluster answers; any node will do."
  default     = "https://pve.maas:8006"
}

variable "proxmox_token" {
  description = "USER@REALM!TOKENID=SECRET, from TUNE_VAR_proxmox_token."
  sensitive   = true
}

variable "proxmox_fingerprint" {
  description = "The SHA-256 fingerprint of the certificate that this endpoint shows."
}

variable "settle" {
  description = "How long etcd must stay healthy before the next machine is taken."
  default     = "30s"
}

locals {
  members = { pve = 107, pumped-piglet = 105, still-fawn = 108 } # a node, and the machine on it
}

provider "proxmox" {
  endpoint        = var.proxmox_endpoint
  api_token       = var.proxmox_token
  tls_fingerprint = var.proxmox_fingerprint
  node_hosts      = { for name in keys(local.members) : name => host.hypervisor[name] }
}

host "hypervisor" {
  for_each = local.members
  address  = "${each.key}.maas" # any ssh destination: ~/.ssh/config, jump hosts and agents just work
  user     = "root"
}

host "k3s" {
  for_each = local.members
  address  = "k3s-vm-${each.key}"
  become   = "sudo"
}

resource "proxmox_vm" "k3s" {
  for_each = local.members
  vmid     = each.value         # found on whichever node it lives now
  guest    = host.k3s[each.key] # its power cycle is this host's down time
  disk "scsi0" {                # only what is written here is managed; the rest is kept byte for byte
    cache    = "writeback"
    iothread = true
  }
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

resource "zfs_module" "txg" {
  for_each   = host.hypervisor
  host       = each.value
  parameters = { zfs_txg_timeout = 3 }
}

data "k3s_cluster" "home" {
  hosts = values(host.k3s)
}

check "etcd" {
  probe "k3s_cluster" "now" {
    hosts = values(host.k3s)
  }
  assert {
    condition     = probe.k3s_cluster.now.healthy_voters == length(host.k3s)
    error_message = "Not every member of etcd is healthy: ${join("; ", [for s in probe.k3s_cluster.now.servers : "${s.host}: ${s.etcd_error}" if !s.etcd_healthy])}."
  }
}

rollout "k3s" {
  members         = [host.k3s["pumped-piglet"], host.k3s["pve"], host.k3s["still-fawn"]] # a list keeps its order
  last            = [for h in values(host.k3s) : h if h.name == data.k3s_cluster.home.etcd_leader]
  max_unavailable = 1 # a cap; etcd's majority allows no more anyway
  gates           = [check.etcd]
  settle          = var.settle
  timeout         = "10m"
  on_failure      = "revert_member"
}

output "etcd_leader" {
  description = "Who leads etcd, and is therefore taken last."
  value       = data.k3s_cluster.home.etcd_leader
}
