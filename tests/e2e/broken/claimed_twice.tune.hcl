host "this" {
  connection = "local"
}

resource "sysctl" "one" {
  host     = host.this
  settings = { "vm.swappiness" = 1 }
}

resource "sysctl" "two" {
  host     = host.this
  settings = { "vm.swappiness" = 2 }
}
