//! The consumer of a trigger.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::{KafkaConfig, KafkaTriggerError};

pub(crate) type Consumer = BaseConsumer<Context>;

/// How long one poll for rebalances and errors waits; records come by queues of their own.
const POLL: Duration = Duration::from_millis(250);

/// What a consumer has unless the manifest says otherwise.
const OURS: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // A group without commits has some before its first fetch. An offset that is no longer there
    // was overtaken by retention: what is left is taken from its beginning.
    ("auto.offset.reset", "earliest"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    // Per partition, since each has a queue of its own.
    ("queued.max.messages.kbytes", "2048"),
    ("queued.min.messages", "1000"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "2000"),
    ("topic.metadata.refresh.interval.ms", "30000"),
    // For the lag.
    ("statistics.interval.ms", "5000"),
];

/// Makes the consumer; nothing is asked of a broker yet.
pub(crate) fn consumer(
    config: &KafkaConfig,
    context: Context,
) -> Result<Arc<Consumer>, KafkaTriggerError> {
    let mut client = config.settings.client(OURS);
    client.set("group.id", &config.group);
    let consumer: Consumer = client.create_with_context(context)?;
    Ok(Arc::new(consumer))
}

/// Serves rebalances and errors until told to stop, then leaves the group. Blocks.
pub(crate) fn serve(consumer: Arc<Consumer>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match consumer.poll(POLL) {
            // Each partition was given a queue of its own before it was assigned.
            Some(Ok(message)) => consumer.context().strayed(&consumer, &message),
            Some(Err(error)) => consumer.context().failed(&error),
            None => {}
        }
    }
    // The last handle leaves the group, which takes rebalances.
    drop(consumer);
}
