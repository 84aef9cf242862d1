//! After a call: everything that follows from its end, in one commit.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wfh_event::{Failure, FailureClass, Target};
use wfh_store::{Append, Expect, Lease, Op, StoreError, crash};
use wfh_telemetry::{TRACEPARENT, meters};

use super::hold::{Delivery, Fate, Hold};
use super::job::{Claim, End, Job, Lanes, behind};
use super::letter::Ended;
use super::record::{InvocationState, InvocationStatus, Record, shortened};
use super::retry::Condition;
use super::state::{Answer, KeyState, Origin};
use super::{Call, unavailable};
use crate::targets::Bound;
use crate::{EventReply, Invoke, Outcome, Outgoing, PublishError, Reply, created};

/// Events that one item may emit.
const EMITS_MAX: usize = 1_000;
/// How long what never began waits in its queue, unless it says.
const PAUSE: Duration = Duration::from_millis(200);
/// A store that is away for a moment must not make a finished call run again.
const COMMIT_PAUSES_MS: [u64; 5] = [50, 200, 500, 1_000, 2_000];

/// What an item's end comes down to.
struct Settlement {
    index: usize,
    lane: Option<u64>,
    ops: Vec<Op>,
    outcome: Outcome,
    /// Given back unless the commit wrote its key.
    lease: Option<Lease>,
    /// Whether the event becomes a dead letter.
    is_letter: bool,
    /// Told when an item from outside the store is settled by the commit.
    fate: Option<Arc<Fate>>,
    /// Kept for a commit that the store finds invalid: then the call has failed instead.
    job: Option<Job>,
}

impl<I: Invoke + 'static> Call<'_, I> {
    /// Settles all of it, in one commit if that goes, and gives each item's outcome.
    pub(super) async fn settle(&self, ended: Vec<(Job, End)>) -> Vec<(usize, Outcome)> {
        let began = Instant::now();
        let outcomes = self.settle_untimed(ended).await;
        if let Some(phases) = &self.head.phases {
            phases.settled(began.elapsed());
        }
        outcomes
    }

    async fn settle_untimed(&self, ended: Vec<(Job, End)>) -> Vec<(usize, Outcome)> {
        let settlements: Vec<Settlement> =
            ended.into_iter().map(|(job, end)| self.settlement(job, end)).collect();
        let ops: Vec<Op> = settlements.iter().flat_map(|one| one.ops.iter().cloned()).collect();
        let together = self.commit(ops).await;
        let alone = settlements.len() > 1 && is_about_one(&together);
        let mut outcomes = Vec::with_capacity(settlements.len());
        let mut stopped = Lanes::default();
        for settlement in settlements {
            let lane = settlement.lane;
            let committed = match alone {
                // What comes before it in its lane was not settled.
                true if stopped.hold(lane) => {
                    let Settlement { index, lease, .. } = settlement;
                    self.free(lease.as_ref()).await;
                    outcomes.push((index, Outcome::Failed(behind())));
                    continue;
                }
                true => self.commit(settlement.ops.clone()).await,
                false => together.clone(),
            };
            if committed.is_err() {
                stopped.add(lane);
            }
            outcomes.push(self.finish(settlement, committed).await);
        }
        outcomes
    }

    async fn finish(
        &self,
        settlement: Settlement,
        committed: Result<(), StoreError>,
    ) -> (usize, Outcome) {
        let written = committed.is_ok() && settlement.ops.iter().any(writes_leased);
        self.free(settlement.lease.as_ref().filter(|_| !written)).await;
        if committed.is_ok() {
            self.tell(&settlement);
        }
        let outcome = match committed {
            Ok(()) => settlement.outcome,
            Err(StoreError::Conflict { .. }) => Outcome::Failed(outrun()),
            Err(StoreError::Invalid(reason)) => match settlement.job {
                Some(job) => self.refused(job, &reason).await,
                None => Outcome::Failed(Failure::new(FailureClass::Internal, reason)),
            },
            Err(error) => Outcome::Failed(unavailable(&error)),
        };
        (settlement.index, outcome)
    }

