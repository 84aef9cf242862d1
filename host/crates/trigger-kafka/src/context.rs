//! What librdkafka tells: partitions that come and go, errors, its log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, Statistics, TopicPartitionList};
use tokio::runtime::Handle;
use wfh_invoke::{SourcePart, Status};
use wfh_pull::Puller;

use crate::client::Consumer;
use crate::committer::{self, Committing, Ledger};
use crate::partition::Partition;
use crate::{KafkaConfig, start};

/// How long calls in flight may take to end when their partition goes to another consumer. Heartbeats
/// go on meanwhile.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);

/// How long the same error is not told again.
const SILENCE: Duration = Duration::from_secs(30);

/// A topic and the number of a partition.
pub(crate) type PartitionId = (String, i32);

/// What the callbacks work on.
pub(crate) struct Context {
    pub(crate) config: KafkaConfig,
    pub(crate) puller: Arc<Puller>,
    pub(crate) committing: Arc<Committing>,
    status: Arc<Status>,
    runtime: Handle,
    workers: Vec<Handle>,
    consumer: OnceLock<Weak<Consumer>>,
    partitions: Mutex<HashMap<PartitionId, Partition>>,
    draining: AtomicBool,
    /// The last error that was told.
    told: Mutex<Option<(Option<RDKafkaErrorCode>, Instant)>>,
}

impl Context {
    pub(crate) fn new(
        config: KafkaConfig,
        puller: Arc<Puller>,
        status: Arc<Status>,
        workers: Vec<Handle>,
    ) -> Self {
        let runtime = workers.first().cloned().unwrap_or_else(Handle::current);
        let (committing, consumer) = (Arc::default(), OnceLock::new());
        let (partitions, told) = (Mutex::default(), Mutex::default());
        Self {
            config,
            puller,
            committing,
            status,
            runtime,
            workers,
            consumer,
            partitions,
            draining: AtomicBool::new(false),
            told,
        }
    }

    /// Lets the callbacks reach their consumer.
    pub(crate) fn know(&self, consumer: &Arc<Consumer>) {
        // Set once, by whoever made it.
        let _ = self.consumer.set(Arc::downgrade(consumer));
        self.status.wait_for(&self.part(), "joining its consumer group");
    }

    fn part(&self) -> String {
        format!("trigger:{}", self.config.pull.name)
    }

    /// The ledgers of the partitions that are this consumer's.
    pub(crate) fn ledgers(&self) -> Vec<Arc<Ledger>> {
        self.partitions().values().map(|partition| Arc::clone(&partition.ledger)).collect()
    }

    /// Lets every partition end, and starts no other. They stay here until then: one that is revoked
    /// meanwhile is waited for as always.
    pub(crate) fn drain(&self) -> Vec<Partition> {
        self.draining.store(true, Ordering::Release);
        let partitions: Vec<Partition> = self.partitions().values().cloned().collect();
        for partition in &partitions {
            partition.stop.drain.cancel();
        }
        partitions
    }

    fn partitions(&self) -> MutexGuard<'_, HashMap<PartitionId, Partition>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record that came past its partition's queue comes again.
    pub(crate) fn strayed(&self, consumer: &Consumer, message: &BorrowedMessage<'_>) {
        if self.draining.load(Ordering::Acquire) {
            return;
        }
        let (topic, partition) = (message.topic(), message.partition());
        let offset = Offset::Offset(message.offset());
        if let Err(error) = consumer.seek(topic, partition, offset, Duration::from_secs(10)) {
            tracing::warn!(trigger = %self.config.pull.name, topic, partition, %error, "cannot seek");
        }
    }

