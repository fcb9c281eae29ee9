//! Builds the scripts that run on hosts. The shell itself stands in files of its own under `sh/`, with its reasons; here
//! it is put together with the data of one request. Nothing here sends anything.

pub(crate) mod act;
pub(crate) mod apply;
pub(crate) mod form;
pub(crate) mod quote;
pub(crate) mod read;
pub(crate) mod undo;

use std::fmt::Write as _;

use quote::quote;

pub(crate) const COMMON: &str = include_str!("sh/common.sh");
pub(crate) const ANSWER: &str = include_str!("sh/answer.sh");
pub(crate) const SURVEY: &str = include_str!("sh/survey.sh");
pub(crate) const LOCK: &str = include_str!("sh/lock.sh");
pub(crate) const ITEM: &str = include_str!("sh/item.sh");
pub(crate) const HOME: &str = include_str!("sh/home.sh");
pub(crate) const FENCE: &str = include_str!("sh/fence.sh");
pub(crate) const WATCH: &str = include_str!("sh/watch.sh");
pub(crate) const APPLY: &str = include_str!("sh/apply.sh");
pub(crate) const SIGHT: &str = include_str!("sh/sight.sh");
pub(crate) const ACTIVATE: &str = include_str!("sh/activate.sh");
pub(crate) const COMMAND: &str = include_str!("sh/command.sh");
pub(crate) const RESTORE: &str = include_str!("sh/restore.sh");
pub(crate) const RESTORE_MAIN: &str = include_str!("sh/restore-main.sh");
pub(crate) const UNDO_HEAD: &str = include_str!("sh/undo-head.sh");
pub(crate) const UNDO: &str = include_str!("sh/undo.sh");

/// Where tools are looked for, after whatever the login gave.
const TOOLS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin";

/// Where a host's scripts stand: `/` with the usual tools, or the directory and tools of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ground {
    /// In front of every absolute path; empty outside of tests.
    pub(crate) root: String,
    /// The only directories where tools are looked for; `None` for the usual ones.
    pub(crate) tools: Option<String>,
}

/// What a script knows about itself.
#[derive(Debug, Clone)]
pub(crate) struct Header<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) lineage: &'a str,
    /// Who is named to others that find the lock taken.
    pub(crate) holder: &'a str,
}

impl Header<'_> {
    /// Returns the assignments at the top of a script.
    pub(crate) fn text(&self) -> String {
        let root = &self.ground.root;
        let mut text = match &self.ground.tools {
            Some(tools) => format!("PATH={}\n", quote(tools)),
            None => format!("PATH=${{PATH:-/usr/bin}}:{TOOLS}\n"),
        };
        let _ = writeln!(text, "lineage={}", quote(self.lineage));
        let _ = writeln!(text, "holder={}", quote(self.holder));
        let _ = writeln!(text, "run={}", quote(&format!("{root}/run/tune")));
        let _ = writeln!(text, "home={}", quote(&format!("{root}/var/lib/tune/{}", self.lineage)));
        text
    }
}

/// Returns a whole script for the standard input of `sh -s`. The work is one function that is called in the last line,
/// so that a script of which only a part arrives does nothing.
pub(crate) fn whole(header: &str, nonce: &str, parts: &[&str], data: &str, main: &str) -> String {
    let mut script = format!("nonce={}\n{header}", quote(nonce));
    for part in parts {
        push_bare(&mut script, part);
    }
    script.push_str(data);
    let _ = write!(script, "main() {{\n{main}}}\nmain </dev/null\nexit\n");
    script
}

/// Appends shell without comments and indentation: some shells read a script byte by byte.
fn push_bare(script: &mut String, part: &str) {
    for line in part.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        script.push_str(line);
        script.push('\n');
    }
}

/// Returns the lineage if it can be the name of a directory.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with(['.', '-'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
