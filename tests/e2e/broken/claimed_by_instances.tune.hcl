host "this" {
  connection = "local"
}

resource "sysctl" "memory" {
  count    = 3
  host     = host.this
  settings = { "vm.swappiness" = count.index }
}
