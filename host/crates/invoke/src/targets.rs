//! Where events go that are sent to a target: the appends that take them there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use wfh_event::{Event, EventId, JsonPath, Target};
use wfh_store::{Append, NameTooLong, Op, QueueKey, Store, StoreError};
use wfh_telemetry::{TRACEPARENT, TRACESTATE, TraceContext};

use crate::durable::Record;
use crate::{Item, Outgoing, PublishError, Publisher, created, event_key, new_invocation_id};

/// One queue that a target leads to, and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The queue in the store.
    pub queue: QueueKey,
    /// What makes entries of one group; without it there are none.
    pub group: Option<JsonPath>,
    /// The most entries the queue may have when something is sent to it.
    pub depth_max: u64,
    /// The time within which an equal id is the same event.
    pub dedup: Option<Duration>,
}

/// The name of the queue in the store that belongs to a target of the manifest.
///
/// # Errors
/// The name is longer than the store takes; those of a manifest are not.
pub fn queue_key(target: &Target) -> Result<QueueKey, NameTooLong> {
    QueueKey::new(&target.to_string().replacen(':', "/", 1))
}

/// Whether a queue's bound holds for what is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It does: whoever sends can be told.
    Kept,
    /// It does not: what a call settles is always taken.
    Lifted,
}

/// The queues behind every target. Replaced as a whole when the manifest changes.
#[derive(Default)]
pub struct Targets {
    places: ArcSwap<HashMap<Target, Vec<Place>>>,
}

impl Targets {
    /// Replaces all of it. A topic has a place for each of its subscribers.
    pub fn replace(&self, places: HashMap<Target, Vec<Place>>) {
        self.places.store(Arc::new(places));
    }

    /// The appends that bring an event of the host's own to its target, where an HTTP function
    /// receives it at `path`. The queue's bound does not hold for it.
    ///
    /// # Errors
    /// Nothing is known of the target.
    pub fn appends_of(
        &self,
        event: Event,
        target: &Target,
        path: &str,
        attributes: Vec<(String, String)>,
    ) -> Result<Vec<Op>, PublishError> {
        let event_key = event_key(&event.source, event.id.as_str());
        let path = Some(path.into());
        let item = Item { path, attributes, ..Item::new(event, event_key) };
        let append = |place: &Place| {
            let trace = begun(target, &item.event);
            let record = Record::new(new_invocation_id(), item.clone(), 0, &trace);
            Op::Append(place.entry(&record, Duration::ZERO, Bound::Lifted))
        };
        Ok(self.places(target)?.iter().map(append).collect())
    }

    /// The places of a target.
    ///
    /// # Errors
    /// Nothing is known of it.
    pub(crate) fn places(&self, target: &Target) -> Result<Vec<Place>, PublishError> {
        let found = self.places.load().get(target).cloned();
        found.ok_or_else(|| PublishError::Invalid(format!("there is no {target}")))
    }

    /// The appends that bring an event to its target.
    ///
    /// # Errors
    /// Nothing is known of the target.
    pub(crate) fn appends(
        &self,
        outgoing: Outgoing,
        bound: Bound,
    ) -> Result<Vec<Op>, PublishError> {
        let places = self.places(&outgoing.target)?;
        Ok(places.iter().map(|place| place.append(&outgoing, bound)).collect())
    }

    /// The targets that have a queue of their own, in order.
    #[must_use]
    pub fn queued(&self) -> Vec<Target> {
        let has_queue = |target: &&Target| match target {
            Target::Function(_) | Target::Queue(_) | Target::Stream(_) => true,
            Target::Topic(_) => false,
        };
        let mut targets: Vec<Target> =
            self.places.load().keys().filter(has_queue).cloned().collect();
        targets.sort();
        targets
    }

    /// The place with a queue of that name in the store.
    pub(crate) fn place_of(&self, queue: &str) -> Option<Place> {
        let places = self.places.load();
        places.values().flatten().find(|place| place.queue.as_str() == queue).cloned()
    }
}

impl Place {
    fn append(&self, outgoing: &Outgoing, bound: Bound) -> Op {
        let event = outgoing.event.clone();
        let trace = trace_of(outgoing);
        let event_key = event_key(&event.source, event.id.as_str());
        let (key, headers) = (outgoing.key.clone(), outgoing.headers.clone());
        let item = Item { key, headers, ..Item::new(event, event_key) };
        let record = Record::new(new_invocation_id(), item, outgoing.hops, &trace);
        Op::Append(self.entry(&record, outgoing.delay.unwrap_or_default(), bound))
    }

    /// The append of a record.
    pub(crate) fn entry(&self, record: &Record, delay: Duration, bound: Bound) -> Append {
        let event = &record.event;
        let data = event.data.as_ref();
        let group = self.group.as_ref().and_then(|path| path.select(&data?.0));
        let depth_max = match bound {
            Bound::Kept => Some(self.depth_max),
            Bound::Lifted => None,
        };
        let id = event_key(&event.source, event.id.as_str());
        let append = Append::new(self.queue.clone(), id, record.to_bytes());
        Append { group, delay, depth_max, dedup: self.dedup, ..append }
    }
}

/// The distributed tracing extension of CloudEvents, or a trace of its own.
fn trace_of(outgoing: &Outgoing) -> TraceContext {
    let extension = |name: &http::HeaderName| outgoing.event.extensions.get(name.as_str());
    let parent = extension(&TRACEPARENT).and_then(|text| TraceContext::parse(text));
    let state = extension(&TRACESTATE).map(String::as_str);
    match parent {
        Some(parent) => parent.with_tracestate(state),
        None => begun(&outgoing.target, &outgoing.event),
    }
}

/// The position of an event with which a trace begins.
fn begun(target: &Target, event: &Event) -> TraceContext {
    let trace = TraceContext::root();
    created(&trace, target, event);
    trace
}

/// Sends events at once: what `publish.send` and `wfh queue send` do.
pub struct DirectPublisher {
    targets: Arc<Targets>,
    store: Arc<dyn Store>,
}

impl DirectPublisher {
    /// Sends to `targets`, into `store`.
    #[must_use]
    pub fn new(targets: Arc<Targets>, store: Arc<dyn Store>) -> Self {
        Self { targets, store }
    }
}

impl Publisher for DirectPublisher {
    fn publish(
        &self,
        messages: Vec<Outgoing>,
    ) -> BoxFuture<'_, Result<Vec<EventId>, PublishError>> {
        Box::pin(async move {
            let (mut ids, mut ops) = (Vec::new(), Vec::new());
            for message in messages {
                ids.push(message.event.id.clone());
                ops.extend(self.targets.appends(message, Bound::Kept)?);
            }
            self.store.commit(ops).await.map_err(refused)?;
            Ok(ids)
        })
    }
}

fn refused(error: StoreError) -> PublishError {
    match error {
        StoreError::Full { .. } => PublishError::Full(error.to_string()),
        StoreError::Invalid(reason) => PublishError::Invalid(reason),
        // Appends expect nothing that could be otherwise.
        StoreError::Conflict { .. } | StoreError::Unavailable(_) => {
            PublishError::Unavailable(error.to_string())
        }
    }
}
