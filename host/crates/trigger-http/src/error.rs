//! Why the listener cannot start.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;
use wfh_event::ErrorCode;

/// What went wrong before the first connection.
#[derive(Debug, Error)]
pub enum HttpTriggerError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("{path}: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl HttpTriggerError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Bind { .. } => ErrorCode::BindFailed,
            Self::Tls { .. } => ErrorCode::TlsInvalid,
        }
    }
}
