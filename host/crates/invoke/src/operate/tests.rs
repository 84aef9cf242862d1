use std::collections::HashMap;
use std::sync::Arc;

use wfh_event::{Event, EventId, Target};
use wfh_store::memory::MemoryStore;
use wfh_store::{Expect, ManualClock, Op, Queue, Store};

use super::*;
use crate::durable::Progress;
use crate::{DEAD_LETTERS, DeadLetter, Item, Place, Record, Targets, new_invocation_id, queue_key};
use wfh_telemetry::TraceContext;

struct World {
    store: Arc<MemoryStore>,
    operator: Operator,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let store = Arc::new(MemoryStore::new(Arc::<ManualClock>::clone(&clock)));
    let targets = Arc::new(Targets::default());
    let place = |target: &str| {
        let target: Target = target.parse().unwrap();
        let queue = queue_key(&target).unwrap();
        (target, vec![Place { queue, group: None, depth_max: 100, dedup: None }])
    };
    targets.replace(HashMap::from([place("queue:jobs"), place("function:work")]));
    let host = Durability {
        store: Arc::<MemoryStore>::clone(&store),
        clock,
        targets,
        tasks: tokio_util::task::TaskTracker::new(),
        schedules: Arc::default(),
        running: Arc::default(),
        invocations_ttl: std::time::Duration::from_secs(60),
        dead_letters_ttl: std::time::Duration::from_secs(60),
    };
    World { store, operator: Operator::new(host) }
}

fn actor() -> Actor {
    Actor("tester".to_owned())
}

impl World {
    async fn letter(&self, id: &str, function: &str) {
        let event = Event::new(EventId::new(id).unwrap(), "/orders", "t");
        let record = Record::new(
            new_invocation_id(),
            Item::new(event, id.to_owned()),
            0,
            &TraceContext::root(),
        );
        let letter = DeadLetter::new(id, function, "queue/jobs", record, &Progress::default());
        let key = key(DEAD_LETTERS, id).unwrap();
        let (bytes, expect) = (letter.to_bytes(), Expect::Any);
        self.store.commit(vec![Op::Put { key, bytes, expect, ttl: None }]).await.unwrap();
    }

    async fn depth(&self, target: &str) -> u64 {
        let queue = queue_key(&target.parse().unwrap()).unwrap();
        self.store.depth(queue).await.unwrap().entries
    }
}

#[tokio::test]
async fn a_letter_is_sent_again_once_however_often_it_is_asked_for() {
    let world = world();
    world.letter("a", "work").await;
    let actor = actor();
    let (one, two) = tokio::join!(
        world.operator.redrive("a", None, &actor),
        world.operator.redrive("a", None, &actor),
    );
    assert!(one.is_ok() != two.is_ok(), "two redrives, {one:?} and {two:?}");
    assert_eq!(world.depth("queue:jobs").await, 1, "it was sent twice");
    let gone = world.operator.letter("a").await.unwrap_err();
    assert!(matches!(gone, OperateError::NotFound(_)));
    let id = one.or(two).unwrap();
    assert_eq!(world.operator.invocation(id).await.unwrap().attempts, 0);
    let log = world.operator.audit_log(None, 10).await.unwrap().rows;
    assert_eq!((log.len(), log[0].subject.as_str()), (1, "dead-letter:a"));
}

#[tokio::test]
async fn a_letter_goes_elsewhere_or_away() {
    let world = world();
    for id in ["a", "b", "c"] {
        world.letter(id, "work").await;
    }
    let work: Target = "function:work".parse().unwrap();
    world.operator.redrive("a", Some(&work), &actor()).await.unwrap();
    assert_eq!(world.depth("function:work").await, 1);
    let absent: Target = "queue:absent".parse().unwrap();
    let refused = world.operator.redrive("b", Some(&absent), &actor()).await.unwrap_err();
    assert!(matches!(refused, OperateError::Invalid(_)), "{refused:?}");
    world.operator.discard("b", &actor()).await.unwrap();
    let left = world.operator.letters(&LetterFilter::default(), None, 10).await.unwrap();
    assert_eq!(left.rows.iter().map(|letter| letter.id.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn listings_filter_and_page() {
    let world = world();
    for n in 0..5 {
        world.letter(&format!("l{n}"), if n % 2 == 0 { "even" } else { "odd" }).await;
    }
    let filter = LetterFilter { function: Some("even".to_owned()), ..LetterFilter::default() };
    let first = world.operator.letters(&filter, None, 2).await.unwrap();
    let next = world.operator.letters(&filter, first.next.as_deref(), 2).await.unwrap();
    let ids: Vec<&str> =
        first.rows.iter().chain(&next.rows).map(|letter| letter.id.as_str()).collect();
    assert_eq!((ids, next.next), (vec!["l0", "l2", "l4"], None));
}

#[tokio::test]
async fn a_purge_empties_what_is_there() {
    let world = world();
    let jobs: Target = "queue:jobs".parse().unwrap();
    for n in 0..3 {
        let event = Event::new(EventId::new(&n.to_string()).unwrap(), "/s", "t");
        world.operator.send(&jobs, event).await.unwrap();
    }
    let seen = world.operator.peek(&jobs, None, 10).await.unwrap();
    assert_eq!(seen.rows.len(), 3);
    assert_eq!(world.operator.purge(&jobs, &actor()).await.unwrap(), 3);
    assert_eq!(world.operator.queue(&jobs).await.unwrap().depth.entries, 0);
    let topic: Target = "topic:none".parse().unwrap();
    assert!(matches!(world.operator.purge(&topic, &actor()).await, Err(OperateError::NotFound(_))));
}
