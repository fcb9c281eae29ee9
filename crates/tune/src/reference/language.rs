//! The page of the language: its blocks from the manual of `tune-config`, and what holds in all of them.

use std::fmt::Write as _;

use tune_config::{LANGUAGE, LIFECYCLE, Word};

use super::{current, generated};

const FILES: &str = "\
A configuration is every file of one folder whose name ends in `.tune.hcl`. It is HCL with Terraform's expressions and
[functions](functions.md); the order of files and blocks means nothing, and every mistake in all of them is reported in
one run. `tune fmt` lays files out, `tune validate` checks them without reaching anything, and `tune console` evaluates
expressions. [Coming from Terraform](../guides/coming-from-terraform.md) says what is different, and
[testing](../guides/testing.md) how files of tests are written.
";

const REPEATED: &str = "\
## Blocks made of values

A block in a resource that may stand there any number of times can be made from a collection:

```hcl
resource \"proxmox_vm\" \"db\" {
  vmid = 107

  dynamic \"disk\" {
    for_each = { scsi0 = \"writeback\", scsi1 = \"none\" }
    labels   = [disk.key]

    content {
      cache = disk.value
    }
  }
}
```

`for_each` takes a list, a set or a map; within `content` the element is named after the block, or as `iterator = NAME`
says, and has `key` and `value`. `labels` names the blocks, where they have names.
";

const REFERENCES: &str = "\
## References

| | |
|---|---|
| `var.NAME`, `local.NAME` | a variable, a local value |
| `host.NAME`, `host.NAME[\"key\"]`, `host.NAME[0]` | a host; of a repeated block all of them, or one |
| `KIND.NAME` | the desired values of a resource; whatever uses them waits for it |
| `data.SOURCE.NAME` | the answer to a question, asked before anything else is planned |
| `module.NAME.OUTPUT` | an output of a module |
| `each.key`, `each.value`, `count.index` | in a repeated block |
| `self` | in a postcondition |
| `probe.SOURCE.NAME` | in the assertions of the check that it stands in |
| `check.NAME` | in the `gates` of a rollout |
| `path.module`, `path.root` | the folder of this file, and that of the configuration; files are read relative to the latter |

Nothing is ever \"known after apply\": a reference to a resource is what the configuration wants, and what is live comes
from `data`. `validate` and `console` read nothing, so there an answer is not known yet.
";

const VARIABLES: &str = "\
## Values of variables

They come from these, and a later one wins:

1. the `default` of the variable
2. what a person answers on a terminal, where there is nothing else (`-input=false` does not ask)
3. the environment, `TUNE_VAR_name`
4. `tune.vars.hcl` in the folder, then every `*.auto.vars.hcl` in the order of their names
5. `-var` and `-var-file`, in the order of the command line
6. the `variables` of a test

A file of values holds `name = value` lines with plain values: no references. `-var` and the environment take a text as it
is for a string, a number or a bool, and an expression for everything else.
";

fn row(word: &Word) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    format!("| `{}` | {} | {} |\n", word.name, cell(word.takes), cell(word.text))
}

fn table(words: &[Word], page: &mut String) {
    page.push_str("\n| | takes | |\n|---|---|---|\n");
    page.extend(words.iter().map(row));
}

#[test]
fn the_page_of_the_language_is_current() {
    let mut page = format!("# The language\n\n{}\n\n{FILES}", generated());
    for block in LANGUAGE {
        let _ = write!(page, "\n## `{}`\n\n{}\n", block.usage, block.text);
        if !block.words.is_empty() {
            table(block.words, &mut page);
        }
    }
    page.push_str("\n## `lifecycle`\n\nA block in a resource; in `data` and in `rollout` with fewer words.\n");
    table(LIFECYCLE, &mut page);
    for part in [REPEATED, REFERENCES, VARIABLES] {
        let _ = write!(page, "\n{part}");
    }
    current("language.md", &page);
}
