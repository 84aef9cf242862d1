//! Guest output: lines become log records, bounded per invocation.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wfh_event::{FunctionName, InvocationId};

/// A line longer than this is broken into several records.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Which of the guest's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The output of one sandbox, shared by its two streams.
#[derive(Clone)]
pub(crate) struct GuestLog(Arc<Mutex<State>>);

struct State {
    function: FunctionName,
    invocation: InvocationId,
    bytes_max: u64,
    bytes_left: u64,
    truncated: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl GuestLog {
    pub(crate) fn new(function: FunctionName, invocation: InvocationId, bytes_max: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            function,
            invocation,
            bytes_max,
            bytes_left: bytes_max,
            truncated: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
        })))
    }

    /// The next invocation of the same sandbox begins.
    pub(crate) fn begin(&self, invocation: InvocationId) {
        let mut state = self.lock();
        state.invocation = invocation;
        state.bytes_left = state.bytes_max;
        state.truncated = false;
    }

    /// Writes out what has no newline yet.
    pub(crate) fn flush(&self) {
        let mut state = self.lock();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(state.partial(stream));
            if !rest.is_empty() {
                state.emit(stream, &rest);
            }
        }
    }

    /// The stream as WASI wants it.
    pub(crate) fn stream(&self, stream: Stream) -> LogStream {
        LogStream { log: self.clone(), stream }
    }

    fn write(&self, stream: Stream, bytes: &[u8]) {
        self.lock().write(stream, bytes);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn partial(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let bytes = self.within_budget(bytes);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(LINE_BYTES_MAX) {
                self.append(stream, part);
            }
        }
    }

    /// Takes from the budget; what is beyond it is dropped, with one record that says so.
    fn within_budget<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let fits = usize::try_from(self.bytes_left).unwrap_or(usize::MAX).min(bytes.len());
        self.bytes_left -= fits as u64;
        if fits < bytes.len() && !self.truncated {
            self.truncated = true;
            tracing::warn!(
                target: "wfh::guest",
                function = %self.function,
                invocation = %self.invocation,
                log_bytes_max = self.bytes_max,
                "guest output truncated"
            );
        }
        bytes.get(..fits).unwrap_or_default()
    }

    fn append(&mut self, stream: Stream, part: &[u8]) {
        let complete = part.ends_with(b"\n");
        let line = part.strip_suffix(b"\n").unwrap_or(part);
        let partial = self.partial(stream);
        partial.extend_from_slice(line);
        if complete || partial.len() >= LINE_BYTES_MAX {
            let line = std::mem::take(partial);
            self.emit(stream, &line);
        }
    }

    fn emit(&self, stream: Stream, line: &[u8]) {
        tracing::info!(
            target: "wfh::guest",
            function = %self.function,
            invocation = %self.invocation,
            stream = stream.as_str(),
            line = %String::from_utf8_lossy(line),
            "guest output"
        );
    }
}

/// One of the two streams. Writing never waits.
#[derive(Clone)]
pub(crate) struct LogStream {
    log: GuestLog,
    stream: Stream,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.log.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
