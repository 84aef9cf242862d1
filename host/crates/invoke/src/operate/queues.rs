//! Queues: what they hold, and emptying them.

use std::time::Duration;

use wfh_event::{Event, FailureClass, Target};
use wfh_store::{Depth, Entry, Expect, Key, Op, QueueKey, Value};

use super::audit::{Action, Actor};
use super::{OperateError, Operator, Rows};
use crate::durable::{Ended, KeyState, Progress, record_of};
use crate::targets::Bound;
use crate::{InvocationState, InvocationStatus, Outgoing, Record, Try, Verdict, queue_key};

/// Entries that one commit removes.
const PURGED_AT_ONCE: u32 = 1_000;
/// Entries that one look for old ones reads.
const EXPIRED_AT_ONCE: u32 = 100;

/// A queue and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStatus {
    /// The target it belongs to, such as `queue:emails`.
    pub target: Target,
    /// What it holds.
    pub depth: Depth,
}

/// An entry of a queue, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its number.
    pub seq: u64,
    /// When it was appended, in milliseconds since 1970.
    pub appended_at_ms: u64,
    /// How often it was received and not given back.
    pub receives: u32,
    /// Tries that ended.
    pub attempts: u32,
    /// The group it belongs to.
    pub group: Option<String>,
    /// The event; `None` when this host did not write it.
    pub event: Option<Event>,
}

