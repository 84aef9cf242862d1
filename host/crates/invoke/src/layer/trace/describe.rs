//! What the span of a call says about it.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, Request};
use wfh_event::{Failure, FailureClass, SpanStatus, Target};
use wfh_telemetry::{
    KeyValue, OTHER_METHOD, Recording, SpanKind, attribute, http_version, known_method,
};

use super::Shared;
use crate::durable::Hold;
use crate::outgoing::messaging;
use crate::{Accepted, Body, HttpInput, Input, Invocation, Item, SCHEDULE_TICK};

/// What called, in the words of `faas.trigger`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    Http,
    PubSub,
    Timer,
    Other,
}

impl Trigger {
    pub(super) const ALL: [Self; 4] = [Self::Http, Self::PubSub, Self::Timer, Self::Other];

    pub(super) fn of(input: &Input) -> Self {
        match input {
            Input::Http(_) => Self::Http,
            Input::Events(items) => match items.first() {
                Some(item) if item.event.r#type == SCHEDULE_TICK => Self::Timer,
                Some(item) if item.delivery.is_some() => Self::PubSub,
                Some(_) | None => Self::Other,
            },
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::PubSub => "pubsub",
            Self::Timer => "timer",
            Self::Other => "other",
        }
    }
}

/// Where events were pulled from.
pub(super) struct Source<'i> {
    system: &'static str,
    destination: Cow<'i, str>,
}

impl<'i> Source<'i> {
    pub(super) fn of(item: &'i Item) -> Option<Self> {
        let found = |system, destination: &'i str| Self { system, destination: destination.into() };
        match &item.delivery.as_ref()?.hold {
            Hold::Entry { receipt, .. } => {
                // The store's `queue/jobs` is `queue:jobs` everywhere else.
                let destination = receipt.queue.as_str().replacen('/', ":", 1);
                Some(Self { system: "wfh", destination: destination.into() })
            }
            Hold::Outside(_) => match named(item, "topic") {
                Some(topic) => Some(found("kafka", topic)),
                None => {
                    let destination = named(item, "stream").or_else(|| named(item, "list"));
                    Some(found("redis", destination.unwrap_or_default()))
                }
            },
        }
    }

    /// Of metrics and spans alike.
    pub(super) fn attributes(&self, operation: &'static str) -> Vec<KeyValue> {
        let mut all = messaging(self.system, self.destination.to_string(), operation).to_vec();
        all.push(KeyValue::new(attribute::MESSAGING_OPERATION_TYPE, operation));
        all
    }
}

fn named<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    item.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Begins the span of a call, if anybody wants it.
pub(super) fn begin(
    shared: &Shared,
    trigger: Trigger,
    invocation: &Invocation,
) -> Option<Recording> {
    let kind = match trigger {
        Trigger::Http => SpanKind::Server,
        Trigger::PubSub => SpanKind::Consumer,
        Trigger::Timer | Trigger::Other => SpanKind::Internal,
    };
    let mut recording = wfh_telemetry::tracer().begin(&invocation.trace, kind, "")?;
    recording.set(attribute::FAAS_TRIGGER, trigger.as_str());
    recording.set_pair(shared.name.clone());
    recording.set(attribute::FAAS_VERSION, shared.version.get());
    recording.set(attribute::FAAS_INVOCATION_ID, invocation.id.to_string());
    match &invocation.input {
        Input::Http(input) => of_request(&mut recording, input),
        Input::Events(items) => of_events(&mut recording, shared, trigger, items),
    }
    Some(recording)
}

/// The span of a call that is accepted to run later.
pub(crate) struct Accepting(Option<Recording>);

impl Accepting {
    pub(crate) fn begin(target: &Target, invocation: &Invocation) -> Self {
        let kind = match &invocation.input {
            Input::Http(_) => SpanKind::Server,
            Input::Events(_) => SpanKind::Producer,
        };
        let begun = wfh_telemetry::tracer().begin(&invocation.trace, kind, "");
        Self(begun.map(|mut recording| {
            recording.set(attribute::FAAS_INVOCATION_ID, invocation.id.to_string());
            recording.set(attribute::TARGET, target.to_string());
            match &invocation.input {
                Input::Http(input) => of_request(&mut recording, input),
                Input::Events(_) => recording.rename(format!("create {target}")),
            }
            recording
        }))
    }

    pub(crate) fn end(self, accepted: &Result<Accepted, Failure>) {
        let Some(mut recording) = self.0 else { return };
        match accepted {
            Ok(_) => recording.set(attribute::HTTP_RESPONSE_STATUS_CODE, 202),
            Err(failure) => failed(&mut recording, failure, true),
        }
        recording.end();
    }
}

