# A plan for the machine that you sit at. It only looks: `tune plan` changes nothing and leaves no file, as any user, in
# a container too. What it would change is what runbooks for database and Kubernetes hosts usually ask for.

host "this" {
  connection = "local"
}

resource "sysctl" "memory" {
  host = host.this
  settings = {
    "vm.swappiness"             = 10
    "vm.dirty_ratio"            = 5
    "vm.dirty_background_ratio" = 3
  }
}

resource "sysctl" "limits" {
  host = host.this
  settings = {
    "fs.file-max"                 = 2097152
    "fs.inotify.max_user_watches" = 524288
    "net.core.somaxconn"          = 4096
    "vm.max_map_count"            = 262144
  }

  lifecycle {
    accept = ["decrease"] # a large machine may allow more already
  }
}

resource "sysctl" "hardening" {
  host = host.this
  settings = {
    "kernel.kptr_restrict" = 2
    "vm.mmap_rnd_bits"     = 32 # only root can read this one
  }
}
