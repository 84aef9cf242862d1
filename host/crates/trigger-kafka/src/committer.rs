//! Offsets: what is settled is committed, and only what is settled without a gap before it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;
use wfh_pull::{Marks, Offsets, Settle, Settled};
use wfh_store::Store;

use crate::client::Consumer;
use crate::context::PartitionId;

/// How long what is settled waits to be committed, unless much is.
const INTERVAL: Duration = Duration::from_millis(500);

/// Wakes the committer.
#[derive(Debug, Default)]
pub(crate) struct Committing {
    /// Something is settled.
    soon: Notify,
    /// So much that the partition has no room for more.
    now: Notify,
}

/// What became of one partition's records.
pub(crate) struct Ledger {
    pub(crate) topic: Arc<str>,
    partition: i32,
    /// The trigger, the topic and the partition: the name under which marks are kept.
    pub(crate) source: Arc<str>,
    pub(crate) in_flight_max: usize,
    state: Mutex<State>,
    room: Notify,
    committing: Arc<Committing>,
}

#[derive(Default)]
struct State {
    offsets: Offsets,
    /// Settled records that the store has marked and whose offset is not committed.
    marked: BTreeSet<i64>,
}

/// An offset that was committed, of a partition.
pub(crate) type Committed = (Arc<Ledger>, i64);

impl Ledger {
    pub(crate) fn new(
        (topic, partition): PartitionId,
        source: Arc<str>,
        in_flight_max: usize,
        committing: Arc<Committing>,
    ) -> Self {
        let (state, room) = (Mutex::default(), Notify::new());
        Self { topic: topic.into(), partition, source, in_flight_max, state, room, committing }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a record that came; false when it came before.
    pub(crate) fn fetched(&self, offset: i64) -> bool {
        self.state().offsets.fetched(offset)
    }

    /// Waits until records may be fetched, and says how many.
    pub(crate) async fn room(&self) -> usize {
        loop {
            let freed = self.room.notified();
            let room = self.in_flight_max.saturating_sub(self.state().offsets.outstanding());
            if room > 0 {
                return room;
            }
            freed.await;
        }
    }

    /// Everything before `offset` is committed. Gives what the store has marked of that.
    fn committed(&self, offset: i64) -> Vec<u128> {
        let mut state = self.state();
        state.offsets.committed(offset);
        let rest = state.marked.split_off(&offset);
        let marked = std::mem::replace(&mut state.marked, rest);
        drop(state);
        self.room.notify_one();
        marked.into_iter().filter_map(|offset| u128::try_from(offset).ok()).collect()
    }
}

impl Settle for Ledger {
    fn settled(&self, records: &[Settled]) {
        let mut state = self.state();
        for record in records {
            let Ok(offset) = i64::try_from(record.position) else { continue };
            state.offsets.settled(offset);
            if record.marked {
                state.marked.insert(offset);
            }
        }
        let much = state.offsets.settled_not_committed() * 2 >= self.in_flight_max;
        drop(state);
        if much {
            self.committing.now.notify_one();
        }
        self.committing.soon.notify_one();
    }
}

/// What is to be committed, if anything is.
pub(crate) fn to_commit(ledgers: &[Arc<Ledger>]) -> Option<(TopicPartitionList, Vec<Committed>)> {
    let mut list = TopicPartitionList::new();
    let mut offsets = Vec::new();
    for ledger in ledgers {
        if let Some(offset) = ledger.state().offsets.to_commit() {
            let added =
                list.add_partition_offset(&ledger.topic, ledger.partition, Offset::Offset(offset));
            if added.is_ok() {
                offsets.push((Arc::clone(ledger), offset));
            }
        }
    }
    (!offsets.is_empty()).then_some((list, offsets))
}

/// Notes what was committed: there is room again, and the marks of these records are over soon.
pub(crate) async fn committed(store: &dyn Store, offsets: &[Committed]) {
    for (ledger, offset) in offsets {
        Marks::acknowledged(store, &ledger.source, &ledger.committed(*offset)).await;
    }
}

/// Commits what is settled, again and again.
pub(crate) async fn run(consumer: Arc<Consumer>) {
    let committing = Arc::clone(&consumer.context().committing);
    loop {
        committing.soon.notified().await;
        let _ = tokio::time::timeout(INTERVAL, committing.now.notified()).await;
        let ledgers = consumer.context().ledgers();
        if !commit(&consumer, &ledgers).await {
            // What is settled stays so; the next commit has it, too.
            tokio::time::sleep(INTERVAL).await;
            committing.soon.notify_one();
        }
    }
}

/// Commits once; false when the broker refused.
pub(crate) async fn commit(consumer: &Arc<Consumer>, ledgers: &[Arc<Ledger>]) -> bool {
    let Some((list, offsets)) = to_commit(ledgers) else { return true };
    let committing = Arc::clone(consumer);
    let asked = tokio::task::spawn_blocking(move || committing.commit(&list, CommitMode::Sync));
    match asked.await {
        Ok(Ok(())) => {
            committed(&*consumer.context().puller.store, &offsets).await;
            true
        }
        Ok(Err(error)) => {
            let trigger = &consumer.context().config.pull.name;
            tracing::warn!(%trigger, %error, "offsets are not committed");
            false
        }
        Err(_) => false,
    }
}
