//! Which records may be given to the target now. Pure: time comes from outside.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use tokio::time::Instant;

use crate::{BatchLimits, Raw, Record};

type LaneId = Option<u64>;

/// The records that wait. Of an ordered lane one batch is under way at a time; records without a
/// lane share one that is never busy.
pub(crate) struct Lanes<R> {
    lanes: HashMap<LaneId, Lane<R>>,
    /// The lanes that are free and have records, in turn.
    runnable: VecDeque<LaneId>,
    /// The busy lanes that only wait for a time.
    resting: BinaryHeap<Reverse<(Instant, LaneId)>>,
    /// Records without a lane that wait for a time.
    later: Vec<(Instant, Record<R>)>,
    ready: Ready,
}

struct Lane<R> {
    queue: VecDeque<Record<R>>,
    is_busy: bool,
}

impl<R> Default for Lane<R> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), is_busy: false }
    }
}

/// The records of runnable lanes together.
#[derive(Default)]
struct Ready {
    records: usize,
    bytes: u64,
    since: Option<Instant>,
}

impl<R> Default for Lanes<R> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            runnable: VecDeque::new(),
            resting: BinaryHeap::new(),
            later: Vec::new(),
            ready: Ready::default(),
        }
    }
}

impl<R: Raw> Lanes<R> {
    /// Adds a record behind those of its lane.
    pub(crate) fn push(&mut self, record: Record<R>, now: Instant) {
        let id = record.lane;
        let bytes = record.raw.bytes();
        let lane = self.lanes.entry(id).or_default();
        lane.queue.push_back(record);
        if lane.is_busy {
            return;
        }
        if lane.queue.len() == 1 {
            self.runnable.push_back(id);
        }
        self.ready.add(1, bytes, now);
    }

    /// Whether no record waits, and none rests.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.values().all(|lane| lane.queue.is_empty()) && self.later.is_empty()
    }

    /// The record that comes next.
    pub(crate) fn first(&self) -> Option<&Record<R>> {
        self.lanes.get(self.runnable.front()?)?.queue.front()
    }

    /// Whether a batch should begin.
    pub(crate) fn is_due(&self, limits: &BatchLimits, now: Instant) -> bool {
        let Some(since) = self.ready.since else { return false };
        self.ready.records >= limits.size
            || self.ready.bytes >= limits.bytes_max
            || since + limits.window <= now
    }

    /// When something becomes due or runnable by itself.
    pub(crate) fn next_due(&self, limits: &BatchLimits) -> Option<Instant> {
        let window = self.ready.since.map(|since| since + limits.window);
        let rest = self.resting.peek().map(|Reverse((until, _))| *until);
        let later = self.later.iter().map(|(until, _)| *until).min();
        [window, rest, later].into_iter().flatten().min()
    }

    /// Takes a batch out; its lanes are busy until [`ended`](Self::ended).
    pub(crate) fn take(&mut self, limits: &BatchLimits, now: Instant) -> Vec<Record<R>> {
        let (mut taken, mut bytes) = (Vec::new(), 0_u64);
        while taken.len() < limits.size {
            let Some(id) = self.runnable.front().copied() else { break };
            let Some(lane) = self.lanes.get_mut(&id) else { break };
            let (before, bytes_before) = (taken.len(), bytes);
            while taken.len() < limits.size
                && let Some(next) = lane.queue.front()
            {
                let with = bytes.saturating_add(next.raw.bytes());
                if !taken.is_empty() && (with > limits.bytes_max || next.is_suspect()) {
                    break;
                }
                bytes = with;
                taken.extend(lane.queue.pop_front());
            }
            self.ready.remove(taken.len() - before, bytes - bytes_before);
            let is_full = lane.queue.front().is_some();
            if id.is_some() {
                lane.is_busy = taken.len() > before;
                if lane.is_busy {
                    self.ready
                        .remove(lane.queue.len(), lane.queue.iter().map(|r| r.raw.bytes()).sum());
                    self.runnable.pop_front();
                }
            } else if lane.queue.is_empty() {
                self.runnable.pop_front();
            }
            if is_full {
                break;
            }
        }
        self.ready.since = (self.ready.records > 0).then_some(now);
        taken
    }

    /// The batch with these lanes has ended. What runs again goes back to where it was, and rests
    /// until the time beside it.
    pub(crate) fn ended(
        &mut self,
        lanes: HashSet<LaneId>,
        again: Vec<(Record<R>, Instant)>,
        now: Instant,
    ) {
        let mut rests: HashMap<LaneId, Instant> = HashMap::new();
        for (record, until) in again.into_iter().rev() {
            let id = record.lane;
            if id.is_none() && until > now {
                self.later.push((until, record));
                continue;
            }
            let lane = self.lanes.entry(id).or_default();
            if id.is_none() {
                if lane.queue.is_empty() {
                    self.runnable.push_back(id);
                }
                self.ready.add(1, record.raw.bytes(), now);
            }
            lane.queue.push_front(record);
            let rest = rests.entry(id).or_insert(until);
            *rest = until.max(*rest);
        }
        for id in lanes.into_iter().filter(Option::is_some) {
            match rests.get(&id) {
                Some(until) if *until > now => self.resting.push(Reverse((*until, id))),
                _ => self.free(id, now),
            }
        }
    }

    /// Lets go on what has rested.
    pub(crate) fn wake(&mut self, now: Instant) {
        while let Some(Reverse((until, id))) = self.resting.peek()
            && *until <= now
        {
            let id = *id;
            self.resting.pop();
            self.free(id, now);
        }
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.later).into_iter().partition(|(until, _)| *until <= now);
        self.later = later;
        for (_, record) in due {
            self.push(record, now);
        }
    }

    fn free(&mut self, id: LaneId, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if lane.queue.is_empty() {
            self.lanes.remove(&id);
            return;
        }
        lane.is_busy = false;
        self.ready.add(
            lane.queue.len(),
            lane.queue.iter().map(|record| record.raw.bytes()).sum(),
            now,
        );
        self.runnable.push_back(id);
    }
}

impl Ready {
    fn add(&mut self, records: usize, bytes: u64, now: Instant) {
        self.records += records;
        self.bytes = self.bytes.saturating_add(bytes);
        self.since.get_or_insert(now);
    }

    fn remove(&mut self, records: usize, bytes: u64) {
        self.records = self.records.saturating_sub(records);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests;
