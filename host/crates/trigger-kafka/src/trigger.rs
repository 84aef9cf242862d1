//! The trigger: a consumer, what serves it, and an end in order.

use std::sync::Arc;

use rdkafka::consumer::Consumer as _;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use wfh_invoke::{Dispatcher, Shutdown, Status};
use wfh_pull::Puller;
use wfh_store::Store;

use crate::client::{Consumer, consumer, serve};
use crate::context::Context;
use crate::partition::Partition;
use crate::{KafkaConfig, KafkaTriggerError, committer};

/// Takes the records of some topics to their target.
pub struct KafkaTrigger {
    consumer: Arc<Consumer>,
    shutdown: Shutdown,
}

impl KafkaTrigger {
    /// Prepares to join the group, with settings that [`crate::Settings::check`] has passed. Calls run on `workers` in turn; `status` says that the host is not ready until
    /// partitions were assigned for the first time. It MUST be made inside a runtime.
    ///
    /// # Errors
    /// The options are not librdkafka's. That no broker answers is no error: the trigger waits.
    pub fn new(
        config: KafkaConfig,
        store: Arc<dyn Store>,
        dispatcher: Dispatcher,
        workers: Vec<Handle>,
        status: Arc<Status>,
        shutdown: Shutdown,
    ) -> Result<Self, KafkaTriggerError> {
        let puller = Puller::new(config.pull.clone(), store, dispatcher, workers.clone());
        let context = Context::new(config.clone(), Arc::new(puller), status, workers);
        let consumer = consumer(&config, context)?;
        consumer.context().know(&consumer);
        Ok(Self { consumer, shutdown })
    }

    /// Takes records until the host drains, and returns when the calls in flight have ended, what is
    /// settled is committed and the group is left.
    pub async fn run(self) {
        let Self { consumer, shutdown } = self;
        let topics: Vec<String> = consumer.context().config.topics.clone();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        if let Err(error) = consumer.subscribe(&topics) {
            consumer.context().failed(&error);
        }
        let stop = CancellationToken::new();
        let (served, stopped) = (Arc::clone(&consumer), stop.clone());
        // A thread of its own: rebalances block it until what is in flight has ended.
        let serving = tokio::task::spawn_blocking(move || serve(served, &stopped));
        let committing = committer::run(Arc::clone(&consumer));
        let _ = shutdown.drain.run_until_cancelled(committing).await;
        let partitions = consumer.context().drain();
        ended(&partitions, &shutdown).await;
        committer::commit(&consumer, &consumer.context().ledgers()).await;
        drop((partitions, consumer));
        stop.cancel();
        // It ends when the group is left, or when its thread panicked, which was logged.
        let _ = serving.await;
    }
}

/// Waits for calls to end; the host cuts them off when their time is over.
async fn ended(partitions: &[Partition], shutdown: &Shutdown) {
    for partition in partitions {
        tokio::select! {
            () = partition.ended() => {}
            () = shutdown.cancel.cancelled() => {
                partition.stop.cancel.cancel();
                partition.ended().await;
            }
        }
    }
}