fn of_request(recording: &mut Recording, input: &HttpInput) {
    let request = &input.request;
    let method = known_method(request.method().as_str());
    let named = if method == OTHER_METHOD { "HTTP" } else { method };
    recording.rename(format!("{named} {}", input.route));
    recording.set(attribute::HTTP_REQUEST_METHOD, method);
    recording.set(attribute::HTTP_ROUTE, Arc::clone(&input.route));
    recording.set(attribute::URL_PATH, request.uri().path().to_owned());
    recording.set_some(attribute::URL_QUERY, request.uri().query().map(str::to_owned));
    let headers = request.headers();
    let scheme = request.uri().scheme_str().or_else(|| text(headers, "x-forwarded-proto"));
    recording.set(attribute::URL_SCHEME, if scheme == Some("https") { "https" } else { "http" });
    of_server(recording, request);
    // The front end removes what it does not trust, and adds the peer.
    let client = text(headers, "x-forwarded-for").and_then(|hops| hops.split(',').next());
    recording.set_some(attribute::CLIENT_ADDRESS, client.map(|client| client.trim().to_owned()));
    recording.set(attribute::NETWORK_PROTOCOL_VERSION, http_version(request.version()));
    recording
        .set_some(attribute::USER_AGENT_ORIGINAL, text(headers, USER_AGENT).map(str::to_owned));
}

fn of_server(recording: &mut Recording, request: &Request<Body>) {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(|| text(request.headers(), HOST));
    let Some(host) = host.and_then(|host| host.parse::<http::uri::Authority>().ok()) else {
        return;
    };
    recording.set(attribute::SERVER_ADDRESS, host.host().to_owned());
    recording.set_some(attribute::SERVER_PORT, host.port_u16().map(i64::from));
}

fn text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn of_events(recording: &mut Recording, shared: &Shared, trigger: Trigger, items: &[Item]) {
    let Some(first) = items.first() else { return };
    recording.set_some(attribute::TRIGGER_NAME, named(first, "trigger").map(str::to_owned));
    match Source::of(first).filter(|_| trigger == Trigger::PubSub) {
        Some(source) => {
            recording.rename(format!("process {}", source.destination));
            for pair in source.attributes("process") {
                recording.set_pair(pair);
            }
        }
        None => recording.rename(shared.function.to_string()),
    }
    if trigger == Trigger::Timer {
        recording.set_some(attribute::FAAS_TIME, first.event.time.clone());
        recording.set_some(attribute::FAAS_CRON, named(first, "schedule").map(str::to_owned));
    }
    match items {
        [only] => of_event(recording, only),
        several => {
            let count = i64::try_from(several.len()).unwrap_or(i64::MAX);
            recording.set(attribute::MESSAGING_BATCH_MESSAGE_COUNT, count);
            for position in several.iter().filter_map(|item| item.trace.as_ref()) {
                recording.link_above(position);
            }
        }
    }
}

fn of_event(recording: &mut Recording, item: &Item) {
    let event = &item.event;
    recording.set(attribute::ATTEMPT, i64::from(item.attempt));
    recording.set(attribute::CLOUDEVENTS_EVENT_ID, event.id.to_string());
    recording.set(attribute::CLOUDEVENTS_EVENT_SOURCE, event.source.clone());
    recording.set(attribute::CLOUDEVENTS_EVENT_TYPE, event.r#type.clone());
    recording.set_some(attribute::CLOUDEVENTS_EVENT_SUBJECT, event.subject.clone());
    recording.set(attribute::MESSAGING_MESSAGE_ID, event.id.to_string());
    let bytes = event.data.as_ref().and_then(|data| i64::try_from(data.len()).ok());
    recording.set_some(attribute::MESSAGING_MESSAGE_BODY_SIZE, bytes);
    for (name, attribute) in [
        ("partition", attribute::MESSAGING_DESTINATION_PARTITION_ID),
        ("group", attribute::MESSAGING_CONSUMER_GROUP_NAME),
        ("entry", attribute::ENTRY_ID),
        ("element", attribute::ENTRY_ID),
    ] {
        recording.set_some(attribute, named(item, name).map(str::to_owned));
    }
    if let Some(offset) = named(item, "offset").and_then(|text| text.parse::<i64>().ok()) {
        recording.set(attribute::MESSAGING_KAFKA_OFFSET, offset);
        let key = item.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        recording.set_some(attribute::MESSAGING_KAFKA_MESSAGE_KEY, key.map(str::to_owned));
        if event.data.is_none() {
            recording.set(attribute::MESSAGING_KAFKA_MESSAGE_TOMBSTONE, true);
        }
    }
}

/// How an answer ended.
pub(super) fn answered(recording: &mut Recording, status: u16, broke_off: Option<FailureClass>) {
    recording.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
    match broke_off {
        Some(class) => failed_as(recording, class, "the answer broke off after its headers"),
        None if status >= 500 => recording.fail(status.to_string(), "the function answered so"),
        None => {}
    }
}

/// How a call failed.
pub(super) fn failed(recording: &mut Recording, failure: &Failure, is_http: bool) {
    if is_http {
        let status = i64::from(failure.class.http_status());
        recording.set(attribute::HTTP_RESPONSE_STATUS_CODE, status);
    }
    failed_as(recording, failure.class, &failure.detail);
}

fn failed_as(recording: &mut Recording, class: FailureClass, detail: &str) {
    recording.set(attribute::ERROR_CODE, class.code().as_str());
    match class.span_status() {
        SpanStatus::Error => recording.fail(class.as_str(), detail.to_owned()),
        SpanStatus::Unset => recording.set(attribute::ERROR_TYPE, class.as_str()),
    }
}
