//! Asks Terraform itself what modules, variables, types and conditions mean, where one is installed. What is compared
//! needs no resources, so the same text is a configuration for both.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tune_config::{Inputs, Resolved, Vocabulary, load, resolve};

/// The version that the texts were made for; others may differ.
const VERSION: &str = "Terraform v1.11.";

/// Files by name without their endings.
type Folder = &'static [(&'static str, &'static str)];

/// Configurations with an output `x`.
const GOOD: &[(&str, Folder)] = &[
    (
        "values go in and out",
        &[
            (
                "main",
                r#"
                module "one" {
                  source  = "./m"
                  number  = "5"
                  options = { name = "n", extra = true }
                  maybe   = null
                  never   = null
                }
                module "each" {
                  for_each = { a = 1, b = 2 }
                  source   = "./m"
                  number   = each.value
                  options  = { name = each.key, size = "9", tags = ["q"] }
                }
                module "count" {
                  count  = 2
                  source = "./m"
                  number = count.index
                }
                output "x" {
                  value = jsonencode([
                    module.one, module.each["a"].all, module.each["b"], module.count[1].number, module.count[*].number,
                    { for name, it in module.each : name => it.number }, keys(module.each), length(module.count),
                  ])
                }
                "#,
            ),
            (
                "m/main",
                r#"
                variable "number" {
                  type = number
                }
                variable "options" {
                  type = object({
                    name = string
                    size = optional(number, 7)
                    tags = optional(set(string), ["z", "a"])
                    more = optional(object({ deep = optional(string, "d"), none = optional(bool) }), {})
                  })
                  default = { name = "default" }
                }
                variable "maybe" {
                  default = "set"
                }
                variable "never" {
                  default  = "set"
                  nullable = false
                }
                output "number" {
                  value = var.number + 1
                }
                output "all" {
                  value = [var.options, var.maybe, var.never]
                }
                "#,
            ),
        ],
    ),
    (
        "modules in modules, and paths",
        &[
            (
                "main",
                "module \"a\" {\n  source = \"./sub/a\"\n}\noutput \"x\" {\n  value = jsonencode([module.a.deep, path.module, path.root])\n}\n",
            ),
            (
                "sub/a/main",
                "module \"b\" {\n  source = \"../b\"\n  v = [path.module]\n}\noutput \"deep\" {\n  value = module.b.v\n}\n",
            ),
            (
                "sub/b/main",
                "variable \"v\" {\n  type = list(string)\n}\noutput \"v\" {\n  value = concat(var.v, [path.module, path.root])\n}\n",
            ),
        ],
    ),
    (
        "an output feeds another variable of the same module",
        &[
            (
                "main",
                "module \"m\" {\n  source = \"./m\"\n  a = 1\n  b = module.m.a\n}\noutput \"x\" {\n  value = jsonencode(module.m.b)\n}\n",
            ),
            (
                "m/main",
                "variable \"a\" {}\nvariable \"b\" {}\noutput \"a\" {\n  value = var.a + 1\n}\noutput \"b\" {\n  value = var.b * 10\n}\n",
            ),
        ],
    ),
    (
        "conditions hold, and a rule may look at other values",
        &[(
            "main",
            r#"
            variable "a" {
              default = 3
              validation {
                condition     = var.a < local.limit
                error_message = "Too large."
              }
            }
            locals { limit = 5 }
            check "c" {
              assert {
                condition     = var.a == 3
                error_message = "No."
              }
            }
            output "x" {
              value = jsonencode(var.a)
              precondition {
                condition     = var.a > 1
                error_message = "No."
              }
            }
            "#,
        )],
    ),
    (
        "conversions of a collection",
        &[(
            "main",
            r#"
            variable "v" {
              type = object({
                list  = list(any)
                map   = map(string)
                tuple = tuple([string, number, bool])
                any   = any
              })
              default = {
                list  = [1, "a", true]
                map   = { a = 1, b = true }
                tuple = [1, "2", "true"]
                any   = { x = [1, "a"] }
              }
            }
            output "x" { value = jsonencode(var.v) }
            "#,
        )],
    ),
];

