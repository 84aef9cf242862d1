//! Guest output: printed lines and structured records become log records, bounded together per
//! invocation.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wfh_event::{FunctionName, InvocationId};
use wfh_telemetry::TraceContext;

use crate::capability::log::Level;

/// The fields of a record, by name.
pub(crate) type Fields = Vec<(String, String)>;

/// A line longer than this is broken into several records.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// The end of the output that a failure carries.
const TAIL_BYTES_MAX: usize = 2 * 1024;

/// What stands for the invocation in the records of an init.
const NO_INVOCATION: &str = "init";

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

/// The call that output belongs to.
#[derive(Clone)]
pub(crate) struct LoggedCall {
    pub(crate) invocation: InvocationId,
    pub(crate) trace: TraceContext,
}

/// The output of one sandbox, shared by its two streams.
#[derive(Clone)]
pub(crate) struct GuestLog(Arc<Mutex<State>>);

struct State {
    function: FunctionName,
    /// `None` before the snapshot.
    call: Option<LoggedCall>,
    bytes_max: u64,
    bytes_left: u64,
    truncated: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    tail: Vec<u8>,
}

impl GuestLog {
    /// The output of one invocation, or of an init.
    pub(crate) fn new(function: FunctionName, call: Option<LoggedCall>, bytes_max: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            function,
            call,
            bytes_max,
            bytes_left: bytes_max,
            truncated: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            tail: Vec::new(),
        })))
    }

    /// The next invocation of the same sandbox begins.
    pub(crate) fn begin(&self, call: LoggedCall) {
        let mut state = self.lock();
        state.call = Some(call);
        state.bytes_left = state.bytes_max;
        state.truncated = false;
        state.tail.clear();
    }

    /// The end of what it wrote so far, for whoever asks why it failed.
    pub(crate) fn tail(&self) -> Option<Box<str>> {
        self.flush();
        let state = self.lock();
        let tail = String::from_utf8_lossy(&state.tail);
        (!tail.is_empty()).then(|| tail.into())
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

    /// Writes a record that the guest made, unless the budget is spent.
    pub(crate) fn record(&self, level: Level, target: &str, message: &str, fields: Fields) {
        let bytes = fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let mut state = self.lock();
        if state.take(bytes + target.len() + message.len()) {
            state.emit_record(level, cut(target), cut(message), &as_json(fields));
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
        self.take(bytes.len());
        bytes.get(..fits).unwrap_or_default()
    }

    /// Takes from the budget; whether it was enough. When it is not, nothing is left of it.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes as u64);
        self.bytes_left = left.unwrap_or(0);
        if left.is_none() && !self.truncated {
            self.truncated = true;
            tracing::warn!(
                target: "wfh::guest",
                function = %self.function,
                invocation = %self.invocation(),
                trace_id = self.trace_id(),
                span_id = self.span_id(),
                log_bytes_max = self.bytes_max,
                "guest output truncated"
            );
        }
        left.is_some()
    }

    fn invocation(&self) -> impl fmt::Display {
        let id = self.call.as_ref().map(|call| call.invocation.to_string());
        id.unwrap_or_else(|| NO_INVOCATION.to_owned())
    }

    fn trace_id(&self) -> Option<String> {
        self.call.as_ref().map(|call| call.trace.trace_id())
    }

    fn span_id(&self) -> Option<String> {
        self.call.as_ref().map(|call| call.trace.span_id())
    }

    fn emit_record(&mut self, level: Level, target: &str, message: &str, fields: &str) {
        self.remember(format!("{target}: {message} {fields}").as_bytes());
        macro_rules! record {
            ($level:ident) => {
                tracing::event!(
                    target: "wfh::guest",
                    tracing::Level::$level,
                    function = %self.function,
                    invocation = %self.invocation(),
                    trace_id = self.trace_id(),
                    span_id = self.span_id(),
                    guest_target = target,
                    fields,
                    "{message}"
                )
            };
        }
        match level {
            Level::Trace => record!(TRACE),
            Level::Debug => record!(DEBUG),
            Level::Info => record!(INFO),
            Level::Warn => record!(WARN),
            Level::Error => record!(ERROR),
        }
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

    /// Keeps the end of what was written, a line at a time.
    fn remember(&mut self, line: &[u8]) {
        self.tail.extend_from_slice(line);
        self.tail.push(b'\n');
        let beyond = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
        if beyond > 0 {
            self.tail.drain(..beyond);
        }
    }

    fn emit(&mut self, stream: Stream, line: &[u8]) {
        self.remember(line);
        tracing::info!(
            target: "wfh::guest",
            function = %self.function,
            invocation = %self.invocation(),
            trace_id = self.trace_id(),
            span_id = self.span_id(),
            stream = stream.as_str(),
            line = %String::from_utf8_lossy(line),
            "guest output"
        );
    }
}

/// A text, cut at the length of a line.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or(text)
}

/// An object of the fields; those beyond the length of a line are only counted.
fn as_json(fields: Fields) -> String {
    let (mut left, mut dropped) = (LINE_BYTES_MAX, 0_u32);
    let mut object = serde_json::Map::new();
    for (name, value) in fields {
        match left.checked_sub(name.len() + value.len()) {
            Some(rest) => {
                left = rest;
                object.insert(name, value.into());
            }
            None => dropped += 1,
        }
    }
    if dropped > 0 {
        object.insert("fields_dropped".to_owned(), dropped.into());
    }
    serde_json::Value::Object(object).to_string()
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
