//! The manual of the language's own blocks: what each one is for, and everything that it takes. A test keeps it equal to
//! what `module/declare` accepts; `docs/reference/language.md` is printed from it.

/// One block of the language.
#[derive(Debug, Clone, Copy)]
pub struct BlockManual {
    /// Its type.
    pub kind: &'static str,
    /// How it begins: `host "NAME"`.
    pub usage: &'static str,
    /// What it is for, as Markdown.
    pub text: &'static str,
    /// Everything that it takes.
    pub words: &'static [Word],
}

/// One attribute of a block, or a block in it.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// Its name.
    pub name: &'static str,
    /// What it takes: a type, `block`, or `NAME, NAME` for the attributes of a block in it.
    pub takes: &'static str,
    /// What it means, as Markdown.
    pub text: &'static str,
}

const fn word(name: &'static str, takes: &'static str, text: &'static str) -> Word {
    Word { name, takes, text }
}

const COUNT: Word =
    word("count", "whole number", "so many instances, `NAME[0]` and so on; within it there is `count.index`");
const FOR_EACH: Word = word(
    "for_each",
    "map, set of strings or block",
    "one instance for each element, `NAME[\"key\"]`; within it there are `each.key` and `each.value`. `for_each = host.k3s` \
     goes over the instances of a block",
);
const DEPENDS_ON: Word =
    word("depends_on", "list of references", "what must be settled before; whatever is referred to counts anyhow");
const PROVIDER: Word = word(
    "provider",
    "`NAME` or `NAME.ALIAS`",
    "which `provider` block, for kinds that live in an API; without it the one that has no alias",
);
const ASSERT: Word =
    word("assert", "block, any number", "`condition` must hold; `error_message` is what is said where it does not");

/// Every block of the language.
pub const LANGUAGE: &[BlockManual] = &[
    BlockManual {
        kind: "tune",
        usage: "tune",
        text: "What the configuration asks of the program. There is at most one.",
        words: &[word(
            "required_version",
            "string",
            "constraints on the version of `tune`, separated by commas: `\">= 0.2, < 1.0\"`, `\"~> 0.2\"`",
        )],
    },
    BlockManual {
        kind: "variable",
        usage: "variable \"NAME\"",
        text: "A value that is given from outside, `var.NAME`. Where it comes from is said [below](#values-of-variables).",
        words: &[
            word(
                "type",
                "type",
                "`string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `tuple([…])`, `object({ … })` with \
                 `optional(TYPE, DEFAULT)` for its attributes; without it any value is taken as it is",
            ),
            word("default", "plain value", "what it is where nobody gives a value; without one it must be given"),
            word("description", "string", "what it is for; shown when somebody is asked for it"),
            word(
                "sensitive",
                "bool",
                "its value, and what is made from it, is never shown and may not reach a resource",
            ),
            word("nullable", "bool", "`false` refuses `null`, and takes the default instead; `true` unless written"),
            word(
                "validation",
                "block, any number",
                "`condition` must hold of every value; `error_message` is what is said where it does not",
            ),
        ],
    },
    BlockManual {
        kind: "locals",
        usage: "locals",
        text: "Values with a name of their own, `local.NAME`: every attribute is one. There may be many of these blocks.",
        words: &[],
    },
    BlockManual {
        kind: "output",
        usage: "output \"NAME\"",
        text: "A value that is printed after an apply. In a module it is what the caller sees as `module.CALL.NAME`.",
        words: &[
            word("value", "any value, required", "the value"),
            word("description", "string", "what it is"),
            word("sensitive", "bool", "does not show it; needed where it is made from a secret"),
            word("precondition", "block, any number", "`condition` must hold, or the plan fails with `error_message`"),
        ],
    },
    BlockManual {
        kind: "host",
        usage: "host \"NAME\"",
        text: "A machine that is reached by the system's `ssh`, or the one that `tune` runs on. In an expression it is an \
               object with `address`, `key`, `name` and `user`; attributes that take a host take `host.NAME` as a whole.",
        words: &[
            word(
                "address",
                "string",
                "anything that `ssh` takes as its destination: a name, an address, an alias. Required for ssh",
            ),
            word("user", "string", "the remote user; left to ssh unless written"),
            word("port", "whole number", "the remote port; left to ssh unless written"),
            word("connection", "`\"ssh\"` or `\"local\"`", "`\"local\"` is this machine; `\"ssh\"` unless written"),
            word("become", "`\"sudo\"`", "runs everything through `sudo -n`, for a user who is not root"),
            word("ssh_config", "string", "a file of ssh's configuration in this folder, to use instead of yours"),
            word("name", "string", "what the machine calls itself; the first part of `address` unless written"),
            COUNT,
            FOR_EACH,
        ],
    },
    BlockManual {
        kind: "provider",
        usage: "provider \"NAME\"",
        text: "An API in which resources live. Kinds that live on hosts need none. The attributes are those of the \
               provider, on the pages in [providers](providers).",
        words: &[word(
            "alias",
            "string",
            "tells several of one kind apart: `provider = NAME.ALIAS`; one without an alias is the default",
        )],
    },
    BlockManual {
        kind: "resource",
        usage: "resource \"KIND\" \"NAME\"",
        text: "Something that is to be as it is written here. A reference to it, `KIND.NAME`, gives its *desired* \
               values. The attributes are those of the kind, on the pages in [resources](resources); only what is \
               written is managed, and the rest stays as it is.",
        words: &[COUNT, FOR_EACH, DEPENDS_ON, PROVIDER, word("lifecycle", "block", "see [below](#lifecycle)")],
    },
    BlockManual {
        kind: "data",
        usage: "data \"SOURCE\" \"NAME\"",
        text: "A question that is asked while planning; the answer is `data.SOURCE.NAME`. It has no effect on what is \
               asked. The attributes, and those of the answer, are on the pages in [sources](sources).",
        words: &[
            COUNT,
            FOR_EACH,
            DEPENDS_ON,
            PROVIDER,
            word("lifecycle", "block", "`precondition` and `postcondition` only; see [below](#lifecycle)"),
        ],
    },
    BlockManual {
        kind: "module",
        usage: "module \"NAME\"",
        text: "Another folder of configuration, in the place of this block. All other attributes are the values of its \
               variables; its outputs are `module.NAME.OUTPUT`.",
        words: &[
            word("source", "string, required", "the folder, in that of the configuration: `\"./modules/x\"`"),
            word(
                "providers",
                "map of names",
                "which provider each of the module's is here, without quotes: `{ proxmox = proxmox.lab }`",
            ),
            COUNT,
            FOR_EACH,
            DEPENDS_ON,
        ],
    },
    BlockManual {
        kind: "check",
        usage: "check \"NAME\"",
        text: "What must be so on the live systems. `tune check` asks it now, and a `rollout` that names it in `gates` \
               waits for it. By itself it stops nothing: what fails while planning is a warning.",
        words: &[
            word(
                "probe",
                "block `probe \"SOURCE\" \"NAME\"`, any number",
                "a question that is asked each time that the check is; the answer is `probe.SOURCE.NAME`, in this check \
                 only. Sources that run a command can be asked here and not in `data`",
            ),
            ASSERT,
        ],
    },
    BlockManual {
        kind: "rollout",
        usage: "rollout \"NAME\"",
        text: "How hosts are taken one after another, when something that is done to them interrupts them. \
               [Rolling](../concepts/rolling.md) tells the rules.",
        words: &[
            word("members", "list or map of hosts, required", "a list keeps its order, a map is sorted by its keys"),
            word(
                "last",
                "host, list or map of hosts",
                "these go last; made from `data`, it is asked again before each member",
            ),
            word(
                "max_unavailable",
                "whole number or `\"25%\"`",
                "at most so many are down at a time, those included that are down already; 1 unless written. A quorum may \
                 allow less",
            ),
            word("canary", "whole number", "so many are taken first, before batches of `max_unavailable`"),
            word("gates", "list of checks", "must pass before the first member, and after each"),
            word(
                "settle",
                "length of time",
                "the gates must hold for so long without a break; `\"10s\"` unless written",
            ),
            word(
                "timeout",
                "length of time",
                "so long may a member take, from its activation until its gates hold; `\"10m\"` unless written",
            ),
            word("soak", "length of time", "rests for so long after each batch; none unless written"),
            word(
                "on_failure",
                "`\"revert_member\"`, `\"revert_run\"` or `\"halt\"`",
                "puts back the member that failed, or everything that the run did, or nothing; `\"revert_member\"` unless \
                 written",
            ),
            word(
                "lifecycle",
                "block",
                "`accept` with `\"outage\"` or `\"foreign_pending\"` only; see [below](#lifecycle)",
            ),
        ],
    },
];

