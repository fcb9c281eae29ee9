# Tests of a configuration. `tune test` plans it against `readings.json` and compares the plan with what
# `testing.tunetest.hcl` expects. No host is reached; the readings were taken once with
# `tune plan -record=readings.json`.

variable "swappiness" {
  description = "how willing the kernel is to swap"
  type        = number
  default     = 10

  validation {
    condition     = var.swappiness >= 0 && var.swappiness <= 200
    error_message = "The kernel takes 0 to 200."
  }
}

host "db" {
  address = "db-1"
  user    = "root"
}

resource "sysctl" "memory" {
  host = host.db
  settings = {
    "vm.swappiness"             = var.swappiness
    "vm.dirty_ratio"            = 5
    "vm.dirty_background_ratio" = 3
  }
}

output "swappiness" {
  value = var.swappiness
}
