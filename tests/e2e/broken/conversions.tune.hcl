variable "pw" {
  default   = "hunter2"
  sensitive = true
}

locals {
  sizes  = { small = 1 }
  size   = try(local.sizes.large, local.sizes["huge"], tonumber("x1"))
  is_on  = tobool("yes")
  secret = tonumber(var.pw)
}
