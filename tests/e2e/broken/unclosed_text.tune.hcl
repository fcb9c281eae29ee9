locals {
  name = "elk
  size = 3
}
