//! Everything that takes work out of the store: queues, functions' own queues, schedules.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wfh_event::{QueueName, Target};
use wfh_invoke::{Dispatcher, Durability, Operator, Place, Shutdown, Status, queue_key};
use wfh_manifest::{Manifest, Missed, Queue, QueueOrder, QueueTrigger, Schedule};
use wfh_store::NameTooLong;
use wfh_trigger_kafka::{KafkaConfig, KafkaTrigger};
use wfh_trigger_queue::QueueConfig;
use wfh_trigger_redis::{RedisConfig, RedisTrigger};
use wfh_trigger_schedule::{ScheduleConfig, ScheduleTrigger, When, WhenError};

use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::outside;

/// How often a queue is looked at that nothing reads.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);
/// Events that go to a stream at once.
const OUTBOX_BATCH_SIZE: u32 = 100;
/// Batches of one outbox at once: what is in flight at a kill may be sent again, with equal ids.
const OUTBOX_IN_FLIGHT_MAX: usize = 4;
/// How long an event is hidden while it goes to its stream; it is extended.
const OUTBOX_VISIBILITY: Duration = Duration::from_secs(30);
/// Events that wait for a stream at most, when something is sent to it.
const OUTBOX_DEPTH_MAX: u64 = 1_000_000;
/// What one call gets of a queue of the host's own at most.
const OWN_BATCH_BYTES_MAX: u64 = 8 << 20;
/// Calls at once of a target that is no function: it only appends.
const APPENDS_IN_FLIGHT_MAX: usize = 16;
/// How long an entry of a function's own queue is hidden from others while it runs; it is extended.
/// On a shared store, what a killed host had waits as long for another one.
const OWN_VISIBILITY: Duration = Duration::from_secs(10);
/// Leases of a function's own queue that may run out.
const OWN_RECEIVES_MAX: u32 = 10;

/// One trigger, as long as its configuration stays.
struct Pulled {
    what: What,
    shutdown: Shutdown,
    /// Cancelled when nothing of it runs any more.
    done: CancellationToken,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Queue(QueueConfig),
    Kafka(Box<KafkaConfig>),
    Redis(Box<RedisConfig>),
    /// A queue that nothing reads: what gets too old there is given up.
    Expiry {
        target: Target,
        retention: Duration,
    },
    /// A schedule by everything that makes it.
    Schedule {
        trigger: wfh_manifest::ScheduleTrigger,
    },
}

/// What should run.
pub(crate) type Wanted = BTreeMap<Puller, What>;

/// Who pulls. A schedule without a name is named after its target, as a function's own queue is: the
/// two must not be taken for each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Puller {
    /// The queue of a function's asynchronous calls.
    Function(String),
    /// The outbox of a stream.
    Stream(String),
    /// A queue that nothing reads.
    Unread(String),
    /// A trigger of the manifest.
    Trigger(String),
}

impl Puller {
    fn name(&self) -> &str {
        match self {
            Self::Function(name)
            | Self::Stream(name)
            | Self::Unread(name)
            | Self::Trigger(name) => name,
        }
    }
}

/// The triggers that run.
pub(crate) struct Pulling {
    durability: Durability,
    dispatcher: Dispatcher,
    status: Arc<Status>,
    /// What this host is called among those that share its servers.
    replica: String,
    workers: Vec<Handle>,
    shutdown: Shutdown,
    tasks: TaskTracker,
    running: BTreeMap<Puller, Pulled>,
}

impl Pulling {
    /// Nothing runs yet.
    pub(crate) fn new(
        durability: Durability,
        dispatcher: Dispatcher,
        status: Arc<Status>,
        replica: String,
        workers: Vec<Handle>,
        (shutdown, tasks): (Shutdown, TaskTracker),
    ) -> Self {
        let running = BTreeMap::new();
        Self { durability, dispatcher, status, replica, workers, shutdown, tasks, running }
    }

    /// What `file` wants to run. Nothing is begun.
    pub(crate) fn wanted(&self, file: &ManifestFile) -> Result<Wanted, Error> {
        wanted(file, &self.replica)
    }