    /// What follows from a commit that went well.
    fn tell(&self, settlement: &Settlement) {
        if let Some(fate) = &settlement.fate {
            fate.settle(!settlement.ops.is_empty());
        }
        if settlement.is_letter {
            meters().dead_letter(self.shared.function.as_str());
        }
    }

    async fn free(&self, lease: Option<&Lease>) {
        if let Some(lease) = lease {
            // It runs out by itself if it cannot be given back.
            let _ = self.host.store.give_back(lease).await;
        }
    }

    /// What a guest asked for cannot be stored: the call failed.
    async fn refused(&self, job: Job, reason: &str) -> Outcome {
        let failure = Failure::new(FailureClass::Rejected, format!("not storable: {reason}"));
        let settlement = self.gave_up(job, failure, Condition::Rejected);
        match self.commit(settlement.ops.clone()).await {
            Ok(()) => {
                self.tell(&settlement);
                settlement.outcome
            }
            Err(error) => Outcome::Failed(unavailable(&error)),
        }
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        if ops.is_empty() {
            return Ok(());
        }
        // Without something that a second time conflicts, a commit whose answer was lost would
        // append twice.
        let pauses = if ops.iter().any(is_fence) { &COMMIT_PAUSES_MS[..] } else { &[] };
        let mut pauses = pauses.iter();
        crash::pass("settle-before-commit");
        loop {
            match (self.host.store.commit(ops.clone()).await, pauses.next()) {
                (Err(StoreError::Unavailable(_)), Some(pause_ms)) => {
                    tokio::time::sleep(Duration::from_millis(*pause_ms)).await;
                }
                (committed, _) => {
                    crash::pass("settle-committed");
                    return committed.map(drop);
                }
            }
        }
    }

    fn settlement(&self, job: Job, end: End) -> Settlement {
        match end {
            End::Done(reply) => self.done(job, reply),
            End::GaveUp(failure, condition) => self.gave_up(job, failure, condition),
            End::Later(wait) => self.later(job, wait),
            End::NotStarted(failure) => not_started(&job, failure),
            End::Duplicate(outcome) => self.duplicate(&job, outcome),
        }
    }

    fn done(&self, job: Job, reply: Reply) -> Settlement {
        let Reply::Event(mut reply) = reply else {
            let detail = "an event was answered with a response";
            let failure = Failure::new(FailureClass::Internal, detail);
            return self.gave_up(job, failure, Condition::Rejected);
        };
        let emits = std::mem::take(&mut reply.emit);
        let mut ops = match self.emits(emits) {
            Ok(ops) => ops,
            Err(failure) => return self.gave_up(job, failure, Condition::Rejected),
        };
        if let Some(delivery) = &job.delivery {
            if let Some(destination) = &self.shared.policy.destinations.success {
                let record = self.record_of(&job, delivery);
                ops.extend(self.send(&job, destination, &self.ended(&job, &record, Ok(&reply))));
            }
            ops.extend(self.status(&job, delivery, InvocationState::Succeeded, |_| {}));
        }
        if let Some(claim) = &job.claim {
            let answer = self.recorded(&job, &reply);
            let made_by = self.made_by(&job, claim);
            ops.push(self.record(claim, &KeyState::Succeeded { made_by, answer }));
        }
        let outcome = Outcome::Done(Reply::Event(reply));
        let settlement = settled(&job, ops, outcome);
        Settlement { job: Some(job), ..settlement }
    }

    /// What is recorded of a reply. A caller is told of one that is too large; where nobody waited
    /// it is left out.
    fn recorded(&self, job: &Job, reply: &EventReply) -> Answer {
        let bytes_max = self.shared.policy.key.as_ref().map_or(0, |policy| policy.bytes_max);
        let bytes = reply.data.as_ref().map_or(0, |data| data.len() as u64);
        match job.delivery {
            Some(_) if bytes > bytes_max => Answer::of_reply(&EventReply::default()),
            Some(_) | None => Answer::of_reply(reply),
        }
    }

