host "vm" {
  for_each = toset(["a", "b"])
  address  = each.key
}

rollout "vm" {
  members         = [host.vm["a"], host.vm["a"]]
  max_unavailable = 0
  settle          = "soon"
  gates           = [check.nothing]
}
