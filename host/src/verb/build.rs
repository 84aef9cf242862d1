//! `wfh build`: runs build commands and compiles into the cache.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use wfh_engine::Engine;

use crate::build::{Audience, Builder};
use crate::error::Error;
use crate::load::Loading;
use crate::manifest_file::ManifestFile;
use crate::output;
use crate::progress::Compiling;
use crate::settings::{self, Secrets};
use crate::store;

/// `wfh build`
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// A manifest, or a component (`.wasm`)
    #[arg(default_value = "wfh.toml")]
    path: PathBuf,
    /// Where compiled components are kept [default: .wfh beside the manifest]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

/// Builds until it is done, or until a stop signal, which ends the running command too.
pub(crate) fn run(options: &Build) -> Result<(), Error> {
    let file = ManifestFile::read(&options.path)?;
    let data_dir = file.data_dir(options.data_dir.as_deref());
    let builder = Arc::new(Builder::new(data_dir.clone()));
    let (built, name) = (Arc::clone(&builder), options.path.display().to_string());
    let work = move || {
        let commands = built.run(&file, Audience::Caller)?;
        let functions = compile(&file, data_dir)?;
        let (ran, unchanged) = (commands.built, commands.unchanged);
        let line = format!(
            "{name}: built, functions: {functions}, commands: {ran}, unchanged: {unchanged}\n"
        );
        output::print(line.as_bytes())
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stopped = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        tokio::select! {
            done = tokio::task::spawn_blocking(work) => done.map_err(io::Error::other)?,
            () = stopped => {
                builder.stop();
                // Compilation cannot be interrupted, and leaves nothing half done.
                std::process::exit(1);
            }
        }
    })
}

/// Pre-initializes and compiles every function into the cache.
fn compile(file: &ManifestFile, data_dir: PathBuf) -> Result<usize, Error> {
    let cache_dir = Some(data_dir.join("cache"));
    let denied = Arc::new(ArcSwap::default());
    let config = settings::engine(&file.manifest, cache_dir, denied, store::for_check());
    let engine = Engine::new(config)?;
    let progress = Compiling::bar_or_lines(file.manifest.functions.len());
    // Where something is built need not be where it runs.
    let loading = Loading { engine: &engine, file, secrets: Secrets::Ignored, progress };
    let functions = loading.all(&|_, _| false)?.len();
    engine.evict_cache();
    Ok(functions)
}
