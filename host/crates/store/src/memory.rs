//! A store in memory: the contract in its shortest form, for tests of what stands on it.
//!
//! A commit works on a copy of everything, so it is slow with much in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::Notify;

use crate::{
    Append, Claim, Claimed, Clock, Depth, Effect, Entry, Expect, Key, Kv, Lease, Leased, Op, Queue,
    QueueKey, Receipt, Store, StoreError, Value, check,
};

/// The store.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Default)]
struct State {
    /// The last number given to a version, a token or an entry.
    last: u64,
    values: BTreeMap<Key, Value>,
    leases: BTreeMap<Key, Held>,
    entries: BTreeMap<(QueueKey, u64), Waiting>,
    /// When entries may be appended again, by queue and id.
    seen: BTreeMap<(QueueKey, String), u64>,
}

#[derive(Clone)]
struct Held {
    token: u64,
    until_ms: u64,
}

#[derive(Clone)]
struct Waiting {
    entry: Entry,
    token: u64,
    claimed: bool,
    visible_at_ms: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the state as of now.
    fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut State, u64) -> T,
    ) -> BoxFuture<'static, T> {
        let now_ms = self.clock.now_ms();
        let done = act(&mut self.lock(), now_ms);
        self.changed.notify_waiters();
        ready(done).boxed()
    }
}

fn later(now_ms: u64, by: Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
}

impl State {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn expire(&mut self, now_ms: u64) {
        self.values.retain(|_, value| value.expires_at_ms.is_none_or(|at| at > now_ms));
        self.leases.retain(|_, held| held.until_ms > now_ms);
        self.seen.retain(|_, until_ms| *until_ms > now_ms);
    }

    fn holds(&self, key: &Key, expect: &Expect) -> bool {
        let value = self.values.get(key);
        match expect {
            Expect::Any => true,
            Expect::Absent => value.is_none(),
            Expect::Version(version) => value.is_some_and(|value| value.version == *version),
            Expect::Lease(lease) => {
                let held = self.leases.get(&lease.key);
                value.is_none() && held.is_some_and(|held| held.token == lease.token)
            }
        }
    }

    fn apply(&mut self, index: usize, op: Op, now_ms: u64) -> Result<Effect, StoreError> {
        let conflict = StoreError::Conflict { op: index };
        match op {
            Op::Put { key, expect, .. }
            | Op::Delete { key, expect }
            | Op::Check { key, expect }
                if !self.holds(&key, &expect) =>
            {
                Err(conflict)
            }
            Op::Check { .. } => Ok(Effect::Done),
            Op::Put { key, bytes, ttl, .. } => {
                let version = self.next();
                let expires_at_ms = ttl.map(|ttl| later(now_ms, ttl));
                self.leases.remove(&key);
                self.values.insert(key, Value { bytes, version, expires_at_ms });
                Ok(Effect::Version(version))
            }
            Op::Delete { key, .. } => {
                self.leases.remove(&key);
                Ok(Effect::Removed(self.values.remove(&key).is_some()))
            }
            Op::Increment { key, delta } => self.increment(key, delta),
            Op::Append(append) => self.append(append, now_ms),
            Op::Ack(receipt) => {
                self.held(&receipt).ok_or(conflict)?;
                self.entries.remove(&(receipt.queue, receipt.seq));
                Ok(Effect::Done)
            }
            Op::Release { receipt, delay, state } => {
                let waiting = self.held(&receipt).ok_or(conflict)?;
                waiting.claimed = false;
                waiting.entry.receives = waiting.entry.receives.saturating_sub(1);
                waiting.visible_at_ms = later(now_ms, delay);
                waiting.entry.state = state.unwrap_or_else(|| waiting.entry.state.clone());
                Ok(Effect::Done)
            }
            Op::Remove { queue, seq } => {
                Ok(Effect::Removed(self.entries.remove(&(queue, seq)).is_some()))
            }
        }
    }

