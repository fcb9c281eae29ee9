variable "replicas" {
  default = 2
  validation {
    condition     = var.replicas % 2 == 1
    error_message = "An even number of voters gains nothing."
  }
}
