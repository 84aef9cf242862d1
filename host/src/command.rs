//! The commands that end by themselves.

use std::io::Write;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::CommandFactory;
use clap_complete::Shell;
use wfh_engine::Engine;
use wfh_manifest::Manifest;

use crate::cli::{self, Cli};
use crate::deploy::load_all;
use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::settings;

/// `wfh check`: everything a serve would do before it binds.
pub(crate) fn check(options: &cli::Check) -> Result<(), Error> {
    let file = ManifestFile::read(&options.path)?;
    for warning in &file.warnings {
        eprintln!("warning: {warning}");
    }
    settings::admin(&file, None)?;
    if let Some(tls) = settings::http(&file, None).tls {
        tls.check()?;
    }
    let config = settings::engine(&file.manifest, None, Arc::new(ArcSwap::default()));
    let engine = Engine::new(config)?;
    let functions = load_all(&engine, &file)?.len();
    let triggers = file.manifest.triggers.http.len();
    println!("{}: ok, functions: {functions}, triggers: {triggers}", options.path.display());
    Ok(())
}

/// `wfh schema`
pub(crate) fn schema() -> Result<(), Error> {
    let schema = serde_json::to_string_pretty(&Manifest::json_schema());
    println!("{}", schema.map_err(std::io::Error::other)?);
    Ok(())
}

/// `wfh completions SHELL`
pub(crate) fn completions(shell: Shell) -> Result<(), Error> {
    clap_complete::generate(shell, &mut Cli::command(), "wfh", &mut std::io::stdout());
    Ok(())
}

/// `wfh man`
pub(crate) fn man() -> Result<(), Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(())
}
