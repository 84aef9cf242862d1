//! The admin port: health and readiness.
//!
//! Layer L2. This crate must not know an engine, a store or a trigger; it reads [`Status`]. Its main
//! type is [`Admin`].

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wfh_invoke::Status;

/// Connections at once: probes and one operator.
const CONNECTIONS_MAX: usize = 256;
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// After an error that will not pass at once, such as no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The bound admin port.
pub struct Admin {
    listener: TcpListener,
    status: Arc<Status>,
}

impl Admin {
    /// Binds the address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(address: SocketAddr, status: Arc<Status>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, status })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The socket does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop`, which comes after everything else has drained: probes must see the
    /// host go.
    pub async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let (status, stop) = (Arc::clone(&self.status), stop.clone());
            tokio::spawn(async move {
                stop.run_until_cancelled(serve(stream, status)).await;
                drop(place);
            });
        }
    }
}

async fn serve(stream: TcpStream, status: Arc<Status>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &status);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "admin connection ended");
    }
}

fn answer(method: &Method, path: &str, status: &Status) -> Response<Full<Bytes>> {
    match (method, path) {
        (&Method::GET | &Method::HEAD, "/healthz") => {
            json(StatusCode::OK, &serde_json::json!({ "status": "ok" }))
        }
        (&Method::GET | &Method::HEAD, "/readyz") => ready(status),
        (_, "/healthz" | "/readyz") => problem(StatusCode::METHOD_NOT_ALLOWED),
        _ => problem(StatusCode::NOT_FOUND),
    }
}

/// 200, or 503 with everything the host still waits for.
fn ready(status: &Status) -> Response<Full<Bytes>> {
    let waiting = status.waiting();
    if waiting.is_empty() {
        return json(StatusCode::OK, &serde_json::json!({ "status": "ready" }));
    }
    let waiting: serde_json::Map<String, serde_json::Value> =
        waiting.into_iter().map(|(part, reason)| (part, reason.into())).collect();
    let document = serde_json::json!({ "status": "not ready", "waiting": waiting });
    json(StatusCode::SERVICE_UNAVAILABLE, &document)
}

fn problem(status: StatusCode) -> Response<Full<Bytes>> {
    let title = status.canonical_reason().unwrap_or_default();
    let document = serde_json::json!({ "title": title, "status": status.as_u16() });
    let mut response = json(status, &document);
    let media_type = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

fn json(status: StatusCode, document: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(document.to_string())));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_what_the_host_waits_for() {
        let status = Status::default();
        let readyz = || answer(&Method::GET, "/readyz", &status).status();
        assert_eq!(readyz(), StatusCode::OK);
        status.wait_for("function:hello", "compiling");
        assert_eq!(readyz(), StatusCode::SERVICE_UNAVAILABLE);
        status.is_ready("function:hello");
        assert_eq!(readyz(), StatusCode::OK);
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        let status = Status::default();
        assert_eq!(answer(&Method::GET, "/x", &status).status(), StatusCode::NOT_FOUND);
        let post = answer(&Method::POST, "/healthz", &status).status();
        assert_eq!(post, StatusCode::METHOD_NOT_ALLOWED);
    }
}
