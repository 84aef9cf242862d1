//! A commit as arguments of its script.

use bytes::Bytes;
use wfh_store::{Append, Effect, Expect, Op, Receipt, StoreError};

use crate::Shared;
use crate::answer::{Fields, number};
use crate::call::Call;
use crate::error::garbled;

/// The most bytes of a commit: below what a server takes at once (`client-query-buffer-limit`).
const BYTES_MAX: usize = 512 << 20;

/// The call that applies `ops`.
pub(crate) fn call(shared: &Shared, ops: &[Op]) -> Result<Call, StoreError> {
    let bytes: usize = ops.iter().map(size).sum();
    if bytes > BYTES_MAX {
        let reason = format!("a commit of {bytes} bytes; on Redis at most {BYTES_MAX}");
        return Err(StoreError::Invalid(reason));
    }
    let call = match ops.iter().all(makes_room) {
        true => Call::drain(shared, "commit"),
        false => Call::write(shared, "commit"),
    };
    Ok(ops.iter().fold(call.number(ops.len() as u64), add))
}

fn size(op: &Op) -> usize {
    match op {
        Op::Put { bytes, .. } => bytes.len(),
        Op::Append(append) => append.body.len() + append.state.len(),
        Op::Release { state, .. } => state.as_ref().map_or(0, Bytes::len),
        Op::Delete { .. }
        | Op::Check { .. }
        | Op::Increment { .. }
        | Op::Ack(_)
        | Op::Remove { .. } => 0,
    }
}

/// Whether a server that is full should take it all the same.
fn makes_room(op: &Op) -> bool {
    match op {
        Op::Delete { .. } | Op::Check { .. } | Op::Ack(_) | Op::Remove { .. } => true,
        Op::Release { state, .. } => state.is_none(),
        Op::Put { .. } | Op::Increment { .. } | Op::Append(_) => false,
    }
}

fn add(call: Call, op: &Op) -> Call {
    match op {
        Op::Put { key, bytes, expect, ttl } => {
            let call = expected(call.with("put").with(key.as_str()), expect);
            call.with(bytes).optional(*ttl, Call::duration)
        }
        Op::Delete { key, expect } => expected(call.with("delete").with(key.as_str()), expect),
        Op::Check { key, expect } => expected(call.with("check").with(key.as_str()), expect),
        Op::Increment { key, delta } => {
            call.with("increment").with(key.as_str()).with(delta.to_string())
        }
        Op::Append(append) => appended(call.with("append"), append),
        Op::Ack(held) => receipt(call.with("ack"), held),
        Op::Release { receipt: held, delay, state } => {
            let call = receipt(call.with("release"), held).duration(*delay);
            flagged(call, state.as_deref())
        }
        Op::Remove { queue, seq } => call.with("remove").with(queue.as_str()).number(*seq),
    }
}

fn expected(call: Call, expect: &Expect) -> Call {
    match expect {
        Expect::Any => call.with("any").with("").with(""),
        Expect::Absent => call.with("absent").with("").with(""),
        Expect::Version(version) => call.with("version").with("").number(*version),
        Expect::Lease(lease) => call.with("lease").with(lease.key.as_str()).number(lease.token),
    }
}

fn appended(call: Call, append: &Append) -> Call {
    let call = call.with(append.queue.as_str()).with(&append.id);
    let call = call.with(&append.body).with(&append.state);
    let call = flagged(call, append.group.as_ref().map(String::as_bytes));
    let call = call.duration(append.delay).optional(append.depth_max, Call::number);
    call.optional(append.dedup, Call::duration)
}

/// Whether it is there, and what it is: an empty text is something else than none.
fn flagged(call: Call, bytes: Option<&[u8]>) -> Call {
    match bytes {
        Some(bytes) => call.with("1").with(bytes),
        None => call.with("0").with(""),
    }
}

/// Adds a receipt.
pub(crate) fn receipt(call: Call, receipt: &Receipt) -> Call {
    call.with(receipt.queue.as_str()).number(receipt.seq).number(receipt.token)
}

/// The effects of `count` operations.
pub(crate) fn effects(mut fields: Fields, count: usize) -> Result<Vec<Effect>, StoreError> {
    (0..count).map(|_| effect(&mut fields)).collect()
}

fn effect(fields: &mut Fields) -> Result<Effect, StoreError> {
    let kind: u64 = fields.number()?;
    let value = fields.next()?;
    Ok(match kind {
        0 => Effect::Done,
        1 => Effect::Version(number(&value)?),
        2 => Effect::Removed(number::<u64>(&value)? == 1),
        3 => Effect::Sum(number(&value)?),
        4 => Effect::Appended(number(&value)?),
        5 => Effect::Duplicate,
        _ => return Err(garbled("an effect")),
    })
}
