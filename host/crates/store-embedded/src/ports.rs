//! The ports, in terms of the writer and the readers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use wfh_store::{
    Claim, Claimed, Depth, Effect, Entry, Key, Kv, Lease, Leased, Op, Queue, QueueKey, Receipt,
    Store, StoreError, Value, check,
};

use crate::batch::{Prepared, Taken};
use crate::error::{file_failed, unavailable};
use crate::files::{Hash, INLINE_BYTES_MAX};
use crate::reader::{self, Found};
use crate::request::{Message, Reply, Request};
use crate::{EmbeddedStore, Shared, WAITING_KIB_MAX};

/// The wall clock may step, and a timer does not notice: so long a wait is looked at again.
const TIMER_MAX: Duration = Duration::from_secs(1);

/// How often a value is read again whose file was replaced meanwhile.
const ATTEMPTS_MAX: u32 = 16;

impl EmbeddedStore {
    /// Asks the writer. Dropped before the writer comes to it, it never happened.
    async fn ask<T>(
        &self,
        bytes: usize,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("the store is closed".into());
        let kib = u32::try_from(bytes / 1_024).unwrap_or(u32::MAX).saturating_add(1);
        let room = Arc::clone(&self.room).acquire_many_owned(kib.min(WAITING_KIB_MAX));
        let share = room.await.map_err(|_| gone())?;
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send(Message { request: request(reply), share }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Reads a row or two, here and now: such pages are in memory as a rule.
    fn look<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.shared.readers.with(read).map_err(|error| unavailable(&error))
    }

    /// Does what may take long elsewhere.
    async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |reason: String| StoreError::Unavailable(reason);
        let _permit = self.scans.acquire().await.map_err(|error| gone(error.to_string()))?;
        let shared = Arc::clone(&self.shared);
        spawn_blocking(move || read(&shared)).await.map_err(|error| gone(error.to_string()))?
    }

    /// Puts large bytes into files.
    async fn prepare(&self, ops: Vec<Op>) -> Result<Vec<Prepared>, StoreError> {
        let small = |op: Op| Prepared { op, file: None };
        if ops.iter().all(|op| payload(op).is_none_or(|bytes| bytes.len() <= INLINE_BYTES_MAX)) {
            return Ok(ops.into_iter().map(small).collect());
        }
        self.scan(move |shared| ops.into_iter().map(|op| prepare(shared, op)).collect()).await
    }

    /// Reads bodies that are in files. An entry whose body is gone was removed meanwhile.
    async fn bodies(&self, taken: Vec<Taken>) -> Result<Vec<Claimed>, StoreError> {
        if taken.iter().all(|taken| taken.file.is_none()) {
            return Ok(taken.into_iter().map(|taken| taken.claimed).collect());
        }
        let read = move |shared: &Shared| {
            let mut claimed = Vec::with_capacity(taken.len());
            for mut taken in taken {
                let entry = &taken.claimed.entry;
                let found = Found { what: entry.seq, file: taken.file };
                if let Some(body) = body(shared, &taken.claimed.receipt.queue, &found)? {
                    taken.claimed.entry.body = body.unwrap_or(taken.claimed.entry.body);
                    claimed.push(taken.claimed);
                }
            }
            Ok(claimed)
        };
        self.scan(read).await
    }
}

fn payload(op: &Op) -> Option<&Bytes> {
    match op {
        Op::Put { bytes, .. } => Some(bytes),
        Op::Append(append) => Some(&append.body),
        Op::Delete { .. }
        | Op::Check { .. }
        | Op::Increment { .. }
        | Op::Ack(_)
        | Op::Release { .. }
        | Op::Remove { .. } => None,
    }
}

fn held_bytes(ops: &[Prepared]) -> usize {
    ops.iter().filter_map(|prepared| payload(&prepared.op)).map(Bytes::len).sum()
}

fn prepare(shared: &Shared, mut op: Op) -> Result<Prepared, StoreError> {
    let bytes = match &mut op {
        Op::Put { bytes, .. } => bytes,
        Op::Append(append) => &mut append.body,
        _ => return Ok(Prepared { op, file: None }),
    };
    if bytes.len() <= INLINE_BYTES_MAX {
        return Ok(Prepared { op, file: None });
    }
    let bytes = std::mem::take(bytes);
    let file = shared.files.write(&bytes).map_err(|error| {
        StoreError::Unavailable(format!("a value of {} bytes: {error}", bytes.len()))
    })?;
    Ok(Prepared { op, file: Some(file) })
}

fn read_file(shared: &Shared, hash: &Hash) -> Result<Option<Bytes>, StoreError> {
    match shared.files.read(hash) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_failed(&shared.files.path(hash), &error)),
    }
}

/// The body of entry `found.what`: the inner `None` if it is no file, the outer if the entry is
/// gone.
#[expect(clippy::option_option, reason = "gone and inline are different answers")]
fn body(
    shared: &Shared,
    queue: &QueueKey,
    found: &Found<u64>,
) -> Result<Option<Option<Bytes>>, StoreError> {
    let Some(hash) = &found.file else { return Ok(Some(None)) };
    if let Some(bytes) = read_file(shared, hash)? {
        return Ok(Some(Some(bytes)));
    }
    let there = shared.readers.with(|connection| reader::exists(connection, queue, found.what));
    match there.map_err(|error| unavailable(&error))? {
        true => Err(missing(shared, hash)),
        false => Ok(None),
    }
}

fn missing(shared: &Shared, hash: &Hash) -> StoreError {
    StoreError::Unavailable(format!("`{}` is missing", shared.files.path(hash).display()))
}

