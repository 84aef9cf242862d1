use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, StatusCode};
use wfh_event::{Event, EventId, KeyPart};
use wfh_store::memory::MemoryStore;
use wfh_store::{Append, Claim, Kv, ManualClock, Op, Queue, QueueKey};

use super::*;
use crate::{
    Destinations, EventReply, HttpInput, Outgoing, Place, Reply, Tail, bytes_body, collect_body,
    new_invocation_id, queue_key,
};

/// What a guest is told to do next.
enum Act {
    Answer(&'static str),
    Emit(&'static str, Target),
    Fail(FailureClass),
    Respond(u16, &'static str),
    Wait(Duration),
}

/// Does as its script says, and counts.
#[derive(Default)]
struct Guest {
    script: Mutex<VecDeque<Act>>,
    calls: Mutex<Vec<u32>>,
}

impl Guest {
    fn then(&self, act: Act) -> &Self {
        self.script.lock().unwrap().push_back(act);
        self
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    async fn act(&self) -> Outcome {
        let act = self.script.lock().unwrap().pop_front();
        let reply = |data: &'static str| EventReply {
            data: Some(Bytes::from_static(data.as_bytes())),
            ..EventReply::default()
        };
        match act {
            None => Outcome::Done(Reply::Event(reply("default"))),
            Some(Act::Answer(data)) => Outcome::Done(Reply::Event(reply(data))),
            Some(Act::Emit(id, target)) => {
                let mut event = Event::new(EventId::new(id).unwrap(), "function:shop", "t");
                event.data = Some(Bytes::from_static(b"{}"));
                let emit = Outgoing {
                    target,
                    event,
                    key: None,
                    headers: Vec::new(),
                    delay: None,
                    hops: 1,
                };
                Outcome::Done(Reply::Event(EventReply { emit: vec![emit], ..reply("emitted") }))
            }
            Some(Act::Fail(class)) => Outcome::Failed(Failure::new(class, "as told")),
            Some(Act::Respond(status, body)) => {
                let mut response = http::Response::new(bytes_body(body));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Outcome::Done(Reply::Http(response, Tail::default()))
            }
            Some(Act::Wait(time)) => {
                tokio::time::sleep(time).await;
                Outcome::Done(Reply::Event(reply("waited")))
            }
        }
    }
}

impl Invoke for Arc<Guest> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let attempts = match &invocation.input {
                Input::Http(_) => vec![1],
                Input::Events(items) => items.iter().map(|item| item.attempt).collect(),
            };
            let mut outcomes = Vec::new();
            for attempt in attempts {
                self.calls.lock().unwrap().push(attempt);
                outcomes.push(self.act().await);
            }
            outcomes
        })
    }
}

struct World {
    guest: Arc<Guest>,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    host: Durability,
    layer: Durable<Arc<Guest>>,
}

fn bounds() -> Bounds {
    Bounds { body_bytes_max: 1_000, hops_max: 8 }
}

fn policy(key: Option<&str>) -> DurablePolicy {
    DurablePolicy {
        retry: RetryPolicy {
            attempts: 3,
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: false,
            event_age_max: Duration::from_secs(3_600),
            sync: false,
        },
        key: key.map(|header| KeyPolicy {
            parts: vec![KeyPart::Header(header.to_owned())],
            required: false,
            ttl: Duration::from_secs(60),
            bytes_max: 64,
            body_timeout: Duration::from_secs(5),
        }),
        destinations: Destinations::default(),
        emits: true,
        version: Version::new("v1".to_owned()),
    }
}

