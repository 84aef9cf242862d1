//! One loaded function: takes invocations, makes or reuses sandboxes, runs them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use wasmtime::Engine;
use wasmtime_wasi_config::WasiConfigVariables;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{
    ComponentFacts, EventReply, HttpInput, Input, Invocation, Invoke, Item, Outcome, Reply, Takes,
    reply_from_response, request_from_item,
};
use wfh_telemetry::SandboxMeters;

use crate::call::{in_one_piece, run_event, run_http_p2, run_http_p3};
use crate::concurrent;
use crate::inspect::Kind;
use crate::instance::{Exports, Instance, Pre};
use crate::memory::{Expected, HostMemory};
use crate::outgoing::{Client, Environment};
use crate::running::{Answer, Background, Call, CancelOnDrop, GuestTask};
use crate::sandbox::CallInfo;
use crate::ticker::Ticker;
use crate::{Capabilities, FunctionConfig};

/// A sandbox that nobody called for this long is dropped.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(60);

/// A compiled function with its grants. Cheap to clone; dropping the last clone frees its code.
#[derive(Clone)]
pub struct Function {
    shared: Arc<Shared>,
    /// For sandboxes that serve several calls at once.
    concurrent: Option<concurrent::Handler>,
}

/// What a function's sandboxes share.
pub(crate) struct Shared {
    pub(crate) config: FunctionConfig,
    pub(crate) kind: Kind,
    pub(crate) version: String,
    pub(crate) engine: Engine,
    pub(crate) pre: Pre,
    pub(crate) variables: WasiConfigVariables,
    pub(crate) environment: Arc<Environment>,
    pub(crate) memory: Arc<HostMemory>,
    pub(crate) expected: Expected,
    pub(crate) capabilities: Capabilities,
    pub(crate) client: OnceLock<Client>,
    pub(crate) background: Background,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) idle: Idle,
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) facts: ComponentFacts,
    pub(crate) meters: SandboxMeters,
}

/// Every function of an engine that still serves.
#[derive(Default)]
pub(crate) struct Loaded(Mutex<Vec<Weak<Shared>>>);

impl Loaded {
    fn add(&self, function: &Arc<Shared>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|function| function.strong_count() > 0);
        all.push(Arc::downgrade(function));
    }

    /// Drops the sandboxes that nobody came for in that time.
    pub(crate) fn drop_idle(&self, idle_max: Duration) {
        let all: Vec<Arc<Shared>> = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        all.iter().for_each(|function| function.idle.drop_older(idle_max));
    }
}

impl Shared {
    async fn instance(self: &Arc<Self>, call: Arc<CallInfo>) -> Result<Instance, Failure> {
        if self.config.reuse > 1
            && let Some(mut instance) = self.idle.pop()
        {
            instance.begin(call);
            return Ok(instance);
        }
        let (began, phases) = (Instant::now(), call.phases.clone());
        let made = match Instance::new(self, Arc::clone(&call)).await {
            Err(failure) if failure.class == FailureClass::Unavailable => {
                // Sandboxes that wait for their next call must not keep another call from its own.
                self.loaded.drop_idle(Duration::ZERO);
                Instance::new(self, call).await
            }
            made => made,
        };
        let took = began.elapsed();
        self.meters.made(took);
        if let Some(phases) = phases {
            phases.instantiated(took);
        }
        made
    }

    /// Keeps a sandbox whose call went well for the next one.
    fn keep(&self, mut instance: Instance) {
        instance.calls += 1;
        instance.store.data_mut().end();
        let spent = instance.calls >= self.config.reuse;
        if spent || instance.store.data().limiter.denied().is_some() {
            return;
        }
        instance.idle_since = Instant::now();
        self.idle.push(instance);
    }
}

/// Stacks of sandboxes that wait for their next call, one for each of a few threads: a sandbox that
/// goes on where it last ran finds its memory in that core's cache.
#[derive(Default)]
pub(crate) struct Idle([Mutex<Vec<Instance>>; IDLE_STACKS]);

