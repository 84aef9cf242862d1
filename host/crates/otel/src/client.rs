//! The HTTP client of exporters, whose threads have no runtime of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

/// The exporters' own bound is shorter; this one ends what hangs all the same.
const REQUEST_MAX: Duration = Duration::from_secs(30);

type Inner = HyperClient<HttpsConnector<HttpConnector>>;

/// Sends on a runtime, whoever asks.
#[derive(Clone)]
pub(crate) struct Client {
    runtime: Handle,
    inner: Arc<Inner>,
}

impl Client {
    pub(crate) fn new(runtime: Handle, tls: &rustls::ClientConfig) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_all_versions()
            .build();
        let inner = Arc::new(HyperClient::new(connector, REQUEST_MAX, None));
        Self { runtime, inner }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let inner = Arc::clone(&self.inner);
        self.runtime.spawn(async move { inner.send_bytes(request).await }).await?
    }
}
