//! Why a function cannot be loaded or the engine cannot start.

use std::path::PathBuf;

use thiserror::Error;
use wfh_event::ErrorCode;

/// What went wrong before any invocation.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Not a component, or not a valid one.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// A core module or a text file where a component was expected.
    #[error("this is not a WebAssembly component but {0}; build for the target wasm32-wasip2")]
    NotAComponent(&'static str),
    /// It exports nothing a trigger could call.
    #[error(
        "the component exports no handler; expected one of {expected}; it exports {}",
        list(.exports)
    )]
    NoHandler {
        /// What would do.
        expected: &'static str,
        /// What it has.
        exports: Vec<String>,
    },
    /// It imports something that this host does not have or the manifest does not grant.
    #[error("the component imports what it is not given: {}", .imports.join("; "))]
    Imports {
        /// The interfaces, each with the reason.
        imports: Vec<String>,
    },
    /// It uses a capability that comes with a later version.
    #[error("the component imports {}, which this version does not offer yet", list(.imports))]
    NotOffered {
        /// The interfaces.
        imports: Vec<String>,
    },
    /// Its init failed or cannot be snapshotted.
    #[error("init: {0}")]
    Init(String),
    /// A granted directory cannot be opened.
    #[error("allow.files: {path} cannot be opened as a directory: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("{path}: {source}")]
    Cache {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The pool does not fit the machine.
    #[error("{0}")]
    Pool(String),
}

impl EngineError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Compile(_) | Self::NotAComponent(_) => ErrorCode::ComponentInvalid,
            Self::NoHandler { .. } => ErrorCode::NoHandler,
            Self::Imports { .. } => ErrorCode::ImportUnsatisfied,
            Self::NotOffered { .. } => ErrorCode::NotOffered,
            Self::Init(_) => ErrorCode::InitFailed,
            Self::Directory { .. } => ErrorCode::FileUnreadable,
            Self::Cache { .. } => ErrorCode::DataDirectory,
            Self::Pool(_) => ErrorCode::PoolTooLarge,
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
