tune {
  required_version = ">= 99"
}
