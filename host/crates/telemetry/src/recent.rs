//! The last spans of this host, for those who look at it: bounded, and at a bounded rate.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::{Span, TraceContext};

/// Spans a second at which all are kept; of more, a share of the traces that comes to as many.
const PER_SECOND_MAX: u64 = 200;
/// Spans of one second that are kept at most, while that share is being found.
const BURST_MAX: u64 = PER_SECOND_MAX * 5;

/// The last spans.
#[derive(Debug)]
pub struct Recent {
    spans_max: usize,
    spans: Mutex<VecDeque<Arc<Span>>>,
    began: Instant,
    /// Gives each trace a place among all.
    places: RandomState,
    rate: Rate,
}

/// Which traces fit.
#[derive(Debug)]
struct Rate {
    /// The second that is counted.
    second: AtomicU64,
    /// Spans that began in it.
    seen: AtomicU64,
    /// Those of them that were kept.
    kept: AtomicU64,
    /// Traces with a place up to it are kept, so that all spans of a trace are, or none.
    highest: AtomicU64,
}

impl Recent {
    /// Keeps `spans_max` of them.
    #[must_use]
    pub fn new(spans_max: usize) -> Self {
        let [second, seen, kept] = [0; 3].map(AtomicU64::new);
        let rate = Rate { second, seen, kept, highest: AtomicU64::new(u64::MAX) };
        let (spans, began, places) = (Mutex::default(), Instant::now(), RandomState::new());
        Self { spans_max, spans, began, places, rate }
    }

    pub(crate) fn admits(&self, at: &TraceContext) -> bool {
        // Callers choose ids; which share is kept they must not.
        let place = self.places.hash_one(at.trace_number());
        self.rate.admits(self.began.elapsed().as_secs(), place)
    }

    pub(crate) fn add(&self, span: Span) {
        let mut spans = self.lock();
        if spans.len() >= self.spans_max {
            spans.pop_front();
        }
        spans.push_back(Arc::new(span));
    }

    /// All of them, in the order in which they ended.
    #[must_use]
    pub fn spans(&self) -> Vec<Arc<Span>> {
        self.lock().iter().cloned().collect()
    }

    /// The spans of a trace.
    #[must_use]
    pub fn trace(&self, id: u128) -> Vec<Arc<Span>> {
        self.lock().iter().filter(|span| span.at.trace_number() == id).cloned().collect()
    }

    /// The last traces, the newest first: the spans of each. With `after`, those older than that one;
    /// when that one is gone, so are they.
    #[must_use]
    pub fn traces(&self, after: Option<u128>, count_max: usize) -> Vec<Vec<Arc<Span>>> {
        let spans = self.lock();
        let mut seen = HashSet::new();
        let ids = spans.iter().rev().map(|span| span.at.trace_number());
        let order = ids.filter(|id| seen.insert(*id));
        let wanted: Vec<u128> = match after {
            None => order.take(count_max).collect(),
            Some(after) => order.skip_while(|id| *id != after).skip(1).take(count_max).collect(),
        };
        let mut found: HashMap<u128, Vec<_>> = wanted.iter().map(|id| (*id, Vec::new())).collect();
        for span in spans.iter().rev() {
            if let Some(trace) = found.get_mut(&span.at.trace_number()) {
                trace.push(Arc::clone(span));
            }
        }
        wanted.iter().filter_map(|id| found.remove(id)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Span>>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rate {
    fn admits(&self, second: u64, place: u64) -> bool {
        let counted = self.second.load(Ordering::Relaxed);
        if counted != second
            && self
                .second
                .compare_exchange(counted, second, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            let seen = self.seen.swap(0, Ordering::Relaxed);
            // What was seen before a silence says nothing.
            let seen = if second == counted + 1 { seen } else { 0 };
            self.kept.store(0, Ordering::Relaxed);
            self.highest.store(highest(seen), Ordering::Relaxed);
        }
        self.seen.fetch_add(1, Ordering::Relaxed);
        place <= self.highest.load(Ordering::Relaxed)
            && self.kept.fetch_add(1, Ordering::Relaxed) < BURST_MAX
    }
}

/// The highest place that is kept when a second has so many spans.
fn highest(seen: u64) -> u64 {
    if seen <= PER_SECOND_MAX { u64::MAX } else { u64::MAX / seen * PER_SECOND_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Wanted;
    use crate::{SpanKind, random_u64};

    fn kept(rate: &Rate, second: u64, spans: u32) -> usize {
        (0..spans).filter(|_| rate.admits(second, random_u64())).count()
    }

    #[test]
    fn few_are_all_kept_and_of_many_a_share() {
        let recent = Recent::new(10);
        assert_eq!(kept(&recent.rate, 0, 150), 150);
        assert_eq!(kept(&recent.rate, 1, 20_000), 1_000, "a burst is not bounded");
        let share = kept(&recent.rate, 2, 20_000);
        assert!((100..400).contains(&share), "{share} of 20,000");
        assert_eq!(kept(&recent.rate, 9, 10), 10, "a burst is remembered after a silence");
        kept(&recent.rate, 2, 20_000);
        kept(&recent.rate, 3, 10);
        assert_eq!(kept(&recent.rate, 4, 100), 100, "the rate does not come back");
    }

    #[test]
    fn the_last_traces_come_first_with_all_their_spans() {
        let recent = Recent::new(3);
        let roots: Vec<TraceContext> = (0..3).map(|_| TraceContext::root()).collect();
        let span = |at: &TraceContext| {
            let recording = crate::Recording::new(
                at.clone(),
                "x".into(),
                SpanKind::Internal,
                Wanted::default(),
            );
            recent.add(recording.into_span());
        };
        span(&roots[0]);
        span(&roots[1]);
        span(&roots[1].child());
        span(&roots[2]);
        let traces = recent.traces(None, 10);
        let lengths: Vec<usize> = traces.iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 2], "the oldest span must be gone");
        assert_eq!(traces[0][0].at.trace_number(), roots[2].trace_number());
        let after = |root: &TraceContext| recent.traces(Some(root.trace_number()), 10).len();
        assert_eq!([after(&roots[2]), after(&roots[1]), after(&roots[0])], [1, 0, 0]);
        assert_eq!(recent.trace(roots[1].trace_number()).len(), 2);
    }
}
