//! `tune version`.

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::terminal;

/// Prints the version of this program.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Version {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let (version, platform) =
            (env!("CARGO_PKG_VERSION"), format!("{}_{}", std::env::consts::OS, std::env::consts::ARCH));
        let text = if self.json {
            let document = serde_json::json!({ "tune_version": version, "platform": platform });
            format!("{document:#}\n")
        } else {
            format!("tune {version}\non {platform}\n")
        };
        terminal::print(&text)?;
        Ok(Exit::Done)
    }
}
