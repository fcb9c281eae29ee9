resource "sysctl" "memory" {
}

host "a" {
}

variable "x" {
  type = strin
}
