//! Which stack takes which target.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use wfh_event::{Failure, FailureClass, FunctionName, Target};

use crate::{
    Accepted, Acceptor, Adapt, Admit, Bounds, Breaker, BreakerCell, BreakerPolicy, Concurrency,
    Deadline, Durability, Durable, DurablePolicy, Figures, HostLimit, Invocation, Invoke, Outcome,
    Takes, Trace,
};

/// The layers of one function, outermost first. The type is the order.
pub type Stack = Trace<Admit<Adapt<Durable<Call>>>>;

/// The layers of one try.
type Call = Breaker<Concurrency<Deadline<Slot>>>;

/// A function as triggers reach it.
#[derive(Clone)]
pub struct Stacked {
    /// Its layers.
    pub invoke: Arc<dyn Invoke>,
    /// Accepts calls to run later; only a host with a store can.
    pub acceptor: Option<Arc<Acceptor>>,
    /// Its breaker, if it has one.
    pub breaker: Option<Arc<BreakerCell>>,
}

/// What the manifest says about calling one function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionPolicy {
    /// The function.
    pub name: FunctionName,
    /// The longest a call may take, from its permit to its last byte.
    pub timeout: Duration,
    /// Calls in flight at once.
    pub concurrency: usize,
    /// How long a caller waits for a permit.
    pub queue_timeout: Duration,
    /// What every call keeps to.
    pub bounds: Bounds,
    /// What it takes.
    pub takes: Takes,
    /// When to stop calling it for a while; never without it.
    pub breaker: Option<BreakerPolicy>,
    /// What makes its calls durable.
    pub durable: DurablePolicy,
}

impl FunctionPolicy {
    /// Puts the layers this policy asks for before `slot`. Calls are counted in `figures`.
    #[must_use]
    pub fn stack(
        &self,
        slot: Slot,
        host: &HostLimit,
        durability: Option<&Durability>,
        figures: Arc<Figures>,
    ) -> Stacked {
        let cell = self.breaker.map(|policy| Arc::new(BreakerCell::new(policy)));
        let layers = self.layers(slot, host, durability, cell.clone());
        let version = self.durable.version.clone();
        let stack: Stack = Trace::new(layers, self.name.clone(), version, figures);
        let acceptor = durability.map(|host| {
            let target = Target::Function(self.name.clone());
            let key = self.durable.key.clone();
            Arc::new(Acceptor::new(target, self.bounds, self.timeout, key, host.clone()))
        });
        Stacked { invoke: Arc::new(stack), acceptor, breaker: cell }
    }

    fn layers(
        &self,
        slot: Slot,
        host: &HostLimit,
        durability: Option<&Durability>,
        cell: Option<Arc<BreakerCell>>,
    ) -> Admit<Adapt<Durable<Call>>> {
        let deadline = Deadline::new(slot, self.timeout);
        let concurrency =
            Concurrency::new(deadline, self.concurrency, self.queue_timeout, host.clone());
        let breaker = Breaker::new(concurrency, cell);
        let (policy, durability) = (self.durable.clone(), durability.cloned());
        let durable = Durable::new(breaker, self.name.clone(), self.bounds, policy, durability);
        let adapt = Adapt::new(durable, self.takes, self.timeout);
        Admit::new(adapt, self.bounds)
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
    targets: HashMap<Target, Stacked>,
}

impl Router {
    /// Lets `stacked` take `target`.
    pub fn insert(&mut self, target: Target, stacked: Stacked) {
        self.targets.insert(target, stacked);
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
    pub fn find(&self, target: &Target) -> Option<Stacked> {
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
                Some(stacked) => stacked.invoke.invoke(invocation).await,
                None => {
                    let failure = unknown(&invocation.target);
                    (0..invocation.input.items())
                        .map(|_| Outcome::Failed(failure.clone()))
                        .collect()
                }
            }
        })
    }
}

impl Stacked {
    /// Something that is called as it is, and accepts nothing.
    #[must_use]
    pub fn of(invoke: Arc<dyn Invoke>) -> Self {
        Self { invoke, acceptor: None, breaker: None }
    }

    /// Makes a call durable, to run later.
    ///
    /// # Errors
    /// See [`Acceptor::accept`]; also without a store.
    pub async fn accept(&self, invocation: Invocation) -> Result<Accepted, Failure> {
        match &self.acceptor {
            Some(acceptor) => acceptor.accept(invocation).await,
            None => {
                let detail = "this host has no store, so it cannot accept calls to run later";
                Err(Failure::new(FailureClass::Unavailable, detail))
            }
        }
    }
}

fn unknown(target: &Target) -> Failure {
    Failure::new(FailureClass::Internal, format!("nothing takes {target}"))
}