fn world(policy: DurablePolicy) -> World {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let store = Arc::new(MemoryStore::new(Arc::<ManualClock>::clone(&clock)));
    let targets = Arc::new(Targets::default());
    let place = |target: &str| {
        let target: Target = target.parse().unwrap();
        let queue = queue_key(&target).unwrap();
        (target, vec![Place { queue, group: None, depth_max: 10, dedup: None }])
    };
    targets.replace(HashMap::from([place("queue:out"), place("function:shop")]));
    let host = Durability {
        store: Arc::<MemoryStore>::clone(&store),
        clock: Arc::<ManualClock>::clone(&clock),
        targets,
        tasks: TaskTracker::new(),
        schedules: Arc::default(),
        running: Arc::default(),
        invocations_ttl: Duration::from_secs(3_600),
        dead_letters_ttl: Duration::from_secs(3_600),
    };
    let guest = Arc::new(Guest::default());
    let function: FunctionName = "shop".parse().unwrap();
    let layer = Durable::new(Arc::clone(&guest), function, bounds(), policy, Some(host.clone()));
    World { guest, store, clock, host, layer }
}

fn invocation(input: Input) -> Invocation {
    Invocation {
        phases: None,
        id: new_invocation_id(),
        target: "function:shop".parse().unwrap(),
        deadline: None,
        hops: 0,
        attempts_max: 1,
        trace: TraceContext::root(),
        input,
    }
}

fn request(key: Option<&str>, body: &'static str) -> Invocation {
    let mut request = Request::post("http://h/pay?x=1").body(bytes_body(body)).unwrap();
    if let Some(key) = key {
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    }
    invocation(Input::Http(Box::new(HttpInput { request, route: "/pay".into() })))
}

fn event(key: Option<&str>, data: &'static str) -> Item {
    let mut event = Event::new(EventId::new("e-1").unwrap(), "/orders", "order.paid");
    event.data = Some(Bytes::from_static(data.as_bytes()));
    let headers =
        key.map(|key| ("idempotency-key".to_owned(), Bytes::copy_from_slice(key.as_bytes())));
    Item { headers: headers.into_iter().collect(), ..Item::new(event, "k".into()) }
}

impl World {
    async fn call(&self, invocation: Invocation) -> Outcome {
        let mut outcomes = self.layer.invoke(invocation).await;
        assert_eq!(outcomes.len(), 1, "one item has one outcome");
        outcomes.remove(0)
    }

    /// Status and body of a request's answer, and whether it is a recorded one.
    async fn post(&self, key: Option<&str>, body: &'static str) -> (u16, String, bool) {
        match self.call(request(key, body)).await {
            Outcome::Done(Reply::Http(response, _)) => {
                let replayed = response.headers().contains_key(REPLAYED);
                let status = response.status().as_u16();
                let body = collect_body(response.into_body(), 1_000).await.unwrap();
                (status, String::from_utf8(body.to_vec()).unwrap(), replayed)
            }
            Outcome::Failed(failure) => {
                (failure.class.http_status(), failure.detail, failure.replayed)
            }
            _ => panic!("a request has a response"),
        }
    }

    /// Puts an event into the function's queue.
    async fn enqueue(&self, item: Item) {
        let record = Record::new(new_invocation_id(), item, 0, &TraceContext::root());
        let append = Append::new(queue(), "e", record.to_bytes());
        self.store.commit(vec![Op::Append(append)]).await.unwrap();
    }

    /// Claims what is there and runs it, as a trigger does.
    async fn work(&self) -> Vec<Outcome> {
        let claim =
            Claim { entries_max: 10, bytes_max: 1 << 20, visibility: Duration::from_secs(30) };
        let claimed = self.store.claim(queue(), claim).await.unwrap();
        let items: Vec<Item> = claimed.into_iter().map(|one| delivered(one, None)).collect();
        if items.is_empty() {
            return Vec::new();
        }
        self.layer.invoke(invocation(Input::Events(items))).await
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        let found = self.store.list(DEAD_LETTERS, None, 100).await.unwrap();
        found.iter().map(|(_, value)| DeadLetter::from_bytes(&value.bytes).unwrap()).collect()
    }

    async fn depth(&self, queue: &str) -> u64 {
        self.store.depth(QueueKey::new(queue).unwrap()).await.unwrap().entries
    }
}

