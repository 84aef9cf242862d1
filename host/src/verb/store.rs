//! `wfh store`: everything the store holds, to JSON Lines and back.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use wfh_manifest::StoreKind;
use wfh_store::transfer::{self, Moved, TransferError};
use wfh_store::{Clock, Store as Backend, SystemClock};

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
    /// Move everything into the empty store of another manifest
    Migrate(Migrate),
}

/// Which store, and which file.
#[derive(Debug, Args)]
struct Place {
    /// The file of the export
    file: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// From one store into another.
#[derive(Debug, Args)]
struct Migrate {
    /// The manifest whose store is filled
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    #[command(flatten)]
    source: Source,
}

/// Which store.
#[derive(Debug, Args)]
struct Source {
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
        Action::Migrate(migrate) => runtime.block_on(move_all(migrate)),
    }
}

async fn export(place: &Place) -> Result<(), Error> {
    let store = place.source.open_existing().await?;
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

async fn write(store: &Arc<dyn Backend>, to: impl Write) -> Result<Moved, TransferError> {
    transfer::export(&**store, SystemClock.now_ms(), BufWriter::new(to)).await
}

async fn import(place: &Place) -> Result<(), Error> {
    let store = place.source.open().await?;
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

async fn move_all(migrate: &Migrate) -> Result<(), Error> {
    let from = migrate.source.open_existing().await?;
    let to = ManifestFile::read(&migrate.to)?;
    let to = store::backend(&to.manifest, &to.data_dir(None::<&Path>)).await?;
    told("moved", transfer::migrate(&*from, &*to, SystemClock.now_ms()).await)
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

impl Source {
    async fn open(&self) -> Result<Arc<dyn Backend>, Error> {
        if let Some(data_dir) = &self.data_dir {
            return Ok(store::embedded(data_dir)?);
        }
        let file = ManifestFile::read(&self.manifest)?;
        store::backend(&file.manifest, &file.data_dir(None::<&Path>)).await
    }

    /// An embedded store that is not there is not made: it would be moved as an empty one.
    async fn open_existing(&self) -> Result<Arc<dyn Backend>, Error> {
        let data_dir = match &self.data_dir {
            Some(data_dir) => data_dir.clone(),
            None => {
                let file = ManifestFile::read(&self.manifest)?;
                if file.manifest.store.kind == StoreKind::Redis {
                    return self.open().await;
                }
                file.data_dir(None::<&Path>)
            }
        };
        let database = store::directory(&data_dir).join("store.db");
        match database.metadata() {
            Ok(_) => self.open().await,
            Err(error) => Err(Error::file(&database, error)),
        }
    }
}
