//! Certificate and key, read again when their files change.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{HttpTriggerError, TlsFiles};

/// How often the files are looked at.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// The acceptor for the next handshake. Connections keep what they began with.
pub(crate) struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    pub(crate) fn load(files: TlsFiles) -> Result<Self, HttpTriggerError> {
        let current = ArcSwap::new(server_config(&files)?);
        Ok(Self { files, current })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Swaps in what the files hold whenever they change. What cannot be used is logged, and the
    /// old certificate stays.
    pub(crate) async fn reload(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = changed(&self.files);
        while stop.run_until_cancelled(tokio::time::sleep(RELOAD_INTERVAL)).await.is_some() {
            let now = changed(&self.files);
            if now == seen {
                continue;
            }
            seen = now;
            match server_config(&self.files) {
                Ok(next) => {
                    self.current.store(next);
                    tracing::info!(cert = %self.files.cert.display(), "certificate reloaded");
                }
                Err(error) => tracing::warn!(%error, "the old certificate stays"),
            }
        }
    }
}

/// What tells a file's change: its time and its length.
fn changed(files: &TlsFiles) -> [Option<(SystemTime, u64)>; 2] {
    [&files.cert, &files.key].map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, HttpTriggerError> {
    let chain = certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unusable(&files.key, &format!("expected a PEM private key: {error}")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&files.cert, &error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpTriggerError> {
    let expected = |error| unusable(path, &format!("expected a PEM certificate chain: {error}"));
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| expected(error.to_string()))?;
    if chain.is_empty() { Err(expected("it holds none".to_owned())) } else { Ok(chain) }
}

fn unusable(path: &Path, reason: &str) -> HttpTriggerError {
    HttpTriggerError::Tls { path: path.to_owned(), reason: reason.to_owned() }
}
