//! What stops a command, with its stable code.

use std::path::{Path, PathBuf};

use thiserror::Error;
use wfh_event::ErrorCode;

/// What stops a command. Prints as everything an operator needs.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The manifest's errors, rendered, one a line.
    #[error("{}: {}", ErrorCode::ManifestInvalid, lines(.0))]
    Manifest(Vec<String>),
    /// A file cannot be read.
    #[error("{}: {path}: {source}", ErrorCode::FileUnreadable)]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Functions that cannot be loaded, one a line.
    #[error("{}", .0.join("\n"))]
    Functions(Vec<String>),
    /// Everything that `check` found, one a line.
    #[error("{}", .0.join("\n"))]
    Problems(Vec<String>),
    /// What `doctor` found.
    #[error("{0} of what is needed does not work; the last column says what mends it")]
    Unwell(usize),
    /// Builds that failed, one a line.
    #[error("{}", .0.join("\n"))]
    Builds(Vec<String>),
    /// A secret without a value.
    #[error("{code}: {0}", code = ErrorCode::SecretMissing)]
    Secret(
        /// Where the manifest asks for it, and what is missing.
        String,
    ),
    /// The engine.
    #[error("{code}: {0}", code = .0.code())]
    Engine(#[from] wfh_engine::EngineError),
    /// The store cannot be opened.
    #[error("{code}: {0}", code = ErrorCode::DataDirectory)]
    Store(#[from] wfh_store_embedded::OpenError),
    /// An export or import stopped.
    #[error("{code}: {0}", code = ErrorCode::StoreMove)]
    StoreMove(#[from] wfh_store::transfer::TransferError),
    /// The store's server cannot be used.
    #[error("{code}: {0}", code = ErrorCode::StoreServer)]
    StoreServer(#[from] wfh_store_redis::OpenError),
    /// The HTTP listener.
    #[error("{code}: {0}", code = .0.code())]
    Http(#[from] wfh_trigger_http::HttpTriggerError),
    /// The admin listener.
    #[error("{}: admin: cannot listen on {address}: {source}", ErrorCode::BindFailed)]
    AdminBind {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The admin port would be open to others.
    #[error(
        "{code}: {0}", code = ErrorCode::AdminTokenMissing
    )]
    AdminToken(
        /// Where, and what to do.
        String,
    ),
    /// Telemetry cannot go where it should.
    #[error("{code}: {0}", code = ErrorCode::TelemetryInvalid)]
    Telemetry(wfh_otel::OtelError),
    /// No host answers where the command looks for one.
    #[error("{}: {url}: {reason}", ErrorCode::AdminUnreachable)]
    AdminUnreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// What the admin API answered instead of what was asked for, rendered.
    #[error("{0}")]
    Refused(String),
    /// Threads, signals, standard output.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Error {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

fn lines(errors: &[String]) -> String {
    match errors {
        [only] => only.clone(),
        several => format!("{} errors\n{}", several.len(), several.join("\n")),
    }
}
