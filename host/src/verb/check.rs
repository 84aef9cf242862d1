//! `wfh check`: everything a serve would do before it binds.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::Args;
use wfh_engine::Engine;

use crate::error::Error;
use crate::load::Loading;
use crate::manifest_file::ManifestFile;
use crate::output;
use crate::progress::Compiling;
use crate::settings::{self, Secrets};
use crate::store;

/// `wfh check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A manifest, or a component (`.wasm`)
    #[arg(default_value = "wfh.toml")]
    path: PathBuf,
}

/// Loads what the manifest names and opens no port.
pub(crate) fn run(options: &Check) -> Result<(), Error> {
    let file = ManifestFile::read(&options.path)?;
    for warning in &file.warnings {
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    settings::admin(&file, None)?;
    if let Some(tls) = settings::http(&file, None).tls {
        tls.check()?;
    }
    let config =
        settings::engine(&file.manifest, None, Arc::new(ArcSwap::default()), store::for_check());
    let engine = Engine::new(config)?;
    let progress = Compiling::bar(file.manifest.functions.len());
    let loading = Loading { engine: &engine, file: &file, secrets: Secrets::Read, progress };
    let functions = loading.all(&|_, _| false)?.len();
    let triggers = file.manifest.triggers.count();
    let path = options.path.display();
    output::print(format!("{path}: ok, functions: {functions}, triggers: {triggers}\n").as_bytes())
}
