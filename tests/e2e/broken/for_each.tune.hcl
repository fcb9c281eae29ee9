host "many" {
  for_each = ["a", "b", "a"]
  address  = each.value
}

host "some" {
  count   = -1
  address = "x"
}

host "both" {
  count    = 1
  for_each = toset(["a"])
  address  = "x"
}
