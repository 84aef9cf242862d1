//! What the admin API is told, and where it gets its answers from.

use std::net::SocketAddr;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use tokio::runtime::Handle;
use wfh_invoke::{Dispatcher, Operator, Status};
use wfh_telemetry::Recent;

use crate::{LogSource, MetricSource};

/// The bounds of the admin API.
#[derive(Clone)]
pub struct AdminConfig {
    /// The address it listens on.
    pub listen: SocketAddr,
    /// What a caller must show under `/v1`; `None` lets everybody in who reaches the address.
    pub token: Option<Token>,
    /// Names under which it may be called, besides `localhost` and IP addresses.
    pub hosts: Vec<String>,
    /// The largest body of a request.
    pub body_bytes_max: u64,
    /// Connections at once.
    pub connections_max: usize,
    /// Requests a second.
    pub requests_per_second_max: u32,
}

/// Where the answers come from.
#[derive(Clone)]
pub struct Sources {
    /// What the host knows of itself.
    pub status: Arc<Status>,
    /// What takes invocations.
    pub dispatcher: Dispatcher,
    /// What operators work on; a host without a store has none.
    pub operator: Option<Operator>,
    /// The log, if it is kept.
    pub logs: Option<Arc<dyn LogSource>>,
    /// The metrics, if they are collected.
    pub metrics: Option<Arc<dyn MetricSource>>,
    /// The last spans, if they are kept.
    pub recent: Option<Arc<Recent>>,
    /// The runtimes that run functions, so that none of them holds up a probe.
    pub workers: Vec<Handle>,
}

impl Sources {
    /// Of a host that keeps nothing.
    #[must_use]
    pub fn new(status: Arc<Status>, dispatcher: Dispatcher) -> Self {
        Self {
            status,
            dispatcher,
            operator: None,
            logs: None,
            metrics: None,
            recent: None,
            workers: Vec::new(),
        }
    }
}

/// A bearer token. It is never printed.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// Wraps the secret.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(secret.into())
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// Whether a caller's token is this one. How long that takes tells its length at most.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}
