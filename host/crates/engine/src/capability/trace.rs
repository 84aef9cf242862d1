//! `wfh:function/trace`: spans of a function's own. Always there.

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wfh_event::FailureClass;
use wfh_telemetry::{KeyValue, Recording, SpanKind, TraceContext, tracer};

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated from wit/function.wit")]
    #![allow(clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../../../wit",
        inline: "
            package wfh:host-trace;
            world host { import wfh:function/trace@0.1.0; }
        ",
        world: "wfh:host-trace/host",
        imports: { default: trappable },
        require_store_data_send: true,
        with: { "wfh:function/trace.span": super::GuestSpan },
    });
}

use bindings::wfh::function::trace::{self, Value};

/// Names and texts of one span, so that the last spans take little memory whatever guests write.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// What a value that is no text counts for, and an event beside its name.
const VALUE_BYTES: usize = 16;

/// A span that a guest began; it ends when the guest drops it, at the latest with its sandbox.
#[allow(unreachable_pub, reason = "the generated bindings export it")]
pub struct GuestSpan {
    at: TraceContext,
    recording: Option<Recording>,
    text_bytes_left: usize,
}

impl GuestSpan {
    fn new(above: &TraceContext, name: String, is_wanted: bool) -> Self {
        let at = above.child();
        let fits = name.len() <= TEXT_BYTES_MAX;
        let text_bytes_left = TEXT_BYTES_MAX.saturating_sub(name.len());
        let begin = || tracer().begin(&at, SpanKind::Internal, name);
        let recording = (is_wanted && fits).then(begin).flatten();
        Self { at, recording, text_bytes_left }
    }

    /// Takes room for a pair, if there is so much.
    fn pair(&mut self, key: String, value: Value) -> Option<KeyValue> {
        let bytes = match &value {
            Value::Text(text) => text.len(),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => VALUE_BYTES,
        };
        self.room(key.len() + bytes)?;
        let value: wfh_telemetry::Value = match value {
            Value::Text(text) => text.into(),
            Value::Integer(number) => number.into(),
            Value::Float(number) => number.into(),
            Value::Boolean(is) => is.into(),
        };
        Some(KeyValue::new(key, value))
    }

    fn room(&mut self, bytes: usize) -> Option<()> {
        self.text_bytes_left = self.text_bytes_left.checked_sub(bytes)?;
        Some(())
    }

    fn set(&mut self, key: String, value: Value) {
        let pair = self.recording.is_some().then(|| self.pair(key, value)).flatten();
        if let (Some(recording), Some(pair)) = (&mut self.recording, pair) {
            recording.set_pair(pair);
        }
    }

    fn event(&mut self, name: String, attributes: Vec<(String, Value)>) {
        if self.recording.is_none() || self.room(name.len() + VALUE_BYTES).is_none() {
            return;
        }
        let pairs = attributes.into_iter().filter_map(|(key, value)| self.pair(key, value));
        let pairs = pairs.collect();
        if let Some(recording) = &mut self.recording {
            recording.event(name, pairs);
        }
    }

    fn fail(&mut self, reason: String) {
        let fits = self.room(reason.len()).is_some();
        if let Some(recording) = &mut self.recording {
            let reason = if fits { reason } else { String::new() };
            recording.fail(FailureClass::Guest.as_str(), reason);
        }
    }
}

impl Drop for GuestSpan {
    fn drop(&mut self) {
        if let Some(recording) = self.recording.take() {
            recording.end();
        }
    }
}

/// The spans of a guest, and the call they belong to.
pub(crate) struct Spans<'a> {
    pub(crate) table: &'a mut ResourceTable,
    /// Where it stands in its trace, and how many more spans of it are recorded. An init is no call.
    pub(crate) call: Option<(&'a TraceContext, &'a mut u32)>,
}

/// What a linker is told of them.
struct HasSpans;

impl HasData for HasSpans {
    type Data<'a> = Spans<'a>;
}

pub(crate) fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    spans: for<'a> fn(&'a mut T) -> Spans<'a>,
) -> wasmtime::Result<()> {
    trace::add_to_linker::<T, HasSpans>(linker, spans)
}

impl trace::Host for Spans<'_> {}

impl trace::HostSpan for Spans<'_> {
    fn new(
        &mut self,
        name: String,
        parent: Option<Resource<GuestSpan>>,
    ) -> wasmtime::Result<Resource<GuestSpan>> {
        let (call, is_wanted) = match &mut self.call {
            Some((call, left)) => {
                let is_wanted = **left > 0;
                **left = left.saturating_sub(1);
                ((*call).clone(), is_wanted)
            }
            None => (TraceContext::root(), false),
        };
        let above = match parent {
            Some(parent) => self.table.get(&parent)?.at.clone(),
            None => call,
        };
        Ok(self.table.push(GuestSpan::new(&above, name, is_wanted))?)
    }

    fn is_recording(&mut self, span: Resource<GuestSpan>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&span)?.recording.is_some())
    }

    fn set(
        &mut self,
        span: Resource<GuestSpan>,
        key: String,
        value: Value,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&span)?.set(key, value);
        Ok(())
    }

    fn event(
        &mut self,
        span: Resource<GuestSpan>,
        name: String,
        attributes: Vec<(String, Value)>,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&span)?.event(name, attributes);
        Ok(())
    }

    fn fail(&mut self, span: Resource<GuestSpan>, reason: String) -> wasmtime::Result<()> {
        self.table.get_mut(&span)?.fail(reason);
        Ok(())
    }

    fn traceparent(&mut self, span: Resource<GuestSpan>) -> wasmtime::Result<String> {
        Ok(self.table.get(&span)?.at.to_string())
    }

    fn drop(&mut self, span: Resource<GuestSpan>) -> wasmtime::Result<()> {
        self.table.delete(span)?;
        Ok(())
    }
}
