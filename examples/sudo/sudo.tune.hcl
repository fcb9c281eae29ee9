# A login without power over the machine: `become = "sudo"` runs everything through `sudo -n`, which fails at once where
# a password would be asked for, and never hangs. Let the user run sh without one:
#
#   operator ALL=(root) NOPASSWD: /bin/sh

host "app" {
  address = "app-1"
  user    = "operator"
  become  = "sudo"
}

resource "sysctl" "memory" {
  host     = host.app
  settings = { "vm.swappiness" = 10 }
}
