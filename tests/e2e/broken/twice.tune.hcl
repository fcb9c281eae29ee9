host "a" {
  address = "a"
}

host "a" {
  address = "b"
}

resource "sysctl" "memory" {
  host     = host.a
  host     = host.a
  settings = { "vm.swappiness" = 1, "vm.swappiness" = 2 }
}
