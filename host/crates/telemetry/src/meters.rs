//! The instruments of the way of an event, made once from the process's meter.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, BoundHistogram, Counter, Histogram, Meter};
use opentelemetry::{InstrumentationScope, global};

use crate::names::{SCHEMA_URL, SCOPE};
use crate::{attribute, metric};

/// From the fastest guest to the longest timeout, in seconds.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
];
/// From an empty guest to the largest memory, in bytes.
const BYTES: &[f64] = &[
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];

static METERS: OnceLock<Meters> = OnceLock::new();

/// The instruments that more than one part of the host uses.
#[derive(Debug)]
pub struct Meters {
    invoke_duration: Histogram<f64>,
    invocations: Counter<u64>,
    errors: Counter<u64>,
    timeouts: Counter<u64>,
    coldstarts: Counter<u64>,
    init_duration: Histogram<f64>,
    mem_usage: Histogram<u64>,
    cpu_usage: Histogram<f64>,
    http_server: Histogram<f64>,
    http_client: Histogram<f64>,
    process_duration: Histogram<f64>,
    consumed: Counter<u64>,
    sent: Counter<u64>,
    retries: Counter<u64>,
    dead_letters: Counter<u64>,
    idempotency_hits: Counter<u64>,
    filtered: Counter<u64>,
    store_duration: Histogram<f64>,
    component_loads: Counter<u64>,
}

/// The meter of the host itself: the process's, so that it MUST be set before.
#[must_use]
pub fn meter() -> Meter {
    let scope = InstrumentationScope::builder(SCOPE).with_schema_url(SCHEMA_URL).build();
    global::meter_with_scope(scope)
}

/// The instruments.
#[must_use]
pub fn meters() -> &'static Meters {
    METERS.get_or_init(|| Meters::new(&meter()))
}

