//! The stable code of every mistake in a configuration, each with its page of the manual.

use tune_core::problem::{Code, Explanation};

/// Declares each code once, together with its explanation, so that neither can exist without the other.
macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $text:literal;)*) => {
        $(
            #[doc = $title]
            pub(crate) const $name: Code = Code($code);
        )*

        /// The manual's entry for every code that this crate gives.
        pub const EXPLANATIONS: &[Explanation] = &[
            $(Explanation { code: $name, title: $title, text: $text },)*
        ];
    };
}

codes! {
    ASSERTION = "tune::config::assertion", "a test found something else than it expects",
        "The condition of an `assert` block in a test does not hold of the plan, or something that the test expects to \
         fail did not fail. The message is the one that the test gives; below it stands what each part of the condition \
         was. `tune test -verbose` shows the whole plan.";
    TEST = "tune::config::test", "a test is not written as it must be",
        "A file of tests ends in `.tunetest.hcl` and holds `run \"NAME\" { … }` blocks, and before them at most one block \
         `test` and one block `variables` that count for every run. A run takes `command = plan`, `recording`, and the blocks \
         `variables`, `plan_options`, `assert` and the attribute `expect_failures`. Nothing is ever applied by a test.";
    ANSWER = "tune::config::answer", "a source answered something else than it promises",
        "What a `data` block gives has declared attributes, so that a configuration can be checked before anything is \
         read. The answer that was read does not have them. This is a mistake in the source, not in the configuration.";
    ARGUMENT = "tune::config::argument", "an argument of a function is wrong",
        "A function was called with an argument that it cannot use: of the wrong type, out of range, or one too many \
         or too few. The message names the function and the argument.";
    BLOCK = "tune::config::unknown_block", "unknown block type",
        "A configuration consists of the blocks `tune`, `variable`, `locals`, `host`, `provider`, `resource`, `data`, \
         `module`, `check`, `rollout` and `output`. A resource of one kind takes the attributes and the blocks of its kind and \
         the block `lifecycle`.\n\n\
         Check the spelling. A map is written with an equals sign: `settings = { … }`.";
    BUDGET = "tune::config::budget", "the configuration is too expensive to evaluate",
        "Evaluation is limited, so that a mistake such as `range(1e9)` or a text that doubles in every line ends with \
         a message and not with a machine out of memory. The limits are on the number of evaluation steps, on the \
         size of one value and on how deeply values are nested.\n\n\
         Split the value, or build it from fewer parts.";
    CHECK = "tune::config::check", "a check fails while planning",
        "A condition of the check does not hold of what is known already: of data, or of the configuration itself. It is \
         a warning, because a check stops nothing by itself; only a gate of a rollout does. What must hold for a plan to \
         be good is a `precondition`.";
    CONDITION = "tune::config::condition", "a precondition or a postcondition does not hold",
        "The configuration says itself what must hold before or after a resource, a question or an output, and it does \
         not. A postcondition names the block by `self`. The message is the one that the block gives.";
    CYCLE = "tune::config::cycle", "things depend on each other in a circle",
        "Each of the marked references makes one thing wait for another, and together they form a circle, so none \
         can be evaluated first. `depends_on` counts as well as a reference in an expression does.\n\n\
         Remove one of the marked references, or move what both sides need into a local value of its own.";
    DUPLICATE = "tune::config::duplicate", "declared twice",
        "A name can be declared once in a whole configuration, whichever file it stands in, and an attribute can be \
         written once in its block. The second label shows the first declaration.";
    EXPRESSION = "tune::config::expression", "an expression cannot be evaluated",
        "The parts of the expression do not go together: an operator or a template got a value of a type that it \
         cannot use, or a division by zero was asked for. The label shows which part.";
    FILE = "tune::config::file", "a file cannot be read",
        "The file does not exist, is not UTF-8 text, or is outside the configuration's folder. Nothing outside that \
         folder can be read, so that a configuration from somebody else cannot reach the files of the machine that \
         plans it.";
    INDEX = "tune::config::index", "there is no such element",
        "The list has no such position, or the map or object has no such key or attribute. Positions count from zero.";
    INSTANCES = "tune::config::instances", "`for_each` or `count` cannot be used",
        "`for_each` takes a map, a set of strings, or a block with instances such as `host.k3s`; `count` takes a whole \
         number. Neither takes `null` or a secret, because instances are named after the keys and names are shown.\n\n\
         Make a set from a list with `toset(…)`, or a map with `{ for x in … : x.name => x }`.";
    INVALID = "tune::config::invalid_value", "a value is of the right type, but not allowed here",
        "Some attributes take only certain values: `connection` is `\"ssh\"` or `\"local\"`, `become` is `\"sudo\"`, \
         a port is between 1 and 65535, and an address for ssh neither starts with a dash nor holds spaces, because \
         ssh would take it for an option. A length of time is a whole number with a unit: `\"30s\"`, `\"10m\"`, \
         `\"24h\"`.";
    MISPLACED = "tune::config::misplaced", "not available here",
        "`each` exists only in a block with `for_each`, `count` only in a block with `count`, `probe` only in the \
         assertions of the check that it stands in, `self` only in a postcondition, and `check` only in the gates of a rollout. A variable's default \
         as well as a file of variable values consist of plain values without references.";
    MISSING_ATTRIBUTE = "tune::config::missing_attribute", "a required attribute is missing",
        "The block needs an attribute that was not written, or that was set to `null`, which means the same.";
    MISSING_VARIABLE = "tune::config::missing_variable", "a variable has no value",
        "The variable has no default, and no value was given for it. Values come from, each winning over those before \
         it: the environment (`TUNE_VAR_name`), `tune.vars.hcl`, `*.auto.vars.hcl` in the order of their names, and \
         `-var` and `-var-file` in the order of the command line. On a terminal `plan` and `apply` ask.";
    MODULE = "tune::config::module", "a module cannot be called",
        "A `module` block calls a folder of the configuration: `source = \"./modules/x\"`. The folder must hold files \
         whose names end in `.tune.hcl`, and must be in the folder of the configuration. Modules from elsewhere are \
         copied into it: then everybody sees what they do, and nothing is fetched while planning.";
    NAME = "tune::config::name", "not a valid name",
        "Names of blocks start with a letter or an underscore and go on with letters, digits, underscores and dashes, \
         so that they can be referred to. A block takes a fixed number of names after its type.";
    NO_FILES = "tune::config::no_files", "there is no configuration here",
        "`tune` reads the files whose names end in `.tune.hcl` in one folder, by default the current one. Use \
         `-chdir=FOLDER` to name another.";
    PROVIDER = "tune::config::provider", "a provider is missing or does not fit",
        "Resources and data that live in an API need a `provider` block that says where the API is. Without \
         `provider = …` it is the block without an alias; `provider = NAME.ALIAS` picks another one. Kinds that live \
         on hosts take none.";
    ROLLOUT = "tune::config::rollout", "the members of a rollout are not what they must be",
        "A rollout takes hosts one after another. `members` is a list of hosts, whose order is kept, or a map of hosts, \
         which is sorted by its keys. No host may be in it twice, and there must be at least one.";
    SENSITIVE_OUTPUT = "tune::config::sensitive_output", "an output would show a secret",
        "The value is made from a variable with `sensitive = true` or with `sensitive(…)`. Outputs are printed and \
         recorded, so the output must say that it is a secret, too.\n\n\
         Write `sensitive = true` in the output, or take the mark off with `nonsensitive(…)` where the result really \
         is none.";
    SENSITIVE_VALUE = "tune::config::sensitive_value", "a secret may not be used here",
        "What hosts and resources are made of is shown in plans and recorded in the state, and no kind of resource can \
         keep an attribute secret yet. A value that is made from a variable with `sensitive = true` or with \
         `sensitive(…)` is therefore refused there.\n\n\
         Use `nonsensitive(…)` where the result really is no secret.";
    SYNTAX = "tune::config::syntax", "the text is not valid HCL",
        "The file cannot be read any further from the marked place on. Only the first mistake of this sort is found \
         in each file; the other files are checked nevertheless.";
    TYPE = "tune::config::type", "a value of the wrong type",
        "The value cannot be converted to what is needed. Texts that hold a number are numbers where one is needed, \
         and numbers and bools are texts where one is needed; everything else must match.";
    UNKNOWN_ATTRIBUTE = "tune::config::unknown_attribute", "unknown attribute",
        "The block has no attribute of this name. Check the spelling.";
    UNKNOWN_FUNCTION = "tune::config::unknown_function", "unknown function",
        "There is no function of this name. Check the spelling; the functions are those of Terraform.\n\n\
         Functions that do not give the same every time and everywhere are not offered, because what is applied would \
         not be what was planned: `timestamp`, `plantimestamp`, `uuid`, `bcrypt`, `abspath`, `pathexpand` and \
         `base64gzip`. The message says what to do instead: give such a value as a variable, or write `uuidv5(…)`.";
    UNKNOWN_KIND = "tune::config::unknown_kind", "unknown kind",
        "The first name of a `resource` block is its kind, that of a `data` or `probe` block the kind of source that \
         is asked, and that of a `provider` block the provider. This version of `tune` knows none of this name. Some \
         sources can be asked in a `probe` only, because they run a command that a person wrote.";
    UNKNOWN_NAME = "tune::config::unknown_name", "a reference to nothing",
        "The reference names something that is declared nowhere in the configuration. References are written `var.x`, \
         `local.x`, `host.x`, `KIND.x`, `data.KIND.x`, `module.x`, `path.module`, `each.key`, `each.value` and `count.index`; within a check \
         `probe.KIND.x`, and as a gate of a rollout `check.x`. A text is written in quotes.";
    UNKNOWN_VARIABLE = "tune::config::unknown_variable", "a value for a variable that is not declared",
        "A value was given for a variable, but no `variable` block declares it.";
    VALIDATION = "tune::config::validation", "a variable's value was refused by its own rule",
        "The condition of a `validation` block of the variable is not met. The message is the one that the block gives.";
    VERSION = "tune::config::version", "this version of `tune` is not the one the configuration asks for",
        "`required_version` in the `tune` block takes constraints such as `\">= 0.2, < 1.0\"` or `\"~> 0.2\"`, \
         separated by commas; all of them must hold.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_belong_to_this_crate() {
        let mut codes: Vec<&str> = EXPLANATIONS.iter().map(|explanation| explanation.code.0).collect();
        assert!(codes.iter().all(|code| code.starts_with("tune::config::")));
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