const IDLE_STACKS: usize = 16;

thread_local! {
    /// Which stack is this thread's.
    static STACK: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % IDLE_STACKS
    };
}

impl Idle {
    /// The stacks, this thread's first.
    fn stacks(&self) -> impl Iterator<Item = &Mutex<Vec<Instance>>> {
        let own = STACK.with(|stack| *stack);
        self.0.iter().cycle().skip(own).take(IDLE_STACKS)
    }

    /// The sandbox used last by this thread, or else by another.
    fn pop(&self) -> Option<Instance> {
        self.stacks().find_map(|stack| lock(stack).pop())
    }

    fn push(&self, instance: Instance) {
        if let Some(stack) = self.stacks().next() {
            lock(stack).push(instance);
        }
    }

    /// Drops the sandboxes that nobody came for in that time.
    fn drop_older(&self, idle_max: Duration) {
        let now = Instant::now();
        for stack in &self.0 {
            let mut idle = lock(stack);
            let fresh = idle.partition_point(|kept| now - kept.idle_since >= idle_max);
            let expired: Vec<Instance> = idle.drain(..fresh).collect();
            drop(idle);
            drop(expired);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Function {
    pub(crate) fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        shared.loaded.add(&shared);
        let is_concurrent = shared.kind == Kind::HttpP3 && shared.config.reuse_concurrency > 1;
        let concurrent = is_concurrent
            .then(|| concurrent::Handler::new(concurrent::Function(Arc::clone(&shared))));
        Self { shared, concurrent }
    }

    /// What became known of its component while it was loaded.
    #[must_use]
    pub fn facts(&self) -> &ComponentFacts {
        &self.shared.facts
    }

    /// Identifies its component: the same bytes have the same version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.shared.version
    }

    /// What it takes.
    #[must_use]
    pub fn takes(&self) -> Takes {
        match self.shared.kind.is_http() {
            true => Takes::Requests,
            false => Takes::Events { bytes_max: self.shared.config.event_bytes_max },
        }
    }

    /// Runs `input` in a task of its own and waits for its answer. Dropping the future cancels the
    /// guest.
    async fn run(&self, call: CallInfo, input: Input) -> Answer {
        let (running, answer) = Call::new();
        let mut cancel = CancelOnDrop::new(Arc::clone(&running));
        let (shared, deadline) = (Arc::clone(&self.shared), call.deadline);
        let guest = run_guest(Arc::clone(&shared), call, input, Arc::clone(&running));
        GuestTask::spawn(Box::pin(guest), Arc::clone(&running), shared, deadline);
        let answer = answer.await.unwrap_or_else(|_| Err(lost()));
        cancel.disarm();
        // A guest that has ended has written all of its answer: it goes out in one piece.
        if running.went_well() { answer.map(in_one_piece) } else { answer }
    }

    async fn run_http(&self, call: CallInfo, input: Box<HttpInput>) -> Answer {
        match &self.concurrent {
            Some(handler) => concurrent::run(handler, call, input.request).await,
            None => self.run(call, Input::Http(input)).await,
        }
    }

    /// An HTTP function given events: each is a request, in order, and each answer an outcome.
    async fn run_as_requests(&self, call: CallInfo, items: Vec<Item>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            let reply = self.run_as_request(call.clone(), item).await;
            outcomes.push(match reply {
                Ok(reply) => Outcome::Done(Reply::Event(reply)),
                Err(failure) => Outcome::Failed(failure),
            });
        }
        outcomes
    }

    async fn run_as_request(&self, call: CallInfo, item: Item) -> Result<EventReply, Failure> {
        let config = &self.shared.config;
        let call = CallInfo { event_key: Some(item.event_key.clone()), ..call };
        let route = item.path.clone().unwrap_or_else(|| "/".into());
        let request = request_from_item(item, &config.name, &call.trace)?;
        let input = Box::new(HttpInput { request, route });
        match self.run_http(call, input).await?.pop() {
            Some(Outcome::Done(Reply::Http(response, _tail))) => {
                reply_from_response(response, config.event_bytes_max).await
            }
            Some(Outcome::Failed(failure)) => Err(failure),
            _ => Err(lost()),
        }
    }
}

