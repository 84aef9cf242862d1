//! The command line, as docs/cli.md describes it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// WebAssembly function host: runs components as functions, each call in a sandbox of its own.
#[derive(Debug, Parser)]
#[command(name = "wfh", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a manifest, or a bare component on `/` and below
    Serve(Serve),
    /// Parse and validate everything a serve would, without opening a port
    Check(Check),
    /// Print the JSON Schema of the manifest
    Schema,
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// `wfh serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A manifest, or a component (`.wasm`)
    #[arg(default_value = "wfh.toml")]
    pub(crate) path: PathBuf,
    /// The address for HTTP; port 0 picks a free one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The address of the admin port; port 0 picks a free one [default: 127.0.0.1:3001]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<SocketAddr>,
    /// Where compiled components are kept [default: .wfh beside the manifest]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Swap in what changes: components and the manifest
    #[arg(long)]
    pub(crate) watch: bool,
}

/// `wfh check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A manifest, or a component (`.wasm`)
    #[arg(default_value = "wfh.toml")]
    pub(crate) path: PathBuf,
}