    fn increment(&mut self, key: Key, delta: i64) -> Result<Effect, StoreError> {
        let invalid = |reason: &str| StoreError::Invalid(format!("`{key}` {reason}"));
        let before = self.values.get(&key);
        let number = match before {
            None => 0,
            Some(value) => std::str::from_utf8(&value.bytes)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| invalid("holds no number"))?,
        };
        let sum = number.checked_add(delta).ok_or_else(|| invalid("would leave 64 bits"))?;
        let expires_at_ms = before.and_then(|value| value.expires_at_ms);
        let version = self.next();
        let value = Value { bytes: sum.to_string().into(), version, expires_at_ms };
        self.values.insert(key, value);
        Ok(Effect::Sum(sum))
    }

    fn append(&mut self, append: Append, now_ms: u64) -> Result<Effect, StoreError> {
        let name = (append.queue.clone(), append.id.clone());
        if let Some(window) = append.dedup {
            if self.seen.contains_key(&name) {
                return Ok(Effect::Duplicate);
            }
            self.seen.insert(name, later(now_ms, window));
        }
        let depth = self.of(&append.queue).count() as u64;
        if append.depth_max.is_some_and(|depth_max| depth >= depth_max) {
            return Err(StoreError::Full { queue: append.queue.to_string() });
        }
        let seq = self.next();
        let entry = Entry {
            seq,
            id: append.id,
            body: append.body,
            state: append.state,
            group: append.group,
            appended_at_ms: now_ms,
            receives: 0,
        };
        let visible_at_ms = later(now_ms, append.delay);
        let waiting = Waiting { entry, token: 0, claimed: false, visible_at_ms };
        self.entries.insert((append.queue, seq), waiting);
        Ok(Effect::Appended(seq))
    }

    fn of(&self, queue: &QueueKey) -> impl Iterator<Item = &Waiting> {
        let range = (queue.clone(), 0)..=(queue.clone(), u64::MAX);
        self.entries.range(range).map(|(_, waiting)| waiting)
    }

    fn held(&mut self, receipt: &Receipt) -> Option<&mut Waiting> {
        let waiting = self.entries.get_mut(&(receipt.queue.clone(), receipt.seq))?;
        (waiting.claimed && waiting.token == receipt.token).then_some(waiting)
    }

    /// The numbers of what may be claimed, in the order in which it is claimed.
    fn claimable(&self, queue: &QueueKey, now_ms: u64) -> Vec<u64> {
        let mut groups = std::collections::BTreeSet::new();
        let mut found: Vec<(u64, u64)> = Vec::new();
        for waiting in self.of(queue) {
            let first = waiting.entry.group.as_ref().is_none_or(|group| groups.insert(group));
            if first && waiting.visible_at_ms <= now_ms {
                found.push((waiting.visible_at_ms, waiting.entry.seq));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, seq)| seq).collect()
    }

    fn claim(&mut self, queue: &QueueKey, claim: Claim, now_ms: u64) -> Vec<Claimed> {
        let mut bytes = 0_u64;
        let mut claimed = Vec::new();
        for seq in self.claimable(queue, now_ms) {
            let token = self.next();
            let Some(waiting) = self.entries.get_mut(&(queue.clone(), seq)) else { continue };
            bytes = bytes.saturating_add(waiting.entry.body.len() as u64);
            let enough = claimed.len() >= claim.entries_max as usize;
            if enough || (bytes > claim.bytes_max && !claimed.is_empty()) {
                break;
            }
            waiting.claimed = true;
            waiting.token = token;
            waiting.visible_at_ms = later(now_ms, claim.visibility);
            waiting.entry.receives += 1;
            let receipt = Receipt { queue: queue.clone(), seq, token };
            claimed.push(Claimed { receipt, entry: waiting.entry.clone() });
        }
        claimed
    }

    fn extend(&mut self, receipt: &Receipt, until_ms: u64) -> bool {
        let held = self.held(receipt);
        held.map(|waiting| waiting.visible_at_ms = until_ms).is_some()
    }

    fn depth(&self, queue: &QueueKey, now_ms: u64) -> Depth {
        let mut depth = Depth::default();
        for waiting in self.of(queue) {
            depth.entries += 1;
            depth.bytes += waiting.entry.body.len() as u64;
            depth.claimed += u64::from(waiting.claimed && waiting.visible_at_ms > now_ms);
            depth.oldest_at_ms.get_or_insert(waiting.entry.appended_at_ms);
        }
        depth
    }
}

