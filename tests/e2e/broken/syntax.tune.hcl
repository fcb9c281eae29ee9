host "this" {
  connection = "local"

resource "sysctl" "memory" {
  host = host.this
}