/// What the `lifecycle` block of a resource takes.
pub const LIFECYCLE: &[Word] = &[
    word(
        "accept",
        "list of strings",
        "dangers that you accept: `\"data_loss\"` (what was acknowledged may be lost), `\"irreversible\"` (it cannot be \
         undone), `\"decrease\"` (the live value is higher), `\"outage\"` (a group loses its quorum, or all of its members), \
         `\"foreign_pending\"` (a change that somebody else left pending takes effect too)",
    ),
    word("prevent_revert", "bool", "refuses to put back what was there first, even when the block is gone"),
    word("precondition", "block, any number", "`condition` must hold before, or the plan fails with `error_message`"),
    word(
        "postcondition",
        "block, any number",
        "the same afterwards; `self` is the resource as it is desired, or the answer of the question",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{known_words, lifecycle_words};
    use std::collections::BTreeSet;

    #[test]
    fn the_manual_names_exactly_what_is_accepted() {
        let known = known_words();
        let named: BTreeSet<&str> = LANGUAGE.iter().map(|block| block.kind).collect();
        assert_eq!(named, known.keys().copied().collect::<BTreeSet<_>>(), "blocks");
        assert_eq!(named.len(), LANGUAGE.len(), "a block twice");
        for block in LANGUAGE {
            let words: BTreeSet<&str> = block.words.iter().map(|word| word.name).collect();
            assert_eq!(words.len(), block.words.len(), "a word twice in `{}`", block.kind);
            assert_eq!(words, known[block.kind], "`{}`", block.kind);
            assert!(block.usage.starts_with(block.kind));
        }
        let lifecycle: BTreeSet<&str> = LIFECYCLE.iter().map(|word| word.name).collect();
        assert_eq!(lifecycle, lifecycle_words());
    }
}
