//! Which stack takes which target.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use wfh_event::{Failure, FailureClass, FunctionName, Target};

use crate::{Admit, Concurrency, Deadline, Figures, HostLimit, Invocation, Invoke, Outcome, Trace};

/// The layers of one function, outermost first. The type is the order.
pub type Stack = Trace<Admit<Concurrency<Deadline<Slot>>>>;

/// What the manifest says about calling one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionPolicy {
    /// The function.
    pub name: FunctionName,
    /// The longest a call may take, from its permit to its last byte.
    pub timeout: Duration,
    /// Calls in flight at once.
    pub concurrency: usize,
    /// How long a caller waits for a permit.
    pub queue_timeout: Duration,
    /// The largest request body.
    pub body_bytes_max: u64,
    /// How many functions a call may come through.
    pub hops_max: u8,
}

impl FunctionPolicy {
    /// Puts the layers this policy asks for before `slot`. Calls are counted in `figures`.
    #[must_use]
    pub fn stack(&self, slot: Slot, host: &HostLimit, figures: Arc<Figures>) -> Stack {
        let deadline = Deadline::new(slot, self.timeout);
        let concurrency =
            Concurrency::new(deadline, self.concurrency, self.queue_timeout, host.clone());
        let admit = Admit::new(concurrency, self.body_bytes_max, self.hops_max);
        Trace::new(admit, self.name.clone(), figures)
    }
}

/// The end of a stack: what runs the function now. Replacing it is one pointer; calls in flight
/// finish on what they began with.
#[derive(Clone)]
pub struct Slot(Arc<ArcSwap<Arc<dyn Invoke>>>);

impl Slot {
    /// A slot that holds `first`.
    pub fn new(first: Arc<dyn Invoke>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// Replaces what takes the next call.
    pub fn replace(&self, next: Arc<dyn Invoke>) {
        self.0.store(Arc::new(next));
    }
}

impl Invoke for Slot {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let current = Arc::clone(&self.0.load());
        Box::pin(async move { current.invoke(invocation).await })
    }
}

/// Finds what takes a target. Fixed once the host serves; slots and policies change below it.
#[derive(Default)]
pub struct Router {
    targets: HashMap<Target, Arc<dyn Invoke>>,
}

impl Router {
    /// Lets `invoke` take `target`.
    pub fn insert(&mut self, target: Target, invoke: Arc<dyn Invoke>) {
        self.targets.insert(target, invoke);
    }
}

/// What a trigger holds: every target with its layers. Cheap to clone.
///
/// It looks the target up first, so that each target owns its layers and no layer looks up state
/// by name.
#[derive(Clone)]
pub struct Dispatcher {
    router: Arc<RwLock<Arc<Router>>>,
}

impl Dispatcher {
    /// Dispatches to `router`.
    #[must_use]
    pub fn new(router: Router) -> Self {
        Self { router: Arc::new(RwLock::new(Arc::new(router))) }
    }

    /// A handle that does not keep the functions alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakDispatcher {
        WeakDispatcher { router: Arc::downgrade(&self.router) }
    }

    /// Replaces the whole table, for a manifest that changed.
    pub fn replace(&self, router: Router) {
        *self.router.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(router);
    }

    /// The stack of a target, to be held by a trigger that calls only this one.
    #[must_use]
    pub fn find(&self, target: &Target) -> Option<Arc<dyn Invoke>> {
        self.router.read().unwrap_or_else(PoisonError::into_inner).targets.get(target).cloned()
    }
}

/// A dispatcher that does not keep its functions alive: what a function that calls others holds.
#[derive(Clone)]
pub struct WeakDispatcher {
    router: Weak<RwLock<Arc<Router>>>,
}

impl WeakDispatcher {
    /// The dispatcher, while the host still holds it.
    #[must_use]
    pub fn upgrade(&self) -> Option<Dispatcher> {
        self.router.upgrade().map(|router| Dispatcher { router })
    }
}

impl Invoke for Dispatcher {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let found = self.find(&invocation.target);
        Box::pin(async move {
            match found {
                Some(stack) => stack.invoke(invocation).await,
                None => unknown(&invocation),
            }
        })
    }
}

fn unknown(invocation: &Invocation) -> Vec<Outcome> {
    let detail = format!("nothing takes {}", invocation.target);
    let failure = Failure::new(FailureClass::Internal, detail);
    (0..invocation.input.items()).map(|_| Outcome::Failed(failure.clone())).collect()
}
