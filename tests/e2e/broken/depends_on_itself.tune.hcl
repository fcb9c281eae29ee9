host "this" {
  connection = "local"
}

resource "sysctl" "one" {
  host       = host.this
  settings   = { "vm.swappiness" = 1 }
  depends_on = [sysctl.two]
}

resource "sysctl" "two" {
  host       = host.this
  settings   = { "vm.dirty_ratio" = 5 }
  depends_on = [sysctl.one]
}
