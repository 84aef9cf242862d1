//! Queues: what they hold, and emptying them.

use wfh_event::{Event, Target};
use wfh_store::{Depth, Entry, Op, QueueKey};

use super::audit::{Action, Actor};
use super::{OperateError, Operator, Rows};
use crate::durable::Progress;
use crate::targets::Bound;
use crate::{Outgoing, Record, queue_key};

/// Entries that one commit removes.
const PURGED_AT_ONCE: u32 = 1_000;

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
            let remove = |entry: &Entry| Op::Remove { queue: queue.clone(), seq: entry.seq };
            self.host.store.commit(entries.iter().map(remove).collect()).await?;
        }
        let change = (format!("{before} entries"), format!("{purged} removed"));
        let audit = self.audit(actor, Action::Purge, target.to_string(), change)?;
        self.host.store.commit(vec![audit]).await?;
        Ok(purged)
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
