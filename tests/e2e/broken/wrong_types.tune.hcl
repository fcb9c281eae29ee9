variable "port" {
  type    = number
  default = "many"
}

host "a" {
  address = "a"
  port    = var.port
}

resource "sysctl" "memory" {
  host     = "a"
  settings = ["vm.swappiness"]
}
