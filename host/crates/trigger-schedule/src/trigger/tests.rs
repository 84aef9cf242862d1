use std::collections::HashMap;

use wfh_invoke::{Place, Record, queue_key};
use wfh_store::memory::MemoryStore;
use wfh_store::{ManualClock, Queue, QueueKey};

use super::*;

/// 2026-01-01T00:00:00Z
const START_MS: u64 = 1_767_225_600_000;

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    targets: Arc<Targets>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new(START_MS + 500));
    let store = Arc::new(MemoryStore::new(Arc::<ManualClock>::clone(&clock)));
    let target: Target = "function:sweep".parse().unwrap();
    let queue = queue_key(&target).unwrap();
    let targets = Arc::new(Targets::default());
    let place = Place { queue, group: None, depth_max: 1_000, dedup: None };
    targets.replace(HashMap::from([(target, vec![place])]));
    World { store, clock, targets }
}

impl World {
    fn trigger(&self, missed: Missed) -> ScheduleTrigger {
        let config = ScheduleConfig {
            name: "sweep".into(),
            when: When::Every(Duration::from_secs(60)),
            missed,
            target: "function:sweep".parse().unwrap(),
            path: "/".into(),
        };
        let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&self.store);
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        let (targets, schedules) = (Arc::clone(&self.targets), Arc::default());
        ScheduleTrigger::new(config, store, clock, targets, schedules, Shutdown::default())
    }

    async fn fired(&self) -> Vec<String> {
        let queue = QueueKey::new("function/sweep").unwrap();
        let entries = self.store.peek(queue, None, 1_000).await.unwrap();
        let id = |entry: &wfh_store::Entry| {
            Record::from_bytes(&entry.body).unwrap().event_id().to_owned()
        };
        entries.iter().map(id).collect()
    }
}

#[tokio::test]
async fn each_point_in_time_fires_once_between_two_replicas() {
    let world = world();
    let (one, two) = (world.trigger(Missed::Once), world.trigger(Missed::Once));
    for _ in 0..3 {
        let (first, second) = tokio::join!(one.turn(), two.turn());
        first.unwrap();
        second.unwrap();
        world.clock.advance(60_000);
    }
    assert_eq!(
        world.fired().await,
        ["sweep/2026-01-01T00:01:00.5Z", "sweep/2026-01-01T00:02:00.5Z"]
    );
}

#[tokio::test]
async fn what_was_missed_is_skipped_joined_or_made_up_for() {
    for (missed, expected) in [(Missed::Skip, 0), (Missed::Once, 1), (Missed::All, 5)] {
        let world = world();
        let trigger = world.trigger(missed);
        trigger.turn().await.unwrap();
        world.clock.advance(5 * 60_000 + 30_000);
        trigger.turn().await.unwrap();
        let fired = world.fired().await;
        assert_eq!(fired.len(), expected, "{missed:?}: {fired:?}");
        let wait = trigger.turn().await.unwrap();
        assert!(wait <= Duration::from_secs(30), "{missed:?}: out of step by {wait:?}");
    }
}

#[tokio::test]
async fn years_of_downtime_are_passed_over_in_one_turn_and_stay_in_step() {
    let world = world();
    let trigger = world.trigger(Missed::Once);
    trigger.turn().await.unwrap();
    world.clock.advance(3 * 365 * 24 * 3_600_000);
    trigger.turn().await.unwrap();
    let wait = trigger.turn().await.unwrap();
    assert_eq!(wait, Duration::from_secs(60), "the schedule lost its step");
    assert_eq!(world.fired().await.len(), 1);
}

#[tokio::test]
async fn a_paused_schedule_stands_still() {
    let world = world();
    let trigger = world.trigger(Missed::Once);
    trigger.turn().await.unwrap();
    let key = schedule_key("sweep").unwrap();
    let value = wfh_store::Kv::get(&*world.store, key.clone()).await.unwrap().unwrap();
    let mut state = ScheduleState::from_bytes(&value.bytes).unwrap();
    state.paused = true;
    let put = Op::Put { key, bytes: state.to_bytes(), expect: Expect::Any, ttl: None };
    world.store.commit(vec![put]).await.unwrap();
    world.clock.advance(600_000);
    trigger.turn().await.unwrap();
    assert!(world.fired().await.is_empty(), "a paused schedule fired");
}
