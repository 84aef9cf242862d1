//! Reads a store a page at a time.

use std::collections::VecDeque;

use crate::{Key, QueueKey, Store, StoreError};

use super::record::{EntryRecord, Record, ValueRecord};

/// Few, as each may have 64 MiB.
const PAGE: u32 = 16;

/// Where the reading is.
pub(super) struct Source<'a> {
    store: &'a dyn Store,
    place: Place,
}

enum Place {
    Values(Option<Key>),
    Entries(VecDeque<QueueKey>, Option<u64>),
}

impl<'a> Source<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self { store, place: Place::Values(None) }
    }

    /// The next records; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Record>>, StoreError> {
        loop {
            match &mut self.place {
                Place::Values(after) => {
                    let page = self.store.list("", after.clone(), PAGE).await?;
                    let Some((last, _)) = page.last() else {
                        let queues = self.store.queues().await?.into();
                        self.place = Place::Entries(queues, None);
                        continue;
                    };
                    *after = Some(last.clone());
                    let record = |(key, value)| Record::Value(ValueRecord::new(&key, value));
                    return Ok(Some(page.into_iter().map(record).collect()));
                }
                Place::Entries(queues, after) => {
                    let Some(queue) = queues.front().cloned() else { return Ok(None) };
                    let page = self.store.peek(queue.clone(), *after, PAGE).await?;
                    let Some(last) = page.last() else {
                        queues.pop_front();
                        *after = None;
                        continue;
                    };
                    *after = Some(last.seq);
                    let record = |entry| Record::Entry(EntryRecord::new(&queue, entry));
                    return Ok(Some(page.into_iter().map(record).collect()));
                }
            }
        }
    }
}
