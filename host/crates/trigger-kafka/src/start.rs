//! Where a group begins that has no commits: decided once, and committed before the first fetch, so
//! that nothing is skipped that comes between.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use wfh_store::{Expect, Key, Op, StoreError};

use crate::Start;
use crate::client::Consumer;
use crate::context::{Context, PartitionId};

/// How long a broker may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Tries to find out where to begin.
const TRIES_MAX: u32 = 5;
/// The wait between them.
const PAUSE: Duration = Duration::from_secs(1);
/// The keys that say where groups began.
const STARTED: &str = "started/";

/// The offset of each partition of a topic at which the group began.
type Starts = BTreeMap<i32, i64>;

/// Where each of the partitions begins. Blocks; runs while the group waits for this consumer.
pub(crate) fn begins(
    context: &Context,
    consumer: &Consumer,
    assigned: &TopicPartitionList,
    runtime: &Handle,
) -> HashMap<PartitionId, i64> {
    for _ in 0..TRIES_MAX {
        match (Beginning { context, consumer, runtime }).find(assigned) {
            Ok(begins) => return begins,
            Err(error) => {
                let trigger = &context.config.pull.name;
                tracing::warn!(%trigger, %error, "cannot find out where to begin");
                std::thread::sleep(PAUSE);
            }
        }
    }
    // Then librdkafka begins at the commits there are, else at the earliest: nothing is skipped.
    HashMap::new()
}

struct Beginning<'a> {
    context: &'a Context,
    consumer: &'a Consumer,
    runtime: &'a Handle,
}

impl Beginning<'_> {
    fn find(&self, assigned: &TopicPartitionList) -> KafkaResult<HashMap<PartitionId, i64>> {
        let mut begins = HashMap::new();
        let mut missing = TopicPartitionList::new();
        let mut starts: HashMap<String, Starts> = HashMap::new();
        for (id, committed) in self.committed(assigned)? {
            let begin = match committed {
                Some(offset) => offset,
                None => {
                    let (topic, partition) = &id;
                    if !starts.contains_key(topic) {
                        starts.insert(topic.clone(), self.starts(topic)?);
                    }
                    let known = starts.get(topic).and_then(|starts| starts.get(partition));
                    let (low, _) = self.watermarks(topic, *partition)?;
                    // A partition that was added later begins at its first record.
                    let begin = known.copied().unwrap_or(low).max(low);
                    missing.add_partition_offset(topic, *partition, Offset::Offset(begin))?;
                    begin
                }
            };
            begins.insert(id, begin);
        }
        if missing.count() > 0 {
            self.consumer.commit(&missing, CommitMode::Sync)?;
        }
        Ok(begins)
    }

    fn committed(
        &self,
        partitions: &TopicPartitionList,
    ) -> KafkaResult<Vec<(PartitionId, Option<i64>)>> {
        let list = self.consumer.committed_offsets(partitions.clone(), ANSWER_MAX)?;
        let elements = list.elements();
        let offset = |offset| match offset {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        Ok(elements
            .iter()
            .map(|one| ((one.topic().to_owned(), one.partition()), offset(one.offset())))
            .collect())
    }

    /// Where the group began in a topic: every consumer of it must use the same, so whoever comes
    /// first writes it down.
    fn starts(&self, topic: &str) -> KafkaResult<Starts> {
        if let Some(starts) = self.written(topic)? {
            return Ok(starts);
        }
        let all = self.all_partitions(topic)?;
        let has_commits = self.committed(&all)?.iter().any(|(_, committed)| committed.is_some());
        // A group that has worked before: only partitions that are new lack a commit.
        let starts = if has_commits { Starts::new() } else { self.decide(topic, &all)? };
        self.write(topic, &starts)?;
        Ok(self.written(topic)?.unwrap_or(starts))
    }

    fn decide(&self, topic: &str, all: &TopicPartitionList) -> KafkaResult<Starts> {
        let timed = match self.context.config.start {
            Start::Timestamp(at_ms) => {
                let mut times = all.clone();
                times.set_all_offsets(Offset::Offset(at_ms))?;
                Some(self.consumer.offsets_for_times(times, ANSWER_MAX)?)
            }
            Start::Earliest | Start::Latest => None,
        };
        let mut starts = Starts::new();
        for one in all.elements() {
            let partition = one.partition();
            let (low, high) = self.watermarks(topic, partition)?;
            let found = timed.as_ref().and_then(|list| list.find_partition(topic, partition));
            let start = match (self.context.config.start, found.map(|found| found.offset())) {
                (Start::Earliest, _) => low,
                (Start::Timestamp(_), Some(Offset::Offset(offset))) => offset,
                // No record is that young.
                (Start::Latest | Start::Timestamp(_), _) => high,
            };
            starts.insert(partition, start);
        }
        Ok(starts)
    }

    fn watermarks(&self, topic: &str, partition: i32) -> KafkaResult<(i64, i64)> {
        self.consumer.fetch_watermarks(topic, partition, ANSWER_MAX)
    }

    fn all_partitions(&self, topic: &str) -> KafkaResult<TopicPartitionList> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER_MAX)?;
        let mut list = TopicPartitionList::new();
        for found in metadata.topics().iter().filter(|found| found.name() == topic) {
            for partition in found.partitions() {
                list.add_partition(topic, partition.id());
            }
        }
        Ok(list)
    }

    fn key(&self, topic: &str) -> KafkaResult<Key> {
        let config = &self.context.config;
        let name = format!("{STARTED}{}/{}/{topic}", config.pull.name, config.group);
        Key::new(&name).map_err(|error| KafkaError::ClientCreation(error.to_string()))
    }

    fn written(&self, topic: &str) -> KafkaResult<Option<Starts>> {
        let value = self.runtime.block_on(self.context.puller.store.get(self.key(topic)?));
        let value = value.map_err(|error| of_store(&error))?;
        Ok(value.and_then(|value| serde_json::from_slice(&value.bytes).ok()))
    }

    fn write(&self, topic: &str, starts: &Starts) -> KafkaResult<()> {
        let bytes = serde_json::to_vec(starts).unwrap_or_default().into();
        let put = Op::Put { key: self.key(topic)?, bytes, expect: Expect::Absent, ttl: None };
        match self.runtime.block_on(self.context.puller.store.commit(vec![put])) {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(of_store(&error)),
        }
    }
}

fn of_store(error: &StoreError) -> KafkaError {
    KafkaError::ClientCreation(error.to_string())
}
