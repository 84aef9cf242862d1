//! The ports.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;
use wfh_store::{
    Claim, Claimed, Depth, Effect, Entry, Key, Kv, Lease, Leased, Op, Queue, QueueKey, Receipt,
    Store, StoreError, Value, check,
};

use crate::RedisStore;
use crate::answer::{claimed, keyed, number, queue as queue_name};
use crate::call::Call;
use crate::commit;
use crate::error::garbled;
use crate::wake::told;

/// The most entries of one claim; more are left for the next.
const CLAIM_ENTRIES_MAX: u32 = 1_000;

/// The most bytes of one claim beside its first entry.
const CLAIM_BYTES_MAX: u64 = 64 << 20;

/// Who waits looks again after so long, should a message have been lost.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Store for RedisStore {
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Vec<Effect>, StoreError>> {
        Box::pin(async move {
            check(&ops)?;
            if ops.is_empty() {
                return Ok(Vec::new());
            }
            let answer = self.shared.write(commit::call(&self.shared, &ops)?).await?;
            commit::effects(answer.fields()?, ops.len())
        })
    }
}

impl Kv for RedisStore {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Value>, StoreError>> {
        Box::pin(async move {
            let call = Call::read(&self.shared, "get").with(key.as_str());
            let answer = self.shared.read(call).await?;
            let now = answer.now;
            let mut fields = answer.fields()?;
            if fields.is_empty() { Ok(None) } else { fields.value(now).map(Some) }
        })
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<Key>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(Key, Value)>, StoreError>> {
        // No UTF-8 has this byte, so it is behind everything that begins with the prefix.
        let to = match prefix {
            "" => b"+".to_vec(),
            prefix => [b"(", prefix.as_bytes(), b"\xff"].concat(),
        };
        let from = match after {
            Some(after) if after.as_str() >= prefix => format!("({after}"),
            _ => format!("[{prefix}"),
        };
        Box::pin(self.pages(from.into_bytes(), to, limit as usize))
    }

    fn lease(&self, key: Key, ttl: Duration) -> BoxFuture<'_, Result<Leased, StoreError>> {
        Box::pin(async move {
            let call = Call::write(&self.shared, "lease").with(key.as_str()).duration(ttl);
            let answer = self.shared.write(call).await?;
            let now = answer.now;
            let mut fields = answer.fields()?;
            match fields.number::<u64>()? {
                0 => Ok(Leased::Acquired(Lease { key, token: fields.number()? })),
                1 => Ok(Leased::Held),
                2 => Ok(Leased::Present(fields.value(now)?)),
                _ => Err(garbled("a lease")),
            }
        })
    }

    fn renew(&self, lease: &Lease, ttl: Duration) -> BoxFuture<'_, Result<bool, StoreError>> {
        let call = Call::drain(&self.shared, "renew").with(lease.key.as_str());
        let call = call.number(lease.token).duration(ttl);
        Box::pin(async move { Ok(self.shared.write(call).await?.number::<u64>()? == 1) })
    }

    fn give_back(&self, lease: &Lease) -> BoxFuture<'_, Result<(), StoreError>> {
        let call = Call::drain(&self.shared, "give_back").with(lease.key.as_str());
        let call = call.number(lease.token);
        Box::pin(async move { self.shared.write(call).await?.number::<u64>().map(|_| ()) })
    }
}

impl RedisStore {
    /// Lists in pages, so that no answer keeps the server long.
    async fn pages(
        &self,
        mut from: Vec<u8>,
        to: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<(Key, Value)>, StoreError> {
        let mut found = Vec::new();
        while found.len() < limit {
            let left = (limit - found.len()) as u64;
            let call = Call::read(&self.shared, "list").with(&from).with(&to).number(left);
            let answer = self.shared.read(call).await?;
            let now = answer.now;
            let mut fields = answer.fields()?;
            let reached = fields.next()?;
            found.extend(fields.fields()?.each(|raw| keyed(raw, now))?);
            let redis::Value::BulkString(reached) = reached else { break };
            from = [b"(", &reached[..]].concat();
        }
        Ok(found)
    }
}

impl Queue for RedisStore {
    fn claim(
        &self,
        queue: QueueKey,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>> {
        Box::pin(async move {
            let call = Call::drain(&self.shared, "claim").with(queue.as_str());
            let call = call.number(u64::from(claim.entries_max.min(CLAIM_ENTRIES_MAX)));
            let call = call.number(claim.bytes_max.min(CLAIM_BYTES_MAX)).duration(claim.visibility);
            let answer = self.shared.write(call).await?;
            let now = answer.now;
            answer.fields()?.each(|raw| claimed(raw, &queue, now))
        })
    }

    fn extend(
        &self,
        receipts: Vec<Receipt>,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<bool>, StoreError>> {
        Box::pin(async move {
            if receipts.is_empty() {
                return Ok(Vec::new());
            }
            let call = Call::drain(&self.shared, "extend").duration(visibility);
            let call = call.number(receipts.len() as u64);
            let call = receipts.iter().fold(call, commit::receipt);
            let answer = self.shared.write(call).await?;
            answer.fields()?.each(|raw| Ok(number::<u64>(&raw)? == 1))
        })
    }

    fn claimable(&self, queue: QueueKey) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // Before the first look, so that nothing comes between.
            let mut wakes = self.shared.wakes.listen();
            loop {
                let call = Call::read(&self.shared, "claimable").with(queue.as_str());
                let due_in_ms: i64 = self.shared.read(call).await?.number()?;
                let due_in = match u64::try_from(due_in_ms) {
                    Ok(0) => return Ok(()),
                    Ok(due_in_ms) => Duration::from_millis(due_in_ms),
                    Err(_) => LOOK_AGAIN,
                };
                // Either way the queue is looked at again.
                let _ = timeout(due_in.min(LOOK_AGAIN), told(&mut wakes, &queue)).await;
            }
        })
    }

    fn depth(&self, queue: QueueKey) -> BoxFuture<'_, Result<Depth, StoreError>> {
        Box::pin(async move {
            let call = Call::read(&self.shared, "depth").with(queue.as_str());
            let mut fields = self.shared.read(call).await?.fields()?;
            if fields.is_empty() {
                return Ok(Depth::default());
            }
            let (entries, bytes) = (fields.number()?, fields.number()?);
            let (claimed, oldest_at_ms) = (fields.number()?, Some(fields.number()?));
            Ok(Depth { entries, bytes, claimed, oldest_at_ms })
        })
    }

    fn peek(
        &self,
        queue: QueueKey,
        after: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move {
            let (mut found, mut after) = (Vec::new(), after.unwrap_or(0));
            while found.len() < limit as usize {
                let left = u64::from(limit) - found.len() as u64;
                let call = Call::read(&self.shared, "peek").with(queue.as_str());
                let answer = self.shared.read(call.number(after).number(left)).await?;
                let now = answer.now;
                let mut fields = answer.fields()?;
                let more = fields.number::<u64>()? == 1;
                let page = fields.fields()?.each(|raw| claimed(raw, &queue, now))?;
                found.extend(page.into_iter().map(|claimed| claimed.entry));
                match found.last() {
                    Some(last) if more => after = last.seq,
                    _ => break,
                }
            }
            Ok(found)
        })
    }

    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueKey>, StoreError>> {
        Box::pin(async move {
            let answer = self.shared.read(Call::read(&self.shared, "queues")).await?;
            answer.fields()?.each(queue_name)
        })
    }
}
