//! Entries that were read: which run, and which are settled and not acknowledged.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wfh_pull::{Settle, Settled};

/// What became of the entries that were read.
pub(crate) struct Ledger {
    in_flight_max: usize,
    /// `None`: it runs, or waits for that.
    entries: Mutex<BTreeMap<u128, Option<Settled>>>,
    room: Notify,
    settled: Notify,
}

impl Ledger {
    pub(crate) fn new(in_flight_max: usize) -> Self {
        let (entries, room, settled) = (Mutex::default(), Notify::new(), Notify::new());
        Self { in_flight_max, entries, room, settled }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u128, Option<Settled>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an entry that was read; false when it is here already.
    pub(crate) fn read(&self, position: u128) -> bool {
        let mut entries = self.entries();
        let is_new = !entries.contains_key(&position);
        entries.entry(position).or_insert(None);
        is_new
    }

    /// Whether an entry was read.
    pub(crate) fn has(&self, position: u128) -> bool {
        self.entries().contains_key(&position)
    }

    /// How many entries may be read.
    pub(crate) fn room_now(&self) -> usize {
        self.in_flight_max.saturating_sub(self.entries().len())
    }

    /// Waits until entries may be read, and says how many.
    pub(crate) async fn room(&self) -> usize {
        loop {
            let freed = self.room.notified();
            match self.room_now() {
                0 => freed.await,
                room => return room,
            }
        }
    }

    /// The entries that are not settled.
    pub(crate) fn running(&self) -> Vec<u128> {
        let entries = self.entries();
        entries.iter().filter(|(_, settled)| settled.is_none()).map(|(one, _)| *one).collect()
    }

    /// Waits until something is settled.
    pub(crate) async fn something_settled(&self) {
        self.settled.notified().await;
    }

    /// What is settled and not acknowledged, at most `max` entries.
    pub(crate) fn to_acknowledge(&self, max: usize) -> Vec<Settled> {
        self.entries().values().flatten().take(max).copied().collect()
    }

    /// These are acknowledged.
    pub(crate) fn acknowledged(&self, settled: &[Settled]) {
        let mut entries = self.entries();
        for one in settled {
            entries.remove(&one.position);
        }
        drop(entries);
        self.room.notify_one();
    }
}

impl Settle for Ledger {
    fn settled(&self, records: &[Settled]) {
        let mut entries = self.entries();
        for record in records {
            entries.insert(record.position, Some(*record));
        }
        drop(entries);
        self.settled.notify_one();
    }
}
