//! Which spans are open, so that a record carries their fields.

use tracing::span::{Attributes, Id};
use tracing::{Event, Level};

use super::fields::Fields;
use crate::sys::trace;

/// Few are open at a time, so a list is enough, and small.
#[derive(Debug, Default)]
pub(super) struct Spans {
    opened: u64,
    open: Vec<Span>,
    /// Those that were entered and not left, innermost last.
    entered: Vec<u64>,
}

#[derive(Debug)]
struct Span {
    id: u64,
    parent: Option<u64>,
    fields: Fields,
    holders: u32,
    /// What the host records of it, if anybody will see that.
    seen: Option<trace::Span>,
}

impl Spans {
    pub(super) fn open(&mut self, attributes: &Attributes<'_>, fields: Fields) -> Id {
        let parent = self.parent(attributes.parent(), attributes.is_contextual());
        if let Some(parent) = parent {
            self.hold(parent);
        }
        self.opened = self.opened.wrapping_add(1).max(1);
        let above = parent.and_then(|parent| self.seen(parent));
        let seen = trace::Span::begin(attributes.metadata().name(), above);
        if let Some(seen) = &seen {
            note(seen, &fields);
        }
        self.open.push(Span { id: self.opened, parent, fields, holders: 1, seen });
        Id::from_u64(self.opened)
    }

    fn parent(&self, explicit: Option<&Id>, contextual: bool) -> Option<u64> {
        let entered = self.entered.last().filter(|_| contextual).copied();
        explicit.map(Id::into_u64).or(entered)
    }

    fn find(&mut self, id: u64) -> Option<&mut Span> {
        self.open.iter_mut().find(|span| span.id == id)
    }

    pub(super) fn record(&mut self, id: u64, fields: Fields) {
        if let Some(span) = self.find(id) {
            if let Some(seen) = &span.seen {
                note(seen, &fields);
            }
            span.fields.replace(fields);
        }
    }

    pub(super) fn enter(&mut self, id: u64) {
        self.entered.push(id);
    }

    pub(super) fn exit(&mut self, id: u64) {
        if let Some(at) = self.entered.iter().rposition(|entered| *entered == id) {
            self.entered.remove(at);
        }
    }

    pub(super) fn hold(&mut self, id: u64) {
        if let Some(span) = self.find(id) {
            span.holders = span.holders.saturating_add(1);
        }
    }

    /// Whether the span is closed with that. A closed span lets go of its parent.
    pub(super) fn release(&mut self, id: u64) -> bool {
        let Some(span) = self.find(id) else { return false };
        span.holders = span.holders.saturating_sub(1);
        if span.holders > 0 {
            return false;
        }
        let parent = span.parent;
        self.open.retain(|span| span.id != id);
        // As deep as spans are nested.
        if let Some(parent) = parent {
            self.release(parent);
        }
        true
    }

    /// What the host records of a span, or of the nearest around it.
    fn seen(&self, id: u64) -> Option<&trace::Span> {
        let mut next = Some(id);
        while let Some(span) = next.and_then(|id| self.open.iter().find(|span| span.id == id)) {
            if span.seen.is_some() {
                return span.seen.as_ref();
            }
            next = span.parent;
        }
        None
    }

    /// The position of the span that was entered last, as a header.
    pub(super) fn traceparent(&self) -> Option<String> {
        self.seen(*self.entered.last()?).map(trace::Span::traceparent)
    }

    /// Notes a record at the span around it; an error is how the span failed.
    pub(super) fn note_at(&self, event: &Event<'_>, fields: &Fields) {
        let around = self.parent(event.parent(), event.is_contextual());
        let Some(seen) = around.and_then(|id| self.seen(id)) else { return };
        seen.event(fields.message(), fields.others());
        if *event.metadata().level() == Level::ERROR {
            seen.fail(fields.message());
        }
    }

    /// Adds the fields of the spans around a record, from the inside out.
    pub(super) fn add_to(&self, event: &Event<'_>, fields: &mut Fields) {
        let mut next = self.parent(event.parent(), event.is_contextual());
        // A parent was opened earlier, so this ends.
        while let Some(span) = next.and_then(|id| self.open.iter().find(|span| span.id == id)) {
            fields.add_outer(&span.fields);
            next = span.parent;
        }
    }
}

fn note(seen: &trace::Span, fields: &Fields) {
    for (name, value) in fields.others() {
        seen.set(name, value.clone());
    }
}