/// What both refuse, each for one reason.
#[rustfmt::skip]
const BAD: &[(&str, Folder)] = &[
    ("an unknown value for a module", &[("main", "module \"m\" {\n  source = \"./m\"\n  a = 1\n}\n"), ("m/main", "")]),
    ("a missing value for a module", &[("main", "module \"m\" {\n  source = \"./m\"\n}\n"), ("m/main", "variable \"a\" {}\n")]),
    ("a value of the wrong type", &[("main", "module \"m\" {\n  source = \"./m\"\n  a = \"x\"\n}\n"), ("m/main", "variable \"a\" {\n  type = number\n}\n")]),
    ("a null that is not allowed", &[("main", "module \"m\" {\n  source = \"./m\"\n  a = null\n}\n"), ("m/main", "variable \"a\" {\n  nullable = false\n}\n")]),
    ("an unknown output", &[("main", "module \"m\" {\n  source = \"./m\"\n}\noutput \"x\" {\n  value = module.m.nope\n}\n"), ("m/main", "")]),
    ("an unknown module", &[("main", "output \"x\" {\n  value = module.m.nope\n}\n")]),
    ("a missing folder", &[("main", "module \"m\" {\n  source = \"./m\"\n}\n")]),
    ("a missing attribute of an object", &[("main", "variable \"a\" {\n  type = object({ b = string })\n  default = {}\n}\n")]),
    ("`each` without `for_each`", &[("main", "module \"m\" {\n  source = \"./m\"\n  a = each.key\n}\n"), ("m/main", "variable \"a\" {}\n")]),
    ("`count` and `for_each`", &[("main", "module \"m\" {\n  source = \"./m\"\n  count = 1\n  for_each = {}\n}\n"), ("m/main", "")]),
    ("a list for `for_each`", &[("main", "module \"m\" {\n  source = \"./m\"\n  for_each = [\"a\"]\n}\n"), ("m/main", "")]),
    ("a circle through a module", &[("main", "module \"m\" {\n  source = \"./m\"\n  a = module.m.b\n}\n"), ("m/main", "variable \"a\" {}\noutput \"b\" {\n  value = var.a\n}\n")]),
    ("a secret in an output", &[("main", "module \"m\" {\n  source = \"./m\"\n}\noutput \"x\" {\n  value = module.m.b\n}\n"), ("m/main", "variable \"a\" {\n  sensitive = true\n  default = 1\n}\noutput \"b\" {\n  value = var.a\n}\n")]),
    ("`self` outside of a postcondition", &[("main", "output \"x\" {\n  value = self.a\n}\n")]),
    ("an unknown path", &[("main", "output \"x\" {\n  value = path.nope\n}\n")]),
    ("a module without a source", &[("main", "module \"m\" {}\n")]),
    ("a check without an assertion", &[("main", "check \"c\" {}\n")]),
    ("a precondition that does not hold", &[("main", "output \"x\" {\n  value = 1\n  precondition {\n    condition = 1 == 2\n    error_message = \"No.\"\n  }\n}\n")]),
    ("a rule that does not hold in a module", &[("main", "module \"m\" {\n  source = \"./m\"\n  a = 9\n}\n"), ("m/main", "variable \"a\" {\n  validation {\n    condition = var.a < 5\n    error_message = \"No.\"\n  }\n}\n")]),
];

/// Returns the output `x`, or the messages of what is refused.
fn ours(files: Folder) -> Result<String, Vec<String>> {
    let files: BTreeMap<String, String> =
        files.iter().map(|(name, text)| (format!("{name}.tune.hcl"), (*text).to_owned())).collect();
    let vocabulary = Vocabulary::default();
    let module = load(&files, &vocabulary, "0.1.0");
    match resolve(&module, &Inputs::default(), &BTreeMap::new()) {
        Ok(Resolved::Ready(configuration)) => Ok(configuration
            .outputs
            .get("x")
            .and_then(|output| output.value.as_str().map(str::to_owned))
            .unwrap_or_default()),
        Ok(Resolved::Needs(needs)) => Err(vec![format!("there is nothing to read: {needs:?}")]),
        Err(mistakes) => Err(mistakes.list.into_iter().map(|mistake| mistake.message).collect()),
    }
}

/// Returns what Terraform says of the same, or `None` where it refuses.
fn theirs(files: Folder, folder: &Path) -> Option<String> {
    for (name, text) in files {
        let path = folder.join(format!("{name}.tf"));
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("the folder was just made");
        fs::write(path, text).expect("the folder was just made");
    }
    let run = |arguments: &[&str]| {
        let output = Command::new("terraform")
            .args(arguments)
            .current_dir(folder)
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .output()
            .expect("it told its version before");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    run(&["init", "-input=false", "-no-color"])?;
    run(&["apply", "-auto-approve", "-input=false", "-no-color"])?;
    Some(run(&["output", "-raw", "x"]).unwrap_or_default())
}

/// Says why Terraform cannot be asked.
fn not_here() -> Option<String> {
    match Command::new("terraform").arg("version").env("CHECKPOINT_DISABLE", "1").output() {
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
            (!version.starts_with(VERSION)).then(|| format!("this is {version}, the texts were made for {VERSION}x"))
        }
        Err(error) => Some(format!("there is no terraform: {error}")),
    }
}

/// Says aloud that the comparison did not take place; the file that the variable names is counted at the end.
fn skipped(reason: &str) {
    if let Some(path) = env::var_os("TUNE_SKIPS") {
        let line = format!("language: {reason}, so modules and types are not compared with it\n");
        let file = fs::OpenOptions::new().append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of skips can be written");
    }
}

#[test]
fn the_good_ones_are_good_and_the_bad_ones_are_bad() {
    for (what, files) in GOOD {
        ours(files).unwrap_or_else(|mistakes| panic!("{what}: {mistakes:?}"));
    }
    for (what, files) in BAD {
        let mistakes = ours(files).expect_err(what);
        assert_eq!(mistakes.len(), 1, "{what}: {mistakes:?}");
    }
}

#[test]
fn terraform_says_the_same() {
    if let Some(reason) = not_here() {
        return skipped(&reason);
    }
    for (what, files) in GOOD {
        let folder = tempfile::tempdir().expect("a folder of our own");
        assert_eq!(ours(files).ok(), theirs(files, folder.path()), "{what}");
    }
    for (what, files) in BAD {
        let folder = tempfile::tempdir().expect("a folder of our own");
        assert_eq!(theirs(files, folder.path()), None, "Terraform does not refuse {what}");
    }
}
