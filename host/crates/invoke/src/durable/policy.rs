//! What the manifest says about repeating a function's calls and keeping their results.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use wfh_event::{KeyPart, Target};

/// How often, and when, a failed call is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Tries in all.
    pub attempts: u32,
    /// The wait after the first failure.
    pub initial: Duration,
    /// How much longer each further wait is.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
    /// Whether a wait is anything between nothing and its length.
    pub jitter: bool,
    /// The age since the first try at which an event is given up.
    pub event_age_max: Duration,
    /// Whether calls are repeated whose caller waits, too.
    pub sync: bool,
}

/// What makes calls equal, and how long a result is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The parts of the key.
    pub parts: Vec<KeyPart>,
    /// Whether a call without a key is refused.
    pub required: bool,
    /// How long a result is kept.
    pub ttl: Duration,
    /// The most bytes of a body, and of an answer.
    pub bytes_max: u64,
    /// How long a body may take to come.
    pub body_timeout: Duration,
}

/// Where results of asynchronous calls go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destinations {
    /// Where replies go.
    pub success: Option<Target>,
    /// Where events go that failed for good; without it, to the dead letters.
    pub failure: Option<Target>,
}

/// The version of a function's code. It is no part of what policies are compared by: new code under
/// the same policy keeps its permits.
#[derive(Debug, Clone, Default)]
pub struct Version(Arc<ArcSwap<String>>);

impl Version {
    /// A version.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(text)))
    }

    /// Other code runs from now on.
    pub fn replace(&self, text: String) {
        self.0.store(Arc::new(text));
    }

    pub(crate) fn get(&self) -> String {
        String::clone(&self.0.load())
    }
}

impl PartialEq for Version {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Once, and nothing else.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 1,
            initial: Duration::ZERO,
            factor: 1.0,
            max: Duration::ZERO,
            jitter: false,
            event_age_max: Duration::MAX,
            sync: false,
        }
    }
}

/// All of it, of one function; by default nothing of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DurablePolicy {
    /// Retries.
    pub retry: RetryPolicy,
    /// Idempotency; off without it.
    pub key: Option<KeyPolicy>,
    /// Destinations.
    pub destinations: Destinations,
    /// Whether it may emit events at all.
    pub emits: bool,
    /// Identifies the function's code in the records of its results.
    pub version: Version,
}
