//! W3C Trace Context, level 1: `traceparent` and `tracestate`, and the baggage beside them.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{random_u64, tracer};

/// The header (and CloudEvents extension) that carries the position in the trace.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header (and CloudEvents extension) that carries vendors' data, passed on as it is.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The header of W3C Baggage: what the caller wants to travel along, passed on as it is.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The longest `tracestate` or `baggage` passed on, in bytes; the specifications ask for at least 512
/// and 8192.
const CARRIED_BYTES_MAX: usize = 8 * 1024;

/// One position in a trace: what a caller sent, or what this host made.
#[derive(Debug, Clone)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
    parent: Option<Parent>,
    carried: Option<Arc<Carried>>,
}

/// The position above one.
#[derive(Debug, Clone, Copy)]
struct Parent {
    span_id: u64,
    /// Whether it was read from what a caller sent.
    is_remote: bool,
}

/// What travels along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Carried {
    tracestate: Option<HeaderValue>,
    baggage: Option<HeaderValue>,
}

/// Two are equal when others see no difference between them.
impl PartialEq for TraceContext {
    fn eq(&self, other: &Self) -> bool {
        let position = |context: &Self| (context.trace_id, context.span_id, context.sampled);
        position(self) == position(other) && self.carried == other.carried
    }
}

impl Eq for TraceContext {}

impl TraceContext {
    /// Starts a trace of its own, sampled or not as the host was told.
    #[must_use]
    pub fn root() -> Self {
        let trace_id = (u128::from(random_u64()) << 64) | u128::from(random_u64().max(1));
        let sampled = tracer().samples_root(trace_id);
        Self { trace_id, span_id: random_u64().max(1), sampled, parent: None, carried: None }
    }

    /// The position of a request below that of its caller. A missing, repeated or malformed
    /// `traceparent` restarts the trace, as the specification says; baggage goes on all the same.
    #[must_use]
    pub fn of_request(headers: &HeaderMap) -> Self {
        let below = Self::from_headers(headers).map(|parent| parent.entered());
        below.unwrap_or_else(|| Self::root().with_baggage(joined(headers, &BAGGAGE)))
    }

    /// Reads a caller's headers; `None` without a good `traceparent`.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        let context = Self::parse(only.to_str().ok()?)?;
        let tracestate = joined(headers, &TRACESTATE);
        Some(context.carrying(Carried { tracestate, baggage: joined(headers, &BAGGAGE) }))
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
        Some(Self { trace_id, span_id, sampled, parent: None, carried: None })
    }

    /// A new position below that of a sender whose `traceparent`, `tracestate` and `baggage` came as
    /// text.
    #[must_use]
    pub fn below(parent: Option<&str>, state: Option<&str>, baggage: Option<&str>) -> Option<Self> {
        let (tracestate, baggage) = (state.and_then(value), baggage.and_then(value));
        Some(Self::parse(parent?)?.carrying(Carried { tracestate, baggage }).entered())
    }

    /// A new position below this one, in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        self.next(false, self.sampled)
    }

    /// A new position below a span of the same trace that a header names, or else below this one.
    #[must_use]
    pub fn child_of(&self, headers: &HeaderMap) -> Self {
        let named = Self::from_headers(headers).filter(|named| named.trace_id == self.trace_id);
        let span_id = named.map_or(self.span_id, |named| named.span_id);
        Self { span_id, ..self.clone() }.child()
    }

    /// A new position below this one, which a caller sent.
    fn entered(&self) -> Self {
        self.next(true, tracer().samples_child(self.trace_id, self.sampled))
    }

    fn next(&self, is_remote: bool, sampled: bool) -> Self {
        let parent = Some(Parent { span_id: self.span_id, is_remote });
        Self { span_id: random_u64().max(1), sampled, parent, ..self.clone() }
    }

    /// The trace as a number.
    #[must_use]
    pub fn trace_number(&self) -> u128 {
        self.trace_id
    }

    /// The position as a number.
    #[must_use]
    pub fn span_number(&self) -> u64 {
        self.span_id
    }

    /// The position above as a number, and whether a caller sent it; `None` at a trace's beginning.
    #[must_use]
    pub fn parent(&self) -> Option<(u64, bool)> {
        self.parent.map(|parent| (parent.span_id, parent.is_remote))
    }

    /// The position above, if there is one.
    #[must_use]
    pub fn above(&self) -> Option<Self> {
        let parent = self.parent?;
        Some(Self { span_id: parent.span_id, parent: None, ..self.clone() })
    }

    /// Whether it is exported.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The trace this position is in: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// This position: 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span_id)
    }

    /// Writes the context over whatever the headers carried; baggage of their own they keep.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        let text = self.to_string();
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(TRACEPARENT, value);
        }
        let carried = self.carried.as_deref();
        match carried.and_then(|carried| carried.tracestate.clone()) {
            Some(state) => headers.insert(TRACESTATE, state),
            None => headers.remove(TRACESTATE),
        };
        if let Some(baggage) = carried.and_then(|carried| carried.baggage.clone()) {
            headers.entry(BAGGAGE).or_insert(baggage);
        }
    }

    /// The same position with the vendors' part that came beside it; an oversized one is dropped.
    #[must_use]
    pub fn with_tracestate(self, tracestate: Option<&str>) -> Self {
        let tracestate = tracestate.and_then(value);
        let baggage = self.carried.as_ref().and_then(|carried| carried.baggage.clone());
        self.carrying(Carried { tracestate, baggage })
    }

    fn with_baggage(self, baggage: Option<HeaderValue>) -> Self {
        let tracestate = self.carried.as_ref().and_then(|carried| carried.tracestate.clone());
        self.carrying(Carried { tracestate, baggage })
    }

    fn carrying(mut self, carried: Carried) -> Self {
        self.carried = (carried != Carried::default()).then(|| Arc::new(carried));
        self
    }

    /// The `tracestate` to pass on, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.carried.as_ref()?.tracestate.as_ref()?.to_str().ok()
    }

    /// The baggage to pass on, if there is any.
    #[must_use]
    pub fn baggage(&self) -> Option<&str> {
        self.carried.as_ref()?.baggage.as_ref()?.to_str().ok()
    }
}

/// A value of a bearable size.
fn value(text: &str) -> Option<HeaderValue> {
    let fits = !text.is_empty() && text.len() <= CARRIED_BYTES_MAX;
    fits.then(|| HeaderValue::from_str(text).ok()).flatten()
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

/// Several headers of a name are one list; an oversized one is dropped, not cut.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let parts: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let joined = parts.join(&b","[..]);
    if joined.is_empty() || joined.len() > CARRIED_BYTES_MAX {
        return None;
    }
    HeaderValue::from_bytes(&joined).ok()
}

#[cfg(test)]
mod tests;
