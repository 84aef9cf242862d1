//! The load client: raw HTTP/1.1 over keep-alive connections, so that it costs little itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

/// What a load run saw.
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
    pub(crate) micros: Histogram<u64>,
}

impl Load {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        self.micros.value_at_quantile(quantile) as f64
    }
}

/// A GET of `path`, as bytes.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// `connections` callers, each sending its next request when the last is answered.
pub(crate) fn closed_loop(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    time: Duration,
) -> Load {
    load(address, request, connections, Until::Time(time), None)
}

/// The same, for a number of requests.
pub(crate) fn count(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    requests: u64,
) -> Load {
    load(address, request, connections, Until::Requests(requests), None)
}

/// `connections` callers, each with one request each `period`, whether or not earlier ones were slow.
pub(crate) fn open_loop(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    period: Duration,
    time: Duration,
) -> Load {
    load(address, request, connections, Until::Time(time), Some(period))
}

/// The same of one connection.
pub(crate) fn paced(address: SocketAddr, request: &[u8], period: Duration, time: Duration) -> Load {
    open_loop(address, request, 1, period, time)
}

#[derive(Clone, Copy)]
enum Until {
    Time(Duration),
    Requests(u64),
}

fn load(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    until: Until,
    period: Option<Duration>,
) -> Load {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let request: Arc<[u8]> = request.into();
    let stop = Arc::new(AtomicBool::new(false));
    let left = Arc::new(AtomicU64::new(match until {
        Until::Time(_) => u64::MAX,
        Until::Requests(requests) => requests,
    }));
    runtime.block_on(async {
        let start = Instant::now();
        let callers: Vec<_> = (0..connections)
            .map(|_| {
                let (request, stop, left) =
                    (Arc::clone(&request), Arc::clone(&stop), Arc::clone(&left));
                tokio::spawn(caller(address, request, stop, left, period))
            })
            .collect();
        if let Until::Time(time) = until {
            tokio::time::sleep(time).await;
            stop.store(true, Ordering::Relaxed);
        }
        let mut sum = Load { requests: 0, errors: 0, seconds: 0.0, micros: histogram() };
        for caller in callers {
            let (errors, micros) = caller.await.expect("a caller");
            sum.requests += micros.len();
            sum.errors += errors;
            sum.micros.add(micros).expect("equal histograms");
        }
        sum.seconds = start.elapsed().as_secs_f64();
        sum
    })
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, 3).expect("bounds")
}

async fn caller(
    address: SocketAddr,
    request: Arc<[u8]>,
    stop: Arc<AtomicBool>,
    left: Arc<AtomicU64>,
    period: Option<Duration>,
) -> (u64, Histogram<u64>) {
    let (mut errors, mut micros) = (0, histogram());
    let mut connection: Option<Connection> = None;
    let take =
        || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
    let mut pace = period.map(tokio::time::interval);
    while !stop.load(Ordering::Relaxed) && take() {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let start = Instant::now();
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => Connection::open(address).await,
        };
        let answered = match open {
            Ok(mut open) => match open.exchange(&request).await {
                Ok(status) => {
                    connection = Some(open);
                    Ok(status)
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match answered {
            Ok(200..=299) => {
                micros.saturating_record(start.elapsed().as_micros() as u64);
            }
            Ok(_) => errors += 1,
            Err(_) => {
                errors += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    (errors, micros)
}

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads its whole answer. Gives the status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> std::io::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(status) = complete(&self.buffer) {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer that is there to its last byte. Bodies of this harness are small.
fn complete(bytes: &[u8]) -> Option<u16> {
    let head_end = find(bytes, b"\r\n\r\n")? + 4;
    let (head, body) = bytes.split_at(head_end);
    let status = std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()?;
    let lower = head.to_ascii_lowercase();
    let done = match find(&lower, b"content-length: ") {
        Some(at) => {
            let digits = lower[at + 16..].split(|byte| *byte == b'\r').next()?;
            let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
            body.len() >= length
        }
        None => body.ends_with(b"0\r\n\r\n"),
    };
    done.then_some(status)
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
