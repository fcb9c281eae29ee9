variable "members" {
  type = list(string)
}

locals {
  count = length(var.member)
  all   = local.al
  hosts = values(host.nothing)
  text  = production
  which = each.key
}
