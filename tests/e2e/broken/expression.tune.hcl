locals {
  zero   = 1 / 0
  sum    = "a" + 1
  name   = { a = 1 }.b
  third  = [1, 2][2]
  truth  = "yes" ? 1 : 2
  banner = "${[1]}"
}
