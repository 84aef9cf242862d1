//! `wfh store`: everything the store holds, to JSON Lines and back.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use wfh_manifest::StoreKind;
use wfh_store::transfer::{self, Moved, TransferError};
use wfh_store::{Clock, SystemClock};
use wfh_store_embedded::EmbeddedStore;

use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::store;

/// `wfh store`
#[derive(Debug, Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write everything the store holds, as JSON Lines, to stdout or a file
    Export(Place),
    /// Fill an empty store from an export, read from stdin or a file
    Import(Place),
}

/// Which store, and which file.
#[derive(Debug, Args)]
struct Place {
    /// The file of the export
    file: Option<PathBuf>,
    /// The manifest whose store it is
    #[arg(long, value_name = "PATH", default_value = "wfh.toml")]
    manifest: PathBuf,
    /// The data directory; then no manifest is read
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

/// Moves everything. The host whose store it is must not run: its directory is locked.
pub(crate) fn run(options: &Store) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &options.action {
        Action::Export(place) => runtime.block_on(export(place)),
        Action::Import(place) => runtime.block_on(import(place)),
    }
}

async fn export(place: &Place) -> Result<(), Error> {
    let data_dir = place.data_dir()?;
    let database = store::directory(&data_dir).join("store.db");
    if let Err(error) = database.metadata() {
        return Err(Error::file(&database, error));
    }
    let store = store::embedded(&data_dir)?;
    let moved = match &place.file {
        None => write(&store, io::stdout().lock()).await,
        Some(path) => {
            let file = File::create(path).map_err(|error| Error::file(path, error))?;
            let moved = write(&store, &file).await;
            file.sync_all().map_err(|error| Error::file(path, error))?;
            moved
        }
    };
    told("exported", moved)
}

async fn write(store: &Arc<EmbeddedStore>, to: impl Write) -> Result<Moved, TransferError> {
    transfer::export(&**store, SystemClock.now_ms(), BufWriter::new(to)).await
}

async fn import(place: &Place) -> Result<(), Error> {
    let store = store::embedded(&place.data_dir()?)?;
    let now_ms = SystemClock.now_ms();
    let moved = match &place.file {
        None => transfer::import(&*store, now_ms, io::stdin().lock()).await,
        Some(path) => {
            let file = File::open(path).map_err(|error| Error::file(path, error))?;
            transfer::import(&*store, now_ms, BufReader::new(file)).await
        }
    };
    told("imported", moved)
}

/// The result may be on standard output, so the summary is not.
fn told(what: &str, moved: Result<Moved, TransferError>) -> Result<(), Error> {
    let Moved { values, entries, expired } = moved?;
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(
        io::stderr(),
        "{what}: values: {values}, entries: {entries}, left out as expired: {expired}"
    );
    Ok(())
}

impl Place {
    fn data_dir(&self) -> Result<PathBuf, Error> {
        if let Some(data_dir) = &self.data_dir {
            return Ok(data_dir.clone());
        }
        let file = ManifestFile::read(&self.manifest)?;
        match file.manifest.store.kind {
            StoreKind::Embedded => Ok(file.data_dir(None::<&Path>)),
            StoreKind::Redis => Err(Error::NotOffered(vec!["export of a store on Redis".into()])),
        }
    }
}
