terraform {
  required_version = ">= 1.0"
}

ressource "sysctl" "memory" {
  settings {
    x = 1
  }
}
