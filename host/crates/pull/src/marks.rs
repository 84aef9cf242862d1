//! What the store knows of a shard's records: which are settled, and how far others have come.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wfh_invoke::{Progress, progress_key, progress_prefix, settled_key, settled_prefix};
use wfh_store::{Expect, Key, OPS_MAX, Op, Store, StoreError, Value};

/// How long a mark is kept after its record was acknowledged: for as long a consumer may believe
/// that the record is still its own.
pub const MARK_KEPT: Duration = Duration::from_secs(3_600);
/// How many keys are read at once.
const PAGE: u32 = 1_000;
/// The keys that say where a shard began, and how often in a row.
const RESUMED: &str = "resumed/";

/// The marks of one shard.
pub struct Marks {
    store: Arc<dyn Store>,
    source: Arc<str>,
    settled: HashSet<u128>,
    /// Those of them that are not over in a while by themselves.
    lasting: Vec<u128>,
    progress: HashMap<u128, Progress>,
}

/// Where a shard began, and how often in a row without coming further.
#[derive(Serialize, Deserialize)]
struct Resumed {
    position: u128,
    times: u32,
}

impl Marks {
    /// Reads the marks of `source`: a trigger, and the part of what it pulls in which positions are
    /// unique.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(store: Arc<dyn Store>, source: Arc<str>) -> Result<Self, StoreError> {
        let (mut settled, mut lasting) = (HashSet::new(), Vec::new());
        each(&store, &settled_prefix(&source), |position, value| {
            settled.insert(position);
            if value.expires_at_ms.is_none() {
                lasting.push(position);
            }
        })
        .await?;
        let mut progress = HashMap::new();
        each(&store, &progress_prefix(&source), |position, value| {
            progress.insert(position, Progress::from_bytes(&value.bytes));
        })
        .await?;
        Ok(Self { store, source, settled, lasting, progress })
    }

    /// Whether a record was settled before: it is only acknowledged.
    pub fn is_settled(&mut self, position: u128) -> bool {
        self.settled.remove(&position)
    }

    /// How far a record had come.
    pub(crate) fn progress(&mut self, position: u128) -> Option<Progress> {
        self.progress.remove(&position)
    }

    /// Counts how often in a row the shard began at `position`, this time included.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn resumed(&self, position: u128) -> Result<u32, StoreError> {
        let Some(key) = self.resumed_key() else { return Ok(1) };
        let before = self.store.get(key.clone()).await?;
        let before = before.and_then(|value| serde_json::from_slice::<Resumed>(&value.bytes).ok());
        let times = match before {
            Some(before) if before.position == position => before.times.saturating_add(1),
            _ => 1,
        };
        let bytes = serde_json::to_vec(&Resumed { position, times }).unwrap_or_default().into();
        self.store.commit(vec![Op::Put { key, bytes, expect: Expect::Any, ttl: None }]).await?;
        Ok(times)
    }

    /// The shard ended as it should, so its next beginning says nothing of a crash.
    pub async fn ended(&self) {
        if let Some(key) = self.resumed_key() {
            let delete = Op::Delete { key, expect: Expect::Any };
            // A count that stays is a little too high, no more.
            let _ = self.store.commit(vec![delete]).await;
        }
    }

    fn resumed_key(&self) -> Option<Key> {
        Key::new(&format!("{RESUMED}{}", self.source)).ok()
    }

    /// The source has forgotten these records: their marks are over in a while.
    pub async fn acknowledged(store: &dyn Store, source: &str, positions: &[u128]) {
        for positions in positions.chunks(OPS_MAX) {
            let keys = positions.iter().filter_map(|position| settled_key(source, *position));
            let put = |key| {
                let (bytes, ttl) = (Bytes::new(), Some(MARK_KEPT));
                Op::Put { key, bytes, expect: Expect::Any, ttl }
            };
            if let Err(error) = store.commit(keys.map(put).collect()).await {
                // They are read again when the shard begins anew, and then are over.
                tracing::warn!(source, %error, "marks of acknowledged records stay");
            }
        }
    }

    /// Forgets the marks below `position`, which the source will not give again. A crash may have left
    /// some of them that would last for ever: they are over in a while.
    pub async fn forget_below(&mut self, position: u128) {
        self.settled.retain(|marked| *marked >= position);
        let (below, rest) = std::mem::take(&mut self.lasting)
            .into_iter()
            .partition::<Vec<u128>, _>(|marked| *marked < position);
        self.lasting = rest;
        Self::acknowledged(&*self.store, &self.source, &below).await;
    }

    /// The same of all marks that a crash left, for a source that gives at its beginning whatever it
    /// gives again: they still hold for that.
    pub async fn let_all_end(&mut self) {
        let lasting = std::mem::take(&mut self.lasting);
        Self::acknowledged(&*self.store, &self.source, &lasting).await;
    }
}

/// Runs over the keys below a prefix that end in a position.
async fn each(
    store: &Arc<dyn Store>,
    prefix: &str,
    mut action: impl FnMut(u128, &Value),
) -> Result<(), StoreError> {
    let mut after: Option<Key> = None;
    loop {
        let page = store.list(prefix, after.take(), PAGE).await?;
        for (key, value) in &page {
            let position = key.as_str().strip_prefix(prefix);
            if let Some(position) = position.and_then(|hex| u128::from_str_radix(hex, 16).ok()) {
                action(position, value);
            }
        }
        match page.last() {
            Some((key, _)) if page.len() == PAGE as usize => after = Some(key.clone()),
            _ => return Ok(()),
        }
    }
}

/// Writes how far a record has come before it is tried again.
pub(crate) async fn count_start(
    store: &dyn Store,
    source: &str,
    position: u128,
    progress: &Progress,
) -> Result<(), StoreError> {
    let Some(key) = progress_key(source, position) else { return Ok(()) };
    let (bytes, ttl) = (progress.started().to_bytes(), Some(MARK_KEPT));
    store.commit(vec![Op::Put { key, bytes, expect: Expect::Any, ttl }]).await.map(drop)
}
