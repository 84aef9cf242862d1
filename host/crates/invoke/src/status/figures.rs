//! Counts that the way of an event touches: relaxed adds on a cache line that one thread owns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use wfh_event::FailureClass;

/// Threads beyond it share a line.
const LINES: usize = 16;

thread_local! {
    static LINE: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % LINES
    };
}

/// Two counters on a cache line (and its neighbour, which the processor fetches with it).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line {
    started: AtomicU64,
    ended: AtomicU64,
}

/// What a function did since the host started. It outlives the function's versions.
#[derive(Debug)]
pub struct Figures {
    lines: [Line; LINES],
    failed: [AtomicU64; FailureClass::ALL.len()],
    records: Arc<RecordBudget>,
}

/// [`Figures`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FiguresNow {
    /// Calls that began, those refused at a limit among them.
    pub calls: u64,
    /// Calls that wait for their turn or run.
    pub in_flight: u64,
    /// Calls that failed, by class; classes without any are left out.
    pub failed: Vec<(FailureClass, u64)>,
}

impl Figures {
    /// Of a function whose records are bounded by `records`.
    #[must_use]
    pub fn new(records: Arc<RecordBudget>) -> Self {
        Self { lines: Default::default(), failed: Default::default(), records }
    }

    /// A call begins.
    pub(crate) fn started(&self) {
        self.with_line(|line| &line.started);
    }

    /// A call ended, whichever way.
    pub(crate) fn ended(&self) {
        self.with_line(|line| &line.ended);
    }

    /// One item of a call failed.
    pub(crate) fn failed(&self, class: FailureClass) {
        let index = FailureClass::ALL.iter().position(|known| *known == class);
        if let Some(count) = index.and_then(|index| self.failed.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn records(&self) -> &RecordBudget {
        &self.records
    }

    /// The counts now.
    #[must_use]
    pub fn now(&self) -> FiguresNow {
        // In this order: a call that ends meanwhile must not make it less than none in flight.
        let ended: u64 = self.lines.iter().map(|line| line.ended.load(Ordering::Acquire)).sum();
        let calls: u64 = self.lines.iter().map(|line| line.started.load(Ordering::Acquire)).sum();
        let failed = FailureClass::ALL.iter().zip(&self.failed);
        let failed = failed.map(|(class, count)| (*class, count.load(Ordering::Relaxed)));
        FiguresNow {
            calls,
            in_flight: calls.saturating_sub(ended),
            failed: failed.filter(|(_, count)| *count > 0).collect(),
        }
    }

    fn with_line(&self, counter: impl Fn(&Line) -> &AtomicU64) {
        let own = LINE.with(|line| *line);
        if let Some(line) = self.lines.get(own) {
            counter(line).fetch_add(1, Ordering::Release);
        }
    }
}

/// How many records of invocations are written a second. Under load a record of each success would
/// cost more than it tells; what is left out is counted.
#[derive(Debug)]
pub struct RecordBudget {
    per_second_max: u32,
    began: Instant,
    /// The second it counts, in the upper half; the records of it in the lower half.
    window: AtomicU64,
    left_out: AtomicU32,
}

impl RecordBudget {
    /// At most that many a second; 0 lets none through.
    #[must_use]
    pub fn new(per_second_max: u32) -> Self {
        let began = Instant::now();
        Self { per_second_max, began, window: AtomicU64::new(0), left_out: AtomicU32::new(0) }
    }

    /// Whether one more record fits at `now`, and how many were left out since the last that did.
    pub(crate) fn take(&self, now: Instant) -> Option<u32> {
        if self.per_second_max == 0 {
            return None;
        }
        let second = now.saturating_duration_since(self.began).as_secs() & u64::from(u32::MAX);
        let window = self.window.load(Ordering::Relaxed);
        let (counted, records) = (window >> 32, window & u64::from(u32::MAX));
        if counted == second && records >= u64::from(self.per_second_max) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let records = if counted == second { records + 1 } else { 1 };
        // Two threads may take the same place; the bound is for load, not for accounts.
        self.window.store(second << 32 | records, Ordering::Relaxed);
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_of_all_threads_add_up() {
        let figures = Arc::new(Figures::new(Arc::new(RecordBudget::new(0))));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1_000).for_each(|_| figures.started()));
            }
        });
        (0..7_999).for_each(|_| figures.ended());
        figures.failed(FailureClass::Trap);
        let now = figures.now();
        assert_eq!((now.calls, now.in_flight), (8_000, 1));
        assert_eq!(now.failed, [(FailureClass::Trap, 1)]);
    }

    #[test]
    fn a_budget_bounds_each_second_and_tells_what_it_left_out() {
        let budget = RecordBudget::new(2);
        let at = |ms| budget.began + Duration::from_millis(ms);
        let taken: Vec<_> = [0, 10, 20, 30, 1_000, 1_001].map(|ms| budget.take(at(ms))).into();
        assert_eq!(taken, [Some(0), Some(0), None, None, Some(2), Some(0)]);
        assert_eq!(RecordBudget::new(0).take(Instant::now()), None);
    }
}