impl Store for MemoryStore {
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Vec<Effect>, StoreError>> {
        self.with(|state, now_ms| {
            check(&ops)?;
            state.expire(now_ms);
            let mut copy = state.clone();
            let applied = ops.into_iter().enumerate();
            let effects: Result<Vec<Effect>, StoreError> =
                applied.map(|(index, op)| copy.apply(index, op, now_ms)).collect();
            if effects.is_ok() {
                *state = copy;
            }
            effects
        })
    }
}

impl Kv for MemoryStore {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Value>, StoreError>> {
        self.with(|state, now_ms| {
            state.expire(now_ms);
            Ok(state.values.get(&key).cloned())
        })
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<Key>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(Key, Value)>, StoreError>> {
        self.with(|state, now_ms| {
            state.expire(now_ms);
            let found = state.values.iter().filter(|(key, _)| key.as_str().starts_with(prefix));
            let found = found.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
            let found = found.map(|(key, value)| (key.clone(), value.clone()));
            Ok(found.take(limit as usize).collect())
        })
    }

    fn lease(&self, key: Key, ttl: Duration) -> BoxFuture<'_, Result<Leased, StoreError>> {
        self.with(|state, now_ms| {
            state.expire(now_ms);
            if let Some(value) = state.values.get(&key) {
                return Ok(Leased::Present(value.clone()));
            }
            if state.leases.contains_key(&key) {
                return Ok(Leased::Held);
            }
            let token = state.next();
            state.leases.insert(key.clone(), Held { token, until_ms: later(now_ms, ttl) });
            Ok(Leased::Acquired(Lease { key, token }))
        })
    }

    fn renew(&self, lease: &Lease, ttl: Duration) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(|state, now_ms| {
            state.expire(now_ms);
            let held = state.leases.get_mut(&lease.key).filter(|held| held.token == lease.token);
            Ok(held.map(|held| held.until_ms = later(now_ms, ttl)).is_some())
        })
    }

    fn give_back(&self, lease: &Lease) -> BoxFuture<'_, Result<(), StoreError>> {
        self.with(|state, _| {
            if state.leases.get(&lease.key).is_some_and(|held| held.token == lease.token) {
                state.leases.remove(&lease.key);
            }
            Ok(())
        })
    }
}

impl Queue for MemoryStore {
    fn claim(
        &self,
        queue: QueueKey,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>> {
        self.with(|state, now_ms| Ok(state.claim(&queue, claim, now_ms)))
    }

    fn extend(
        &self,
        receipts: Vec<Receipt>,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<bool>, StoreError>> {
        self.with(|state, now_ms| {
            let until_ms = later(now_ms, visibility);
            Ok(receipts.iter().map(|receipt| state.extend(receipt, until_ms)).collect())
        })
    }

    fn claimable(&self, queue: QueueKey) -> BoxFuture<'_, Result<(), StoreError>> {
        /// Delays end by the wall clock, which no timer of tokio's follows.
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        Box::pin(async move {
            loop {
                let changed = self.changed.notified();
                if !self.lock().claimable(&queue, self.clock.now_ms()).is_empty() {
                    return Ok(());
                }
                // Either way the queue is looked at again.
                let _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
            }
        })
    }

    fn depth(&self, queue: QueueKey) -> BoxFuture<'_, Result<Depth, StoreError>> {
        self.with(|state, now_ms| Ok(state.depth(&queue, now_ms)))
    }

    fn peek(
        &self,
        queue: QueueKey,
        after: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        self.with(|state, _| {
            let entries = state.of(&queue).map(|waiting| &waiting.entry);
            let entries = entries.filter(|entry| after.is_none_or(|after| entry.seq > after));
            Ok(entries.take(limit as usize).cloned().collect())
        })
    }

    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueKey>, StoreError>> {
        self.with(|state, _| {
            let mut names: Vec<QueueKey> =
                state.entries.keys().map(|(queue, _)| queue.clone()).collect();
            names.dedup();
            Ok(names)
        })
    }
}
