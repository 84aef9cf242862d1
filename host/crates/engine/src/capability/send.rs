//! Events that a guest sends, checked: by `publish` at once, or by `emit` with its success.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wfh_event::{Event, EventId, Target};
use wfh_invoke::{Outgoing, created};

use super::event::wit;
use crate::FunctionConfig;
use crate::sandbox::CallInfo;

/// Attributes of the envelope, which are no extensions.
const ENVELOPE: &[&str] = &[
    "id",
    "source",
    "type",
    "specversion",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
];

/// Why an event cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The manifest does not grant the target.
    Denied(String),
    /// The target or the event is not well formed.
    Invalid(String),
}

/// Who sends.
#[derive(Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) function: &'a FunctionConfig,
    pub(crate) call: &'a CallInfo,
}

impl Sender<'_> {
    /// The event as its target receives it, with `id`.
    pub(crate) fn outgoing(self, raw: wit::Outgoing, id: EventId) -> Result<Outgoing, Refused> {
        let target = self.granted(&raw.target)?;
        let event = self.event(raw.event, id, &target)?;
        Ok(Outgoing {
            target,
            event,
            key: raw.key.map(Into::into),
            headers: raw.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
            delay: raw.delay_ms.map(Duration::from_millis),
            hops: self.call.hops.saturating_add(1),
        })
    }

    fn granted(self, text: &str) -> Result<Target, Refused> {
        let target: Target = text
            .parse()
            .map_err(|error| Refused::Invalid(format!("the target {text:?}: {error}")))?;
        if !self.function.send.contains(&target) {
            return Err(Refused::Denied(target.to_string()));
        }
        Ok(target)
    }

    fn event(self, raw: wit::Event, id: EventId, target: &Target) -> Result<Event, Refused> {
        if raw.type_.is_empty() {
            return Err(Refused::Invalid("the event has no type".to_owned()));
        }
        let source = match raw.source.is_empty() {
            true => format!("function:{}", self.function.name),
            false => raw.source,
        };
        let mut event = Event::new(id, source, raw.type_);
        event.subject = raw.subject;
        event.time = raw.time;
        event.datacontenttype = raw.datacontenttype;
        event.dataschema = raw.dataschema;
        event.data = raw.data.map(Into::into);
        for (name, value) in raw.extensions {
            check_extension(&name)?;
            event.extensions.insert(name, value);
        }
        self.add_trace(&mut event, target);
        Ok(event)
    }

    /// The trace goes on in the event, unless the guest put one there.
    fn add_trace(self, event: &mut Event, target: &Target) {
        if event.extensions.contains_key("traceparent") {
            return;
        }
        let trace = self.call.trace.child();
        created(&trace, target, event);
        event.extensions.insert("traceparent".to_owned(), trace.to_string());
        if let Some(state) = trace.tracestate() {
            event.extensions.insert("tracestate".to_owned(), state.to_owned());
        }
    }
}

fn check_extension(name: &str) -> Result<(), Refused> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !name.is_empty() && name.bytes().all(allowed) && !ENVELOPE.contains(&name) {
        return Ok(());
    }
    Err(Refused::Invalid(format!(
        "{name:?} is not the name of an extension; expected lower-case letters and digits, and no \
         attribute of the envelope"
    )))
}

/// The id of the `index`th event emitted for `cause`: the same in every attempt.
pub(crate) fn emit_id(cause: (&str, &str), function: &str, index: usize) -> EventId {
    let (source, id) = cause;
    let mut hash = Sha256::new();
    for part in [source, id, function] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update((index as u64).to_le_bytes());
    let mut text = String::with_capacity(32);
    for byte in hash.finalize().iter().take(16) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    EventId::new(&text).unwrap_or_else(|| wfh_invoke::new_invocation_id().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emits_id_depends_on_all_that_it_is_made_of() {
        let id = emit_id(("/s", "1"), "f", 0);
        assert_eq!(id, emit_id(("/s", "1"), "f", 0), "another attempt emits another event");
        for other in [
            emit_id(("/t", "1"), "f", 0),
            emit_id(("/s", "2"), "f", 0),
            emit_id(("/s", "1"), "g", 0),
            emit_id(("/s", "1"), "f", 1),
            emit_id(("/s1", ""), "f", 0),
        ] {
            assert_ne!(id, other, "two emits share an id");
        }
    }

    #[test]
    fn an_extension_is_no_attribute_of_the_envelope() {
        assert!(check_extension("shard7").is_ok());
        for name in ["", "Shard", "a-b", "type", "data"] {
            assert!(check_extension(name).is_err(), "{name:?} is accepted");
        }
    }
}
