host "this" {
  connection = "local"
}

resource "sysctl" "memory" {
  host     = host.this
  drop_in  = "../../etc/passwd"
  settings = {
    "vm.swappiness"      = "seven\nten"
    "vm/../../etc/x"     = 1
    "kernel.core_pattern" = ""
  }
}