    fn gave_up(&self, job: Job, failure: Failure, condition: Condition) -> Settlement {
        let mut ops = Vec::new();
        let mut letter_id = None;
        if let Some(delivery) = &job.delivery {
            let record = self.record_of(&job, delivery);
            let ended = self.ended(&job, &record, Err((&failure, condition)));
            let destination = self.shared.policy.destinations.failure.as_ref();
            let sent = destination.map(|target| self.send(&job, target, &ended));
            // A destination that leads nowhere (any more) must not swallow the event.
            match sent.filter(|sent| !sent.is_empty()) {
                Some(sent) => ops.extend(sent),
                None => {
                    let queue = delivery.queue(&Target::Function(self.shared.function.clone()));
                    if let Some((id, op)) = ended.letter_op(&queue, self.host.dead_letters_ttl) {
                        letter_id = Some(id);
                        ops.push(op);
                    }
                }
            }
            ops.extend(self.status(&job, delivery, InvocationState::Failed, |status| {
                status.dead_letter.clone_from(&letter_id);
            }));
        }
        let is_letter = letter_id.is_some();
        if let Some(claim) = &job.claim
            && let Some(state) = self.dead_state(&job, claim, &failure, letter_id)
        {
            ops.push(self.record(claim, &state));
        }
        Settlement { is_letter, ..settled(&job, ops, Outcome::Failed(failure)) }
    }

    fn later(&self, job: Job, wait: Duration) -> Settlement {
        let outcome =
            Outcome::Deferred { after: wait, attempt: job.progress.attempts.saturating_add(1) };
        match job.delivery.as_ref().map(|delivery| &delivery.hold) {
            Some(Hold::Outside(outside)) if outside.lane.is_some() => {
                outside.fate.runs_again(&job.progress);
                let kept = self.shared.policy.retry.event_age_max.saturating_add(wait);
                let ops = outside.keep(&job.progress, kept).into_iter().collect();
                // Its key is free again: the lane does not hold a lease while it waits.
                unsettled(&job, ops, outcome)
            }
            Some(Hold::Outside(_)) => match self.parked(&job, wait) {
                Some(parked) => {
                    let mut ops = self.claim_for_later(&job);
                    ops.push(parked);
                    settled(&job, ops, outcome)
                }
                // Its function has left the manifest, so there is nowhere to wait: its source has it.
                None => {
                    let gone = Failure::new(FailureClass::Unavailable, "its function is gone");
                    not_started(&job, gone)
                }
            },
            Some(Hold::Entry { receipt, .. }) => {
                let (receipt, state) = (receipt.clone(), Some(job.progress.to_bytes()));
                let mut ops = vec![Op::Release { receipt, delay: wait, state }];
                ops.extend(self.waiting(&job, wait));
                ops.extend(self.claim_for_later(&job));
                unsettled(&job, ops, outcome)
            }
            None => unsettled(&job, Vec::new(), outcome),
        }
    }

    fn waiting(&self, job: &Job, wait: Duration) -> Option<Op> {
        let delivery = job.delivery.as_ref()?;
        self.status(job, delivery, InvocationState::Waiting, |status| {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            status.due_at_ms = Some(status.updated_at_ms.saturating_add(wait_ms));
        })
    }

    /// Under a key that was claimed for this call, the invocation is an accepted one from now on.
    fn claim_for_later(&self, job: &Job) -> Vec<Op> {
        match (&job.claim, job.lease()) {
            (Some(claim), Some(_)) => {
                let made_by = self.made_by(job, claim);
                vec![self.record(claim, &KeyState::Accepted { made_by })]
            }
            _ => Vec::new(),
        }
    }

