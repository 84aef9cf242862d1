//! Who waits for entries is told when some come, by whichever host they came through.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::{Client, RedisResult};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use tokio::time::MissedTickBehavior;
use wfh_store::QueueKey;

use crate::Shared;
use crate::link::{Target, backoff};

/// Messages that one who waits may not have read yet; one who missed some looks again.
const UNREAD_MAX: usize = 1_024;

/// How often what is over is removed while nothing is written.
const TICK: Duration = Duration::from_secs(5);

/// Distributes names of queues.
pub(crate) struct Wakes(Sender<Arc<[u8]>>);

impl Default for Wakes {
    fn default() -> Self {
        Self(broadcast::channel(UNREAD_MAX).0)
    }
}

impl Wakes {
    /// Begins to listen.
    pub(crate) fn listen(&self) -> Receiver<Arc<[u8]>> {
        self.0.subscribe()
    }
}

/// Resolves when something happened to `queue`, or may have.
pub(crate) async fn told(wakes: &mut Receiver<Arc<[u8]>>, queue: &QueueKey) {
    loop {
        match wakes.recv().await {
            Ok(name) if *name == *queue.as_str().as_bytes() => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        }
    }
}

/// Listens for as long as it is let, and keeps the store tidy.
pub(crate) async fn watch(shared: Arc<Shared>, target: Arc<Target>) {
    // Not at once: who has just opened the store sweeps with each of its own writes.
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let tidy = async {
        loop {
            tick.tick().await;
            // Nothing depends on it: what is over counts as absent all the same.
            let _ = shared.tick().await;
        }
    };
    let listen = async {
        let mut failures = 0;
        loop {
            // An error is told by whoever reads or writes; until then polls stand in.
            failures = if listen(&shared, &target).await.is_ok() { 0 } else { failures + 1 };
            tokio::time::sleep(backoff(failures)).await;
        }
    };
    tokio::join!(tidy, listen);
}

async fn listen(shared: &Shared, target: &Target) -> RedisResult<()> {
    let mut subscription = Client::open(target.info.clone())?.get_async_pubsub().await?;
    subscription.subscribe(&shared.keys.wake).await?;
    let mut messages = subscription.into_on_message();
    while let Some(message) = messages.next().await {
        // Nobody may be listening.
        let _ = shared.wakes.0.send(message.get_payload_bytes().into());
    }
    Ok(())
}
