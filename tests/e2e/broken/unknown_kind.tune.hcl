host "this" {
  connection = "local"
}

resource "sysclt" "memory" {
  host     = host.this
  settings = { "vm.swappiness" = 1 }
}

data "etdc" "home" {
  endpoints = []
}