    /// Makes what is wanted run, and nothing else. Triggers that stay as they were go on; calls in
    /// flight of others finish.
    pub(crate) fn apply(&mut self, mut wanted: Wanted) -> Result<(), Error> {
        let mut leaving = BTreeMap::new();
        self.running.retain(|puller, pulled| {
            let stays = wanted.get(puller) == Some(&pulled.what);
            if stays {
                wanted.remove(puller);
            } else {
                pulled.shutdown.drain.cancel();
                leaving.insert(puller.clone(), pulled.done.clone());
            }
            stays
        });
        for (puller, what) in wanted {
            let shutdown = Shutdown {
                drain: self.shutdown.drain.child_token(),
                cancel: self.shutdown.cancel.clone(),
            };
            let done = CancellationToken::new();
            let turn = Turn { before: leaving.remove(&puller), done: done.clone() };
            self.start(puller.name(), &what, shutdown.clone(), turn)?;
            self.running.insert(puller, Pulled { what, shutdown, done });
        }
        Ok(())
    }

    fn start(&self, name: &str, what: &What, shutdown: Shutdown, turn: Turn) -> Result<(), Error> {
        let Durability { store, clock, targets, schedules, .. } = &self.durability;
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        // Any worker will do: calls go to all of them in turn.
        let Some(worker) = self.workers.first() else { return Ok(()) };
        match what {
            What::Queue(config) => {
                let (config, workers) = (config.clone(), self.workers.clone());
                let dispatcher = self.dispatcher.clone();
                let trigger = wfh_trigger_queue::QueueTrigger::new(
                    config, store, clock, dispatcher, workers, shutdown,
                );
                self.tasks.spawn_on(turn.take(trigger.run()), worker);
            }
            What::Kafka(config) => {
                let (config, workers) = (KafkaConfig::clone(config), self.workers.clone());
                let (dispatcher, status) = (self.dispatcher.clone(), Arc::clone(&self.status));
                // It takes the runtime that it is made in.
                let _entered = worker.enter();
                let trigger =
                    KafkaTrigger::new(config, store, dispatcher, workers, status, shutdown);
                let trigger = trigger.map_err(|error| never(&error))?;
                self.tasks.spawn_on(turn.take(trigger.run()), worker);
            }
            What::Redis(config) => {
                let (config, workers) = (RedisConfig::clone(config), self.workers.clone());
                let (dispatcher, status) = (self.dispatcher.clone(), Arc::clone(&self.status));
                let trigger =
                    RedisTrigger::new(config, store, dispatcher, workers, status, shutdown);
                self.tasks.spawn_on(turn.take(trigger.run()), worker);
            }
            What::Expiry { target, retention } => {
                let operator = Operator::new(self.durability.clone());
                let expiring = expire(operator, target.clone(), *retention);
                let drain = shutdown.drain;
                let task = async move {
                    drain.run_until_cancelled(expiring).await;
                };
                self.tasks.spawn_on(turn.take(task), worker);
            }
            What::Schedule { trigger } => {
                let config = schedule(name, trigger).map_err(|error| never(&error))?;
                let (targets, schedules) = (Arc::clone(targets), Arc::clone(schedules));
                let trigger =
                    ScheduleTrigger::new(config, store, clock, targets, schedules, shutdown);
                self.tasks.spawn_on(turn.take(trigger.run()), worker);
            }
        }
        Ok(())
    }
}

/// One of the same name begins when the one before has ended: the two would take each other's work.
struct Turn {
    before: Option<CancellationToken>,
    done: CancellationToken,
}

impl Turn {
    async fn take(self, task: impl Future<Output = ()>) {
        let _done = self.done.drop_guard();
        if let Some(before) = self.before {
            before.cancelled().await;
        }
        task.await;
    }
}

/// Looks now and then at a queue that nothing reads.
async fn expire(operator: Operator, target: Target, retention: Duration) {
    loop {
        tokio::time::sleep(EXPIRY_INTERVAL.min(retention)).await;
        loop {
            match operator.expire(&target, retention).await {
                Ok(0) => break,
                Ok(count) => {
                    tracing::info!(%target, count, "entries that nothing read got too old")
                }
                Err(error) => {
                    tracing::warn!(%target, %error, "old entries stay");
                    break;
                }
            }
        }
    }
}

