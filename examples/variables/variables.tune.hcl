# Values from outside, checked before any host is asked:
#
#   tune plan                                the default, and what tune.vars.hcl says
#   tune plan -var swappiness=20             a flag beats a file
#   TUNE_VAR_swappiness=20 tune plan         a file beats the environment
#   tune plan -var swappiness=500            refused by the validation below
#
# A variable without a default is asked for on a terminal, and is an error elsewhere.

variable "address" {
  type        = string
  description = "Where the host is: any ssh destination."
}

variable "swappiness" {
  type        = number
  default     = 10
  description = "How readily memory is swapped out; 0 to 200."

  validation {
    condition     = var.swappiness >= 0 && var.swappiness <= 200
    error_message = "The kernel takes 0 to 200, not ${var.swappiness}."
  }
}

host "app" {
  address = var.address
}

resource "sysctl" "memory" {
  host     = host.app
  settings = { "vm.swappiness" = var.swappiness }
}