    /// The append that lets a record from outside wait in the queue of its function.
    fn parked(&self, job: &Job, wait: Duration) -> Option<Op> {
        let delivery = job.delivery.as_ref()?;
        let target = Target::Function(self.shared.function.clone());
        let place = self.host.targets.places(&target).ok()?.into_iter().next()?;
        let record = Record {
            claim: job.claim.as_ref().map(Claim::stored),
            ..self.record_of(job, delivery).into_owned()
        };
        let append = place.entry(&record, wait, Bound::Lifted);
        Some(Op::Append(Append { state: job.progress.to_bytes(), ..append }))
    }

    fn duplicate(&self, job: &Job, outcome: Outcome) -> Settlement {
        let status = job
            .delivery
            .as_ref()
            .and_then(|delivery| self.status(job, delivery, InvocationState::Succeeded, |_| {}));
        Settlement { lease: None, ..settled(job, status.into_iter().collect(), outcome) }
    }

    /// What stands in the store of an item, or would.
    fn record_of<'j>(&self, job: &'j Job, delivery: &'j Delivery) -> Cow<'j, Record> {
        match delivery.stored() {
            Some(record) => Cow::Borrowed(record),
            None => {
                let trace = job.item.trace.as_ref().unwrap_or(&self.head.trace);
                let (invocation, hops) = (delivery.invocation, delivery.hops);
                Cow::Owned(Record::new(invocation, job.item.clone(), hops, trace))
            }
        }
    }

    fn record(&self, claim: &Claim, state: &KeyState) -> Op {
        let ttl = self.shared.policy.key.as_ref().map(|policy| policy.ttl);
        let (key, expect) = (claim.key.clone(), claim.expect.clone());
        Op::Put { key, bytes: state.to_bytes(), expect, ttl }
    }

    fn made_by(&self, job: &Job, claim: &Claim) -> Origin {
        let invocation = job.invocation().unwrap_or(self.head.id);
        Origin { invocation, payload: claim.payload.clone() }
    }

    /// What a failure for good leaves under its key. A caller that waits may try again, unless its
    /// event was rejected.
    fn dead_state(
        &self,
        job: &Job,
        claim: &Claim,
        failure: &Failure,
        letter: Option<String>,
    ) -> Option<KeyState> {
        let made_by = self.made_by(job, claim);
        match &job.delivery {
            Some(_) => Some(KeyState::Dead {
                made_by,
                letter: letter.unwrap_or_default(),
                class: failure.class.as_str().to_owned(),
                detail: shortened(&failure.detail),
            }),
            None if failure.class == FailureClass::Rejected => {
                Some(KeyState::Succeeded { made_by, answer: Answer::rejected(failure) })
            }
            None => None,
        }
    }

    fn emits(&self, emits: Vec<Outgoing>) -> Result<Vec<Op>, Failure> {
        if emits.len() > EMITS_MAX {
            let detail = format!("it emits {} events; at most {EMITS_MAX}", emits.len());
            return Err(Failure::new(FailureClass::Rejected, detail));
        }
        let mut ops = Vec::new();
        for outgoing in emits {
            let appends = self.host.targets.appends(outgoing, Bound::Lifted);
            let unknown =
                |error: PublishError| Failure::new(FailureClass::Rejected, error.to_string());
            ops.extend(appends.map_err(unknown)?);
        }
        Ok(ops)
    }