/// The manifest was checked, so what cannot be is a fault of ours.
fn never(error: &dyn std::fmt::Display) -> Error {
    Error::System(std::io::Error::other(error.to_string()))
}

/// The queues behind every target of the manifest.
pub(crate) fn places(manifest: &Manifest) -> Result<HashMap<Target, Vec<Place>>, Error> {
    let mut places = HashMap::new();
    for (name, function) in &manifest.functions {
        let target = Target::Function(name.clone());
        let queue = queue_key(&target).map_err(|error| never(&error))?;
        let depth_max = function.depth_max;
        places.insert(target, vec![Place { queue, group: None, depth_max, dedup: None }]);
    }
    for (name, queue) in &manifest.queues {
        let target = Target::Queue(name.clone());
        let place = of_queue(&target, queue).map_err(|error| never(&error))?;
        places.insert(target, vec![place]);
    }
    for name in manifest.streams.keys() {
        let target = Target::Stream(name.clone());
        let queue = queue_key(&target).map_err(|error| never(&error))?;
        let place = Place { queue, group: None, depth_max: OUTBOX_DEPTH_MAX, dedup: None };
        places.insert(target, vec![place]);
    }
    for (name, topic) in &manifest.topics {
        let subscribers = topic.subscribers.iter().filter_map(|target| places.get(target));
        let all = subscribers.flatten().cloned().collect();
        places.insert(Target::Topic(name.clone()), all);
    }
    Ok(places)
}

fn of_queue(target: &Target, queue: &Queue) -> Result<Place, NameTooLong> {
    let group = match &queue.order {
        QueueOrder::None => None,
        QueueOrder::Json(path) => Some(path.clone()),
    };
    let (depth_max, dedup) = (queue.depth_max, queue.dedup_window);
    Ok(Place { queue: queue_key(target)?, group, depth_max, dedup })
}

fn wanted(file: &ManifestFile, replica: &str) -> Result<Wanted, Error> {
    let manifest = &file.manifest;
    let mut wanted = BTreeMap::new();
    for name in manifest.streams.keys() {
        let target = Target::Stream(name.clone());
        let config = outbox(&target).map_err(|error| never(&error))?;
        wanted.insert(Puller::Stream(config.name.clone()), What::Queue(config));
    }
    for trigger in &manifest.triggers.kafka {
        let what = What::Kafka(Box::new(outside::kafka(file, trigger)?));
        wanted.insert(Puller::Trigger(trigger.name.to_string()), what);
    }
    for name in manifest.functions.keys() {
        let target = Target::Function(name.clone());
        let config = own_queue(manifest, &target).map_err(|error| never(&error))?;
        wanted.insert(Puller::Function(config.name.clone()), What::Queue(config));
    }
    for trigger in &manifest.triggers.redis {
        let what = What::Redis(Box::new(outside::redis(file, trigger, replica)?));
        wanted.insert(Puller::Trigger(trigger.name.to_string()), what);
    }
    for trigger in &manifest.triggers.queue {
        let config = queue(manifest, trigger.name.as_str(), &trigger.config);
        let config = config.map_err(|error| never(&error))?;
        wanted.insert(Puller::Trigger(trigger.name.to_string()), What::Queue(config));
    }
    for (name, queue) in &manifest.queues {
        let mut triggers = manifest.triggers.queue.iter();
        if triggers.all(|trigger| trigger.config.queue != *name) {
            let (target, retention) = (Target::Queue(name.clone()), queue.retention);
            let what = What::Expiry { target: target.clone(), retention };
            wanted.insert(Puller::Unread(target.to_string()), what);
        }
    }
    for trigger in &manifest.triggers.schedule {
        let what = What::Schedule { trigger: trigger.config.clone() };
        wanted.insert(Puller::Trigger(trigger.name.to_string()), what);
    }
    Ok(wanted)
}

