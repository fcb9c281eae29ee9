locals {
  mask = 0xff
}
