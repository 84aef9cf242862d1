use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use wfh_event::{Failure, FailureClass, Target};
use wfh_invoke::{EventReply, Input, Invocation, Invoke, Outcome, Reply, Router, Stacked};
use wfh_store::memory::MemoryStore;
use wfh_store::{Append, Op, Queue, QueueKey, SystemClock};

use super::*;

/// Acknowledges what it is given, as a function's layers do.
struct Layers {
    store: Arc<MemoryStore>,
    takes: Duration,
    busy: AtomicUsize,
    sizes: Mutex<Vec<usize>>,
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Invoke for Layers {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let Input::Events(items) = invocation.input else { panic!("a queue gives events") };
            let receipts: Vec<_> = items
                .iter()
                .map(|item| item.delivery.as_ref().unwrap().receipt().unwrap().clone())
                .collect();
            if self.busy.load(Ordering::SeqCst) > 0 {
                self.busy.fetch_sub(1, Ordering::SeqCst);
                let release = |receipt| Op::Release { receipt, delay: Duration::ZERO, state: None };
                self.store.commit(receipts.into_iter().map(release).collect()).await.unwrap();
                let busy =
                    Failure::new(FailureClass::Busy, "").with_retry_after(Duration::from_secs(3));
                return items.iter().map(|_| Outcome::Failed(busy.clone())).collect();
            }
            self.sizes.lock().unwrap().push(items.len());
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.peak.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(self.takes).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            self.store.commit(receipts.into_iter().map(Op::Ack).collect()).await.unwrap();
            items.iter().map(|_| Outcome::Done(Reply::Event(EventReply::default()))).collect()
        })
    }
}

struct World {
    store: Arc<MemoryStore>,
    layers: Arc<Layers>,
    shutdown: Shutdown,
    config: QueueConfig,
    dispatcher: Dispatcher,
}

fn queue() -> QueueKey {
    QueueKey::new("queue/jobs").unwrap()
}

fn world(takes: Duration, edit: impl FnOnce(&mut QueueConfig)) -> World {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let layers = Arc::new(Layers {
        store: Arc::clone(&store),
        takes,
        busy: AtomicUsize::new(0),
        sizes: Mutex::default(),
        now: AtomicUsize::new(0),
        peak: AtomicUsize::new(0),
    });
    let target: Target = "function:work".parse().unwrap();
    let mut config = QueueConfig {
        name: "jobs".into(),
        queue: queue(),
        target: target.clone(),
        path: None,
        batch_size: 1,
        batch_window: Duration::ZERO,
        bisect: false,
        batch_bytes_max: 1 << 20,
        in_flight_max: 4,
        visibility: Duration::from_secs(30),
        receives_max: 10,
        retention: None,
    };
    edit(&mut config);
    let mut router = Router::default();
    let invoke: Arc<dyn Invoke> = Arc::<Layers>::clone(&layers);
    router.insert(target, Stacked::of(invoke));
    let dispatcher = Dispatcher::new(router);
    World { store, layers, shutdown: Shutdown::default(), config, dispatcher }
}

impl World {
    async fn append(&self, entries: usize) {
        let append = |n: usize| Op::Append(Append::new(queue(), n.to_string(), "not a record"));
        self.store.commit((0..entries).map(append).collect()).await.unwrap();
    }

    fn start(&self) -> tokio::task::JoinHandle<()> {
        let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&self.store);
        let trigger = QueueTrigger::new(
            self.config.clone(),
            store,
            Arc::new(SystemClock),
            self.dispatcher.clone(),
            Vec::new(),
            self.shutdown.clone(),
        );
        tokio::spawn(trigger.run())
    }

    async fn left(&self) -> u64 {
        self.store.depth(queue()).await.unwrap().entries
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_than_may() {
    let world = world(Duration::from_secs(1), |_| {});
    world.append(20).await;
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.left().await, 0, "entries were left");
    assert_eq!(world.layers.peak.load(Ordering::SeqCst), 4, "in_flight_max is not kept");
    world.shutdown.drain.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn batches_are_as_large_as_they_may_be_and_a_window_waits() {
    let world = world(Duration::ZERO, |config| {
        (config.batch_size, config.in_flight_max) = (3, 1);
        config.batch_window = Duration::from_secs(2);
    });
    world.append(7).await;
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(*world.layers.sizes.lock().unwrap(), [3, 3], "the last batch did not wait");
    world.append(1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(*world.layers.sizes.lock().unwrap(), [3, 3, 2]);
    world.shutdown.drain.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_target_under_pressure_is_left_alone_for_a_while() {
    let world = world(Duration::ZERO, |config| config.in_flight_max = 1);
    world.layers.busy.store(1, Ordering::SeqCst);
    world.append(1).await;
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.left().await, 1, "it was called again at once");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.left().await, 0, "it was not called again");
    world.shutdown.drain.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_calls_and_a_cut_off_call_gives_its_entry_back() {
    let world = world(Duration::from_secs(60), |_| {});
    world.append(1).await;
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.shutdown.drain.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!running.is_finished(), "the drain did not wait for a call");
    world.shutdown.cancel.cancel();
    running.await.unwrap();
    let claim = Claim { entries_max: 1, bytes_max: 1, visibility: Duration::from_secs(1) };
    let back = world.store.claim(queue(), claim).await.unwrap();
    assert_eq!(back.len(), 1, "the entry was not given back");
    assert_eq!(back[0].entry.receives, 1, "a call that was cut off counted");
}
