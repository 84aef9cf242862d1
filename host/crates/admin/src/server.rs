//! The bound admin port: connections, and their end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
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
        let places = Arc::new(Semaphore::new(self.connections_max));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let _cut = cut.clone().drop_guard();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Closed at once, a caller knows; waiting, it would not.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
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
