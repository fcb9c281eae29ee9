variable "pw" {
  sensitive = true
  default   = "hunter2"
}

host "a" {
  address = var.pw
}

output "pw" {
  value = var.pw
}