impl Operator {
    /// The queues of the manifest and of its functions.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn queues(&self) -> Result<Vec<QueueStatus>, OperateError> {
        let mut queues = Vec::new();
        for target in self.host.targets.queued() {
            let depth = self.host.store.depth(queue_of(&target)?).await?;
            queues.push(QueueStatus { target, depth });
        }
        Ok(queues)
    }

    /// One queue.
    ///
    /// # Errors
    /// The manifest has no such queue, or the store does not answer.
    pub async fn queue(&self, target: &Target) -> Result<QueueStatus, OperateError> {
        let depth = self.host.store.depth(self.known(target)?).await?;
        Ok(QueueStatus { target: target.clone(), depth })
    }

    /// Entries of a queue by number, after `after`; nobody is kept from claiming them.
    ///
    /// # Errors
    /// The manifest has no such queue, or the store does not answer.
    pub async fn peek(
        &self,
        target: &Target,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Rows<QueueEntry>, OperateError> {
        let entries = self.host.store.peek(self.known(target)?, after, limit).await?;
        let full = entries.len() == limit as usize;
        let next = entries.last().filter(|_| full).map(|entry| entry.seq.to_string());
        Ok(Rows { rows: entries.into_iter().map(seen).collect(), next })
    }

    /// Empties a queue of everything that is in it now, and says how much that was. What runs at
    /// the moment settles nothing.
    ///
    /// # Errors
    /// The manifest has no such queue, or the store does not answer; then a part may be gone.
    pub async fn purge(&self, target: &Target, actor: &Actor) -> Result<u64, OperateError> {
        let queue = self.known(target)?;
        let before = self.host.store.depth(queue.clone()).await?.entries;
        let (mut purged, mut after) = (0, None);
        while purged < before {
            let entries = self.host.store.peek(queue.clone(), after, PURGED_AT_ONCE).await?;
            let Some(last) = entries.last() else { break };
            after = Some(last.seq);
            purged += entries.len() as u64;
            let mut ops = Vec::new();
            for entry in &entries {
                ops.push(Op::Remove { queue: queue.clone(), seq: entry.seq });
                ops.extend(self.forgotten(target, entry).await?);
            }
            self.host.store.commit(ops).await?;
        }
        let change = (format!("{before} entries"), format!("{purged} removed"));
        let audit = self.audit(actor, Action::Purge, target.to_string(), change)?;
        self.host.store.commit(vec![audit]).await?;
        Ok(purged)
    }

    /// What else stands of an entry that is thrown away: its key is free again, its call has failed.
    async fn forgotten(&self, target: &Target, entry: &Entry) -> Result<Vec<Op>, OperateError> {
        let Ok(record) = Record::from_bytes(&entry.body) else { return Ok(Vec::new()) };
        let mut ops = Vec::new();
        if record.has_status {
            let now_ms = self.host.clock.now_ms();
            let purged = Try {
                at_ms: now_ms,
                class: FailureClass::Cancelled.as_str().to_owned(),
                detail: "it was purged from its queue".to_owned(),
            };
            let status = InvocationStatus {
                state: InvocationState::Failed,
                attempts: Progress::from_bytes(&entry.state).attempts,
                failure: Some(purged),
                ..InvocationStatus::queued(record.invocation, target.clone(), now_ms)
            };
            ops.extend(status.put(self.host.invocations_ttl));
        }
        if let Some(claim) = &record.claim {
            let key =
                Key::new(&claim.key).map_err(|error| OperateError::Invalid(error.to_string()))?;
            let value = self.host.store.get(key.clone()).await?;
            let is_its = |value: &Value| match KeyState::from_bytes(&value.bytes) {
                Ok(KeyState::Accepted { made_by }) => made_by.invocation == record.invocation,
                Ok(KeyState::Succeeded { .. } | KeyState::Dead { .. }) | Err(_) => false,
            };
            if let Some(value) = value.filter(is_its) {
                ops.push(Op::Delete { key, expect: Expect::Version(value.version) });
            }
        }
        Ok(ops)
    }

    /// Gives up what is in a queue for longer than `retention`, as many entries as one look sees: for
    /// queues that nobody claims from. Says how many.
    ///
    /// # Errors
    /// The manifest has no such queue, or the store does not answer.
    pub async fn expire(
        &self,
        target: &Target,
        retention: Duration,
    ) -> Result<usize, OperateError> {
        let queue = self.known(target)?;
        let now_ms = self.host.clock.now_ms();
        let entries = self.host.store.peek(queue.clone(), None, EXPIRED_AT_ONCE).await?;
        let is_old = |entry: &&Entry| {
            u128::from(now_ms.saturating_sub(entry.appended_at_ms)) > retention.as_millis()
        };
        let (mut ops, mut count) = (Vec::new(), 0);
        let (failure, condition) = Verdict::TooOld.failure();
        for entry in entries.iter().filter(is_old) {
            count += 1;
            ops.push(Op::Remove { queue: queue.clone(), seq: entry.seq });
            let record = record_of(&queue, entry);
            let ended = Ended {
                function: &target.to_string(),
                version: String::new(),
                record: &record,
                progress: &Progress::from_bytes(&entry.state),
                now_ms,
                result: Err((&failure, condition)),
                claim: None,
            };
            let letter = ended.letter_op(queue.as_str(), self.host.dead_letters_ttl);
            ops.extend(letter.map(|(_, op)| op));
        }
        self.host.store.commit(ops).await?;
        Ok(count)
    }

    /// Sends an event to a queue, a topic or a function.
    ///
    /// # Errors
    /// The manifest has no such target, it is full, or the store does not answer.
    pub async fn send(&self, target: &Target, event: Event) -> Result<(), OperateError> {
        let (target, headers) = (target.clone(), Vec::new());
        let outgoing = Outgoing { target, event, key: None, headers, delay: None, hops: 0 };
        let appends = self.host.targets.appends(outgoing, Bound::Kept);
        let appends = appends.map_err(|error| OperateError::NotFound(error.to_string()))?;
        self.host.store.commit(appends).await?;
        Ok(())
    }

    fn known(&self, target: &Target) -> Result<QueueKey, OperateError> {
        match self.host.targets.queued().contains(target) {
            true => queue_of(target),
            false => Err(OperateError::NotFound(format!("there is no {target}"))),
        }
    }
}

fn queue_of(target: &Target) -> Result<QueueKey, OperateError> {
    queue_key(target).map_err(|error| OperateError::Invalid(error.to_string()))
}

fn seen(entry: Entry) -> QueueEntry {
    let record = Record::from_bytes(&entry.body).ok();
    QueueEntry {
        seq: entry.seq,
        appended_at_ms: entry.appended_at_ms,
        receives: entry.receives,
        attempts: Progress::from_bytes(&entry.state).attempts,
        group: entry.group,
        event: record.and_then(|record| record.event.into_event()),
    }
}
