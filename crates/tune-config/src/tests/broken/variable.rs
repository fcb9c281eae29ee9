//! Variables and outputs: types, defaults, rules, secrets.

use super::Broken;

#[rustfmt::skip]
pub(super) const BROKEN: Broken = &[
    (
r#"variable "a" {}
variable "b" {
  type    = number
  default = "x"
}
variable "c" {
  type = strin
}
variable "d" {
  type = list
}
variable "e" {
  type    = object({ a = string, b = optional(number) })
  default = { b = "x" }
}
variable "f" {
  default = local.x
}
variable "g" {
  nullable = false
  default  = null
}
variable "h" {
  default = 5
  validation {
    condition     = var.h > 10
    error_message = "Must be more than ten."
  }
}
variable "i" {
  default     = 1
  description = 5
  sensitive   = "x"
  defualt     = 1
  validation {
    condition = true
  }
}
variable "j" {
  type = "string"
  default = 1
}
"#,
        &[
            r#"missing_variable «variable "a"» the variable `a` has no value"#,
            r#"type «"x"» the variable `b` cannot have this value"#,
            r#"missing_variable «variable "c"» the variable `c` has no value"#,
            "type «strin» unknown type `strin`",
            r#"missing_variable «variable "d"» the variable `d` has no value"#,
            "type «list» this is not a type",
            r#"type «{ b = "x" }» the variable `e` cannot have this value"#,
            r#"type «"x"» the variable `e` cannot have this value"#,
            "misplaced «local.x» a reference where only a plain value can stand",
            "type «null» the variable `g` may not be `null`",
            "validation «var.h > 10» the value of the variable `h` is refused: Must be more than ten",
            "type «5» a value of the wrong type",
            r#"type «"x"» a value of the wrong type"#,
            "unknown_attribute «defualt» unknown attribute `defualt`",
            "missing_attribute «validation» `validation` needs the attribute `error_message`",
            r#"type «"string"» this is not a type"#,
        ],
    ),
    (
r#"variable "secret" {
  default   = "hunter2"
  sensitive = true
}
output "a" { value = var.secret }
output "b" { value = "x-${var.secret}" }
output "c" { value = { a = [upper(var.secret)] } }
output "d" {
  value     = var.secret
  sensitive = true
}
host "h" { address = var.secret }
host "l" { connection = "local" }
resource "sysctl" "a" {
  host     = host.l
  settings = {
    a = 1
    b = var.secret
  }
}
locals { x = var.secret + 1 }
"#,
        &[
            "sensitive_output «var.secret» the output `a` would show a secret",
            r#"sensitive_output «"x-${var.secret}"» the output `b` would show a secret"#,
            "sensitive_output «{ a = [upper(var.secret)] }» the output `c` would show a secret",
            "sensitive_value «var.secret» a secret cannot be used in `address`",
            r#"sensitive_value «var.secret» a secret cannot be used in `settings["b"]`"#,
            "expression «var.secret» `+` takes numbers",
        ],
    ),
    (
r#"output "a" {}
output "b" {
  value = 1
  vlaue = 2
}
output "c" {
  value       = 1
  description = local.nope
  extra {}
}
"#,
        &[
            r#"missing_attribute «output "a"» an output needs the attribute `value`"#,
            "unknown_attribute «vlaue» unknown attribute `vlaue`",
            "misplaced «local.nope» a reference where only a plain value can stand",
            "unknown_block «extra» unknown block `extra` in an output",
        ],
    ),
    (
r#"variable "a" {
  type    = tuple([string])
  default = ["a", "b"]
}
variable "b" {
  type    = set(number)
  default = ["a", 1, "b"]
}
variable "c" {
  type    = any(string)
  default = 1
}
variable "d" {
  type    = object({ a = optional(string, 1, 2) })
  default = {}
}
variable "e" {
  type    = optional(string)
  default = 1
}
variable "f" {
  type    = object({ a = string, b = string })
  default = {}
}
"#,
        &[
            r#"type «["a", "b"]» the variable `a` cannot have this value"#,
            r#"type «"a"» the variable `b` cannot have this value"#,
            r#"type «"b"» the variable `b` cannot have this value"#,
            "type «any(string)» this is not a type",
            "type «optional(string, 1, 2)» this is not a type",
            "type «optional(string)» this is not a type",
            "type «{}» the variable `f` cannot have this value",
        ],
    ),
];
