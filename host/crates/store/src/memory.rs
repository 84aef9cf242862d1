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
    Append, Claim, Claimed, Clock, Depth, Effect, Entry, Expect, Key, Kv, Lease, Leased, Now, Op,
    Queue, QueueKey, Receipt, Steady, Store, StoreError, Value, check,
};

/// The store.
pub struct MemoryStore {
    time: Steady,
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
    /// Whether an earlier entry of its group is there.
    hidden: bool,
}

impl Waiting {
    fn shown(&self, now: Now) -> Entry {
        Entry { due_at_ms: now.wall_of(self.visible_at_ms), ..self.entry.clone() }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let time = Steady::resume(clock, Now::default());
        Self { time, state: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the state as of now.
    fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut State, Now) -> T,
    ) -> BoxFuture<'static, T> {
        let mut state = self.lock();
        let done = act(&mut state, self.time.now());
        drop(state);
        self.changed.notify_waiters();
        ready(done).boxed()
    }
}

/// A value as it is shown: its end by the wall clock.
fn shown(value: &Value, now: Now) -> Value {
    let expires_at_ms = value.expires_at_ms.map(|at_ms| now.wall_of(at_ms));
    Value { expires_at_ms, ..value.clone() }
}

/// Whether `first` keeps `second` from being claimed.
fn is_before(first: &Entry, second: &Entry) -> bool {
    second.group.is_some() && first.group == second.group && first.seq < second.seq
}

impl State {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn expire(&mut self, now: Now) {
        self.values.retain(|_, value| value.expires_at_ms.is_none_or(|at| at > now.steady_ms));
        self.leases.retain(|_, held| held.until_ms > now.steady_ms);
        self.seen.retain(|_, until_ms| *until_ms > now.steady_ms);
    }

    fn holds(&self, key: &Key, expect: &Expect) -> bool {
        let value = self.values.get(key);
        match expect {
            Expect::Any => true,
            Expect::Absent => value.is_none(),
            Expect::Version(version) => value.is_some_and(|value| value.version == *version),
            Expect::Lease(lease) => {
                let held = self.leases.get(&lease.key);
                let live = held.is_some_and(|held| held.token == lease.token);
                value.is_none() && lease.key == *key && live
            }
        }
    }

    fn apply(&mut self, index: usize, op: Op, now: Now) -> Result<Effect, StoreError> {
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
                let expires_at_ms = ttl.map(|ttl| now.later_ms(ttl));
                self.leases.remove(&key);
                self.values.insert(key, Value { bytes, version, expires_at_ms });
                Ok(Effect::Version(version))
            }
            Op::Delete { key, .. } => {
                self.leases.remove(&key);
                Ok(Effect::Removed(self.values.remove(&key).is_some()))
            }
            Op::Increment { key, delta } => self.increment(key, delta),
            Op::Append(append) => self.append(append, now),
            Op::Ack(receipt) => {
                self.held(&receipt).ok_or(conflict)?;
                self.remove(receipt.queue, receipt.seq, now);
                Ok(Effect::Done)
            }
            Op::Release { receipt, delay, state } => {
                let waiting = self.held(&receipt).ok_or(conflict)?;
                waiting.claimed = false;
                waiting.entry.receives = waiting.entry.receives.saturating_sub(1);
                waiting.visible_at_ms = now.later_ms(delay);
                waiting.entry.state = state.unwrap_or_else(|| waiting.entry.state.clone());
                Ok(Effect::Done)
            }
            Op::Remove { queue, seq } => Ok(Effect::Removed(self.remove(queue, seq, now))),
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

    fn append(&mut self, append: Append, now: Now) -> Result<Effect, StoreError> {
        let name = (append.queue.clone(), append.id.clone());
        if let Some(window) = append.dedup {
            if self.seen.contains_key(&name) {
                return Ok(Effect::Duplicate);
            }
            self.seen.insert(name, now.later_ms(window));
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
            appended_at_ms: now.wall_ms,
            due_at_ms: 0,
            receives: 0,
        };
        let visible_at_ms = now.later_ms(append.delay);
        let hidden = self.of(&append.queue).any(|other| is_before(&other.entry, &entry));
        let waiting = Waiting { entry, token: 0, claimed: false, visible_at_ms, hidden };
        self.entries.insert((append.queue, seq), waiting);
        Ok(Effect::Appended(seq))
    }

    /// Removes an entry and lets the next of its group come forward.
    fn remove(&mut self, queue: QueueKey, seq: u64, now: Now) -> bool {
        let Some(removed) = self.entries.remove(&(queue.clone(), seq)) else { return false };
        let rest = (queue.clone(), 0)..=(queue, u64::MAX);
        let same = |waiting: &&mut Waiting| waiting.entry.group == removed.entry.group;
        let next = self.entries.range_mut(rest).map(|(_, waiting)| waiting).find(same);
        if let Some(next) = next.filter(|next| next.hidden) {
            next.hidden = false;
            next.visible_at_ms = next.visible_at_ms.max(now.steady_ms);
        }
        true
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
    fn claimable(&self, queue: &QueueKey, now: Now) -> Vec<u64> {
        let due = |waiting: &&Waiting| !waiting.hidden && waiting.visible_at_ms <= now.steady_ms;
        let due = self.of(queue).filter(due);
        let mut found: Vec<(u64, u64)> =
            due.map(|waiting| (waiting.visible_at_ms, waiting.entry.seq)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, seq)| seq).collect()
    }

