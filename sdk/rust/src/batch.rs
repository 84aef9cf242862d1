//! Several events in one call, of which some may fail.

use crate::envelope::Delivery;
use crate::event::Payload;
use crate::{Context, Error, Event, Outgoing};

/// What became of a batch: who failed, and what is emitted. An event that is not named succeeded.
///
/// ```
/// use wfh::{BatchReply, Event, Outgoing, Reject, Result};
///
/// async fn handle(events: Vec<Event<u32>>) -> Result<BatchReply> {
///     let mut reply = BatchReply::new();
///     for event in &events {
///         if event.data == 0 {
///             reply.fail(event, Reject::new("nothing to do"));
///         } else {
///             reply.emit(event, Outgoing::new("queue:done", "done").json(&event.data)?);
///         }
///     }
///     Ok(reply)
/// }
/// # use wfh::test::{Delivery, Host};
/// # let batch = ["0", "7", "seven"].map(Delivery::json);
/// # let outcome = Host::new().batch(handle, batch);
/// # assert_eq!(outcome.failed().len(), 2);
/// # assert_eq!(outcome.emitted().len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct BatchReply {
    pub(crate) failed: Vec<(u32, Error)>,
    pub(crate) emit: Vec<(u32, Outgoing)>,
}

impl BatchReply {
    /// Everything succeeded, so far.
    ///
    /// ```
    /// let reply = wfh::BatchReply::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This event failed; what it emits is dropped. Of several failures the first counts.
    ///
    /// ```
    /// # use wfh::{BatchReply, Event};
    /// fn failed(reply: &mut BatchReply, event: &Event<String>, error: std::io::Error) {
    ///     reply.fail(event, error);
    /// }
    /// ```
    pub fn fail<T>(&mut self, event: &Event<T>, error: impl Into<Error>) {
        self.fail_at(event.index, error.into());
    }

    /// Emits an event when this one's success becomes durable.
    ///
    /// ```
    /// # use wfh::{BatchReply, Event, Outgoing};
    /// fn done(reply: &mut BatchReply, event: &Event<String>) {
    ///     reply.emit(event, Outgoing::new("queue:done", "com.example.done"));
    /// }
    /// ```
    pub fn emit<T>(&mut self, event: &Event<T>, outgoing: Outgoing) {
        self.emit.push((event.index, outgoing));
    }

    fn fail_at(&mut self, index: u32, error: Error) {
        if self.failed.iter().all(|(failed, _)| *failed != index) {
            self.failed.push((index, error));
        }
    }
}

/// Calls a handler of batches with the events whose payload parses. An error of the handler is the
/// failure of these; those that do not parse are rejected whatever it answers.
pub(crate) async fn call<H, F, T, E>(
    handler: H,
    deliveries: Vec<Delivery>,
    context: Context,
) -> BatchReply
where
    H: FnOnce(Vec<Event<T>>) -> F,
    F: Future<Output = Result<BatchReply, E>>,
    T: Payload,
    E: Into<Error>,
{
    let (mut events, mut rejected) = (Vec::with_capacity(deliveries.len()), Vec::new());
    for (index, delivery) in (0..).zip(deliveries) {
        match Event::read(delivery, context.clone(), index) {
            Ok(event) => events.push(event),
            Err(error) => rejected.push((index, error)),
        }
    }
    let indices: Vec<u32> = events.iter().map(|event| event.index).collect();
    let mut reply = if events.is_empty() {
        BatchReply::new()
    } else {
        handler(events).await.unwrap_or_else(|error| all_failed(&indices, &error.into()))
    };
    reply.failed.extend(rejected);
    reply
}

fn all_failed(indices: &[u32], error: &Error) -> BatchReply {
    let failed = indices.iter().map(|index| (*index, error.clone())).collect();
    BatchReply { failed, emit: Vec::new() }
}
