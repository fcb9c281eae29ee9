locals {
  now  = timestamp()
  text = uper("a")
  id   = uuid()
}
