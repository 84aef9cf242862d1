//! One connection, from its first byte to its last.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::HttpConfig;
use crate::config::Routes;
use crate::request::Peer;
use crate::service::Service;
use crate::tls::Tls;
use crate::watch::{Open, Overdue, Watch};

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) config: HttpConfig,
    pub(crate) routes: Routes,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) builder: auto::Builder<TokioExecutor>,
    pub(crate) open: Open,
}

/// hyper reads bodies through the buffer of heads; a small one makes large bodies slow. The bound of
/// heads is checked where a request begins.
const READ_BYTES_MAX: usize = 400 << 10;

/// hyper with our bounds.
pub(crate) fn builder(config: &HttpConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(config.headers_max)
        .max_buf_size(config.header_bytes_max.max(READ_BYTES_MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.h2_streams_max)
        .max_pending_accept_reset_streams(config.h2_resets_max)
        .max_local_error_reset_streams(config.h2_resets_max)
        .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX));
    builder
}

/// Serves a connection until it closes, is overdue or the host drains.
pub(crate) async fn serve(shared: Arc<Shared>, stream: std::net::TcpStream, peer: SocketAddr) {
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let _ = stream.set_nodelay(true);
    match &shared.tls {
        None => serve_on(&shared, stream, peer.ip(), false).await,
        Some(tls) => {
            let handshake = tls.acceptor().accept(stream);
            match timeout(shared.config.handshake_timeout, handshake).await {
                Ok(Ok(stream)) => serve_on(&shared, stream, peer.ip(), true).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake timed out"),
            }
        }
    }
}

async fn serve_on<S>(shared: &Arc<Shared>, stream: S, peer: IpAddr, is_tls: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = &shared.config;
    let watch = Watch::new(config.header_read_timeout, config.idle_timeout);
    let _open = shared.open.add(&watch);
    let service = Arc::new(Service {
        routes: Arc::clone(&shared.routes),
        peer: Peer::new(peer, is_tls, &config.trusted_proxies),
        watch: watch.clone(),
        requests_max: config.requests_per_connection_max,
        headers_max: config.headers_max,
        header_bytes_max: config.header_bytes_max,
    });
    let io = Watched { io: TokioIo::new(stream), watch: watch.clone() };
    let service = service_fn(move |request| Arc::clone(&service).handle(request));
    let mut connection = pin!(shared.builder.serve_connection(io, service));
    let mut draining = false;
    let mut look = pin!(sleep_until(Instant::now() + config.header_read_timeout));
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "connection ended");
                }
                return;
            }
            () = watch.sooner() => {
                if !draining && watch.says_goodbye() {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                look.as_mut().reset(Instant::now());
            }
            () = look.as_mut() => match watch.check(Instant::now()) {
                Ok(next) => look.as_mut().reset(next),
                // One chance to say goodbye; a peer that is silent on that too is cut off.
                Err(Overdue::Idle) if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                    look.as_mut().reset(Instant::now() + config.header_read_timeout);
                }
                Err(overdue) => {
                    tracing::debug!(%peer, ?overdue, "connection closed");
                    return;
                }
            },
        }
    }
}

/// A socket that tells the watch when bytes come in.
struct Watched<I> {
    io: I,
    watch: Watch,
}

impl<I: Read + Unpin> Read for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if read.is_ready() {
            self.watch.read();
        }
        read
    }
}

impl<I: Write + Unpin> Write for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
