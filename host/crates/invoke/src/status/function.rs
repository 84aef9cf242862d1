//! The record of one function.

use std::sync::Arc;
use std::time::Duration;

use wfh_event::FunctionName;

use crate::{BreakerCell, Figures, FunctionPolicy};

/// How a function is called: what its component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    /// `wasi:http/incoming-handler@0.2`
    HttpP2,
    /// `wasi:http/handler@0.3`
    HttpP3,
    /// `wfh:function/handler@0.1`
    Event,
    /// `wfh:function/batch-handler@0.1`
    Batch,
    /// `wfh:function/async-handler@0.1`
    AsyncEvent,
    /// `wfh:function/async-batch-handler@0.1`
    AsyncBatch,
}

impl FunctionKind {
    /// Whether it needs WASI 0.3.
    #[must_use]
    pub fn is_p3(self) -> bool {
        matches!(self, Self::HttpP3 | Self::AsyncEvent | Self::AsyncBatch)
    }

    /// Whether it is called with requests.
    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(self, Self::HttpP2 | Self::HttpP3)
    }
}

/// What became known of a component while it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentFacts {
    /// How it is called.
    pub kind: FunctionKind,
    /// The size of the component's file, in bytes.
    pub component_bytes: u64,
    /// The size of its compiled code, in bytes.
    pub compiled_bytes: u64,
    /// Whether the compiled code came from the cache.
    pub is_cached: bool,
    /// How long loading took in all.
    pub load_time: Duration,
    /// How long compiling took; `None` when it came from the cache.
    pub compile_time: Option<Duration>,
    /// How long its init ran before the snapshot; `None` without one, or from the cache.
    pub init_time: Option<Duration>,
    /// The size of the snapshot, in bytes; `None` without one, or from the cache.
    pub snapshot_bytes: Option<u64>,
}

/// Whether a function answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionState {
    /// It takes calls.
    Ready,
    /// It takes calls, but the last change of it was refused: what runs is the version before.
    Stale {
        /// Why the change was refused.
        reason: String,
    },
}

/// One function of the host.
#[derive(Debug, Clone)]
pub struct FunctionStatus {
    /// Its name.
    pub name: FunctionName,
    /// Whether it answers.
    pub state: FunctionState,
    /// What its component is.
    pub component: ComponentFacts,
    /// What the layers hold it to.
    pub policy: FunctionPolicy,
    /// The memory of one instance, in bytes.
    pub memory_bytes_max: u64,
    /// Calls an instance may serve.
    pub reuse: u32,
    /// What it did so far.
    pub figures: Arc<Figures>,
    /// Its breaker, if it has one.
    pub breaker: Option<Arc<BreakerCell>>,
}
