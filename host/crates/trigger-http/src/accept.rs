//! The listener: accepts, bounds, hands each connection to a worker, drains.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wfh_invoke::Shutdown;

use crate::connection::{Shared, builder, serve};
use crate::tls::Tls;
use crate::watch::Open;
use crate::{HttpConfig, HttpTriggerError, Routes};

const BACKLOG: i32 = 4096;
/// After an error that will not pass at once, such as no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener.
pub struct HttpTrigger {
    listener: TcpListener,
    shared: Shared,
}

impl HttpTrigger {
    /// Binds the address and reads certificate and key.
    ///
    /// # Errors
    /// The address is taken or not ours, or the certificate cannot be used.
    pub fn bind(config: HttpConfig, routes: Routes) -> Result<Self, HttpTriggerError> {
        let tls = config.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
        let listener = listen(config.listen)
            .map_err(|source| HttpTriggerError::Bind { address: config.listen, source })?;
        let builder = builder(&config);
        Ok(Self {
            listener,
            shared: Shared { config, routes, tls, builder, open: Open::default() },
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The socket does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.shared.tls.is_some()
    }

    /// Accepts until `shutdown.drain`, each connection on the next worker in turn; then waits
    /// for the open ones until `shutdown.cancel`.
    ///
    /// # Errors
    /// The listener cannot be watched.
    pub async fn run(self, workers: Vec<Handle>, shutdown: Shutdown) -> io::Result<()> {
        let mut connections = JoinSet::new();
        let shared = Arc::new(self.shared);
        if let Some(tls) = &shared.tls {
            tokio::spawn(Arc::clone(tls).reload(shutdown.drain.clone()));
        }
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let accepting = accept_loop(&listener, &shared, &workers, &mut connections);
        shutdown.drain.run_until_cancelled(accepting).await;
        drop(listener);
        shared.open.retire();
        let all_closed = async { while connections.join_next().await.is_some() {} };
        if shutdown.cancel.run_until_cancelled(all_closed).await.is_none() {
            connections.shutdown().await;
        }
        Ok(())
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept_loop(
    listener: &tokio::net::TcpListener,
    shared: &Arc<Shared>,
    workers: &[Handle],
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
    let mut workers = workers.iter().cycle();
    let mut failing = false;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (stream, peer) = match accept(listener).await {
            Ok(accepted) => {
                failing = false;
                accepted
            }
            Err(error) => {
                // Once for a row of failures: they come by the thousand when descriptors run out.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "connections cannot be accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(worker) = workers.next() else { return };
        let serving = serve(Arc::clone(shared), stream, peer);
        let task = async move {
            serving.await;
            drop(place);
        };
        connections.spawn_on(task, worker);
        while connections.try_join_next().is_some() {}
    }
}

/// Takes the accepted socket from this runtime again: its worker will register it.
async fn accept(
    listener: &tokio::net::TcpListener,
) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    Ok((stream.into_std()?, peer))
}
