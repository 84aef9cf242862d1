//! The bound admin port: connections, and their end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Api;

const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may leave what we sent without taking it.
const UNREAD_MAX: Duration = Duration::from_secs(30);
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 64 << 10;
/// After an error that will not pass at once, such as no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The bound admin port.
pub struct Admin {
    listener: TcpListener,
    connections_max: usize,
}

impl Admin {
    /// Binds the address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(address: SocketAddr, connections_max: usize) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, connections_max })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The socket does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop`, which comes after everything else has drained: probes must see the
    /// host go. Then answers in flight end; dropping the future cuts them off.
    pub async fn run(self, api: Api, stop: CancellationToken) {
        let places = Arc::new(Places::new(self.connections_max));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let _cut = cut.clone().drop_guard();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Closed at once, a caller knows; waiting, it would not.
            let Some(place) = Place::take(&places, peer.ip()) else { continue };
            let (api, stop, cut) = (api.clone(), stop.clone(), cut.clone());
            connections.spawn(async move {
                cut.run_until_cancelled(serve(stream, api, stop)).await;
                drop(place);
            });
        }
        connections.close();
        connections.wait().await;
    }
}

/// Connections at once: of all callers, and of one address half as many, so that none keeps probes
/// out.
struct Places {
    connections_max: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    fn new(connections_max: usize) -> Self {
        Self { connections_max, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until it is dropped.
struct Place(Arc<Places>, IpAddr);

impl Place {
    fn take(places: &Arc<Places>, address: IpAddr) -> Option<Self> {
        let mut taken = places.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&address).copied().unwrap_or(0);
        if all >= places.connections_max || own >= places.connections_max.div_ceil(2) {
            return None;
        }
        taken.insert(address, own + 1);
        Some(Self(Arc::clone(places), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut taken) = self.0.taken().entry(self.1) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

async fn serve(stream: TcpStream, api: Api, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_MAX));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(api.0));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "admin connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_never_has_all_places() {
        let places = Arc::new(Places::new(4));
        let (one, other) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let mut held: Vec<Place> = (0..9).filter_map(|_| Place::take(&places, one)).collect();
        assert_eq!(held.len(), 2);
        held.extend((0..9).filter_map(|_| Place::take(&places, other)));
        assert_eq!(held.len(), 4);
        drop(held);
        assert!(places.taken().is_empty(), "a place was not given back");
    }
}
