//! Calls that are accepted now and run later: durable before the caller is told so.

use std::time::Duration;

use http::Request;
use wfh_event::{Failure, FailureClass, InvocationId, Target};
use wfh_store::{Expect, Leased, Op, StoreError, crash};
use wfh_telemetry::meters;

use super::begin::missing;
use super::key::{key_of_item, payload_of_item};
use super::policy::KeyPolicy;
use super::record::{InvocationStatus, Record, StoredClaim};
use super::state::{KeyState, Origin, in_flight, mismatch};
use super::{Durability, LEASE, store_key, unavailable};
use crate::body::collect_in_time;
use crate::cloud_event::item_from_request;
use crate::layer::{Accepting, Bounds, refuse};
use crate::targets::{Bound, Place};
use crate::{HttpInput, Input, Invocation, Item, new_invocation_id};

/// What a caller may do that is told to come back.
const COME_BACK: Duration = Duration::from_secs(1);

/// Accepts the calls of one target.
pub struct Acceptor {
    target: Target,
    bounds: Bounds,
    body_timeout: Duration,
    key: Option<KeyPolicy>,
    host: Durability,
}

/// A call that will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The invocation that will.
    pub id: InvocationId,
    /// Whether it had been accepted before.
    pub replayed: bool,
}

impl Acceptor {
    /// Accepts calls of `target` within `bounds`. A body must have come within `body_timeout`.
    #[must_use]
    pub fn new(
        target: Target,
        bounds: Bounds,
        body_timeout: Duration,
        key: Option<KeyPolicy>,
        host: Durability,
    ) -> Self {
        Self { target, bounds, body_timeout, key, host }
    }

    /// Makes a call durable. Its id is the invocation's.
    ///
    /// # Errors
    /// What the call itself would have failed with, had it not begun: `Invalid`, `TooLarge`,
    /// `Mismatch`, `Conflict`, `Unavailable`.
    pub async fn accept(&self, invocation: Invocation) -> Result<Accepted, Failure> {
        let accepting = Accepting::begin(&self.target, &invocation);
        let accepted = self.accept_untraced(invocation).await;
        if let (Ok(Accepted { replayed: true, .. }), Target::Function(name)) =
            (&accepted, &self.target)
        {
            meters().idempotency_hit(name.as_str());
        }
        accepting.end(&accepted);
        accepted
    }

    async fn accept_untraced(&self, invocation: Invocation) -> Result<Accepted, Failure> {
        refuse(&invocation, self.bounds)?;
        let (id, hops, trace) = (invocation.id, invocation.hops, invocation.trace.clone());
        let item = match invocation.input {
            Input::Http(input) => self.item_of_request(id, *input).await?,
            Input::Events(items) => only(items)?,
        };
        let key = match &self.key {
            Some(policy) => self.key(policy, &item)?,
            None => None,
        };
        let mut record = Record::new(id, item, hops, &trace);
        record.has_status = matches!(self.target, Target::Function(_));
        match key {
            Some(key) => self.keyed(record, key).await,
            None => self.append(record, None).await,
        }
    }

    async fn item_of_request(&self, id: InvocationId, input: HttpInput) -> Result<Item, Failure> {
        let (parts, body) = input.request.into_parts();
        let bytes_max = self.bounds.body_bytes_max;
        let body = collect_in_time(body, bytes_max, self.body_timeout, None).await?;
        item_from_request(id, &input.route, Request::from_parts(parts, body))
    }

    fn key(&self, policy: &KeyPolicy, item: &Item) -> Result<Option<StoredClaim>, Failure> {
        // Only functions have a policy for keys.
        let Target::Function(function) = &self.target else { return Ok(None) };
        match key_of_item(function, &policy.parts, item) {
            Ok(key) => Ok(Some(StoredClaim { key, payload: payload_of_item(item) })),
            Err(part) if policy.required => Err(missing(&part)),
            Err(_) => Ok(None),
        }
    }

    /// Claims the key in the commit that accepts. A repeated call is told of the first.
    async fn keyed(&self, mut record: Record, claim: StoredClaim) -> Result<Accepted, Failure> {
        let key = store_key(&claim.key)?;
        let leased = self.host.store.lease(key.clone(), LEASE).await;
        let lease = match leased.map_err(|error| unavailable(&error))? {
            Leased::Acquired(lease) => lease,
            Leased::Held => return Err(in_flight()),
            Leased::Present(value) => {
                return repeated(&KeyState::from_bytes(&value.bytes)?, &claim);
            }
        };
        let made_by = Origin { invocation: record.invocation, payload: claim.payload.clone() };
        let bytes = KeyState::Accepted { made_by }.to_bytes();
        let ttl = self.key.as_ref().map(|policy| policy.ttl);
        let expect = Expect::Lease(lease.clone());
        record.claim = Some(claim);
        let accepted = self.append(record, Some(Op::Put { key, bytes, expect, ttl })).await;
        if accepted.is_err() {
            // It runs out by itself if it cannot be given back.
            let _ = self.host.store.give_back(&lease).await;
        }
        accepted
    }

    async fn append(&self, record: Record, claim: Option<Op>) -> Result<Accepted, Failure> {
        let id = record.invocation;
        let places = self.host.targets.places(&self.target);
        let places = places.map_err(|e| Failure::new(FailureClass::Internal, e.to_string()))?;
        let append = |place: &Place| {
            // What goes to several queues runs several times, each time as a call of its own.
            let invocation = if places.len() > 1 { new_invocation_id() } else { id };
            let record = Record { invocation, ..record.clone() };
            Op::Append(place.entry(&record, Duration::ZERO, Bound::Kept))
        };
        let appends = places.iter().map(append);
        let status = record.has_status.then(|| self.status(id)).flatten();
        let ops = claim.into_iter().chain(appends).chain(status).collect();
        match self.host.store.commit(ops).await {
            Ok(_) => {
                crash::pass("accept-committed");
                Ok(Accepted { id, replayed: false })
            }
            Err(StoreError::Conflict { .. }) => Err(in_flight()),
            Err(StoreError::Full { queue }) => {
                let detail = format!("the queue `{queue}` holds as much as it may");
                Err(Failure::new(FailureClass::Unavailable, detail).with_retry_after(COME_BACK))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn status(&self, id: InvocationId) -> Option<Op> {
        let (target, now_ms) = (self.target.clone(), self.host.clock.now_ms());
        let status = InvocationStatus::queued(id, target, now_ms);
        status.put(self.host.invocations_ttl)
    }
}

/// A repeated call is told of the first, however that ended.
fn repeated(state: &KeyState, claim: &StoredClaim) -> Result<Accepted, Failure> {
    let first = state.made_by();
    if first.payload != claim.payload {
        return Err(mismatch());
    }
    Ok(Accepted { id: first.invocation, replayed: true })
}

fn only(items: Vec<Item>) -> Result<Item, Failure> {
    let mut items = items.into_iter();
    match (items.next(), items.next()) {
        (Some(item), None) => Ok(item),
        _ => Err(Failure::new(FailureClass::Internal, "events are accepted one at a time")),
    }
}
