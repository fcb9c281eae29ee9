//! `tune-lab`: stand-ins for the systems that `tune` manages. Nothing in it is part of `tune` itself.

mod accompany;
mod etcd;
mod pretend;
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
    /// An etcd cluster on booted hosts, joined by a network of their own. It needs root.
    Etcd(etcd::Options),
    /// Three Proxmox VE nodes in memory and the K3s servers on them, for trying out `examples/k3s-etcd`. It needs root.
    Homelab(pretend::Options),
    /// A Proxmox VE cluster in memory, with its API.
    Proxmox(proxmox::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Etcd(options) => etcd::run(&options).map_err(|error| error.to_string()),
        Command::Homelab(options) => pretend::run(&options).map_err(|error| error.to_string()),
        Command::Proxmox(options) => {
            proxmox::run(&options).map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string())
        }
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the only way to tell the user")]
            {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
