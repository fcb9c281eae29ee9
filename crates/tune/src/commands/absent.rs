//! Commands that Terraform has and this program does not: what to do instead.

use crate::render::diagnostic::Notice;

/// The command, and what to do instead, as an imperative sentence.
const ABSENT: &[(&str, &str)] = &[
    ("force-unlock", "use `tune unlock`"),
    ("get", "leave it out: modules are folders beside the configuration, and nothing is fetched"),
    ("import", "leave it out: the first `tune apply` takes over what is there, and keeps its values as the originals"),
    ("init", "leave it out, and go on with `tune plan`: every kind is in the program, and nothing is downloaded"),
    ("login", "leave it out: hosts are reached by your `ssh`, and APIs with what their `provider` blocks name"),
    ("logout", "leave it out: hosts are reached by your `ssh`, and APIs with what their `provider` blocks name"),
    ("metadata", "use `tune schema` for the kinds; all functions are in docs/reference/functions.md"),
    ("output", "use `tune apply`, which prints the outputs, or evaluate an expression with `tune console`"),
    ("providers", "use `tune schema`: every kind is in the program"),
    ("refresh", "use `tune plan -refresh-only`, then `tune apply -refresh-only`"),
    (
        "state mv",
        "leave it out: a thing is known by what it is in the world, so a renamed resource keeps its originals",
    ),
    ("state pull", "use `tune state export`"),
    ("state push", "use `tune state import`"),
    ("taint", "leave it out: nothing is created anew; whatever differs from the configuration is in the next plan"),
    ("untaint", "leave it out: nothing is created anew; whatever differs from the configuration is in the next plan"),
    ("workspace", "use one folder for each state; what they share goes into a module"),
];

/// Returns what to tell somebody who typed a command of Terraform's that does not exist here.
pub(crate) fn instead_of(command: &str) -> Option<Notice> {
    let (name, help) = ABSENT.iter().find(|(name, _)| name.rsplit(' ').next() == Some(command))?;
    Some(Notice::error(format!("there is no `tune {name}`")).help(*help))
}
