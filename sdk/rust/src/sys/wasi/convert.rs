//! The WIT's records from and to the SDK's.

use std::time::Duration;

use crate::bindings::types as wit;
use crate::envelope::{Delivery, Envelope};
use crate::{BatchReply, Context, Error, Outgoing, Reply};

pub(in crate::sys::wasi) fn delivery(delivery: wit::Delivery) -> Delivery {
    Delivery {
        event: envelope(delivery.event),
        attempt: delivery.attempt,
        event_key: delivery.event_key,
        traceparent: delivery.traceparent,
        tracestate: delivery.tracestate,
        key: delivery.key,
        headers: delivery.headers,
        attributes: delivery.attributes,
    }
}

fn envelope(event: wit::Event) -> Envelope {
    Envelope {
        id: event.id,
        source: event.source,
        event_type: event.type_,
        subject: event.subject,
        time: event.time,
        datacontenttype: event.datacontenttype,
        dataschema: event.dataschema,
        extensions: event.extensions,
        data: event.data,
    }
}

pub(in crate::sys::wasi) fn context(context: &wit::Context) -> Context {
    let remaining = Duration::from_millis(context.remaining_ms());
    Context::new(context.invocation_id(), context.attempts_max(), remaining)
}

pub(in crate::sys::wasi) fn event(event: Envelope) -> wit::Event {
    wit::Event {
        id: event.id,
        source: event.source,
        type_: event.event_type,
        subject: event.subject,
        time: event.time,
        datacontenttype: event.datacontenttype,
        dataschema: event.dataschema,
        extensions: event.extensions,
        data: event.data,
    }
}

pub(in crate::sys::wasi) fn outgoing(outgoing: Outgoing) -> wit::Outgoing {
    wit::Outgoing {
        target: outgoing.target,
        event: event(outgoing.event),
        key: outgoing.key,
        headers: outgoing.headers,
        delay_ms: outgoing.delay.map(milliseconds),
    }
}

pub(in crate::sys::wasi) fn reply(reply: Reply) -> wit::Reply {
    wit::Reply {
        datacontenttype: reply.datacontenttype,
        data: reply.data,
        attributes: reply.attributes,
        emit: reply.emit.into_iter().map(outgoing).collect(),
    }
}

pub(in crate::sys::wasi) fn batch_reply(reply: BatchReply) -> wit::BatchReply {
    let failed = |(index, error): (u32, Error)| wit::FailedItem { index, failure: failure(&error) };
    let emit = |(index, event): (u32, Outgoing)| (index, outgoing(event));
    wit::BatchReply {
        failed: reply.failed.into_iter().map(failed).collect(),
        emit: reply.emit.into_iter().map(emit).collect(),
    }
}

pub(in crate::sys::wasi) fn failure(error: &Error) -> wit::Failure {
    let reason = error.reason().to_owned();
    if error.is_rejection() {
        return wit::Failure::Reject(reason);
    }
    wit::Failure::RetryLater(wit::Retry { reason, after_ms: error.retry_after().map(milliseconds) })
}

/// Rounded up: what was asked to wait does not come early, and a short time is not none.
pub(in crate::sys::wasi) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
