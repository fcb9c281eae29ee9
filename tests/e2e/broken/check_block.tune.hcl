check "up" {
  probe "tcp" "ssh" {
    adress = "db"
    port   = 22
  }
  assert {
    condition     = probe.tcp.shh.open
    error_message = "down"
  }
}

output "x" {
  value = check.up
}
