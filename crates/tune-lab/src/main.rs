//! `tune-lab`: stand-ins for the systems that `tune` manages. Nothing in it is part of `tune` itself.

mod proxmox;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Stand-ins for the systems that tune manages.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A Proxmox VE cluster in memory, with its API.
    Proxmox(proxmox::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Proxmox(options) => proxmox::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the only way to tell the user")]
            {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