    fn claim(&mut self, queue: &QueueKey, claim: Claim, now: Now) -> Vec<Claimed> {
        let mut bytes = 0_u64;
        let mut claimed = Vec::new();
        for seq in self.claimable(queue, now) {
            let token = self.next();
            let Some(waiting) = self.entries.get_mut(&(queue.clone(), seq)) else { continue };
            bytes = bytes.saturating_add(waiting.entry.body.len() as u64);
            let enough = claimed.len() >= claim.entries_max as usize;
            if enough || (bytes > claim.bytes_max && !claimed.is_empty()) {
                break;
            }
            waiting.claimed = true;
            waiting.token = token;
            waiting.visible_at_ms = now.later_ms(claim.visibility);
            waiting.entry.receives += 1;
            let receipt = Receipt { queue: queue.clone(), seq, token };
            claimed.push(Claimed { receipt, entry: waiting.shown(now) });
        }
        claimed
    }

    fn extend(&mut self, receipt: &Receipt, until_ms: u64) -> bool {
        let held = self.held(receipt);
        held.map(|waiting| waiting.visible_at_ms = until_ms).is_some()
    }

    fn depth(&self, queue: &QueueKey, now: Now) -> Depth {
        let mut depth = Depth::default();
        for waiting in self.of(queue) {
            depth.entries += 1;
            depth.bytes += waiting.entry.body.len() as u64;
            depth.claimed += u64::from(waiting.claimed && waiting.visible_at_ms > now.steady_ms);
            depth.oldest_at_ms.get_or_insert(waiting.entry.appended_at_ms);
        }
        depth
    }
}

impl Store for MemoryStore {
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Vec<Effect>, StoreError>> {
        self.with(|state, now| {
            check(&ops)?;
            state.expire(now);
            let mut copy = state.clone();
            let applied = ops.into_iter().enumerate();
            let effects: Result<Vec<Effect>, StoreError> =
                applied.map(|(index, op)| copy.apply(index, op, now)).collect();
            if effects.is_ok() {
                *state = copy;
            }
            effects
        })
    }
}

impl Kv for MemoryStore {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Value>, StoreError>> {
        self.with(|state, now| {
            state.expire(now);
            Ok(state.values.get(&key).map(|value| shown(value, now)))
        })
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<Key>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(Key, Value)>, StoreError>> {
        self.with(|state, now| {
            state.expire(now);
            let found = state.values.iter().filter(|(key, _)| key.as_str().starts_with(prefix));
            let found = found.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
            let found = found.map(|(key, value)| (key.clone(), shown(value, now)));
            Ok(found.take(limit as usize).collect())
        })
    }

    fn lease(&self, key: Key, ttl: Duration) -> BoxFuture<'_, Result<Leased, StoreError>> {
        self.with(|state, now| {
            state.expire(now);
            if let Some(value) = state.values.get(&key) {
                return Ok(Leased::Present(shown(value, now)));
            }
            if state.leases.contains_key(&key) {
                return Ok(Leased::Held);
            }
            let token = state.next();
            state.leases.insert(key.clone(), Held { token, until_ms: now.later_ms(ttl) });
            Ok(Leased::Acquired(Lease { key, token }))
        })
    }

    fn renew(&self, lease: &Lease, ttl: Duration) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(|state, now| {
            state.expire(now);
            let held = state.leases.get_mut(&lease.key).filter(|held| held.token == lease.token);
            Ok(held.map(|held| held.until_ms = now.later_ms(ttl)).is_some())
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
        self.with(|state, now| Ok(state.claim(&queue, claim, now)))
    }

    fn extend(
        &self,
        receipts: Vec<Receipt>,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<bool>, StoreError>> {
        self.with(|state, now| {
            let until_ms = now.later_ms(visibility);
            Ok(receipts.iter().map(|receipt| state.extend(receipt, until_ms)).collect())
        })
    }

    fn claimable(&self, queue: QueueKey) -> BoxFuture<'_, Result<(), StoreError>> {
        /// Delays end by the wall clock, which no timer of tokio's follows.
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        Box::pin(async move {
            loop {
                let changed = self.changed.notified();
                if !self.lock().claimable(&queue, self.time.now()).is_empty() {
                    return Ok(());
                }
                // Either way the queue is looked at again.
                let _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
            }
        })
    }

    fn depth(&self, queue: QueueKey) -> BoxFuture<'_, Result<Depth, StoreError>> {
        self.with(|state, now| Ok(state.depth(&queue, now)))
    }

    fn peek(
        &self,
        queue: QueueKey,
        after: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        self.with(|state, now| {
            let entries = state.of(&queue);
            let entries = entries.filter(|other| after.is_none_or(|after| other.entry.seq > after));
            Ok(entries.take(limit as usize).map(|waiting| waiting.shown(now)).collect())
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
