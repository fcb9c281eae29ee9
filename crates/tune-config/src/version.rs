//! `required_version`: which versions of `tune` a configuration is for.

use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::source::Span;

type Version = [u64; 3];

/// Returns what is wrong when `version` meets the constraints `wanted`, which stand at `span`.
pub(crate) fn check(wanted: &str, version: &str, span: Span) -> Option<Diagnostic> {
    // What is built between two releases counts as the release that it leads to.
    let (running, _) = parse(version.split(['-', '+']).next().unwrap_or_default())?;
    for constraint in wanted.split(',').map(str::trim) {
        let Some(holds) = holds(constraint, running) else {
            let message = format!("`{}` is not a version constraint", shown(constraint));
            let label = "not a constraint";
            return Some(
                Diagnostic::error(code::VERSION, span, message, label)
                    .help("write an operator and a version, such as `>= 0.2` or `~> 0.2.1`"),
            );
        };
        if !holds {
            let message = format!("the configuration is not for this version of `tune`, {}", shown(version));
            let label = format!("`{}` does not hold", shown(constraint));
            return Some(
                Diagnostic::error(code::VERSION, span, message, label)
                    .help("use another version of `tune`, or change the constraint"),
            );
        }
    }
    None
}

/// Returns whether a version meets one constraint; `None` if it is none.
fn holds(constraint: &str, running: Version) -> Option<bool> {
    let digits = constraint.find(|c: char| c.is_ascii_digit())?;
    let (operator, version) = constraint.split_at(digits);
    let (wanted, given) = parse(version)?;
    Some(match operator.trim() {
        "" | "=" => running == wanted,
        "!=" => running != wanted,
        ">" => running > wanted,
        ">=" => running >= wanted,
        "<" => running < wanted,
        "<=" => running <= wanted,
        // The last number that is given may grow: `~> 1.2` is `>= 1.2, < 2`, and `~> 1.2.3` is `>= 1.2.3, < 1.3`.
        "~>" => running >= wanted && running[..given.max(2) - 1] == wanted[..given.max(2) - 1],
        _ => return None,
    })
}

/// Returns up to three numbers, and how many were given.
fn parse(text: &str) -> Option<(Version, usize)> {
    let mut version = Version::default();
    let mut given = 0;
    for part in text.trim().split('.') {
        *version.get_mut(given)? = part.parse().ok()?;
        given += 1;
    }
    Some((version, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_hold_as_in_terraform() {
        let table = [
            ("1.2.3", true),
            ("= 1.2", false),
            ("!= 1.2.4", true),
            (">= 1.2", true),
            ("> 1.2.3", false),
            ("< 2", true),
            ("<= 1.2.2", false),
            ("~> 1.0", true),
            ("~> 1.2.1", true),
            ("~> 1.1.9", false),
            ("~> 1", true),
            ("~> 0.9", false),
        ];
        for (constraint, expect) in table {
            assert_eq!(holds(constraint, [1, 2, 3]), Some(expect), "{constraint}");
        }
        for constraint in ["", "x", "=> 1", ">= 1.2.3.4", ">= 1.x", ">="] {
            assert_eq!(holds(constraint, [1, 2, 3]), None, "{constraint}");
        }
    }
}
