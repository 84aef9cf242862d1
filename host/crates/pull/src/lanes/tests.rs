use std::time::Duration;

use proptest::prelude::*;
use wfh_event::{Event, EventId};
use wfh_invoke::Item;

use super::*;

#[derive(Debug)]
struct Sized(u64);

impl Raw for Sized {
    fn item(&self) -> (Item, u8) {
        let event = Event::new(EventId::new("1").unwrap(), "s", "t");
        (Item::new(event, String::new()), 0)
    }

    fn bytes(&self) -> u64 {
        self.0
    }
}

fn limits(size: usize) -> BatchLimits {
    BatchLimits { size, window: Duration::from_millis(100), bytes_max: 1_000, bisect: false }
}

fn record(position: u128, lane: LaneId) -> Record<Sized> {
    Record::new(position, lane, 0, Sized(1))
}

fn positions(records: &[Record<Sized>]) -> Vec<u128> {
    records.iter().map(|record| record.position).collect()
}

fn lanes_of(records: &[Record<Sized>]) -> HashSet<LaneId> {
    records.iter().map(|record| record.lane).collect()
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_due_when_it_is_full_or_has_waited() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    lanes.push(record(1, None), now);
    assert!(!lanes.is_due(&limits(2), now), "it waits for a second record");
    assert_eq!(lanes.next_due(&limits(2)), Some(now + Duration::from_millis(100)));
    assert!(lanes.is_due(&limits(2), now + Duration::from_millis(100)));
    lanes.push(record(2, None), now);
    assert!(lanes.is_due(&limits(2), now));
    lanes.push(Record::new(3, None, 0, Sized(1_000)), now);
    assert!(lanes.is_due(&limits(9), now), "it has as many bytes as a batch may have");
    assert_eq!(positions(&lanes.take(&limits(9), now)), [1, 2], "a large one comes alone");
    assert_eq!(positions(&lanes.take(&limits(9), now)), [3]);
    assert!(lanes.next_due(&limits(9)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lane_waits_for_its_batch_and_others_go_on() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    for (position, lane) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
        lanes.push(record(position, Some(lane)), now);
    }
    let first = lanes.take(&limits(1), now);
    assert_eq!(positions(&first), [1]);
    let second = lanes.take(&limits(1), now);
    assert_eq!(positions(&second), [3]);
    assert!(lanes.take(&limits(1), now).is_empty(), "a second batch of a lane began");
    let later = now + Duration::from_secs(5);
    lanes.ended(lanes_of(&first), first.into_iter().map(|one| (one, later)).collect(), now);
    assert!(lanes.take(&limits(9), now).is_empty(), "it rests");
    lanes.ended(lanes_of(&second), Vec::new(), now);
    lanes.wake(later);
    assert_eq!(positions(&lanes.take(&limits(9), later)), [1, 2, 4], "back where it was");
}

#[tokio::test(start_paused = true)]
async fn what_has_no_lane_rests_alone() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    lanes.push(record(1, None), now);
    lanes.push(record(2, None), now);
    let batch = lanes.take(&limits(1), now);
    let later = now + Duration::from_secs(1);
    lanes.ended(lanes_of(&batch), batch.into_iter().map(|one| (one, later)).collect(), now);
    assert_eq!(positions(&lanes.take(&limits(9), now)), [2], "the other one need not wait");
    assert!(!lanes.is_empty());
    lanes.wake(later);
    assert_eq!(positions(&lanes.take(&limits(9), later)), [1]);
    assert!(lanes.is_empty());
}

proptest! {
    /// Whatever comes and ends in whatever order: each lane is in order, one batch at a time, and
    /// nothing is lost.
    #[test]
    fn lanes_keep_their_order_and_lose_nothing(
        records in prop::collection::vec(prop::option::of(0_u64..3), 1..60),
        fails in prop::collection::vec(any::<bool>(), 400),
        size in 1_usize..5,
    ) {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        let total = records.len();
        for (position, lane) in records.into_iter().enumerate() {
            lanes.push(record(position as u128, lane), now);
        }
        let (mut running, mut done) = (VecDeque::new(), Vec::new());
        for fails in fails {
            let batch = lanes.take(&limits(size), now);
            let busy: HashSet<LaneId> =
                running.iter().flat_map(|batch: &Vec<Record<Sized>>| lanes_of(batch)).collect();
            for lane in lanes_of(&batch).into_iter().flatten() {
                prop_assert!(!busy.contains(&Some(lane)), "two batches of one lane at once");
            }
            if !batch.is_empty() {
                running.push_back(batch);
            }
            let Some(ended) = running.pop_front() else { break };
            let ids = lanes_of(&ended);
            let again = if fails { ended } else { done.extend(ended); Vec::new() };
            lanes.ended(ids, again.into_iter().map(|one| (one, now)).collect(), now);
        }
        // Failing batches may have used up the steps; run the rest.
        loop {
            let batch = match running.pop_front() {
                Some(batch) => batch,
                None => lanes.take(&limits(size), now),
            };
            if batch.is_empty() { break }
            let ids = lanes_of(&batch);
            done.extend(batch);
            lanes.ended(ids, Vec::new(), now);
        }
        prop_assert_eq!(done.len(), total, "records were lost or doubled");
        for lane in 0..3 {
            let order: Vec<u128> = done.iter().filter(|one| one.lane == Some(lane)).map(|one| one.position).collect();
            prop_assert!(order.is_sorted(), "lane {lane} is out of order: {order:?}");
        }
    }
}
