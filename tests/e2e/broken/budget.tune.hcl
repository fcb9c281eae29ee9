locals {
  many = range(1000000000)
}
