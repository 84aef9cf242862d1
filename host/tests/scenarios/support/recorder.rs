//! A process outside of the host that guests tell of their tries.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// One try of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) key: String,
    /// How many events the call had, where the guest tells.
    pub(crate) size: usize,
    /// The header of the call.
    pub(crate) event_key: String,
}

/// Remembers every try, in the order in which they came.
pub(crate) struct Recorder {
    address: SocketAddr,
    effects: Arc<Mutex<Vec<Effect>>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let effects = Arc::default();
        tokio::spawn(accept(listener, Arc::clone(&effects)));
        Self { address, effects }
    }

    /// Where guests report; the path tells functions apart.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The grant that lets them.
    pub(crate) fn grant(&self) -> String {
        format!("allow.http = [\"http://{}\"]", self.address)
    }

    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.effects.lock().unwrap().clone()
    }

    /// How many tries each event had.
    pub(crate) fn tries(&self) -> BTreeMap<String, usize> {
        let mut tries = BTreeMap::new();
        for effect in self.effects() {
            *tries.entry(effect.id).or_default() += 1;
        }
        tries
    }
}

async fn accept(listener: TcpListener, effects: Arc<Mutex<Vec<Effect>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let effects = Arc::clone(&effects);
        let service = service_fn(move |request: Request<Incoming>| {
            effects.lock().unwrap().push(effect(&request));
            async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
        });
        let serving = hyper::server::conn::http1::Builder::new();
        tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
    }
}

fn effect(request: &Request<Incoming>) -> Effect {
    let query = request.uri().query().unwrap_or_default();
    let part = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().replace("%23", "#")
    };
    let header = request.headers().get("wfh-event-key");
    Effect {
        path: request.uri().path().trim_start_matches('/').to_owned(),
        id: part("id"),
        attempt: part("attempt").parse().unwrap_or_default(),
        key: part("key"),
        size: part("size").parse().unwrap_or_default(),
        event_key: header.map_or("", |value| value.to_str().unwrap_or_default()).to_owned(),
    }
}
