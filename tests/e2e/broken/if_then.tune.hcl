locals {
  big = if var.large then 10 else 1
}
