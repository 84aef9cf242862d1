//! Figures that are looked up when somebody reads them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use wfh_admin::MetricSource;
use wfh_engine::Engine;
use wfh_invoke::{BreakerState, FunctionStatus, Operator, QueueStatus, Status};
use wfh_otel::Otel;
use wfh_telemetry::{KeyValue, attribute, meter, metric};

use crate::log;

/// How often what needs the store is looked up for a collector that gets metrics unasked.
const REFRESH_EVERY: Duration = Duration::from_secs(15);

/// Where the figures come from.
#[derive(Clone)]
pub(crate) struct Gauges {
    otel: Otel,
    status: Arc<Status>,
    operator: Option<Operator>,
    /// As they were looked up last.
    queues: Arc<Mutex<Vec<QueueStatus>>>,
}

impl Gauges {
    /// Registers all of them with the process's meter.
    pub(crate) fn register(otel: Otel, status: Arc<Status>, operator: Option<Operator>) -> Self {
        let gauges = Self { otel, status, operator, queues: Arc::default() };
        gauges.of_functions();
        gauges.of_queues();
        gauges.of_sources();
        of_process();
        gauges
    }

    /// Keeps what needs the store up to date, if somebody gets it unasked.
    pub(crate) async fn run(self) {
        while self.otel.exports_metrics() {
            self.refresh().await;
            tokio::time::sleep(REFRESH_EVERY).await;
        }
    }

    async fn refresh(&self) {
        let Some(operator) = &self.operator else { return };
        match operator.queues().await {
            Ok(found) => *self.queues.lock().unwrap_or_else(PoisonError::into_inner) = found,
            Err(error) => tracing::debug!(%error, "queues cannot be measured"),
        }
    }

    /// A gauge with a value for each function.
    fn per_function(
        &self,
        name: &'static str,
        told: &'static str,
        value: impl Fn(&FunctionStatus) -> Option<u64> + Send + Sync + 'static,
    ) {
        let status = Arc::clone(&self.status);
        let meter = meter();
        let gauge = meter.u64_observable_gauge(name).with_description(told);
        let observed = gauge.with_callback(move |observer| {
            for function in status.functions().iter() {
                if let Some(value) = value(function) {
                    observer.observe(value, &[function_name(function)]);
                }
            }
        });
        observed.build();
    }

    fn of_functions(&self) {
        self.per_function(metric::IN_FLIGHT, "Calls that wait or run", |function| {
            Some(function.figures.now().in_flight)
        });
        self.per_function(metric::CONCURRENCY_LIMIT, "Calls that may run at once", |function| {
            Some(function.policy.concurrency as u64)
        });
        self.per_function(metric::BREAKER_STATE, "0 closed, 1 half-open, 2 open", |function| {
            Some(match function.breaker.as_ref()?.state() {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            })
        });
    }

    fn of_queues(&self) {
        let queues = Arc::clone(&self.queues);
        let meter = meter();
        let depth = meter.u64_observable_gauge(metric::QUEUE_DEPTH).with_unit("{event}");
        let depth = depth.with_description("Entries of a queue");
        depth
            .with_callback(move |observer| {
                for queue in queues.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    observer.observe(queue.depth.entries, &[target(queue)]);
                }
            })
            .build();
        let queues = Arc::clone(&self.queues);
        let age = meter.f64_observable_gauge(metric::QUEUE_OLDEST_AGE).with_unit("s");
        let age = age.with_description("Time since the oldest entry was appended");
        age.with_callback(move |observer| {
            let now_ms = wfh_store::Clock::now_ms(&wfh_store::SystemClock);
            for queue in queues.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let oldest = queue.depth.oldest_at_ms.unwrap_or(now_ms);
                let age = Duration::from_millis(now_ms.saturating_sub(oldest));
                observer.observe(age.as_secs_f64(), &[target(queue)]);
            }
        })
        .build();
    }

    fn of_sources(&self) {
        let status = Arc::clone(&self.status);
        let meter = meter();
        let lag = meter.u64_observable_gauge(metric::SOURCE_LAG).with_unit("{record}");
        let lag = lag.with_description("Records that a group has not acknowledged");
        lag.with_callback(move |observer| {
            for (part, lag) in status.lags() {
                let mut about = vec![
                    KeyValue::new(attribute::TRIGGER_NAME, part.trigger),
                    KeyValue::new(attribute::MESSAGING_DESTINATION_NAME, part.destination),
                ];
                about.extend(part.partition.map(|partition| {
                    KeyValue::new(attribute::MESSAGING_DESTINATION_PARTITION_ID, partition)
                }));
                observer.observe(lag, &about);
            }
        })
        .build();
    }
}

impl MetricSource for Gauges {
    fn text(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move {
            self.refresh().await;
            self.otel.prometheus().map_err(|error| error.to_string())
        })
    }
}

fn function_name(function: &FunctionStatus) -> KeyValue {
    KeyValue::new(attribute::FAAS_NAME, function.name.to_string())
}

fn target(queue: &QueueStatus) -> KeyValue {
    KeyValue::new(attribute::TARGET, queue.target.to_string())
}

/// One of the engine's figures.
type Figure = fn(&Engine) -> u64;

/// What the engine holds.
pub(crate) fn of_engine(engine: &Arc<Engine>) {
    let meter = meter();
    let figures: [(&'static str, &'static str, Figure); 4] = [
        (metric::SANDBOXES, "Sandboxes that live now", |engine| engine.sandboxes().0),
        (metric::SANDBOXES_LIMIT, "Sandboxes that may live at once", |engine| engine.sandboxes().1),
        (metric::MEMORY, "Memory that all sandboxes hold", |engine| engine.memory_bytes().0),
        (metric::MEMORY_LIMIT, "Memory that they may hold", |engine| engine.memory_bytes().1),
    ];
    for (name, told, figure) in figures {
        let engine = Arc::downgrade(engine);
        let unit = if name.starts_with(metric::MEMORY) { "By" } else { "{sandbox}" };
        let gauge = meter.u64_observable_gauge(name).with_description(told).with_unit(unit);
        gauge
            .with_callback(move |observer| {
                if let Some(engine) = engine.upgrade() {
                    observer.observe(figure(&engine), &[]);
                }
            })
            .build();
    }
}

fn of_process() {
    let meter = meter();
    let memory = meter.u64_observable_gauge(metric::PROCESS_MEMORY).with_unit("By");
    let memory = memory.with_description("Resident memory of the process");
    memory
        .with_callback(|observer| {
            if let Some(bytes) = resident_bytes() {
                observer.observe(bytes, &[]);
            }
        })
        .build();
    let descriptors = meter.u64_observable_gauge(metric::PROCESS_DESCRIPTORS);
    let descriptors = descriptors.with_description("Open descriptors of the process");
    descriptors
        .with_callback(|observer| {
            if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
                observer.observe(open.count() as u64, &[]);
            }
        })
        .build();
    let processor = meter.f64_observable_counter(metric::PROCESS_CPU).with_unit("s");
    let processor = processor.with_description("Processor time of the process");
    processor
        .with_callback(|observer| {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
            let time = Duration::try_from(time).unwrap_or_default();
            observer.observe(time.as_secs_f64(), &[]);
        })
        .build();
    let dropped = meter.u64_observable_counter(metric::LOG_LINES_DROPPED);
    let dropped = dropped.with_description("Log lines that did not fit their queue");
    dropped.with_callback(|observer| observer.observe(log::dropped(), &[])).build();
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}
