//! What the host knows about itself: the parts fill it, the admin port reads it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

mod figures;
mod function;

pub use figures::{Figures, FiguresNow, RecordBudget};
pub use function::{ComponentFacts, FunctionKind, FunctionState, FunctionStatus};

/// Why the host is not ready, part by part (empty means ready), and one record per function.
#[derive(Debug, Default)]
pub struct Status {
    waiting: Mutex<BTreeMap<String, String>>,
    functions: ArcSwap<Vec<FunctionStatus>>,
    takes_nothing: AtomicBool,
    lags: Mutex<BTreeMap<SourcePart, u64>>,
}

/// A part of a source outside that has a position of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourcePart {
    /// The trigger.
    pub trigger: String,
    /// The topic, stream or list.
    pub destination: String,
    /// The partition of a topic.
    pub partition: Option<String>,
}

impl Status {
    /// Says that `part` (such as `function:hello`) keeps the host from being ready, and why.
    pub fn wait_for(&self, part: &str, reason: &str) {
        self.lock().insert(part.to_owned(), reason.to_owned());
    }

    /// Says that `part` no longer does.
    pub fn is_ready(&self, part: &str) {
        self.lock().remove(part);
    }

    /// Says that the host takes no work any more.
    pub fn stop_taking(&self) {
        self.takes_nothing.store(true, Ordering::Relaxed);
    }

    /// Whether it takes none.
    #[must_use]
    pub fn takes_nothing(&self) -> bool {
        self.takes_nothing.load(Ordering::Relaxed)
    }

    /// What the host still waits for, as pairs of part and reason.
    #[must_use]
    pub fn waiting(&self) -> Vec<(String, String)> {
        self.lock().iter().map(|(part, reason)| (part.clone(), reason.clone())).collect()
    }

    /// Replaces the records of all functions. They are kept in order of their names.
    pub fn set_functions(&self, mut functions: Vec<FunctionStatus>) {
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        self.functions.store(Arc::new(functions));
    }

    /// Says why a change could not be deployed; the functions go on as they were.
    pub fn change_refused(&self, reason: &str) {
        let mut functions = Vec::clone(&self.functions());
        for function in &mut functions {
            function.state = FunctionState::Stale { reason: reason.to_owned() };
        }
        self.set_functions(functions);
    }

    /// The functions, in order of their names.
    #[must_use]
    pub fn functions(&self) -> Arc<Vec<FunctionStatus>> {
        self.functions.load_full()
    }

    /// Notes how many records of a source's part are not acknowledged; `None` when it is another
    /// host's by now.
    pub fn set_lag(&self, part: SourcePart, lag: Option<u64>) {
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        match lag {
            Some(lag) => lags.insert(part, lag),
            None => lags.remove(&part),
        };
    }

    /// How far sources outside are ahead.
    #[must_use]
    pub fn lags(&self) -> Vec<(SourcePart, u64)> {
        let lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.iter().map(|(part, lag)| (part.clone(), *lag)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
