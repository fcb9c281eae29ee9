terraform {
  required_version = ">= 1.0"
}

moved {
  from = sysctl.old
  to   = sysctl.memory
}

variable "pw" {
  ephemeral = true
}

resource "terraform_data" "t" {
  input = terraform.workspace
}

host "a" {
  address = "a"
}

resource "sysctl" "memory" {
  host     = host.a
  settings = { "vm.swappiness" = 1 }

  connection {
    host = "a"
  }

  provisioner "remote-exec" {
    inline = ["sysctl -w vm.swappiness=1"]
  }

  lifecycle {
    ignore_changes = [settings]
  }
}

module "vpc" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 5.0"
}

output "x" {
  value      = sysctl.memory.settings
  depends_on = [sysctl.memory]
}
