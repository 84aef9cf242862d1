//! What the trigger is told. The host makes these from the manifest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use wfh_event::Target;
use wfh_invoke::{Acceptor, Invoke};
use wfh_manifest::RouteTable;

use crate::HttpTriggerError;
use crate::tls::Tls;

/// The bounds of the listener and its connections.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Certificate and key; `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Peers whose `forwarded` and `x-forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Bytes of a request's head.
    pub header_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// From the first byte of a head to its last.
    pub header_read_timeout: Duration,
    /// A connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// A TLS handshake is given up after this.
    pub handshake_timeout: Duration,
    /// Connections at once; more wait in the kernel's backlog.
    pub connections_max: usize,
    /// A connection is closed after so many requests.
    pub requests_per_connection_max: u64,
    /// HTTP/2 streams at once per connection.
    pub h2_streams_max: u32,
    /// HTTP/2 streams reset by the client before their request was accepted, per connection.
    pub h2_resets_max: usize,
}

/// Where certificate and key are. Both are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// A PEM chain.
    pub cert: PathBuf,
    /// A PEM key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads both and checks that they belong together.
    ///
    /// # Errors
    /// What a listener with them would fail with.
    pub fn check(&self) -> Result<(), HttpTriggerError> {
        Tls::load(self.clone()).map(drop)
    }
}

/// What a route leads to.
#[derive(Clone)]
pub struct Route {
    /// The pattern as the manifest writes it.
    pub pattern: Arc<str>,
    /// What is called.
    pub target: Target,
    /// When the client gets its answer, and from what.
    pub mode: RouteMode,
}

/// When a client gets its answer.
#[derive(Clone)]
pub enum RouteMode {
    /// After the call.
    Sync(Arc<dyn Invoke>),
    /// Once the call is durable.
    Async(Arc<Acceptor>),
    /// As the client says with `Prefer: respond-async`.
    Either(Arc<dyn Invoke>, Arc<Acceptor>),
}

/// The routes, replaced as a whole when the manifest changes.
pub type Routes = Arc<ArcSwap<RouteTable<Route>>>;
