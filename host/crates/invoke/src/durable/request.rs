//! A request with an idempotency key to an HTTP function: buffered, run once, its answer recorded
//! before the first byte of it is sent.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::BodyExt;
use wfh_event::{Failure, FailureClass, KeyPart};
use wfh_store::{Expect, Key, Lease, Leased, Op, StoreError};
use wfh_telemetry::meters;

use super::begin::{dead, missing};
use super::key::{key_of_request, payload_of_request};
use super::policy::KeyPolicy;
use super::record::Progress;
use super::retry::{IN_MEMORY_MAX, Next, chance, next};
use super::state::{Answer, KeyState, Origin, in_flight, is_recorded, mismatch};
use super::{Call, LEASE, store_key, unavailable};
use crate::body::collect_in_time;
use crate::cloud_event::is_structured;
use crate::http_event::is_retried;
use crate::{
    Body, HttpInput, Input, Invoke, Outcome, Reply, ReplyBody, Tail, bytes_body, collect_body,
};

/// A request whose body is there, to be sent as often as it takes.
struct Whole {
    head: Request<()>,
    route: Arc<str>,
    body: Bytes,
}

impl Whole {
    /// The request for one try.
    fn again(&self) -> HttpInput {
        let request = self.head.clone().map(|()| bytes_body(self.body.clone()));
        HttpInput { request, route: Arc::clone(&self.route) }
    }
}

impl<I: Invoke + 'static> Call<'_, I> {
    pub(super) async fn request(&self, input: HttpInput) -> Outcome {
        let Some(policy) = &self.shared.policy.key else {
            return self.call_once(input).await;
        };
        match self.keyed(policy, input).await {
            Ok(outcome) => outcome,
            Err(failure) => Outcome::Failed(failure),
        }
    }

    async fn keyed(&self, policy: &KeyPolicy, input: HttpInput) -> Result<Outcome, Failure> {
        let function = &self.shared.function;
        let (head, body) = input.request.into_parts();
        let head = Request::from_parts(head, ());
        let content_type = head.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let structured = content_type.is_some_and(is_structured);
        let in_head = |part: &&KeyPart| match part {
            KeyPart::Header(_) => true,
            KeyPart::Attribute(_) => !structured,
            KeyPart::Json(_) => false,
        };
        let in_head: Vec<KeyPart> = policy.parts.iter().filter(in_head).cloned().collect();
        let empty = head.clone().map(|()| Bytes::new());
        let lacks = key_of_request(function, &in_head, empty, &input.route).err();
        if let Some(part) = lacks {
            let request = head.map(|()| body);
            let input = HttpInput { request, route: input.route };
            // Without a key there is nothing to record, so nothing has to be buffered.
            return self.without_key(policy, &part, input).await;
        }
        let (timeout, deadline) = (policy.body_timeout, self.head.deadline);
        let body = collect_in_time(body, policy.bytes_max, timeout, deadline).await?;
        let whole = Whole { head, route: input.route, body };
        let request = whole.head.clone().map(|()| whole.body.clone());
        let name = key_of_request(function, &policy.parts, request, &whole.route);
        let name = match name {
            Ok(name) => name,
            Err(part) => return self.without_key(policy, &part, whole.again()).await,
        };
        let key = store_key(&name)?;
        let payload = payload_of(&whole);
        let leased = self.host.store.lease(key.clone(), LEASE).await;
        match leased.map_err(|error| unavailable(&error))? {
            Leased::Held => Err(in_flight()),
            Leased::Present(value) => {
                let replayed = replay(KeyState::from_bytes(&value.bytes)?, &payload);
                if replayed.is_ok() {
                    meters().idempotency_hit(function.as_str());
                }
                replayed
            }
            Leased::Acquired(lease) => {
                let run = self.run_once(policy, &whole, (key, lease.clone()), payload);
                Ok(self.holding(vec![lease], run).await)
            }
        }
    }

    async fn without_key(
        &self,
        policy: &KeyPolicy,
        part: &str,
        input: HttpInput,
    ) -> Result<Outcome, Failure> {
        if policy.required {
            return Err(missing(part));
        }
        Ok(self.call_once(input).await)
    }

    async fn call_once(&self, input: HttpInput) -> Outcome {
        let invocation = self.head.with(Input::Http(Box::new(input)), 1);
        let outcome = self.shared.inner.invoke(invocation).await.into_iter().next();
        outcome.unwrap_or_else(|| {
            Outcome::Failed(Failure::new(FailureClass::Internal, "a request without an outcome"))
        })
    }

