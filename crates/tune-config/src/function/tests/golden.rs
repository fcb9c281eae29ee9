//! Expressions and what Terraform 1.11 makes of them, in JSON; `<error>` where it refuses. Where a `terraform` is
//! installed, another test asks it again.

#[path = "golden/conversion.rs"]
mod conversion;
#[path = "golden/date.rs"]
mod date;
#[path = "golden/different.rs"]
mod different;
#[path = "golden/digest.rs"]
mod digest;
#[path = "golden/encoding.rs"]
mod encoding;
#[path = "golden/file.rs"]
mod file;
#[path = "golden/format.rs"]
mod format;
#[path = "golden/language.rs"]
mod language;
#[path = "golden/list.rs"]
mod list;
#[path = "golden/network.rs"]
mod network;
#[path = "golden/number.rs"]
mod number;
#[path = "golden/pattern.rs"]
mod pattern;
#[path = "golden/secret.rs"]
mod secret;
#[path = "golden/text.rs"]
mod text;
#[path = "golden/yaml.rs"]
mod yaml;

/// Every table of expressions with their values.
const TABLES: &[&[(&str, &str)]] = &[
    language::GOLDEN,
    number::GOLDEN,
    text::GOLDEN,
    pattern::GOLDEN,
    format::GOLDEN,
    list::GOLDEN,
    conversion::GOLDEN,
    encoding::GOLDEN,
    yaml::GOLDEN,
    digest::GOLDEN,
    date::GOLDEN,
    network::GOLDEN,
    file::GOLDEN,
    secret::GOLDEN,
];

/// Returns every expression with its value.
pub(super) fn golden() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLES.iter().flat_map(|table| table.iter().copied())
}

/// Returns every expression that has another value here than in Terraform: ours, theirs, and why.
pub(super) fn different() -> &'static [(&'static str, &'static str, &'static str, &'static str)] {
    different::DIFFERENT
}
