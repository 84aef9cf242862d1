//! How attributes, metrics and span names are spelled: OpenTelemetry semantic conventions 1.44, and
//! our own below `wfh.`. Each is written here once.

use http::Version;

/// The schema that exported telemetry names.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";
/// The instrumentation scope of everything that the host itself records.
pub const SCOPE: &str = "wfh";

/// What stands for methods that are not among those of HTTP.
pub const OTHER_METHOD: &str = "_OTHER";

/// A method as attributes have it: what a client makes up must not become series of their own.
#[must_use]
pub fn known_method(method: &str) -> &'static str {
    const KNOWN: &[&str] =
        &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.iter().find(|known| **known == method).copied().unwrap_or(OTHER_METHOD)
}

/// A version of HTTP as attributes have it.
#[must_use]
pub fn http_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// Declares constants and lists them, so that a test compares all with the conventions.
macro_rules! names {
    ($(#[$all:meta])* $list:ident: $($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        $(#[$all])*
        pub const $list: &[&str] = &[$($name),*];
    };
}

/// Attributes of spans, metrics and log records.
pub mod attribute {
    names! {
        /// Those of the conventions.
        CONVENTIONAL:
        /// What kind of trigger: `http`, `pubsub`, `timer` or `other`.
        FAAS_TRIGGER = "faas.trigger";
        /// The function.
        FAAS_NAME = "faas.name";
        /// Its version: the digest of its component.
        FAAS_VERSION = "faas.version";
        /// The invocation, as in `Wfh-Invocation-Id`.
        FAAS_INVOCATION_ID = "faas.invocation_id";
        /// Whether a sandbox was made for the call.
        FAAS_COLDSTART = "faas.coldstart";
        /// When a schedule fires, as the manifest says.
        FAAS_CRON = "faas.cron";
        /// When it fired, RFC 3339.
        FAAS_TIME = "faas.time";
        /// The method of a request.
        HTTP_REQUEST_METHOD = "http.request.method";
        /// The status of an answer.
        HTTP_RESPONSE_STATUS_CODE = "http.response.status_code";
        /// The pattern of the route.
        HTTP_ROUTE = "http.route";
        /// `http` or `https`.
        URL_SCHEME = "url.scheme";
        /// The path of a request.
        URL_PATH = "url.path";
        /// The query of a request.
        URL_QUERY = "url.query";
        /// The whole URL of an outgoing request, without credentials.
        URL_FULL = "url.full";
        /// The host that was asked for.
        SERVER_ADDRESS = "server.address";
        /// Its port.
        SERVER_PORT = "server.port";
        /// Who asked.
        CLIENT_ADDRESS = "client.address";
        /// `1.1` or `2`.
        NETWORK_PROTOCOL_VERSION = "network.protocol.version";
        /// The client's own description.
        USER_AGENT_ORIGINAL = "user_agent.original";
        /// `kafka`, `redis` or `wfh`.
        MESSAGING_SYSTEM = "messaging.system";
        /// The topic, stream, list or queue.
        MESSAGING_DESTINATION_NAME = "messaging.destination.name";
        /// The partition of a topic.
        MESSAGING_DESTINATION_PARTITION_ID = "messaging.destination.partition.id";
        /// `process`, `send` or `create`.
        MESSAGING_OPERATION_NAME = "messaging.operation.name";
        /// `process`, `send` or `create`.
        MESSAGING_OPERATION_TYPE = "messaging.operation.type";
        /// The id of the event.
        MESSAGING_MESSAGE_ID = "messaging.message.id";
        /// Bytes of its payload.
        MESSAGING_MESSAGE_BODY_SIZE = "messaging.message.body.size";
        /// How many records a call got.
        MESSAGING_BATCH_MESSAGE_COUNT = "messaging.batch.message_count";
        /// The consumer group.
        MESSAGING_CONSUMER_GROUP_NAME = "messaging.consumer.group.name";
        /// The offset in a partition.
        MESSAGING_KAFKA_OFFSET = "messaging.kafka.offset";
        /// The key of a record, if it is text.
        MESSAGING_KAFKA_MESSAGE_KEY = "messaging.kafka.message.key";
        /// Whether the record has no value.
        MESSAGING_KAFKA_MESSAGE_TOMBSTONE = "messaging.kafka.message.tombstone";
        /// The event's id.
        CLOUDEVENTS_EVENT_ID = "cloudevents.event_id";
        /// The event's source.
        CLOUDEVENTS_EVENT_SOURCE = "cloudevents.event_source";
        /// The event's type.
        CLOUDEVENTS_EVENT_TYPE = "cloudevents.event_type";
        /// The event's subject.
        CLOUDEVENTS_EVENT_SUBJECT = "cloudevents.event_subject";
        /// The class of a failure, or the status of an answer of 500 and above.
        ERROR_TYPE = "error.type";
        /// What of the telemetry itself is counted.
        OTEL_COMPONENT_TYPE = "otel.component.type";
        /// Which one.
        OTEL_COMPONENT_NAME = "otel.component.name";
    }

    names! {
        /// Those of our own.
        OWN:
        /// The number of the try.
        ATTEMPT = "wfh.attempt";
        /// The trigger's name.
        TRIGGER_NAME = "wfh.trigger.name";
        /// The target of an event, such as `queue:emails`.
        TARGET = "wfh.target";
        /// Milliseconds until a permit was free.
        WAITED_MS = "wfh.waited_ms";
        /// Milliseconds to make the sandbox.
        INSTANTIATE_MS = "wfh.instantiate_ms";
        /// Milliseconds that the guest had.
        GUEST_MS = "wfh.guest_ms";
        /// Milliseconds to settle.
        SETTLE_MS = "wfh.settle_ms";
        /// The state of a breaker.
        BREAKER_STATE = "wfh.breaker.state";
        /// What a failure is called on its page.
        ERROR_CODE = "wfh.error.code";
        /// The entry of a Redis stream, or the element of a list.
        ENTRY_ID = "wfh.entry.id";
        /// Why a filter let a record pass by: `no-match` or `not-json`.
        FILTER_REASON = "wfh.filter.reason";
        /// Whether a component came from the cache.
        COMPONENT_CACHED = "wfh.component.cached";
        /// What the store did.
        STORE_OPERATION = "wfh.store.operation";
    }
}

/// Metrics.
pub mod metric {
    names! {
        /// Those of the conventions.
        CONVENTIONAL:
        /// Calls that went well.
        FAAS_INVOCATIONS = "faas.invocations";
        /// Calls that failed.
        FAAS_ERRORS = "faas.errors";
        /// Calls that reached their deadline.
        FAAS_TIMEOUTS = "faas.timeouts";
        /// Sandboxes that were made for a call.
        FAAS_COLDSTARTS = "faas.coldstarts";
        /// How long calls took.
        FAAS_INVOKE_DURATION = "faas.invoke_duration";
        /// How long it took to make sandboxes.
        FAAS_INIT_DURATION = "faas.init_duration";
        /// The memory that calls came to.
        FAAS_MEM_USAGE = "faas.mem_usage";
        /// The time that guests ran on a processor.
        FAAS_CPU_USAGE = "faas.cpu_usage";
        /// How long requests took to their last byte.
        HTTP_SERVER_REQUEST_DURATION = "http.server.request.duration";
        /// How long guests' own requests took.
        HTTP_CLIENT_REQUEST_DURATION = "http.client.request.duration";
        /// How long events were worked on.
        MESSAGING_PROCESS_DURATION = "messaging.process.duration";
        /// Events that were given to functions.
        MESSAGING_CLIENT_CONSUMED_MESSAGES = "messaging.client.consumed.messages";
        /// Events that were sent.
        MESSAGING_CLIENT_SENT_MESSAGES = "messaging.client.sent.messages";
        /// Spans that were queued for export, or dropped because there was no room.
        OTEL_SDK_PROCESSOR_SPAN_PROCESSED = "otel.sdk.processor.span.processed";
        /// Spans that were sent, or could not be.
        OTEL_SDK_EXPORTER_SPAN_EXPORTED = "otel.sdk.exporter.span.exported";
    }

    names! {
        /// Those of our own.
        OWN:
        /// Calls that wait or run.
        IN_FLIGHT = "wfh.function.in_flight";
        /// Calls that may run at once.
        CONCURRENCY_LIMIT = "wfh.function.concurrency_limit";
        /// 0 closed, 1 half-open, 2 open.
        BREAKER_STATE = "wfh.breaker.state";
        /// Tries beyond the first.
        RETRIES = "wfh.retries";
        /// Events that became dead letters.
        DEAD_LETTERS = "wfh.dead_letters";
        /// Calls that were answered from a record.
        IDEMPOTENCY_HITS = "wfh.idempotency.hits";
        /// Entries of a queue.
        QUEUE_DEPTH = "wfh.queue.depth";
        /// Seconds since the oldest entry was appended.
        QUEUE_OLDEST_AGE = "wfh.queue.oldest_age";
        /// Records that a group has not acknowledged.
        SOURCE_LAG = "wfh.source.lag";
        /// Records that a filter let pass by, by reason.
        FILTERED = "wfh.source.filtered";
        /// How long the store took.
        STORE_DURATION = "wfh.store.duration";
        /// Sandboxes that live now.
        SANDBOXES = "wfh.engine.sandboxes";
        /// Sandboxes that may live at once.
        SANDBOXES_LIMIT = "wfh.engine.sandboxes_limit";
        /// Memory that all sandboxes hold.
        MEMORY = "wfh.engine.memory";
        /// Memory that they may hold.
        MEMORY_LIMIT = "wfh.engine.memory_limit";
        /// Components that were loaded, by whether they came from the cache.
        COMPONENT_LOADS = "wfh.engine.component_loads";
        /// Log lines that did not fit.
        LOG_LINES_DROPPED = "wfh.log.lines_dropped";
        /// Resident memory of the process.
        PROCESS_MEMORY = "process.memory.usage";
        /// Open descriptors of the process.
        PROCESS_DESCRIPTORS = "process.unix.file_descriptor.count";
        /// Processor time of the process.
        PROCESS_CPU = "process.cpu.time";
    }
}

#[cfg(test)]
mod tests;
