//! The commands that end by themselves.

use std::io::{ErrorKind, Write};
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
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    settings::admin(&file, None)?;
    if let Some(tls) = settings::http(&file, None).tls {
        tls.check()?;
    }
    let config = settings::engine(&file.manifest, None, Arc::new(ArcSwap::default()));
    let engine = Engine::new(config)?;
    let functions = load_all(&engine, &file)?.len();
    let triggers = file.manifest.triggers.http.len();
    let path = options.path.display();
    print(format!("{path}: ok, functions: {functions}, triggers: {triggers}\n").as_bytes())
}

/// `wfh schema`
pub(crate) fn schema() -> Result<(), Error> {
    let mut schema =
        serde_json::to_vec_pretty(&Manifest::json_schema()).map_err(std::io::Error::other)?;
    schema.push(b'\n');
    print(&schema)
}

/// `wfh completions SHELL`
pub(crate) fn completions(shell: Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wfh", &mut script);
    print(&script)
}

/// `wfh man`
pub(crate) fn man() -> Result<(), Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    print(&page)
}

/// Results go to standard output. A reader that has seen enough is no error.
fn print(bytes: &[u8]) -> Result<(), Error> {
    match std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
