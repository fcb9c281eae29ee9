//! `tune explain`.

use std::fmt::Write as _;

use clap::Args;
use tune_core::problem::Explanation;

use crate::exit::{Exit, Failure};
use crate::kinds;
use crate::paint;
use crate::render::columns::{self, Row};
use crate::render::diagnostic::Notice;
use crate::terminal;

/// Says what a code means, why it matters and what to do; without a code, lists all of them.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, for example `tune::config::duplicate`; its last part is enough where only one code ends with it.
    code: Option<String>,
}

impl Explain {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let all = kinds::explanations();
        let text = match &self.code {
            None => list(&all),
            Some(code) => entry(find(code, &all)?),
        };
        terminal::print(&text)?;
        Ok(Exit::Done)
    }
}

fn list(all: &[Explanation]) -> String {
    let rows: Vec<Row> =
        all.iter().map(|explanation| Row::new(0, explanation.code.0).remark(explanation.title)).collect();
    columns::lay_out(&rows, terminal::width())
}

fn entry(explanation: &Explanation) -> String {
    let mut text = format!("{}\n{}\n", paint::faint(explanation.code), paint::strong(explanation.title));
    for paragraph in explanation.text.split("\n\n") {
        let lines = columns::wrap(paragraph, terminal::width().min(80));
        let _ = write!(text, "\n{}\n", lines.join("\n"));
    }
    text
}

fn find<'a>(wanted: &str, all: &'a [Explanation]) -> Result<&'a Explanation, Failure> {
    let last = |code: &str| code.rsplit("::").next().unwrap_or_default().to_owned();
    let exact = all.iter().find(|explanation| explanation.code.0 == wanted);
    let mut short = all.iter().filter(|explanation| last(explanation.code.0) == wanted);
    if let Some(found) = exact.or_else(|| short.next().filter(|_| short.next().is_none())) {
        return Ok(found);
    }
    let distance = |explanation: &&Explanation| {
        let code = explanation.code.0;
        strsim::damerau_levenshtein(code, wanted).min(strsim::damerau_levenshtein(&last(code), &last(wanted)))
    };
    let nearest = all.iter().min_by_key(distance).filter(|nearest| distance(nearest) * 3 <= wanted.len().max(3));
    let help = match nearest {
        Some(nearest) => format!("did you mean `{}`?", nearest.code),
        None => "`tune explain` lists all codes".to_owned(),
    };
    Err(Failure::new(Notice::error(format!("there is no code `{wanted}`")).help(help)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &str, expect: &str) {
        let all = kinds::explanations();
        let shown = match find(wanted, &all) {
            Ok(found) => found.code.to_string(),
            Err(failure) => failure.notices[0].help.clone().unwrap_or_default(),
        };
        assert_eq!(shown, expect, "{wanted}");
    }

    #[test]
    fn a_code_is_found_whole_or_by_its_end_and_a_near_one_is_proposed() {
        check("tune::config::duplicate", "tune::config::duplicate");
        check("claimed_twice", "tune::plan::claimed_twice");
        check("tune::config::duplicat", "did you mean `tune::config::duplicate`?");
        check("claimed_twize", "did you mean `tune::plan::claimed_twice`?");
        check("zzzzzzzzzz", "`tune explain` lists all codes");
    }
}
