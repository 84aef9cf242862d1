//! Refuses what is too large, has come through too many functions, or comes too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::Instant;
use wfh_event::{Failure, FailureClass};

use super::all_failed;
use crate::body::too_large;
use crate::{Input, Invocation, Invoke, LimitedBody, Outcome};

/// What a call must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The largest body.
    pub body_bytes_max: u64,
    /// How many functions a call may come through.
    pub hops_max: u8,
}

/// Admits calls to `inner`.
pub struct Admit<I> {
    inner: I,
    bounds: Bounds,
}

impl<I> Admit<I> {
    /// Lets through what keeps to `bounds`.
    pub fn new(inner: I, bounds: Bounds) -> Self {
        Self { inner, bounds }
    }
}

/// Refuses a call that is over its bounds before it is begun.
pub(crate) fn refuse(invocation: &Invocation, bounds: Bounds) -> Result<(), Failure> {
    if invocation.hops > bounds.hops_max {
        let detail = format!("the call came through more than {} functions", bounds.hops_max);
        return Err(Failure::new(FailureClass::Invalid, detail));
    }
    if invocation.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        let detail = "the caller's deadline had passed before the call began";
        return Err(Failure::new(FailureClass::Timeout, detail));
    }
    if smallest_size(&invocation.input) > bounds.body_bytes_max {
        return Err(too_large(bounds.body_bytes_max));
    }
    Ok(())
}

/// What is known of the payload's size before it is read.
fn smallest_size(input: &Input) -> u64 {
    match input {
        Input::Http(input) => input.request.body().size_hint().lower(),
        Input::Events(items) => items
            .iter()
            .map(|item| item.event.data.as_ref().map_or(0, |data| data.len() as u64))
            .sum(),
    }
}

fn is_delivered(input: &Input) -> bool {
    match input {
        Input::Http(_) => false,
        Input::Events(items) => items.iter().any(|item| item.delivery.is_some()),
    }
}

/// A body of unknown length is counted as it streams. Tells, later, whether it was too long.
fn bound_body(input: &mut Input, bytes_max: u64) -> Option<Arc<AtomicBool>> {
    let Input::Http(input) = input else { return None };
    let body = input.request.body_mut();
    if body.size_hint().exact().is_some() {
        return None;
    }
    let limited = LimitedBody::new(std::mem::take(body), bytes_max);
    let exceeded = limited.exceeded();
    *body = limited.boxed_unsync();
    Some(exceeded)
}

impl<I: Invoke> Invoke for Admit<I> {
    fn invoke(&self, mut invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let items = invocation.input.items();
        // What came out of a queue must be settled there: the layer that settles refuses it.
        if let Err(failure) = refuse(&invocation, self.bounds)
            && !is_delivered(&invocation.input)
        {
            return Box::pin(async move { all_failed(items, &failure) });
        }
        let Some(exceeded) = bound_body(&mut invocation.input, self.bounds.body_bytes_max) else {
            return self.inner.invoke(invocation);
        };
        Box::pin(async move {
            let outcomes = self.inner.invoke(invocation).await;
            // Whatever the guest made of its broken body: the caller is told what was wrong.
            if exceeded.load(Ordering::Relaxed) {
                return all_failed(items, &too_large(self.bounds.body_bytes_max));
            }
            outcomes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes_body;
    use crate::layer::testing::{Fake, class, invocation, with_body};

    fn layer() -> (Admit<Arc<Fake>>, Arc<Fake>) {
        let fake = Arc::new(Fake::default());
        (Admit::new(Arc::clone(&fake), Bounds { body_bytes_max: 4, hops_max: 2 }), fake)
    }

    #[tokio::test]
    async fn a_body_known_to_be_too_large_never_starts() {
        let (layer, fake) = layer();
        let ended = class(layer.invoke(with_body(bytes_body("12345"))).await);
        assert_eq!(ended, Some(FailureClass::TooLarge));
        assert_eq!(fake.calls.load(Ordering::SeqCst), 0);
        assert_eq!(class(layer.invoke(with_body(bytes_body("1234"))).await), None);
    }

    #[tokio::test]
    async fn a_chain_ends_at_the_hop_limit() {
        let (layer, _) = layer();
        let mut call = invocation();
        call.hops = 2;
        assert_eq!(class(layer.invoke(call).await), None);
        let mut call = invocation();
        call.hops = 3;
        assert_eq!(class(layer.invoke(call).await), Some(FailureClass::Invalid));
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_never_starts() {
        let (layer, fake) = layer();
        let mut call = invocation();
        call.deadline = Some(Instant::now());
        assert_eq!(class(layer.invoke(call).await), Some(FailureClass::Timeout));
        assert_eq!(fake.calls.load(Ordering::SeqCst), 0);
    }
}
