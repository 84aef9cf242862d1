//! `wfh check`: everything a serve would do before it binds, and every error of it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::Args;
use wfh_engine::Engine;
use wfh_event::{ErrorCode, FunctionName};
use wfh_manifest::Function;

use crate::error::Error;
use crate::load::Loading;
use crate::manifest_file::ManifestFile;
use crate::progress::Compiling;
use crate::settings::{self, Secrets};
use crate::{build, output, outside, store};

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
    let problems = problems(&file);
    if !problems.is_empty() {
        return Err(Error::Problems(problems));
    }
    let (functions, triggers) = (file.manifest.functions.len(), file.manifest.triggers.count());
    let path = options.path.display();
    output::print(format!("{path}: ok, functions: {functions}, triggers: {triggers}\n").as_bytes())
}

/// Everything that would keep this manifest from being served on this machine.
fn problems(file: &ManifestFile) -> Vec<String> {
    let mut problems: Vec<String> =
        settings::admin(file, None).err().into_iter().map(said).collect();
    if let Some(Err(error)) = settings::http(file, None).tls.map(|tls| tls.check()) {
        let place = file.error_at("http.tls", &error.to_string());
        problems.push(format!("{}: {place}", error.code()));
    }
    problems.extend(build::jobs(file, &file.data_dir(None)).err().unwrap_or_default());
    problems.extend(outside::check(file).into_iter().map(said));
    for (name, function) in &file.manifest.functions {
        problems.extend(of_machine(file, name, function));
    }
    problems.extend(components(file).err().map(said));
    problems
}

fn said(error: Error) -> String {
    error.to_string()
}

/// Secrets and directories that the machine lacks.
fn of_machine(file: &ManifestFile, name: &FunctionName, function: &Function) -> Vec<String> {
    let mut problems = Vec::new();
    for (secret, source) in &function.secrets {
        let key = format!("function.{name}.secret.{secret}");
        problems.extend(settings::read_secret(file, &key, source).err().map(said));
    }
    for (index, grant) in function.allow.files.iter().enumerate() {
        let host = file.resolve(&grant.host);
        if let Err(error) = std::fs::read_dir(&host) {
            let key = format!("function.{name}.allow.files[{index}].host");
            let message = format!("{} cannot be opened as a directory: {error}", host.display());
            let place = file.error_at(&key, &message);
            problems.push(format!("{}: {place}", ErrorCode::FileUnreadable));
        }
    }
    problems
}

/// Compiles and links every component. Secrets and directories are looked at one by one elsewhere.
fn components(file: &ManifestFile) -> Result<(), Error> {
    let config =
        settings::engine(&file.manifest, None, Arc::new(ArcSwap::default()), store::for_check());
    let engine = Engine::new(config)?;
    let progress = Compiling::bar(file.manifest.functions.len());
    let loading = Loading { engine: &engine, file, secrets: Secrets::Ignored, progress };
    loading.all(&|_, _| false).map(drop)
}
