//! One partition while it is this consumer's: its records go to a shard.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use wfh_pull::{Marks, Puller, Record, Shard, Stop, patiently};
use wfh_store::StoreError;

use crate::Order;
use crate::committer::Ledger;
use crate::context::{Context, PartitionId};
use crate::record::KafkaRecord;

/// From this resume at one offset on, a record there may be what crashes the host.
const RESUMES_SUSPECT: u32 = 3;
/// Records that are handed over at once.
const CHUNK: usize = 256;

/// A partition and the task that takes its records.
#[derive(Clone)]
pub(crate) struct Partition {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) stop: Stop,
    /// Cancelled when nothing of it runs any more, also by a panic.
    done: CancellationToken,
}

impl Partition {
    /// Takes records from `queue`, the first of them at `begin` or later.
    pub(crate) fn start(
        context: &Context,
        id: &PartitionId,
        begin: i64,
        queue: PartitionQueue<Context>,
        worker: &Handle,
    ) -> Self {
        let (config, stop) = (&context.config, Stop::default());
        let source = format!("{}/{}/{}", config.pull.name, id.0, id.1);
        let in_flight_max = config.in_flight_max.max(config.pull.batch.size);
        let committing = Arc::clone(&context.committing);
        let ledger = Arc::new(Ledger::new(id.clone(), source.into(), in_flight_max, committing));
        let reading = Reading {
            puller: Arc::clone(&context.puller),
            ledger: Arc::clone(&ledger),
            order: config.order,
            begin,
            stop: stop.clone(),
        };
        let done = CancellationToken::new();
        let ending = done.clone().drop_guard();
        worker.spawn(async move {
            reading.run(queue).await;
            drop(ending);
        });
        Self { ledger, stop, done }
    }

    /// Waits until nothing of it runs.
    pub(crate) async fn ended(&self) {
        self.done.cancelled().await;
    }
}

struct Reading {
    puller: Arc<Puller>,
    ledger: Arc<Ledger>,
    order: Order,
    begin: i64,
    stop: Stop,
}

impl Reading {
    async fn run(self, queue: PartitionQueue<Context>) {
        let stop = self.stop.drain.clone();
        let known = patiently(&self.ledger.source, || self.known());
        let Some((marks, guarded_below)) = stop.run_until_cancelled(known).await else { return };
        let (puller, source) = (Arc::clone(&self.puller), Arc::clone(&self.ledger.source));
        let settle = Arc::clone(&self.ledger);
        let shard = Shard::new(puller, source, marks, guarded_below, settle);
        let (sender, receiver) = mpsc::channel(2);
        let reading = stop.run_until_cancelled(self.read(queue, sender));
        let (marks, _) = tokio::join!(shard.run(receiver, self.stop.clone()), reading);
        if !self.stop.cancel.is_cancelled() {
            marks.ended().await;
        }
    }

    /// What the store knows of the partition, and up to where its records may crash the host.
    async fn known(&self) -> Result<(Marks, u128), StoreError> {
        let begin = position(self.begin);
        let (store, source) = (Arc::clone(&self.puller.store), Arc::clone(&self.ledger.source));
        let mut marks = Marks::load(store, source).await?;
        marks.forget_below(begin).await;
        let suspect = marks.resumed(begin).await? >= RESUMES_SUSPECT;
        let guarded_below = if suspect { begin + self.ledger.in_flight_max as u128 } else { 0 };
        Ok((marks, guarded_below))
    }

    /// Hands records over as long as there is room for them.
    async fn read(
        &self,
        mut queue: PartitionQueue<Context>,
        records: mpsc::Sender<Vec<Record<KafkaRecord>>>,
    ) {
        let filled = Arc::new(Notify::new());
        let notify = Arc::clone(&filled);
        queue.set_nonempty_callback(move || notify.notify_one());
        loop {
            let room = self.ledger.room().await;
            let chunk = self.take(&queue, room.min(CHUNK));
            if chunk.is_empty() {
                filled.notified().await;
            } else if records.send(chunk).await.is_err() {
                return;
            }
        }
    }

    fn take(
        &self,
        queue: &PartitionQueue<Context>,
        records_max: usize,
    ) -> Vec<Record<KafkaRecord>> {
        let mut taken = Vec::new();
        while taken.len() < records_max {
            match queue.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    if self.ledger.fetched(message.offset()) {
                        let lane = self.order.lane(message.key());
                        let raw = KafkaRecord::new(&message, &self.ledger.topic);
                        taken.push(Record::new(position(message.offset()), lane, 0, raw));
                    }
                }
                // Records may be behind it, and of those nobody tells again.
                Some(Err(error)) => {
                    tracing::warn!(source = %self.ledger.source, %error, "Kafka");
                }
                None => break,
            }
        }
        taken
    }
}

/// Offsets are never negative.
fn position(offset: i64) -> u128 {
    u128::try_from(offset).unwrap_or_default()
}
