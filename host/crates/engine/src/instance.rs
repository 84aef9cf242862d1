//! One instantiated component and how it is called.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi_http::handler::Proxy;
use wasmtime_wasi_http::{p2, p3};
use wfh_event::{Failure, FailureClass};

use crate::capability::event::{
    AsyncBatchFunction, AsyncBatchFunctionPre, AsyncEventFunction, AsyncEventFunctionPre,
    BatchFunction, BatchFunctionPre, EventFunction, EventFunctionPre,
};
use crate::function::Shared;
use crate::inspect::Kind;
use crate::limiter::Denied;
use crate::running::on_epoch;
use crate::sandbox::{CallInfo, Sandbox};

/// When it is worth asking again after the host had no place.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A component with everything looked up by name already.
#[derive(Clone)]
pub(crate) enum Pre {
    HttpP2(p2::bindings::ProxyPre<Sandbox>),
    HttpP3(p3::bindings::ServicePre<Sandbox>),
    Event(EventFunctionPre<Sandbox>),
    Batch(BatchFunctionPre<Sandbox>),
    AsyncEvent(AsyncEventFunctionPre<Sandbox>),
    AsyncBatch(AsyncBatchFunctionPre<Sandbox>),
}

impl Pre {
    pub(crate) fn new(kind: Kind, pre: InstancePre<Sandbox>) -> wasmtime::Result<Self> {
        Ok(match kind {
            Kind::HttpP2 => Self::HttpP2(p2::bindings::ProxyPre::new(pre)?),
            Kind::HttpP3 => Self::HttpP3(p3::bindings::ServicePre::new(pre)?),
            Kind::Event => Self::Event(EventFunctionPre::new(pre)?),
            Kind::Batch => Self::Batch(BatchFunctionPre::new(pre)?),
            Kind::AsyncEvent => Self::AsyncEvent(AsyncEventFunctionPre::new(pre)?),
            Kind::AsyncBatch => Self::AsyncBatch(AsyncBatchFunctionPre::new(pre)?),
        })
    }
}

/// What to call in an instance.
pub(crate) enum Exports {
    HttpP2(p2::bindings::Proxy),
    /// `Proxy::P3` always.
    HttpP3(Proxy),
    Event(EventFunction),
    Batch(BatchFunction),
    AsyncEvent(AsyncEventFunction),
    AsyncBatch(AsyncBatchFunction),
}

/// A sandbox that runs, or waits for its next call.
pub(crate) struct Instance {
    pub(crate) store: Store<Sandbox>,
    pub(crate) exports: Exports,
    pub(crate) calls: u32,
    pub(crate) idle_since: Instant,
}

impl Instance {
    /// Makes a fresh sandbox for a first call.
    pub(crate) async fn new(function: &Arc<Shared>, call: Arc<CallInfo>) -> Result<Self, Failure> {
        let share = function.memory.reserve(function.expected.bytes());
        let held = || unavailable("the sandboxes that run hold all of limits.memory");
        let sandbox = Sandbox::new(Arc::clone(function), call, share.ok_or_else(held)?);
        let mut store = Store::new(&function.engine, sandbox);
        store.limiter(|sandbox| &mut sandbox.limiter);
        store.epoch_deadline_callback(|_| Ok(on_epoch()));
        store.set_epoch_deadline(1);
        let exports = match instantiate(&function.pre, &mut store).await {
            Ok(exports) => exports,
            Err(error) => return Err(not_instantiated(&store, &error)),
        };
        Ok(Self { store, exports, calls: 0, idle_since: Instant::now() })
    }

    /// The next call of a reused sandbox begins.
    pub(crate) fn begin(&mut self, call: Arc<CallInfo>) {
        self.store.data_mut().begin(call);
        self.store.set_epoch_deadline(1);
    }
}

async fn instantiate(pre: &Pre, store: &mut Store<Sandbox>) -> wasmtime::Result<Exports> {
    Ok(match pre {
        Pre::HttpP2(pre) => Exports::HttpP2(pre.instantiate_async(store).await?),
        Pre::HttpP3(pre) => Exports::HttpP3(Proxy::P3(pre.instantiate_async(store).await?)),
        Pre::Event(pre) => Exports::Event(pre.instantiate_async(store).await?),
        Pre::Batch(pre) => Exports::Batch(pre.instantiate_async(store).await?),
        Pre::AsyncEvent(pre) => Exports::AsyncEvent(pre.instantiate_async(store).await?),
        Pre::AsyncBatch(pre) => Exports::AsyncBatch(pre.instantiate_async(store).await?),
    })
}

fn not_instantiated(store: &Store<Sandbox>, error: &wasmtime::Error) -> Failure {
    if error.is::<PoolConcurrencyLimitError>() {
        return unavailable(format!("engine.instances_max is reached: {error:#}"));
    }
    trapped(store, error)
}

fn unavailable(detail: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Unavailable, detail).with_retry_after(RETRY_AFTER)
}

/// Classifies what ended a guest. The detail holds the backtrace and is for operators only.
pub(crate) fn trapped(store: &Store<Sandbox>, error: &wasmtime::Error) -> Failure {
    if let Some(denied) = store.data().limiter.denied() {
        let limit = match denied {
            Denied::Function => {
                format!("beyond {} bytes", store.data().function.config.memory_bytes_max)
            }
            Denied::Host => "because all sandboxes hold all of limits.memory".to_owned(),
        };
        let detail = format!("the guest was denied memory {limit}: {}", told(error));
        return Failure::new(FailureClass::MemoryLimit, detail);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        let detail = format!("the guest exited with status {} and no answer", exit.0);
        return Failure::new(FailureClass::Trap, detail);
    }
    Failure::new(FailureClass::Trap, told(error))
}

/// An error with its causes, the guest's backtrace among them, and without the host's own frames.
pub(crate) fn told(error: &wasmtime::Error) -> String {
    let mut causes = error.chain().map(ToString::to_string);
    let mut text = causes.next().unwrap_or_default();
    for cause in causes {
        text += &format!("\n\nCaused by:\n    {cause}");
    }
    text
}
