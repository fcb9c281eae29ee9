//! Lets every long option be written with one dash, as in Terraform: `-auto-approve`, `-target=x`, `-chdir=x`. This is
//! the only place that knows of that spelling; everything behind it sees two dashes.

use std::ffi::OsString;

/// Returns the arguments with every one-dash long option spelt with two.
///
/// One letter stays as it is (`-h`, `-V`), and so does everything after `--`.
pub(crate) fn rewrite(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut options_end = false;
    let mut rewritten = Vec::new();
    for (position, argument) in arguments.into_iter().enumerate() {
        options_end |= argument == "--";
        if position > 0 && !options_end && is_one_dash_long(&argument) {
            let mut long = OsString::from("-");
            long.push(argument);
            rewritten.push(long);
        } else {
            rewritten.push(argument);
        }
    }
    rewritten
}

fn is_one_dash_long(argument: &OsString) -> bool {
    let text = argument.to_string_lossy();
    let Some(name) = text.strip_prefix('-') else { return false };
    let name = name.split('=').next().unwrap_or_default();
    name.chars().count() > 1 && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &str, expect: &str) {
        let arguments = std::iter::once("tune").chain(given.split(' ')).map(OsString::from);
        let rewritten: Vec<String> =
            rewrite(arguments).into_iter().skip(1).map(|argument| argument.into_string().unwrap()).collect();
        assert_eq!(rewritten.join(" "), expect, "{given}");
    }

    #[test]
    fn one_dash_becomes_two() {
        check("-chdir=x plan -detailed-exitcode", "--chdir=x plan --detailed-exitcode");
        check("apply -auto-approve -target sysctl.a", "apply --auto-approve --target sysctl.a");
        check("apply --auto-approve --target=sysctl.a", "apply --auto-approve --target=sysctl.a");
        check("plan -var a=-1 -var=b=-x", "plan --var a=-1 --var=b=-x");
        check("-version", "--version");
        check("-help", "--help");
    }

    #[test]
    fn what_is_no_long_option_stays() {
        check("-h", "-h");
        check("plan -", "plan -");
        check("state import -5", "state import -5");
        check("explain -- -json", "explain -- -json");
        check("plan -x=1", "plan -x=1");
    }

    #[test]
    fn the_program_itself_is_never_an_option() {
        assert_eq!(rewrite([OsString::from("-tune")]), ["-tune"]);
    }
}