    /// Tells of an error that librdkafka gets over by itself; of brokers that are away it says so
    /// again and again.
    pub(crate) fn failed(&self, error: &KafkaError) {
        let (code, now) = (error.rdkafka_error_code(), Instant::now());
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_some_and(|(last, at)| last == code && now - at < SILENCE) {
                return;
            }
            *told = Some((code, now));
        }
        let trigger = &self.config.pull.name;
        match code {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                tracing::warn!(%trigger, topics = ?self.config.topics, "a topic does not exist (yet)");
            }
            _ => tracing::warn!(%trigger, %error, "Kafka"),
        }
    }

    fn assigned(&self, consumer: &Consumer, assigned: &TopicPartitionList) {
        if self.draining.load(Ordering::Acquire) {
            return;
        }
        let Some(shared) = self.consumer.get().and_then(Weak::upgrade) else { return };
        let begins = start::begins(self, consumer, assigned, &self.runtime);
        for id in ids(assigned) {
            // Before it is assigned, so that no record goes to the queue of all.
            let Some(queue) = shared.split_partition_queue(&id.0, id.1) else { continue };
            let begin = begins.get(&id).copied().unwrap_or_default();
            let worker = usize::try_from(id.1).unwrap_or_default().checked_rem(self.workers.len());
            let worker = worker.and_then(|index| self.workers.get(index)).unwrap_or(&self.runtime);
            let partition = Partition::start(self, &id, begin, queue, worker);
            self.partitions().insert(id, partition);
        }
        self.status.is_ready(&self.part());
    }

    /// Ends what runs, commits what is settled, and lets go.
    fn revoked(&self, consumer: &Consumer, revoked: &TopicPartitionList) {
        let lost = consumer.assignment_lost();
        let mut ending = Vec::new();
        for id in ids(revoked) {
            ending.extend(self.partitions().remove(&id));
        }
        let hand_over_max = if lost { Duration::ZERO } else { HAND_OVER_MAX };
        self.runtime.block_on(end(&ending, hand_over_max));
        if lost {
            let trigger = &self.config.pull.name;
            tracing::warn!(%trigger, partitions = ending.len(), "partitions were lost");
            return;
        }
        let ledgers: Vec<_> =
            ending.iter().map(|partition| Arc::clone(&partition.ledger)).collect();
        let committed = committer::to_commit(&ledgers);
        let Some((list, offsets)) = committed else { return };
        match consumer.commit(&list, CommitMode::Sync) {
            Ok(()) => {
                let store = &*self.puller.store;
                self.runtime.block_on(committer::committed(store, &offsets));
            }
            Err(error) => {
                let trigger = &self.config.pull.name;
                tracing::warn!(%trigger, %error, "not committed before a rebalance");
            }
        }
    }
}

/// Lets calls end, cuts off those that take longer, and waits for both.
async fn end(partitions: &[Partition], time: Duration) {
    for partition in partitions {
        partition.stop.drain.cancel();
    }
    let ended = async {
        for partition in partitions {
            partition.ended().await;
        }
    };
    if tokio::time::timeout(time, ended).await.is_ok() {
        return;
    }
    for partition in partitions {
        partition.stop.cancel.cancel();
        partition.ended().await;
    }
}

fn ids(list: &TopicPartitionList) -> Vec<PartitionId> {
    list.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect()
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let trigger = &self.config.pull.name;
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
                if facility != "FAIL" =>
            {
                tracing::warn!(%trigger, facility, message, "librdkafka")
            }
            _ => {
                tracing::debug!(%trigger, facility, message, "librdkafka");
            }
        }
    }

    /// How far the brokers are ahead of what is committed.
    fn stats(&self, statistics: Statistics) {
        let owned = self.partitions();
        for (topic, about) in statistics.topics {
            for (number, partition) in about.partitions {
                let is_ours = owned.contains_key(&(topic.clone(), number));
                let ahead = u64::try_from(partition.hi_offset - partition.committed_offset).ok();
                let part = SourcePart {
                    trigger: self.config.pull.name.clone(),
                    destination: topic.clone(),
                    partition: Some(number.to_string()),
                };
                self.status.set_lag(part, ahead.filter(|_| is_ours && partition.hi_offset >= 0));
            }
        }
    }

    /// A poll gives the same error.
    fn error(&self, error: KafkaError, reason: &str) {
        let trigger = &self.config.pull.name;
        tracing::debug!(%trigger, %error, reason, "Kafka");
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &Consumer, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(assigned) => self.assigned(consumer, assigned),
            Rebalance::Revoke(revoked) => self.revoked(consumer, revoked),
            Rebalance::Error(error) => self.failed(error),
        }
    }
}
