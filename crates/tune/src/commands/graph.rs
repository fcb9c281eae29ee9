//! `tune graph`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tune_core::text;

use crate::args::{Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::diagnostic::Notice;
use crate::render::graph;
use crate::terminal;

/// Shows what waits for what: rollouts, hosts, and the order of resources. Looks at no host.
///
/// Without an option it prints the graph in the language DOT, for Graphviz. `-html` and `-svg` make a page or a drawing
/// that can be opened as it is: it needs no network and runs no scripts. What depends on a value that is not known yet
/// is left out.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Writes a page to this file; `-` prints it.
    #[arg(long, value_name = "FILE", conflicts_with = "svg")]
    html: Option<PathBuf>,

    /// Writes a drawing to this file; `-` prints it.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    #[command(flatten)]
    variables: VariableOptions,
}

impl Graph {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let project = project::check(global, &self.variables, None)?;
        let graph = graph::graph(&project.configuration, &project.kinds);
        let name = project.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match (&self.html, &self.svg) {
            (Some(path), _) => put(path, &graph::page(&graph, &name))?,
            (_, Some(path)) => put(path, &graph::svg(&graph))?,
            _ => terminal::print(&graph::dot(&graph))?,
        }
        Ok(Exit::Done)
    }
}

/// Writes the whole file or nothing. Where it lies is said relative to where the person is, not to `-chdir`.
fn put(path: &Path, content: &str) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Ok(terminal::print(content)?);
    }
    let shown = text::visible(&path.to_string_lossy(), 500);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = || {
        let mut file = tempfile::Builder::new().prefix(".tune-graph-").tempfile_in(folder)?;
        file.write_all(content.as_bytes())?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|error: std::io::Error| {
        let message = format!("cannot write `{shown}`");
        Failure::new(Notice { causes: vec![error.kind().to_string()], ..Notice::error(message) })
    })?;
    Ok(terminal::print(&format!("{shown}\n"))?)
}
