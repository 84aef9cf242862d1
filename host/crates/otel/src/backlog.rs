//! Spans between their end and their collector: how many may wait, and what is done while it is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, Counter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use wfh_telemetry::{attribute, meter, metric};

/// How long nothing is sent after a batch that failed, and after many in a row.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Spans that wait to be sent. When there is no room, none is recorded: what would be dropped at its
/// end should cost nothing before.
#[derive(Debug)]
pub(crate) struct Backlog {
    waiting: AtomicUsize,
    waiting_max: usize,
    full: BoundCounter<u64>,
}

impl Backlog {
    /// Room for as many. The processor's own queue MUST have as much.
    pub(crate) fn new(waiting_max: usize) -> Self {
        let full = counter(metric::OTEL_SDK_PROCESSOR_SPAN_PROCESSED).bind(&[
            KeyValue::new(attribute::OTEL_COMPONENT_TYPE, "batching_span_processor"),
            KeyValue::new(attribute::OTEL_COMPONENT_NAME, "wfh.backlog"),
            KeyValue::new(attribute::ERROR_TYPE, "queue_full"),
        ]);
        Self { waiting: AtomicUsize::new(0), waiting_max, full }
    }

    /// Whether a span that begins now would be taken; counts those that would not.
    pub(crate) fn has_room(&self) -> bool {
        let has_room = self.waiting.load(Ordering::Relaxed) < self.waiting_max;
        if !has_room {
            self.full.add(1);
        }
        has_room
    }

    /// Takes the place of a span that has ended; many may have begun while there was room.
    pub(crate) fn take(&self) -> bool {
        let took = self.waiting.fetch_add(1, Ordering::Relaxed) < self.waiting_max;
        if !took {
            self.free(1);
            self.full.add(1);
        }
        took
    }

    fn free(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
    }
}

/// An exporter that leaves a collector in peace which does not take what it is sent. Meanwhile the
/// backlog fills, and then nothing is recorded.
#[derive(Debug)]
pub(crate) struct Patient<E> {
    inner: E,
    backlog: Arc<Backlog>,
    exported: Counter<u64>,
    /// Batches that failed in a row.
    failures: AtomicUsize,
    runtime: Handle,
    /// The process ends: there is no more time to wait.
    ends: CancellationToken,
}

impl<E: SpanExporter> Patient<E> {
    /// Waits on `runtime`, since the threads of the SDK have none.
    pub(crate) fn new(
        inner: E,
        backlog: Arc<Backlog>,
        runtime: Handle,
        ends: CancellationToken,
    ) -> Self {
        let exported = counter(metric::OTEL_SDK_EXPORTER_SPAN_EXPORTED);
        Self { inner, backlog, exported, failures: AtomicUsize::new(0), runtime, ends }
    }

    async fn pause(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(8);
        let pause = (PAUSE * (1 << failures)).min(PAUSE_MAX);
        let ends = self.ends.clone();
        let paused = self.runtime.spawn(async move {
            let _ = tokio::time::timeout(pause, ends.cancelled()).await;
        });
        // Without a runtime the process ends.
        let _ = paused.await;
    }
}

impl<E: SpanExporter> SpanExporter for Patient<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.backlog.free(spans);
        let sent = self.inner.export(batch).await;
        let failed = sent.is_err().then(|| KeyValue::new(attribute::ERROR_TYPE, "export_failed"));
        self.exported.add(spans as u64, failed.as_slice());
        match sent {
            Ok(()) => self.failures.store(0, Ordering::Relaxed),
            Err(_) => self.pause().await,
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn counter(name: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_unit("{span}").build()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    /// Fails as often as it is told to.
    #[derive(Debug)]
    struct Failing(Mutex<u32>);

    impl SpanExporter for Failing {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            let mut left = self.0.lock().unwrap();
            match *left {
                0 => Ok(()),
                _ => {
                    *left -= 1;
                    Err(OTelSdkError::InternalFailure("told to".to_owned()))
                }
            }
        }
    }

    #[test]
    fn what_has_no_room_takes_none() {
        let backlog = Backlog::new(2);
        assert!(backlog.has_room() && backlog.take() && backlog.take());
        assert!(!backlog.has_room() && !backlog.take());
        backlog.free(1);
        assert!(backlog.has_room() && backlog.take() && !backlog.take());
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_fails_is_left_in_peace_ever_longer() {
        let (backlog, ends) = (Arc::new(Backlog::new(1)), CancellationToken::new());
        let failing = Failing(Mutex::new(3));
        let patient = Patient::new(failing, backlog, Handle::current(), ends.clone());
        let began = tokio::time::Instant::now();
        for waited_s in [1, 3, 7, 7] {
            let _ = patient.export(Vec::new()).await;
            assert_eq!(began.elapsed().as_secs(), waited_s);
        }
        *patient.inner.0.lock().unwrap() = 1;
        ends.cancel();
        let _ = patient.export(Vec::new()).await;
        assert_eq!(began.elapsed().as_secs(), 7, "the end waits for a collector");
    }
}
