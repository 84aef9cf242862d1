//! `wfh serve`: its arguments. What it does is in `serve.rs` of the crate.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::error::Error;

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
    /// Build what changes and swap it in; the manifest too
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Serves until a signal.
pub(crate) fn run(options: &Serve) -> Result<(), Error> {
    crate::serve::serve(options)
}