    /// Runs, records, and answers.
    async fn run_once(
        &self,
        policy: &KeyPolicy,
        whole: &Whole,
        (key, lease): (Key, Lease),
        payload: String,
    ) -> Outcome {
        let (outcome, answer) = self.tries(policy, whole).await;
        let Some(answer) = answer else {
            // It runs out by itself if it cannot be given back.
            let _ = self.host.store.give_back(&lease).await;
            return outcome;
        };
        let made_by = Origin { invocation: self.head.id, payload };
        let bytes = KeyState::Succeeded { made_by, answer }.to_bytes();
        let put =
            Op::Put { key, bytes, expect: Expect::Lease(lease.clone()), ttl: Some(policy.ttl) };
        match self.host.store.commit(vec![put]).await {
            Ok(_) => outcome,
            Err(StoreError::Conflict { .. }) => Outcome::Failed(in_flight()),
            Err(error) => {
                let _ = self.host.store.give_back(&lease).await;
                Outcome::Failed(unavailable(&error))
            }
        }
    }

    /// Tries until it is done or given up; with what is to be recorded.
    async fn tries(&self, policy: &KeyPolicy, whole: &Whole) -> (Outcome, Option<Answer>) {
        let mut progress = Progress { first_at_ms: Some(self.now_ms()), ..Progress::default() };
        loop {
            let (outcome, answer) = collected(self.call_once(whole.again()).await, policy).await;
            let failure = match &outcome {
                Outcome::Failed(failure) => failure.clone(),
                Outcome::Done(Reply::Http(response, _)) if is_retried(response.status()) => {
                    Failure::new(FailureClass::Guest, response.status().to_string())
                }
                Outcome::Done(_) | Outcome::Deferred { .. } => return (outcome, answer),
            };
            let retry = &self.shared.policy.retry;
            if !retry.sync {
                return (outcome, answer);
            }
            let now_ms = self.now_ms();
            progress.failed(now_ms, failure.class, &failure.detail);
            match next(retry, &progress, &failure, now_ms, chance()) {
                Next::Again(wait) if wait <= IN_MEMORY_MAX => tokio::time::sleep(wait).await,
                Next::Again(_) | Next::GiveUp(_) | Next::NotStarted => return (outcome, answer),
            }
        }
    }
}

fn payload_of(whole: &Whole) -> String {
    let target = whole.head.uri().path_and_query().map_or("/", |target| target.as_str());
    payload_of_request(whole.head.method().as_str(), target, &whole.body)
}

/// What a repeated request is told.
fn replay(state: KeyState, payload: &str) -> Result<Outcome, Failure> {
    if state.made_by().payload != payload {
        return Err(mismatch());
    }
    match state {
        KeyState::Accepted { .. } => Err(in_flight()),
        KeyState::Succeeded { answer, .. } => Ok(answer.replay()),
        KeyState::Dead { class, detail, .. } => Ok(dead(&class, detail)),
    }
}

/// Reads an answer to its end, and says what is recorded of it.
async fn collected(outcome: Outcome, policy: &KeyPolicy) -> (Outcome, Option<Answer>) {
    let (response, tail) = match outcome {
        Outcome::Done(Reply::Http(response, tail)) => (response, tail),
        Outcome::Failed(failure) => {
            let rejected = failure.class == FailureClass::Rejected;
            let answer = rejected.then(|| Answer::rejected(&failure));
            return (Outcome::Failed(failure), answer);
        }
        other => return (other, None),
    };
    let (head, body) = response.into_parts();
    let body: Body = ReplyBody::new(body, tail).boxed_unsync();
    match collect_body(body, policy.bytes_max).await {
        Ok(body) => {
            let answer = is_recorded(head.status)
                .then(|| Answer::of_response(head.status, &head.headers, body.clone()));
            let response = Response::from_parts(head, bytes_body(body));
            (Outcome::Done(Reply::Http(response, Tail::default())), answer)
        }
        Err(failure) if failure.class == FailureClass::TooLarge => {
            let detail = format!(
                "the answer to a call with a key is larger than {} bytes",
                policy.bytes_max
            );
            let answer = Answer::TooLarge { detail: detail.clone() };
            (Outcome::Failed(Failure::new(FailureClass::Trap, detail)), Some(answer))
        }
        Err(failure) => (Outcome::Failed(failure), None),
    }
}
