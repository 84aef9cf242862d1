//! `reuse_concurrency`: WASI 0.3 sandboxes that serve several calls at once.
//!
//! wasmtime's own handler schedules the calls. A call that times out retires its sandbox: it takes
//! no new calls, and ends when those it has are done or overdue.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;

use http::Request;
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState, Instance as HandlerInstance, ProxyHandler, ShouldAccept,
    WorkerExpiration, WorkerState, WorkerStatus,
};
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Body, Outcome};

use crate::call::{reply, request_error};
use crate::function::{IDLE_MAX, Shared};
use crate::instance::{Exports, Instance, told, trapped};
use crate::running::{Answer, Call, CancelOnDrop, yielded};
use crate::sandbox::{CallInfo, Sandbox};
use crate::ticker::Hold;

/// The sandboxes of one function.
pub(crate) type Handler = ProxyHandler<Function>;

/// Runs one call in a sandbox that may be serving others. Dropping the future cancels it.
pub(crate) async fn run(handler: &Handler, info: CallInfo, request: Request<Body>) -> Answer {
    let (call, _) = Call::new();
    let mut cancel = CancelOnDrop::new(Arc::clone(&call));
    let request = request.map(|body| body.map_err(request_error).boxed_unsync());
    let handled = handler.handle((Arc::new(info), Arc::clone(&call)), request);
    let handled = in_background_if_heavy(handler, handled).await;
    cancel.disarm();
    match handled {
        Ok(response) => Ok(vec![Outcome::Done(reply(response, call))]),
        Err(error) => Err(call.failure().unwrap_or_else(|| failed(&error))),
    }
}

/// Sandboxes begin on the runtime that the future is polled in; those of a function that hogs its
/// core begin in the background.
async fn in_background_if_heavy<T>(handler: &Handler, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let background = &handler.state().0.background;
    poll_fn(|cx| {
        let heavy = background.hogs.load(Ordering::Relaxed);
        let _entered = heavy.then(|| background.threads.enter());
        future.as_mut().poll(cx)
    })
    .await
}

fn failed(error: &wasmtime::Error) -> Failure {
    if error.is::<ExpirationError>() {
        return Failure::new(FailureClass::Timeout, "the guest was stopped at its deadline");
    }
    // What kept a sandbox from being made is classified already.
    let known = error.downcast_ref::<Failure>().cloned();
    known.unwrap_or_else(|| Failure::new(FailureClass::Trap, told(error)))
}

/// Makes sandboxes.
pub(crate) struct Function(pub(crate) Arc<Shared>);

impl HandlerState for Function {
    type StoreData = Sandbox;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<HandlerInstance<Sandbox, Expiration, Worker>> {
        let shared = &self.0;
        let instance = Instance::new(shared, Arc::new(CallInfo::none())).await;
        let instance = instance.map_err(wasmtime::Error::new)?;
        let Exports::HttpP3(proxy) = instance.exports else {
            wasmtime::bail!("only WASI 0.3 functions serve calls concurrently");
        };
        let deadline = Arc::new(Mutex::new(None));
        Ok(HandlerInstance {
            store: instance.store,
            proxy,
            view: Sandbox::http,
            expiration: Expiration {
                deadline: Arc::clone(&deadline),
                timer: Box::pin(sleep_until(Instant::now() + IDLE_MAX)),
                function: Arc::clone(shared),
            },
            state: Worker {
                reuse: shared.config.reuse as usize,
                concurrency: shared.config.reuse_concurrency as usize,
                deadline,
                calls: Mutex::new(Vec::new()),
                _ticking: shared.ticker.hold(),
            },
        })
    }
}

type Latest = Arc<Mutex<Option<Instant>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One sandbox's calls.
pub(crate) struct Worker {
    reuse: usize,
    concurrency: usize,
    /// The latest deadline of its calls.
    deadline: Latest,
    calls: Mutex<Vec<Arc<Call>>>,
    _ticking: Hold,
}

impl WorkerState for Worker {
    type StoreData = Sandbox;
    type RequestData = (Arc<CallInfo>, Arc<Call>);

    fn should_accept_request(&self, now: usize, total: usize) -> ShouldAccept {
        match () {
            () if total >= self.reuse => ShouldAccept::Never,
            () if now >= self.concurrency => ShouldAccept::No,
            () => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Sandbox>,
        (info, call): Self::RequestData,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let deadline = info.deadline;
        {
            let mut latest = lock(&self.deadline);
            *latest = (*latest).max(deadline);
        }
        lock(&self.calls).push(Arc::clone(&call));
        // Outgoing calls of one sandbox cannot be told apart by call, so none carries an event key.
        let info = CallInfo { event_key: None, ..(*info).clone() };
        store.data_mut().begin(Arc::new(info));
        Box::pin(async move {
            let timer = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = timer => {}
                () = call.cancelled() => {}
            }
        })
    }

    /// A sandbox that failed fails the answers it had not finished, before they see it go.
    fn drop(&self, store: Store<Sandbox>, result: Result<(), wasmtime::Error>) {
        let ended = result.map_err(|error| trapped(&store, &error));
        for call in lock(&self.calls).drain(..) {
            call.finish(ended.clone());
        }
        drop(store);
    }
}

/// Ends a sandbox whose calls are all overdue, or that nobody calls.
pub(crate) struct Expiration {
    deadline: Latest,
    timer: Pin<Box<Sleep>>,
    function: Arc<Shared>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        since: StdInstant,
    ) -> Poll<()> {
        if yielded() {
            self.function.background.hogs.store(true, Ordering::Relaxed);
        }
        let idle = Instant::from_std(since) + IDLE_MAX;
        let at = match status {
            WorkerStatus::Idle => idle,
            WorkerStatus::Requests | WorkerStatus::PostReturn => {
                lock(&self.deadline).unwrap_or(idle)
            }
        };
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
        }
        self.timer.as_mut().poll(cx)
    }
}
