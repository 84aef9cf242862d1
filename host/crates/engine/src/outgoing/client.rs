//! The connector: resolves, checks, connects to what was checked; and the pooled client on it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::Environment;
use super::address::{check, granted_reach, literal};
use super::body::Paced;
use crate::function::Shared;

/// How long an unused connection is kept.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(90);

/// One function's connections. Not shared: a connection opened under one function's grant must not
/// serve another's.
pub(crate) type Client = PooledClient<HttpsConnector<Connector>, WasiBody>;

/// Sends a granted request.
pub(super) async fn send(
    function: &Shared,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let config = &function.environment.config;
    let options = options.unwrap_or_default();
    let connect = options.connect_timeout.unwrap_or(config.connect_timeout);
    let first_byte = options.first_byte_timeout.unwrap_or(config.first_byte_timeout);
    let between = options.between_bytes_timeout.unwrap_or(config.between_bytes_timeout);
    let client = function.client.get_or_init(|| client(function));
    let response = timeout(connect + first_byte, client.request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)?
        .map_err(|error| as_wasi(&error))?;
    Ok(response.map(|body| Paced::new(body, between).boxed_unsync()))
}

fn client(function: &Shared) -> Client {
    let environment = &function.environment;
    let connector = Connector {
        environment: Arc::clone(environment),
        grants: function.config.http.clone().into(),
    };
    let https = HttpsConnectorBuilder::new()
        .with_tls_config((**environment.tls.get_or_init(tls_client)).clone())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(connector);
    PooledClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION_MAX)
        .pool_max_idle_per_host(environment.config.idle_connections_max)
        .build(https)
}

/// How the host speaks TLS to others: with the bundled roots and the system's.
#[must_use]
pub fn tls_client() -> Arc<rustls::ClientConfig> {
    let mut roots =
        rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    match versions {
        Ok(builder) => Arc::new(builder.with_root_certificates(roots).with_no_client_auth()),
        // The provider offers TLS 1.2 and 1.3, which is all that is asked.
        Err(error) => unreachable!("the TLS provider lacks the default versions: {error}"),
    }
}

/// Connects to checked addresses only.
#[derive(Clone)]
pub(crate) struct Connector {
    environment: Arc<Environment>,
    grants: Arc<[wfh_manifest::HttpGrant]>,
}

impl Connector {
    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let config = &self.environment.config;
        timeout(config.connect_timeout, self.connect_to(&uri))
            .await
            .map_err(|_| io::Error::other(Refusal(Error::ConnectionTimeout)))?
    }

    async fn connect_to(&self, uri: &Uri) -> io::Result<TokioIo<TcpStream>> {
        let host = uri.host().unwrap_or_default();
        let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        let config = &self.environment.config;
        let addresses = match literal(host) {
            Some(ip) => vec![(ip, port).into()],
            None => config.resolver.resolve(host.to_owned(), port).await?,
        };
        let destination = (uri.scheme_str().unwrap_or_default(), host, port);
        let allowed = granted_reach(&self.grants, destination);
        let checked = check(addresses, allowed, &config.ports_denied.load())
            .map_err(|error| io::Error::other(Refusal(error)))?;
        let stream = TcpStream::connect(checked.as_slice()).await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(stream))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// Carries our reason through the client's layers of errors.
#[derive(Debug)]
struct Refusal(Error);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

/// Finds what went wrong below the client's error.
fn as_wasi(error: &hyper_util::client::legacy::Error) -> Error {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return from_io(io);
        }
        source = cause.source();
    }
    if error.is_connect() { Error::ConnectionRefused } else { Error::HttpProtocolError }
}

fn from_io(error: &io::Error) -> Error {
    if let Some(refusal) = error.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>()) {
        return match refusal.0 {
            Error::ConnectionTimeout => Error::ConnectionTimeout,
            Error::DestinationNotFound => Error::DestinationNotFound,
            _ => Error::DestinationIpProhibited,
        };
    }
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Error::TlsProtocolError;
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Error::ConnectionTerminated,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Error::DestinationUnavailable
        }
        _ => Error::DnsError { rcode: None, info_code: None },
    }
}

#[cfg(test)]
mod tests;
