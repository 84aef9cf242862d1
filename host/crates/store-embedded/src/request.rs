//! What callers ask of the writer, and what they are told.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wfh_store::{Claim, Effect, QueueKey, Receipt, StoreError};

use crate::batch::{Batch, Prepared, Taken};
use crate::error::Stop;

/// Where the answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What a caller wants.
pub(crate) enum Request {
    Commit { ops: Vec<Prepared>, reply: Reply<Vec<Effect>> },
    Claim { queue: QueueKey, claim: Claim, reply: Reply<Vec<Taken>> },
    Extend { receipts: Vec<Receipt>, visibility: Duration, reply: Reply<Vec<bool>> },
}

/// A request and its share of the memory that requests may hold.
pub(crate) struct Message {
    pub(crate) request: Request,
    pub(crate) share: OwnedSemaphorePermit,
}

/// What a caller is told once the transaction is through.
pub(crate) enum Answer {
    Commit(Reply<Vec<Effect>>, Result<Vec<Effect>, StoreError>),
    Claim(Reply<Vec<Taken>>, Vec<Taken>),
    Extend(Reply<Vec<bool>>, Vec<bool>),
}

impl Request {
    /// Whether it must be on the disk before it is answered.
    pub(crate) fn is_durable(&self) -> bool {
        matches!(self, Self::Commit { .. })
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Commit { reply, .. } => reply.is_closed(),
            Self::Claim { reply, .. } => reply.is_closed(),
            Self::Extend { reply, .. } => reply.is_closed(),
        }
    }

    /// Does it, unless the batch has failed already; a failure of the database fails the batch.
    pub(crate) fn process(
        self,
        batch: &mut Batch<'_>,
        result: &mut rusqlite::Result<()>,
    ) -> Answer {
        let sound = result.is_ok();
        match self {
            Self::Commit { ops, reply } => {
                let done = if sound { batch.commit(ops) } else { Ok(Vec::new()) };
                let done = match done {
                    Ok(effects) => Ok(effects),
                    Err(Stop::Refused(error)) => Err(error),
                    Err(Stop::Broken(error)) => {
                        *result = Err(error);
                        Ok(Vec::new())
                    }
                };
                Answer::Commit(reply, done)
            }
            Self::Claim { queue, claim, reply } => {
                let taken = if sound { batch.claim(&queue, claim) } else { Ok(Vec::new()) };
                Answer::Claim(reply, or_broken(taken, result))
            }
            Self::Extend { receipts, visibility, reply } => {
                let receipts = if sound { receipts } else { Vec::new() };
                let each = receipts.iter().map(|receipt| batch.extend(receipt, visibility));
                let extended = each.collect();
                Answer::Extend(reply, or_broken(extended, result))
            }
        }
    }
}

fn or_broken<T>(done: rusqlite::Result<Vec<T>>, result: &mut rusqlite::Result<()>) -> Vec<T> {
    done.unwrap_or_else(|error| {
        *result = Err(error);
        Vec::new()
    })
}

impl Answer {
    /// Tells it. Whoever went away meanwhile is not told; its lease will run out.
    pub(crate) fn send(self) {
        match self {
            Self::Commit(reply, done) => drop(reply.send(done)),
            Self::Claim(reply, taken) => drop(reply.send(Ok(taken))),
            Self::Extend(reply, extended) => drop(reply.send(Ok(extended))),
        }
    }

    /// Nothing of the batch happened.
    pub(crate) fn fail(self, error: &StoreError) {
        let error = error.clone();
        match self {
            // What was refused stays refused.
            Self::Commit(reply, Err(refused)) => drop(reply.send(Err(refused))),
            Self::Commit(reply, Ok(_)) => drop(reply.send(Err(error))),
            Self::Claim(reply, _) => drop(reply.send(Err(error))),
            Self::Extend(reply, _) => drop(reply.send(Err(error))),
        }
    }
}