    fn ended<'e>(
        &'e self,
        job: &'e Job,
        record: &'e Record,
        result: Result<&'e EventReply, (&'e Failure, Condition)>,
    ) -> Ended<'e> {
        Ended {
            function: self.shared.function.as_str(),
            version: self.shared.policy.version.get(),
            record,
            progress: &job.progress,
            now_ms: self.now_ms(),
            result,
            claim: job.claim.as_ref().map(Claim::stored),
        }
    }

    /// The appends that bring the record of an end to its destination. Each destination is one
    /// more function that the event has come through: a circle of destinations ends.
    fn send(&self, job: &Job, target: &Target, ended: &Ended<'_>) -> Vec<Op> {
        let mut outgoing = ended.outgoing(target);
        // Below the call, or in the event's own trace where the call is that of a batch.
        let trace = match &job.item.trace {
            Some(own) if *own != self.head.trace => own.clone(),
            Some(_) | None => self.head.trace.child(),
        };
        created(&trace, target, &outgoing.event);
        outgoing.event.extensions.insert(TRACEPARENT.to_string(), trace.to_string());
        // The manifest declares every destination.
        self.host.targets.appends(outgoing, Bound::Lifted).unwrap_or_default()
    }

    /// The write of an invocation's status, if somebody may ask for it.
    fn status(
        &self,
        job: &Job,
        delivery: &Delivery,
        state: InvocationState,
        edit: impl FnOnce(&mut InvocationStatus),
    ) -> Option<Op> {
        if !delivery.stored()?.has_status {
            return None;
        }
        let id = delivery.invocation;
        let target = Target::Function(self.shared.function.clone());
        let mut status = InvocationStatus {
            state,
            attempts: job.progress.attempts,
            failure: job.progress.tries.last().cloned(),
            ..InvocationStatus::queued(id, target, self.now_ms())
        };
        edit(&mut status);
        status.put(self.host.invocations_ttl)
    }
}

/// The end of an item, which its source may forget with this commit.
fn settled(job: &Job, mut ops: Vec<Op>, outcome: Outcome) -> Settlement {
    if let Some(delivery) = &job.delivery {
        delivery.acknowledge(&mut ops);
    }
    let fate = job.outside().map(|outside| Arc::clone(&outside.fate));
    Settlement { fate, ..unsettled(job, ops, outcome) }
}

/// Not the end of an item yet.
fn unsettled(job: &Job, ops: Vec<Op>, outcome: Outcome) -> Settlement {
    let lease = job.lease().cloned();
    let (index, lane) = (job.index, job.lane());
    Settlement { index, lane, ops, outcome, lease, is_letter: false, fate: None, job: None }
}

/// What never began goes back as it came. Tries in memory may have come before.
fn not_started(job: &Job, failure: Failure) -> Settlement {
    let mut ops = Vec::new();
    match job.delivery.as_ref().map(|delivery| &delivery.hold) {
        Some(Hold::Entry { receipt, .. }) => ops.push(Op::Release {
            receipt: receipt.clone(),
            delay: failure.retry_after.unwrap_or(PAUSE),
            state: Some(job.progress.to_bytes()),
        }),
        Some(Hold::Outside(outside)) => outside.fate.runs_again(&job.progress),
        None => {}
    }
    unsettled(job, ops, Outcome::Failed(failure))
}

/// Whether an operation writes a key that is leased, and so ends the lease.
fn writes_leased(op: &Op) -> bool {
    matches!(op, Op::Put { expect: Expect::Lease(_), .. })
}

/// Whether an operation goes through only once.
fn is_fence(op: &Op) -> bool {
    match op {
        Op::Ack(_) | Op::Release { .. } => true,
        Op::Put { expect, .. } | Op::Delete { expect, .. } | Op::Check { expect, .. } => {
            !matches!(expect, Expect::Any)
        }
        Op::Increment { .. } | Op::Append(_) | Op::Remove { .. } => false,
    }
}

/// Whether a commit failed for a reason that may lie with one of several items.
fn is_about_one(committed: &Result<(), StoreError>) -> bool {
    match committed {
        Err(StoreError::Conflict { .. } | StoreError::Invalid(_)) => true,
        Ok(()) | Err(StoreError::Full { .. } | StoreError::Unavailable(_)) => false,
    }
}

/// Somebody else holds the entry or the key by now, and has settled it or will.
fn outrun() -> Failure {
    let detail = "it took longer than its lease, and somebody else took over";
    Failure::new(FailureClass::Conflict, detail)
}