/// The queue of a function's asynchronous calls.
fn own_queue(manifest: &Manifest, target: &Target) -> Result<QueueConfig, NameTooLong> {
    Ok(QueueConfig {
        name: target.to_string(),
        queue: queue_key(target)?,
        target: target.clone(),
        path: None,
        batch_size: 1,
        batch_window: Duration::ZERO,
        batch_bytes_max: OWN_BATCH_BYTES_MAX,
        bisect: false,
        in_flight_max: in_flight(manifest, target, 1),
        visibility: OWN_VISIBILITY,
        receives_max: OWN_RECEIVES_MAX,
        retention: None,
    })
}

/// What is on its way to a stream outside. It stays as long as the brokers are away.
fn outbox(target: &Target) -> Result<QueueConfig, NameTooLong> {
    Ok(QueueConfig {
        name: target.to_string(),
        queue: queue_key(target)?,
        target: target.clone(),
        path: None,
        batch_size: OUTBOX_BATCH_SIZE,
        batch_window: Duration::ZERO,
        batch_bytes_max: OWN_BATCH_BYTES_MAX,
        bisect: false,
        in_flight_max: OUTBOX_IN_FLIGHT_MAX,
        visibility: OUTBOX_VISIBILITY,
        receives_max: u32::MAX,
        retention: None,
    })
}

fn queue(
    manifest: &Manifest,
    name: &str,
    trigger: &QueueTrigger,
) -> Result<QueueConfig, NameTooLong> {
    let rules = rules(manifest, &trigger.queue);
    Ok(QueueConfig {
        name: name.to_owned(),
        queue: queue_key(&Target::Queue(trigger.queue.clone()))?,
        target: trigger.target.clone(),
        path: Some(trigger.path.as_str().into()),
        batch_size: trigger.batch.size,
        batch_window: trigger.batch.window,
        batch_bytes_max: trigger.batch.bytes_max.as_u64(),
        bisect: trigger.batch.bisect,
        in_flight_max: in_flight(manifest, &trigger.target, trigger.weight),
        visibility: rules.visibility,
        receives_max: rules.receives_max,
        retention: Some(rules.retention),
    })
}

fn rules(manifest: &Manifest, name: &QueueName) -> Queue {
    manifest.queues.get(name).cloned().unwrap_or_default()
}

/// A queue's share of its target's concurrency: what one queue claims, it claims for permits that
/// others cannot take from it, so that a flood in one does not starve the others.
pub(crate) fn in_flight(manifest: &Manifest, target: &Target, weight: u32) -> usize {
    let Target::Function(name) = target else { return APPENDS_IN_FLIGHT_MAX };
    let concurrency = manifest.functions.get(name).map_or(1, |function| function.concurrency);
    let triggers = &manifest.triggers;
    let queues = triggers.queue.iter().map(|one| (&one.config.target, one.config.weight));
    let kafka = triggers.kafka.iter().map(|one| (&one.config.target, one.config.weight));
    let redis = triggers.redis.iter().map(|one| (&one.config.target, one.config.weight));
    let all = queues.chain(kafka).chain(redis);
    let beside = all.filter(|(other, _)| *other == target).map(|(_, weight)| weight);
    let total = beside.fold(1, u32::saturating_add);
    let share = u64::from(concurrency) * u64::from(weight) / u64::from(total);
    usize::try_from(share).unwrap_or(usize::MAX).max(1)
}

fn schedule(
    name: &str,
    trigger: &wfh_manifest::ScheduleTrigger,
) -> Result<ScheduleConfig, WhenError> {
    let when = match &trigger.schedule {
        Schedule::Cron { expression, timezone } => When::cron(expression, timezone.as_deref())?,
        Schedule::Every(every) => When::Every(*every),
    };
    let missed = match trigger.missed {
        Missed::Skip => wfh_trigger_schedule::Missed::Skip,
        Missed::Once => wfh_trigger_schedule::Missed::Once,
        Missed::All => wfh_trigger_schedule::Missed::All,
    };
    let (target, path) = (trigger.target.clone(), trigger.path.clone());
    Ok(ScheduleConfig { name: name.to_owned(), when, missed, target, path })
}
