//! Dead letters: seen, sent again, thrown away.

use std::time::Duration;

use wfh_event::{InvocationId, Target};
use wfh_store::{Append, Expect, Key, Op, Value};

use super::audit::{Action, Actor};
use super::{OperateError, Operator, Rows, key};
use crate::durable::{KeyState, Origin, StoredClaim};
use crate::targets::Bound;
use crate::{DEAD_LETTERS, DeadLetter, InvocationStatus, Place, Record, new_invocation_id};

/// Which letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Those of a function.
    pub function: Option<String>,
    /// Those whose last failure was of a class.
    pub class: Option<String>,
    /// Those that died then or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Those that died before, in milliseconds since 1970.
    pub until_ms: Option<u64>,
}

impl LetterFilter {
    fn takes(&self, letter: &DeadLetter) -> bool {
        self.function.as_ref().is_none_or(|function| letter.function == *function)
            && self.class.as_ref().is_none_or(|class| letter.class == *class)
            && self.since_ms.is_none_or(|since_ms| letter.dead_at_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| letter.dead_at_ms < until_ms)
    }
}

impl Operator {
    /// Letters in the order of their ids, after the one called `after`.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn letters(
        &self,
        filter: &LetterFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<DeadLetter>, OperateError> {
        let read = |_: &str, bytes: &[u8]| {
            DeadLetter::from_bytes(bytes).ok().filter(|letter| filter.takes(letter))
        };
        self.rows(DEAD_LETTERS, after, limit, read).await
    }

    /// One letter.
    ///
    /// # Errors
    /// There is none of that id (any more), or the store does not answer.
    pub async fn letter(&self, id: &str) -> Result<DeadLetter, OperateError> {
        Ok(self.found(id).await?.1)
    }

    async fn found(&self, id: &str) -> Result<(Value, DeadLetter), OperateError> {
        let unknown = || OperateError::NotFound(format!("there is no dead letter {id}"));
        let key = key(DEAD_LETTERS, id).map_err(|_| unknown())?;
        let value = self.host.store.get(key).await?.ok_or_else(unknown)?;
        let letter = DeadLetter::from_bytes(&value.bytes).map_err(|_| unknown())?;
        Ok((value, letter))
    }

    /// Sends a letter again: to the queue it came from, or to `target`. Its tries begin anew. Two
    /// who do it at once send it once.
    ///
    /// # Errors
    /// There is no such letter (any more), the target does not exist or is full, or the store does
    /// not answer.
    pub async fn redrive(
        &self,
        id: &str,
        target: Option<&Target>,
        actor: &Actor,
    ) -> Result<InvocationId, OperateError> {
        let (value, letter) = self.found(id).await?;
        let invocation = new_invocation_id();
        let mut ops = vec![Op::Delete {
            key: key(DEAD_LETTERS, id)?,
            expect: Expect::Version(value.version),
        }];
        let claim = match (&letter.claim, target) {
            // Elsewhere, the event is another call.
            (Some(claim), None) => self.revived(claim, id, invocation, &mut ops).await?,
            _ => None,
        };
        let record = Record {
            invocation,
            claim,
            has_status: true,
            redrives: letter.record.redrives.saturating_add(1),
            ..letter.record
        };
        let places = self.places(target, &letter.queue)?;
        let append = |place: &Place| {
            let invocation = if places.len() > 1 { new_invocation_id() } else { invocation };
            let record = Record { invocation, ..record.clone() };
            // It was taken before: that is no reason to refuse it now.
            let entry = place.entry(&record, Duration::ZERO, Bound::Kept);
            Op::Append(Append { dedup: None, ..entry })
        };
        ops.extend(places.iter().map(append));
        let target =
            target.cloned().or_else(|| format!("function:{}", letter.function).parse().ok());
        if let Some(target) = target.clone() {
            ops.extend(self.queued(invocation, target));
        }
        let sent = target.map_or_else(String::new, |target| target.to_string());
        let change = ("dead".to_owned(), format!("sent to {sent} as {invocation}"));
        ops.push(self.audit(actor, Action::Redrive, format!("dead-letter:{id}"), change)?);
        self.host.store.commit(ops).await?;
        Ok(invocation)
    }

    /// The key of a dead call becomes that of an accepted one, in the commit that accepts it.
    async fn revived(
        &self,
        claim: &StoredClaim,
        letter: &str,
        invocation: InvocationId,
        ops: &mut Vec<Op>,
    ) -> Result<Option<StoredClaim>, OperateError> {
        let unusable = |error: wfh_store::NameTooLong| OperateError::Invalid(error.to_string());
        let key = Key::new(&claim.key).map_err(unusable)?;
        let Some(value) = self.host.store.get(key.clone()).await? else { return Ok(None) };
        match KeyState::from_bytes(&value.bytes) {
            Ok(KeyState::Dead { letter: ours, .. }) if ours == letter => {}
            // Somebody has used the key anew since it was free again.
            _ => return Ok(None),
        }
        let made_by = Origin { invocation, payload: claim.payload.clone() };
        let bytes = KeyState::Accepted { made_by }.to_bytes();
        let ttl_ms = value.expires_at_ms.map(|at| at.saturating_sub(self.host.clock.now_ms()));
        let ttl = ttl_ms.map(Duration::from_millis);
        ops.push(Op::Put { key, bytes, expect: Expect::Version(value.version), ttl });
        Ok(Some(claim.clone()))
    }

    fn places(&self, target: Option<&Target>, queue: &str) -> Result<Vec<Place>, OperateError> {
        let found = match target {
            Some(target) => self.host.targets.places(target).ok(),
            None => self.host.targets.place_of(queue).map(|place| vec![place]),
        };
        found.ok_or_else(|| {
            let named = target.map_or_else(|| queue.to_owned(), ToString::to_string);
            OperateError::Invalid(format!("there is no {named} in this manifest; name a target"))
        })
    }

    fn queued(&self, id: InvocationId, target: Target) -> Option<Op> {
        let status = InvocationStatus::queued(id, target, self.host.clock.now_ms());
        status.put(self.host.invocations_ttl)
    }

    /// Throws a letter away.
    ///
    /// # Errors
    /// There is no such letter (any more), or the store does not answer.
    pub async fn discard(&self, id: &str, actor: &Actor) -> Result<(), OperateError> {
        let (value, letter) = self.found(id).await?;
        let expect = Expect::Version(value.version);
        let delete = Op::Delete { key: key(DEAD_LETTERS, id)?, expect };
        let before = format!("dead: {} {}", letter.function, letter.condition);
        let subject = format!("dead-letter:{id}");
        let audit = self.audit(actor, Action::Discard, subject, (before, "gone".to_owned()))?;
        self.host.store.commit(vec![delete, audit]).await?;
        Ok(())
    }
}