/// Reads a value's file; `None`: it was replaced meanwhile.
fn whole(shared: &Shared, found: Found<Value>) -> Result<Option<Value>, StoreError> {
    let Some(hash) = &found.file else { return Ok(Some(found.what)) };
    let bytes = read_file(shared, hash)?;
    Ok(bytes.map(|bytes| Value { bytes, ..found.what }))
}

impl Store for EmbeddedStore {
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Vec<Effect>, StoreError>> {
        Box::pin(async move {
            check(&ops)?;
            if ops.is_empty() {
                return Ok(Vec::new());
            }
            let ops = self.prepare(ops).await?;
            self.ask(held_bytes(&ops), |reply| Request::Commit { ops, reply }).await
        })
    }
}

impl Kv for EmbeddedStore {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Value>, StoreError>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS_MAX {
                let now = self.shared.time.now();
                match self.look(|connection| reader::get(connection, &key, now))? {
                    None => return Ok(None),
                    Some(Found { what, file: None }) => return Ok(Some(what)),
                    Some(found) => {
                        if let Some(value) = self.scan(|shared| whole(shared, found)).await? {
                            return Ok(Some(value));
                        }
                    }
                }
            }
            Err(StoreError::Unavailable(format!("the file of `{key}` is missing")))
        })
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<Key>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(Key, Value)>, StoreError>> {
        let prefix = prefix.to_owned();
        let read = move |shared: &Shared| {
            let now = shared.time.now();
            let listed = shared
                .readers
                .with(|connection| reader::list(connection, &prefix, after.as_ref(), limit, now));
            let listed = listed.map_err(|error| unavailable(&error))?;
            let mut values = Vec::with_capacity(listed.len());
            for (key, found) in listed {
                // One that was replaced while the list was read is left out: it changed meanwhile.
                values.extend(whole(shared, found)?.map(|value| (key, value)));
            }
            Ok(values)
        };
        Box::pin(self.scan(read))
    }

    fn lease(&self, key: Key, ttl: Duration) -> BoxFuture<'_, Result<Leased, StoreError>> {
        Box::pin(async move {
            // First the lease, then the look: a commit between the two ends the lease.
            let lease = self.shared.leases.acquire(&key, ttl, self.shared.time.now());
            let value = self.get(key).await;
            let held = || lease.as_ref().map(|lease| self.shared.leases.give_back(lease));
            match value {
                Ok(None) => Ok(lease.map_or(Leased::Held, Leased::Acquired)),
                Ok(Some(value)) => {
                    held();
                    Ok(Leased::Present(value))
                }
                Err(error) => {
                    held();
                    Err(error)
                }
            }
        })
    }

    fn renew(&self, lease: &Lease, ttl: Duration) -> BoxFuture<'_, Result<bool, StoreError>> {
        let renewed = self.shared.leases.renew(lease, ttl, self.shared.time.now());
        Box::pin(std::future::ready(Ok(renewed)))
    }

    fn give_back(&self, lease: &Lease) -> BoxFuture<'_, Result<(), StoreError>> {
        self.shared.leases.give_back(lease);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Queue for EmbeddedStore {
    fn claim(
        &self,
        queue: QueueKey,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>> {
        Box::pin(async move {
            let taken = self.ask(0, |reply| Request::Claim { queue, claim, reply }).await?;
            self.bodies(taken).await
        })
    }

    fn extend(
        &self,
        receipts: Vec<Receipt>,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<bool>, StoreError>> {
        Box::pin(self.ask(0, move |reply| Request::Extend { receipts, visibility, reply }))
    }

    fn claimable(&self, queue: QueueKey) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let waiter = self.shared.wakes.wait(queue.clone());
            loop {
                let mut woken = std::pin::pin!(waiter.notify.notified());
                // From here on nothing is missed; so what is there already is looked at after.
                woken.as_mut().enable();
                let next = self.look(|connection| reader::next_visible(connection, &queue))?;
                let now_ms = self.shared.time.now().steady_ms;
                match next {
                    Some(at_ms) if at_ms <= now_ms => return Ok(()),
                    Some(at_ms) => {
                        let wait = Duration::from_millis(at_ms - now_ms).min(TIMER_MAX);
                        // Either way the queue is looked at again.
                        let _ = tokio::time::timeout(wait, woken).await;
                    }
                    None => woken.await,
                }
            }
        })
    }

    fn depth(&self, queue: QueueKey) -> BoxFuture<'_, Result<Depth, StoreError>> {
        let now = self.shared.time.now();
        let depth = self.look(|connection| reader::depth(connection, &queue, now));
        Box::pin(std::future::ready(depth))
    }

    fn peek(
        &self,
        queue: QueueKey,
        after: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        let read = move |shared: &Shared| {
            let now = shared.time.now();
            let peek =
                |connection: &Connection| reader::peek(connection, &queue, after, limit, now);
            let peeked = shared.readers.with(peek).map_err(|error| unavailable(&error))?;
            let mut entries = Vec::with_capacity(peeked.len());
            for Found { what: mut entry, file } in peeked {
                let found = Found { what: entry.seq, file };
                if let Some(body) = body(shared, &queue, &found)? {
                    entry.body = body.unwrap_or(entry.body);
                    entries.push(entry);
                }
            }
            Ok(entries)
        };
        Box::pin(self.scan(read))
    }

    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueKey>, StoreError>> {
        let read = |shared: &Shared| {
            let queues = shared.readers.with(reader::queues);
            queues.map_err(|error| unavailable(&error))
        };
        Box::pin(self.scan(read))
    }
}
