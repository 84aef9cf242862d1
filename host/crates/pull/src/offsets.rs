//! What of an ordered source may be acknowledged as a whole.

use std::collections::{BTreeSet, VecDeque};

/// The offsets of a partition: which were fetched, which are settled, up to where that is committed.
#[derive(Debug, Default, Clone)]
pub struct Offsets {
    /// Fetched and not settled.
    open: BTreeSet<i64>,
    /// Fetched and not committed, in order.
    uncommitted: VecDeque<i64>,
    /// Behind the highest that was fetched.
    next: Option<i64>,
}

impl Offsets {
    /// Notes a record that came. Offsets may have gaps but never go back; one that does is ignored,
    /// and the answer is false.
    pub fn fetched(&mut self, offset: i64) -> bool {
        if self.next.is_some_and(|next| offset < next) {
            return false;
        }
        self.next = Some(offset + 1);
        self.open.insert(offset);
        self.uncommitted.push_back(offset);
        true
    }

    /// Notes that a record is settled.
    pub fn settled(&mut self, offset: i64) {
        self.open.remove(&offset);
    }

    /// The offset to commit: everything before it is settled. `None` if that is committed already.
    #[must_use]
    pub fn to_commit(&self) -> Option<i64> {
        let lowest = self.open.first().copied().or(self.next)?;
        let is_new = self.uncommitted.front().is_some_and(|first| *first < lowest);
        is_new.then_some(lowest)
    }

    /// Notes that everything before `offset` is committed.
    pub fn committed(&mut self, offset: i64) {
        while self.uncommitted.front().is_some_and(|first| *first < offset) {
            self.uncommitted.pop_front();
        }
    }

    /// How many records were fetched and are not committed.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.uncommitted.len()
    }

    /// How many of them are settled.
    #[must_use]
    pub fn settled_not_committed(&self) -> usize {
        self.uncommitted.len() - self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the order of ends: nothing is committed past a record that is open, and
        /// everything is once all have ended.
        #[test]
        fn commits_never_pass_what_is_open(
            gaps in prop::collection::vec(1_i64..4, 1..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let mut at = 0;
            let fetched: Vec<i64> = gaps.iter().map(|gap| { at += gap; at }).collect();
            let mut offsets = Offsets::default();
            for offset in &fetched {
                prop_assert!(offsets.fetched(*offset));
            }
            let mut open = fetched.clone();
            for index in order.iter().take(fetched.len()) {
                let offset = open.remove(index.index(open.len()));
                offsets.settled(offset);
                if let Some(commit) = offsets.to_commit() {
                    prop_assert!(open.iter().all(|open| *open >= commit), "{commit} passes {open:?}");
                    offsets.committed(commit);
                }
                prop_assert!(offsets.outstanding() >= open.len());
            }
            prop_assert_eq!(offsets.outstanding(), 0, "all ended, and something is not committed");
        }
    }

    #[test]
    fn what_comes_twice_is_ignored_and_nothing_new_is_not_committed_again() {
        let mut offsets = Offsets::default();
        assert!(offsets.to_commit().is_none());
        assert!(offsets.fetched(5));
        assert!(!offsets.fetched(5), "a record was taken twice");
        offsets.settled(5);
        assert_eq!(offsets.to_commit(), Some(6));
        offsets.committed(6);
        assert_eq!((offsets.to_commit(), offsets.outstanding()), (None, 0));
    }
}
