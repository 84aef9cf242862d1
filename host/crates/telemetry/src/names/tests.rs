//! Our spelling is that of the published conventions.

use opentelemetry_semantic_conventions as published;

/// Compares constants of one name, and that none is left out.
macro_rules! same {
    ($module:ident: $($name:ident),* $(,)?) => {
        let listed = [$(super::$module::$name),*];
        assert_eq!(listed, super::$module::CONVENTIONAL, "a name is not compared");
        $(assert_eq!(super::$module::$name, published::$module::$name);)*
    };
}

#[test]
fn attributes_are_those_of_the_conventions() {
    same!(attribute: FAAS_TRIGGER, FAAS_NAME, FAAS_VERSION, FAAS_INVOCATION_ID, FAAS_COLDSTART, FAAS_CRON, FAAS_TIME, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, URL_SCHEME, URL_PATH, URL_QUERY, URL_FULL, SERVER_ADDRESS, SERVER_PORT, CLIENT_ADDRESS, NETWORK_PROTOCOL_VERSION, USER_AGENT_ORIGINAL, MESSAGING_SYSTEM, MESSAGING_DESTINATION_NAME, MESSAGING_DESTINATION_PARTITION_ID, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_MESSAGE_ID, MESSAGING_MESSAGE_BODY_SIZE, MESSAGING_BATCH_MESSAGE_COUNT, MESSAGING_CONSUMER_GROUP_NAME, MESSAGING_KAFKA_OFFSET, MESSAGING_KAFKA_MESSAGE_KEY, MESSAGING_KAFKA_MESSAGE_TOMBSTONE, CLOUDEVENTS_EVENT_ID, CLOUDEVENTS_EVENT_SOURCE, CLOUDEVENTS_EVENT_TYPE, CLOUDEVENTS_EVENT_SUBJECT, ERROR_TYPE, OTEL_COMPONENT_TYPE, OTEL_COMPONENT_NAME);
}

#[test]
fn metrics_are_those_of_the_conventions() {
    same!(metric: FAAS_INVOCATIONS, FAAS_ERRORS, FAAS_TIMEOUTS, FAAS_COLDSTARTS, FAAS_INVOKE_DURATION, FAAS_INIT_DURATION, FAAS_MEM_USAGE, FAAS_CPU_USAGE, HTTP_SERVER_REQUEST_DURATION, HTTP_CLIENT_REQUEST_DURATION, MESSAGING_PROCESS_DURATION, MESSAGING_CLIENT_CONSUMED_MESSAGES, MESSAGING_CLIENT_SENT_MESSAGES, OTEL_SDK_PROCESSOR_SPAN_PROCESSED, OTEL_SDK_EXPORTER_SPAN_EXPORTED);
}

#[test]
fn ours_are_apart() {
    let own = super::attribute::OWN.iter().chain(super::metric::OWN);
    for name in own.filter(|name| !name.starts_with("process.")) {
        assert!(name.starts_with("wfh."), "{name} is in somebody else's space");
    }
}
