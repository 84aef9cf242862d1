//! `[[trigger.queue]]`

use wfh_event::{QueueName, Target, TriggerName};

use super::{Batch, TriggerKind};
use crate::read::table;

table! {
    /// Entries of one of the host's own queues.
    pub struct QueueTrigger {
        /// Keys the trigger's durable state; derived from the queue without it.
        given_name: Option<TriggerName> as "name",
        /// The queue, declared as `[queue.NAME]`.
        queue: QueueName,
        /// What is called.
        target: Target,
        /// The path of the request that an HTTP function gets.
        path: String = "/".to_owned(),
        /// How many entries one call gets.
        batch: Batch,
        /// Its share of the target's `concurrency`, beside the other queues that lead there and
        /// the target's own asynchronous calls, which count 1.
        weight: u32 [1..=1_000] = 1,
    }
}

impl TriggerKind for QueueTrigger {
    fn given_name(&self) -> Option<&TriggerName> {
        self.given_name.as_ref()
    }

    fn derived_name(&self) -> String {
        self.queue.to_string()
    }
}
