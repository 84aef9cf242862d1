//! Before a call: whether it may run, under which key.

use wfh_event::{Failure, FailureClass};
use wfh_store::{Expect, Leased, Value};
use wfh_telemetry::meters;

use super::job::{Claim, End, Job};
use super::key::{key_of_item, payload_of_item};
use super::retry::Condition;
use super::state::{KeyState, in_flight, mismatch};
use super::{Call, LEASE, store_key, unavailable};
use crate::layer::Bounds;
use crate::{EventReply, Invoke, Outcome, Reply};

impl<I: Invoke + 'static> Call<'_, I> {
    /// Claims the key of an item, if it has one. `Some`: it does not run.
    pub(super) async fn begin(&self, job: &mut Job) -> Option<End> {
        if let Some(end) = self.refused_delivery(job) {
            return Some(end);
        }
        if let Some(stored) =
            job.delivery.as_ref().and_then(|delivery| delivery.stored()?.claim.clone())
        {
            // Claimed when it was accepted; the receipt keeps others away.
            return match store_key(&stored.key) {
                Ok(key) => {
                    self.accepted(job, Claim { key, payload: stored.payload, expect: Expect::Any })
                        .await
                }
                Err(failure) => Some(End::GaveUp(failure, Condition::Rejected)),
            };
        }
        let policy = self.shared.policy.key.as_ref()?;
        match key_of_item(&self.shared.function, &policy.parts, &job.item) {
            Ok(name) => self.claim(job, &name).await,
            Err(part) if policy.required => Some(End::GaveUp(missing(&part), Condition::Rejected)),
            Err(_) => None,
        }
    }

    /// What its trigger gave up, and what is over a bound: nobody waits to be told.
    fn refused_delivery(&self, job: &Job) -> Option<End> {
        let delivery = job.delivery.as_ref()?;
        if let Some(verdict) = delivery.verdict {
            let (failure, condition) = verdict.failure();
            return Some(End::GaveUp(failure, condition));
        }
        let Bounds { body_bytes_max, hops_max } = self.shared.bounds;
        let bytes = job.item.event.data.as_ref().map_or(0, |data| data.len() as u64);
        let failure = if delivery.hops > hops_max {
            let detail = format!("the event came through more than {hops_max} functions");
            Failure::new(FailureClass::Invalid, detail)
        } else if bytes > body_bytes_max {
            let detail = format!("its data has {bytes} bytes, more than {body_bytes_max}");
            Failure::new(FailureClass::TooLarge, detail)
        } else {
            return None;
        };
        Some(End::GaveUp(failure, Condition::Rejected))
    }

    /// An item whose key was claimed when it was accepted: unless the key outlived that and is
    /// somebody else's now, it runs.
    async fn accepted(&self, job: &mut Job, claim: Claim) -> Option<End> {
        match self.host.store.get(claim.key.clone()).await {
            Ok(Some(value)) => self.present(job, claim, &value),
            Ok(None) => {
                job.claim = Some(claim);
                None
            }
            Err(error) => Some(End::NotStarted(unavailable(&error))),
        }
    }

    async fn claim(&self, job: &mut Job, name: &str) -> Option<End> {
        let key = match store_key(name) {
            Ok(key) => key,
            Err(failure) => return Some(End::GaveUp(failure, Condition::Rejected)),
        };
        let payload = payload_of_item(&job.item);
        match self.host.store.lease(key.clone(), LEASE).await {
            Ok(Leased::Acquired(lease)) => {
                job.claim = Some(Claim { key, payload, expect: Expect::Lease(lease) });
                None
            }
            Ok(Leased::Held) if job.delivery.is_some() => Some(End::NotStarted(in_flight())),
            Ok(Leased::Held) => Some(End::GaveUp(in_flight(), Condition::Rejected)),
            Ok(Leased::Present(value)) => {
                self.present(job, Claim { key, payload, expect: Expect::Any }, &value)
            }
            Err(error) => Some(End::NotStarted(unavailable(&error))),
        }
    }

    /// What becomes of an item whose key has a state already.
    fn present(&self, job: &mut Job, claim: Claim, value: &Value) -> Option<End> {
        let state = match KeyState::from_bytes(&value.bytes) {
            Ok(state) => state,
            Err(failure) => return Some(End::GaveUp(failure, Condition::Rejected)),
        };
        if state.made_by().payload != claim.payload {
            return Some(End::GaveUp(mismatch(), Condition::Rejected));
        }
        match state {
            KeyState::Accepted { made_by } if Some(made_by.invocation) == job.invocation() => {
                job.claim = Some(claim);
                None
            }
            _ if job.delivery.is_some() => {
                meters().idempotency_hit(self.shared.function.as_str());
                let nothing = Outcome::Done(Reply::Event(EventReply::default()));
                Some(End::Duplicate(nothing))
            }
            KeyState::Accepted { .. } => Some(End::GaveUp(in_flight(), Condition::Rejected)),
            KeyState::Succeeded { answer, .. } => {
                meters().idempotency_hit(self.shared.function.as_str());
                Some(End::Duplicate(answer.replay()))
            }
            KeyState::Dead { class, detail, .. } => Some(End::Duplicate(dead(&class, detail))),
        }
    }
}

/// The failure of a call that lacks a part of its key.
pub(super) fn missing(part: &str) -> Failure {
    let detail =
        format!("this function takes no call without an idempotency key, and {part} is missing");
    Failure::new(FailureClass::Invalid, detail)
}

/// The outcome of a call whose event became a dead letter.
pub(super) fn dead(class: &str, detail: String) -> Outcome {
    let found = FailureClass::ALL.iter().find(|known| known.as_str() == class);
    let class = found.copied().unwrap_or(FailureClass::Internal);
    Outcome::Failed(Failure { replayed: true, ..Failure::new(class, detail) })
}