fn queue() -> QueueKey {
    QueueKey::new("function/shop").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_is_given_the_recorded_answer() {
    let world = world(policy(Some("idempotency-key")));
    world.guest.then(Act::Respond(201, "paid")).then(Act::Respond(200, "again"));
    assert_eq!(world.post(Some("k"), "{}").await, (201, "paid".into(), false));
    assert_eq!(world.post(Some("k"), "{}").await, (201, "paid".into(), true));
    assert_eq!(world.guest.calls(), 1, "a recorded success ran again");
    assert_eq!(world.post(Some("other"), "{}").await, (200, "again".into(), false));
    assert_eq!(world.post(Some("k"), "{1}").await.0, 422, "another payload under the same key");
}

#[tokio::test(start_paused = true)]
async fn a_record_is_gone_after_its_ttl() {
    let world = world(policy(Some("idempotency-key")));
    world.guest.then(Act::Respond(200, "one")).then(Act::Respond(200, "two"));
    world.post(Some("k"), "").await;
    world.clock.advance(60_001);
    assert_eq!(world.post(Some("k"), "").await, (200, "two".into(), false));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_is_not_recorded() {
    let world = world(policy(Some("idempotency-key")));
    world.guest.then(Act::Fail(FailureClass::Trap)).then(Act::Respond(503, "later"));
    world.guest.then(Act::Respond(404, "none"));
    assert_eq!(world.post(Some("k"), "").await.0, 502);
    assert_eq!(world.post(Some("k"), "").await.0, 503);
    assert_eq!(world.post(Some("k"), "").await, (404, "none".into(), false));
    assert_eq!(world.post(Some("k"), "").await, (404, "none".into(), true));
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_duplicate_is_a_conflict_and_the_first_call_survives_its_caller() {
    let world = world(policy(Some("idempotency-key")));
    world.guest.then(Act::Wait(Duration::from_secs(60)));
    let item = || invocation(Input::Events(vec![event(Some("k"), "{}")]));
    // The caller leaves after a while; the call goes on, its lease renewed.
    let left = tokio::time::timeout(Duration::from_secs(20), world.call(item())).await;
    assert!(left.is_err());
    match world.call(item()).await {
        Outcome::Failed(failure) => assert_eq!(failure.class, FailureClass::Conflict),
        _ => panic!("a duplicate ran beside the first call"),
    }
    tokio::time::sleep(Duration::from_secs(50)).await;
    match world.call(item()).await {
        Outcome::Done(Reply::Event(reply)) => assert_eq!(reply.data.unwrap(), "waited"),
        _ => panic!("the result of a call whose caller left was not recorded"),
    }
    assert_eq!(world.guest.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_holder_that_died_runs_out() {
    let world = world(policy(Some("idempotency-key")));
    let parts = [KeyPart::Header("idempotency-key".into())];
    let name = key::key_of_item(&"shop".parse().unwrap(), &parts, &event(Some("k"), "{}")).unwrap();
    world.store.lease(store_key(&name).unwrap(), LEASE).await.unwrap();
    let item = || invocation(Input::Events(vec![event(Some("k"), "{}")]));
    assert!(matches!(world.call(item()).await, Outcome::Failed(_)));
    world.clock.advance(10_001);
    assert!(matches!(world.call(item()).await, Outcome::Done(_)), "a dead holder holds for ever");
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_large_to_record_is_502_and_so_is_its_repetition() {
    let world = world(policy(Some("idempotency-key")));
    const LARGE: &str = "0123456789012345678901234567890123456789012345678901234567890123456789";
    world.guest.then(Act::Respond(200, LARGE));
    assert_eq!(world.post(Some("k"), "").await.0, 502);
    assert_eq!(world.post(Some("k"), "").await.0, 502);
    assert_eq!(world.guest.calls(), 1, "an oversized answer was not recorded");
    assert_eq!(world.post(Some("l"), LARGE).await.0, 413, "an oversized body ran");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_required_key_is_refused() {
    let mut policy = policy(Some("idempotency-key"));
    if let Some(key) = &mut policy.key {
        key.required = true;
    }
    let world = world(policy);
    let (status, detail, _) = world.post(None, "").await;
    assert_eq!(status, 400);
    assert!(detail.contains("header:idempotency-key"), "the missing part is not named: {detail}");
}

#[tokio::test(start_paused = true)]
async fn a_queued_event_is_tried_again_and_acknowledged() {
    let world = world(policy(None));
    world.guest.then(Act::Fail(FailureClass::Trap)).then(Act::Answer("done"));
    world.enqueue(event(None, "{}")).await;
    assert!(matches!(world.work().await.as_slice(), [Outcome::Done(_)]));
    assert_eq!(*world.guest.calls.lock().unwrap(), [1, 2], "attempts are counted from 1");
    assert_eq!(world.depth("function/shop").await, 0, "a success was not acknowledged");
    assert!(world.letters().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_goes_to_the_queue_with_its_count() {
    let mut policy = policy(None);
    policy.retry.initial = Duration::from_secs(5);
    let world = world(policy);
    world.guest.then(Act::Fail(FailureClass::Trap)).then(Act::Answer("done"));
    world.enqueue(event(None, "{}")).await;
    let deferred = Duration::from_secs(5);
    assert!(matches!(
        world.work().await.as_slice(),
        [Outcome::Deferred { after, attempt: 2 }] if *after == deferred
    ));
    assert!(world.work().await.is_empty(), "it runs before its wait is over");
    world.clock.advance(5_000);
    world.work().await;
    assert_eq!(*world.guest.calls.lock().unwrap(), [1, 2], "the count did not survive");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_keeps_failing_becomes_a_dead_letter_with_its_story() {
    let world = world(policy(None));
    for _ in 0..3 {
        world.guest.then(Act::Fail(FailureClass::Trap));
    }
    world.enqueue(event(None, "{}")).await;
    world.work().await;
    let letters = world.letters().await;
    let [letter] = letters.as_slice() else { panic!("one letter, not {}", letters.len()) };
    assert_eq!((letter.condition.as_str(), letter.class.as_str()), ("RetriesExhausted", "trap"));
    assert_eq!((letter.attempts, letter.tries.len()), (3, 3));
    assert_eq!(letter.queue, "function/shop");
    assert!(letter.trace_id().is_some(), "a letter without its trace");
    assert_eq!(world.depth("function/shop").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_event_dies_at_once_and_a_busy_function_costs_no_attempt() {
    let world = world(policy(None));
    world.guest.then(Act::Fail(FailureClass::Busy)).then(Act::Fail(FailureClass::Rejected));
    world.enqueue(event(None, "{}")).await;
    assert!(matches!(world.work().await.as_slice(), [Outcome::Failed(_)]));
    assert_eq!(world.depth("function/shop").await, 1, "what never began was taken away");
    world.clock.advance(1_000);
    world.work().await;
    assert_eq!(*world.guest.calls.lock().unwrap(), [1, 1], "Busy was counted as a try");
    assert_eq!(world.letters().await[0].condition, "Rejected");
}

#[tokio::test(start_paused = true)]
async fn emits_destination_and_acknowledgement_are_one_commit() {
    let out: Target = "queue:out".parse().unwrap();
    let mut policy = policy(None);
    policy.destinations.success = Some(out.clone());
    let world = world(policy);
    world.guest.then(Act::Emit("emitted-1", out));
    world.enqueue(event(None, r#"{"n":1}"#)).await;
    world.work().await;
    let out = world.store.peek(QueueKey::new("queue/out").unwrap(), None, 10).await.unwrap();
    let events: Vec<_> =
        out.iter().map(|entry| Record::from_bytes(&entry.body).unwrap().event).collect();
    assert_eq!(events.len(), 2, "an emit and a destination's record");
    assert_eq!(events[0].id, "emitted-1");
    let data = events[1].data.clone().unwrap().0;
    let record: serde_json::Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(record["requestContext"]["condition"], "Success", "{record}");
    assert_eq!(record["requestPayload"]["n"], 1, "{record}");
    assert_eq!(record["responsePayload"], "emitted", "{record}");
    assert_eq!(record["responseContext"]["executedVersion"], "v1", "{record}");
}

#[tokio::test(start_paused = true)]
async fn a_zombie_settles_nothing() {
    let world = world(policy(None));
    world.guest.then(Act::Emit("e", "queue:out".parse().unwrap()));
    world.enqueue(event(None, "{}")).await;
    let claim = Claim { entries_max: 1, bytes_max: 1 << 20, visibility: Duration::from_secs(1) };
    let first = world.store.claim(queue(), claim).await.unwrap().remove(0);
    world.clock.advance(2_000);
    let second = world.store.claim(queue(), claim).await.unwrap().remove(0);
    let slow = world.call(invocation(Input::Events(vec![delivered(first, None)]))).await;
    assert!(matches!(slow, Outcome::Failed(failure) if failure.class == FailureClass::Conflict));
    assert_eq!(world.depth("queue/out").await, 0, "a zombie emitted");
    let quick = world.call(invocation(Input::Events(vec![delivered(second, None)]))).await;
    assert!(matches!(quick, Outcome::Done(_)), "the new holder cannot settle");
}

#[tokio::test(start_paused = true)]
async fn one_items_conflict_does_not_undo_the_others() {
    let world = world(policy(None));
    world.enqueue(event(None, "1")).await;
    world.enqueue(event(None, "2")).await;
    let claim = Claim { entries_max: 2, bytes_max: 1 << 20, visibility: Duration::from_secs(30) };
    let claimed = world.store.claim(queue(), claim).await.unwrap();
    let stale = claimed[0].receipt.clone();
    world.store.commit(vec![Op::Ack(stale)]).await.unwrap();
    let items = claimed.into_iter().map(|one| delivered(one, None)).collect();
    let outcomes = world.layer.invoke(invocation(Input::Events(items))).await;
    assert!(matches!(outcomes.as_slice(), [Outcome::Failed(_), Outcome::Done(_)]));
    assert_eq!(world.depth("function/shop").await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_call_is_accepted_once_and_runs_once() {
    let world = world(policy(Some("idempotency-key")));
    let bounds = crate::Bounds { body_bytes_max: 100, hops_max: 8 };
    let function: Target = "function:shop".parse().unwrap();
    let key = policy(Some("idempotency-key")).key;
    let acceptor = Acceptor::new(function, bounds, Duration::from_secs(5), key, world.host.clone());
    let first = acceptor.accept(request(Some("k"), "{}")).await.unwrap();
    let again = acceptor.accept(request(Some("k"), "{}")).await.unwrap();
    assert_eq!((again.id, again.replayed), (first.id, true), "a repeat was accepted anew");
    let other = acceptor.accept(request(Some("k"), "{1}")).await.unwrap_err();
    assert_eq!(other.class, FailureClass::Mismatch);
    assert_eq!(world.depth("function/shop").await, 1);
    assert_eq!(
        world.post(Some("k"), "{}").await.0,
        409,
        "a synchronous repeat of an accepted call"
    );

    assert!(matches!(world.work().await.as_slice(), [Outcome::Done(_)]));
    let status = world.store.get(InvocationStatus::key(first.id).unwrap()).await.unwrap().unwrap();
    let status: InvocationStatus = serde_json::from_slice(&status.bytes).unwrap();
    assert_eq!((status.state, status.attempts), (InvocationState::Succeeded, 1));
    let late = acceptor.accept(request(Some("k"), "{}")).await.unwrap();
    assert_eq!(late.id, first.id, "a repeat after the end is told of another invocation");
    assert_eq!(world.guest.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn accepted_work_is_bounded() {
    let world = world(policy(None));
    let bounds = crate::Bounds { body_bytes_max: 100, hops_max: 8 };
    let function: Target = "function:shop".parse().unwrap();
    let acceptor =
        Acceptor::new(function, bounds, Duration::from_secs(5), None, world.host.clone());
    for _ in 0..10 {
        acceptor.accept(request(None, "{}")).await.unwrap();
    }
    let full = acceptor.accept(request(None, "{}")).await.unwrap_err();
    assert_eq!(full.class, FailureClass::Unavailable);
    assert!(full.retry_after.is_some(), "a full queue does not say when to come back");
}
