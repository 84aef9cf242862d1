//! W3C Trace Context, level 1: `traceparent` and `tracestate`.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::random_u64;

/// The header (and CloudEvents extension) that carries the position in the trace.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header (and CloudEvents extension) that carries vendors' data, passed on as it is.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest `tracestate` passed on, in bytes; the specification asks for at least 512.
const TRACESTATE_BYTES_MAX: usize = 8 * 1024;

/// One position in a trace: what a caller sent, or what this host made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
    tracestate: Option<HeaderValue>,
}

impl TraceContext {
    /// Starts a trace of its own, not sampled.
    #[must_use]
    pub fn root() -> Self {
        let trace_id = (u128::from(random_u64()) << 64) | u128::from(random_u64().max(1));
        Self { trace_id, span_id: random_u64().max(1), sampled: false, tracestate: None }
    }

    /// Reads a caller's headers. A missing, repeated or malformed `traceparent` gives `None`, and
    /// the trace restarts, as the specification says.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        let mut context = Self::parse(only.to_str().ok()?)?;
        context.tracestate = joined_tracestate(headers);
        Some(context)
    }

    /// Parses the text of a `traceparent`. Versions above `00` are read by their first four
    /// fields, `ff` is not a version.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        let mut fields = text.splitn(5, '-');
        let (version, trace_id, span_id, flags) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let well_formed = is_lower_hex(version, 2)
            && is_lower_hex(trace_id, 32)
            && is_lower_hex(span_id, 16)
            && is_lower_hex(flags, 2);
        let extra = fields.next().is_some();
        if !well_formed || version == "ff" || (version == "00" && extra) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace_id, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span_id, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self { trace_id, span_id, sampled, tracestate: None })
    }

    /// A new position below that of a sender whose `traceparent` and `tracestate` came as text.
    #[must_use]
    pub fn below(parent: Option<&str>, state: Option<&str>) -> Option<Self> {
        Some(Self::parse(parent?)?.with_tracestate(state).child())
    }

    /// A new position below this one, in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: random_u64().max(1), ..self.clone() }
    }

    /// The trace this position is in: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// Writes the context over whatever the headers carried.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        let text = self.to_string();
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(TRACEPARENT, value);
        }
        match &self.tracestate {
            Some(state) => headers.insert(TRACESTATE, state.clone()),
            None => headers.remove(TRACESTATE),
        };
    }

    /// The same position with the vendors' part that came beside it; an oversized one is dropped.
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: Option<&str>) -> Self {
        let fits = tracestate.filter(|text| text.len() <= TRACESTATE_BYTES_MAX);
        self.tracestate = fits.and_then(|text| HeaderValue::from_str(text).ok());
        self
    }

    /// The `tracestate` to pass on, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_ref().and_then(|state| state.to_str().ok())
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

fn is_lower_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Several `tracestate` headers are one list; an oversized one is dropped, not cut.
fn joined_tracestate(headers: &HeaderMap) -> Option<HeaderValue> {
    let parts: Vec<&[u8]> = headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes).collect();
    let joined = parts.join(&b","[..]);
    if joined.is_empty() || joined.len() > TRACESTATE_BYTES_MAX {
        return None;
    }
    HeaderValue::from_bytes(&joined).ok()
}

#[cfg(test)]
mod tests;
