host "this" {
  connection = "local"
}

resource "sysctl" "memory" {
  host    = host.this
  setings = { "vm.swappiness" = 1 }
}