impl Invoke for Function {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let items = invocation.input.items();
            let call = call_info(&invocation);
            let is_http = self.shared.kind.is_http();
            let answer = match invocation.input {
                Input::Http(input) if is_http => self.run_http(call, input).await,
                Input::Http(_) => Err(given_a_request()),
                Input::Events(events) if is_http => Ok(self.run_as_requests(call, events).await),
                input @ Input::Events(_) => self.run(call, input).await,
            };
            answer.unwrap_or_else(|failure| {
                (0..items).map(|_| Outcome::Failed(failure.clone())).collect()
            })
        })
    }
}

fn call_info(invocation: &Invocation) -> CallInfo {
    let event_key = match &invocation.input {
        Input::Http(input) => Some(match input.request.headers().get("wfh-event-key") {
            Some(key) => String::from_utf8_lossy(key.as_bytes()).into_owned(),
            None => invocation.id.to_string(),
        }),
        Input::Events(items) => match items.as_slice() {
            [only] => Some(only.event_key.clone()),
            _ => None,
        },
    };
    CallInfo {
        id: invocation.id,
        deadline: invocation.deadline,
        hops: invocation.hops,
        attempts_max: invocation.attempts_max,
        trace: invocation.trace.clone(),
        phases: invocation.phases.clone(),
        event_key,
    }
}

/// The layers turn requests into events for functions that take those.
fn given_a_request() -> Failure {
    Failure::new(FailureClass::Internal, "an event function was given a request")
}

fn lost() -> Failure {
    Failure::new(FailureClass::Internal, "the guest's task vanished")
}

/// The whole life of a call inside its task. The call is finished before the sandbox is dropped.
async fn run_guest(shared: Arc<Shared>, call: CallInfo, input: Input, running: Arc<Call>) {
    let call = Arc::new(call);
    let mut instance = match shared.instance(call).await {
        Ok(instance) => instance,
        Err(failure) => return running.finish(Err(failure)),
    };
    let began = Instant::now();
    let ended = call_guest(&mut instance, input, &running).await;
    let sandbox = instance.store.data();
    if let Some(phases) = &sandbox.call.phases {
        phases.ran(began.elapsed());
    }
    let memory_bytes = sandbox.limiter.memory_bytes();
    shared.expected.note(memory_bytes);
    shared.meters.used_memory(memory_bytes);
    let ended = ended.map_err(|failure| with_log_tail(failure, &instance));
    let went_well = ended.is_ok();
    running.finish(ended);
    if went_well {
        shared.keep(instance);
    }
}

/// Whoever reads of a failure wants to know what the guest said before.
fn with_log_tail(failure: Failure, instance: &Instance) -> Failure {
    Failure { log_tail: instance.store.data().log_tail(), ..failure }
}

async fn call_guest(
    instance: &mut Instance,
    input: Input,
    running: &Arc<Call>,
) -> Result<(), Failure> {
    match (&instance.exports, input) {
        (Exports::HttpP2(proxy), Input::Http(input)) => {
            run_http_p2(&mut instance.store, proxy, input.request, running).await
        }
        (Exports::HttpP3(proxy), Input::Http(input)) => {
            run_http_p3(&mut instance.store, proxy, input.request, running).await
        }
        (_, Input::Events(items)) => {
            let mut outcomes = run_event(instance, items).await?;
            for outcome in &mut outcomes {
                if let Outcome::Failed(failure) = outcome {
                    failure.log_tail = instance.store.data().log_tail();
                }
            }
            running.answer(Ok(outcomes));
            Ok(())
        }
        (_, Input::Http(_)) => Err(given_a_request()),
    }
}
