//! A server for the guests' outgoing calls, which remembers what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Barrier;

/// A test server on loopback.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    connections: Arc<Mutex<usize>>,
}

impl Upstream {
    /// Answers each request at once.
    pub(crate) async fn start() -> Self {
        Self::meeting(1).await
    }

    /// Answers only when `count` requests are in flight together.
    pub(crate) async fn meeting(count: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::default());
        let barrier = Arc::new(Barrier::new(count));
        tokio::spawn(accept(listener, Arc::clone(&seen), Arc::clone(&connections), barrier));
        Self { address, seen, connections }
    }

    /// A URL of it, with a host of choice.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.address.port())
    }

    /// The headers of every request so far.
    pub(crate) fn seen(&self) -> Vec<HeaderMap> {
        self.seen.lock().unwrap().clone()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

async fn accept(
    listener: TcpListener,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    connections: Arc<Mutex<usize>>,
    barrier: Arc<Barrier>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        *connections.lock().unwrap() += 1;
        let (seen, barrier) = (Arc::clone(&seen), Arc::clone(&barrier));
        let service = service_fn(move |request: Request<Incoming>| {
            seen.lock().unwrap().push(request.headers().clone());
            let barrier = Arc::clone(&barrier);
            async move {
                barrier.wait().await;
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"upstream"))))
            }
        });
        let serving = hyper::server::conn::http1::Builder::new();
        tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
    }
}
