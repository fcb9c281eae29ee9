# Resources without a reference to each other are settled side by side. `depends_on` makes one wait for another; the plan
# shows the order, and a destroy goes the other way round. If the first one fails, the second is not begun.

host "app" {
  address = "app-1"
}

resource "sysctl" "limits" {
  host     = host.app
  settings = { "net.core.somaxconn" = 4096 }
}

resource "sysctl" "backlog" {
  host       = host.app
  settings   = { "net.ipv4.tcp_max_syn_backlog" = 4096 }
  depends_on = [sysctl.limits]
}
