//! Bytes to and from a socket, for what no decent client would send.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection for bytes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    /// What came in so far and was not taken.
    received: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the host accepts connections");
        Self::over(stream)
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Sends what the other side still takes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A host that has seen enough closes; what matters is what it answers.
        let _ = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
    }

    /// The next answer's head, with its empty line.
    pub(crate) async fn head(&mut self) -> String {
        let head = self.until(b"\r\n\r\n").await;
        head.unwrap_or_else(|| {
            let got = String::from_utf8_lossy(&self.received);
            panic!("the connection ended without the head of an answer, after {got:?}")
        })
    }

    /// The status of the next answer; nothing when the connection was closed instead.
    pub(crate) async fn status(&mut self) -> Option<u16> {
        let head = self.until(b"\r\n\r\n").await?;
        head.split(' ').nth(1)?.parse().ok()
    }

    /// The body that follows `head`, however it is framed; nothing if it is cut off.
    pub(crate) async fn body(&mut self, head: &str) -> Option<String> {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let Some(length) = length else { return self.until(b"0\r\n\r\n").await };
        let length: usize = length.trim().parse().unwrap();
        while self.received.len() < length {
            if !self.read_more().await {
                return None;
            }
        }
        let taken: Vec<u8> = self.received.drain(..length).collect();
        Some(String::from_utf8_lossy(&taken).into_owned())
    }

    /// The next answer, head and body.
    pub(crate) async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let body = self.body(&head).await.expect("the answer is not cut off");
        (head, body)
    }

    /// Everything up to and with `end`; nothing if the connection ends before.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            let found = self.received.windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                let taken: Vec<u8> = self.received.drain(..at + end.len()).collect();
                return Some(String::from_utf8_lossy(&taken).into_owned());
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// Everything until the other side closes, whichever way.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read_more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned()
    }

    /// How long it takes until the other side closes.
    pub(crate) async fn closed_after(&mut self) -> Duration {
        let began = Instant::now();
        self.rest().await;
        began.elapsed()
    }

    /// Whether the other side has closed, without waiting for it.
    pub(crate) fn has_ended(&mut self) -> bool {
        match self.stream.try_read_buf(&mut self.received) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    async fn read_more(&mut self) -> bool {
        match timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await {
            Ok(Ok(count)) => count > 0,
            Ok(Err(_)) => false,
            Err(_) => panic!("the connection neither goes on nor closes for {PATIENCE:?}"),
        }
    }
}