impl Meters {
    fn new(meter: &Meter) -> Self {
        let counter = |name, unit, told| {
            meter.u64_counter(name).with_unit(unit).with_description(told).build()
        };
        let seconds = |name, told| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(told);
            histogram.with_boundaries(SECONDS.to_vec()).build()
        };
        let memory = meter.u64_histogram(metric::FAAS_MEM_USAGE).with_unit("By");
        let memory = memory.with_description("Memory that calls came to");
        Self {
            invoke_duration: seconds(metric::FAAS_INVOKE_DURATION, "How long calls took"),
            invocations: counter(metric::FAAS_INVOCATIONS, "{invocation}", "Calls that went well"),
            errors: counter(metric::FAAS_ERRORS, "{error}", "Calls that failed"),
            timeouts: counter(metric::FAAS_TIMEOUTS, "{timeout}", "Calls that took too long"),
            coldstarts: counter(metric::FAAS_COLDSTARTS, "{coldstart}", "Sandboxes made"),
            init_duration: seconds(metric::FAAS_INIT_DURATION, "How long sandboxes took to make"),
            mem_usage: memory.with_boundaries(BYTES.to_vec()).build(),
            cpu_usage: seconds(metric::FAAS_CPU_USAGE, "Processor time of guests"),
            http_server: seconds(
                metric::HTTP_SERVER_REQUEST_DURATION,
                "How long requests took to their last byte",
            ),
            http_client: seconds(
                metric::HTTP_CLIENT_REQUEST_DURATION,
                "How long requests of guests took to their answer's head",
            ),
            process_duration: seconds(
                metric::MESSAGING_PROCESS_DURATION,
                "How long events were worked on",
            ),
            consumed: counter(
                metric::MESSAGING_CLIENT_CONSUMED_MESSAGES,
                "{message}",
                "Events given to functions",
            ),
            sent: counter(metric::MESSAGING_CLIENT_SENT_MESSAGES, "{message}", "Events sent"),
            retries: counter(metric::RETRIES, "{attempt}", "Tries beyond the first"),
            dead_letters: counter(
                metric::DEAD_LETTERS,
                "{event}",
                "Events that became dead letters",
            ),
            idempotency_hits: counter(
                metric::IDEMPOTENCY_HITS,
                "{call}",
                "Calls answered from a record",
            ),
            filtered: counter(metric::FILTERED, "{record}", "Records that a filter let pass by"),
            store_duration: seconds(metric::STORE_DURATION, "How long the store took"),
            component_loads: counter(
                metric::COMPONENT_LOADS,
                "{component}",
                "Components that were loaded",
            ),
        }
    }

    /// A function is there: what counts its rare events begins at 0, so that the first is seen as an
    /// increase.
    pub fn known(&self, function: &str) {
        let function = [of_function(function)];
        for counter in [&self.retries, &self.dead_letters] {
            counter.add(0, &function);
        }
    }

    /// What calls of `function` that came by a kind of trigger are counted with.
    #[must_use]
    pub fn calls(&self, function: &str, trigger: &'static str) -> CallMeters {
        let attributes = [of_function(function), KeyValue::new(attribute::FAAS_TRIGGER, trigger)];
        CallMeters {
            duration: self.invoke_duration.bind(&attributes),
            invocations: self.invocations.bind(&attributes),
            timeouts: self.timeouts.bind(&attributes),
            attributes,
        }
    }

    /// What sandboxes of `function` are counted with.
    #[must_use]
    pub fn sandboxes(&self, function: &str) -> SandboxMeters {
        let attributes = [of_function(function)];
        SandboxMeters {
            coldstarts: self.coldstarts.bind(&attributes),
            init: self.init_duration.bind(&attributes),
            memory: self.mem_usage.bind(&attributes),
            cpu: self.cpu_usage.bind(&attributes),
        }
    }

    /// A call failed.
    pub fn failed(&self, calls: &CallMeters, class: &'static str) {
        let [function, trigger] = calls.attributes.clone();
        self.errors.add(1, &[function, trigger, KeyValue::new(attribute::ERROR_TYPE, class)]);
    }

    /// A request was answered to its last byte.
    pub fn request_served(&self, took: Duration, attributes: &[KeyValue]) {
        self.http_server.record(took.as_secs_f64(), attributes);
    }

    /// A guest's request was answered, or failed.
    pub fn request_sent(&self, took: Duration, attributes: &[KeyValue]) {
        self.http_client.record(took.as_secs_f64(), attributes);
    }

    /// A call with events ended.
    pub fn processed(&self, took: Duration, events: u64, attributes: &[KeyValue]) {
        self.process_duration.record(took.as_secs_f64(), attributes);
        self.consumed.add(events, attributes);
    }

    /// Events went to a destination.
    pub fn sent(&self, events: u64, attributes: &[KeyValue]) {
        self.sent.add(events, attributes);
    }

    /// A function tries again.
    pub fn retried(&self, function: &str) {
        self.retries.add(1, &[of_function(function)]);
    }

    /// An event of a function became a dead letter.
    pub fn dead_letter(&self, function: &str) {
        self.dead_letters.add(1, &[of_function(function)]);
    }

    /// A call of a function was answered from a record.
    pub fn idempotency_hit(&self, function: &str) {
        self.idempotency_hits.add(1, &[of_function(function)]);
    }

    /// A trigger's filter let a record pass by.
    pub fn filtered(&self, trigger: &str, reason: &'static str) {
        let trigger = KeyValue::new(attribute::TRIGGER_NAME, trigger.to_owned());
        self.filtered.add(1, &[trigger, KeyValue::new(attribute::FILTER_REASON, reason)]);
    }

    /// A component was loaded, from the cache or compiled.
    pub fn loaded(&self, is_cached: bool) {
        self.component_loads.add(1, &[KeyValue::new(attribute::COMPONENT_CACHED, is_cached)]);
    }

    /// The store did something.
    pub fn store(&self, operation: &'static str, took: Duration) {
        let operation = KeyValue::new(attribute::STORE_OPERATION, operation);
        self.store_duration.record(took.as_secs_f64(), &[operation]);
    }
}

fn of_function(name: &str) -> KeyValue {
    KeyValue::new(attribute::FAAS_NAME, name.to_owned())
}

/// See [`Meters::calls`].
#[derive(Debug)]
pub struct CallMeters {
    duration: BoundHistogram<f64>,
    invocations: BoundCounter<u64>,
    timeouts: BoundCounter<u64>,
    attributes: [KeyValue; 2],
}

impl CallMeters {
    /// A call ended.
    pub fn ended(&self, took: Duration) {
        self.duration.record(took.as_secs_f64());
    }

    /// A call, or an event of it, went well.
    pub fn went_well(&self, events: u64) {
        self.invocations.add(events);
    }

    /// It took too long.
    pub fn timed_out(&self) {
        self.timeouts.add(1);
    }
}

/// See [`Meters::sandboxes`].
#[derive(Debug)]
pub struct SandboxMeters {
    coldstarts: BoundCounter<u64>,
    init: BoundHistogram<f64>,
    memory: BoundHistogram<u64>,
    cpu: BoundHistogram<f64>,
}

impl SandboxMeters {
    /// A sandbox was made for a call.
    pub fn made(&self, took: Duration) {
        self.coldstarts.add(1);
        self.init.record(took.as_secs_f64());
    }

    /// A call ended with this much memory.
    pub fn used_memory(&self, bytes: u64) {
        self.memory.record(bytes);
    }

    /// A call had a processor for this long.
    pub fn used_processor(&self, time: Duration) {
        self.cpu.record(time.as_secs_f64());
    }
}
