//! Claims and their leases.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Row, params};
use wfh_store::{Claim, Claimed, Entry, QueueKey, Receipt};

use crate::files::Hash;

use super::{Batch, int, uint};

/// The most entries of one claim, whatever is asked for.
const ENTRIES_MAX: u32 = 10_000;

/// A claimed entry whose body may still be in a file.
pub(crate) struct Taken {
    pub(crate) claimed: Claimed,
    pub(crate) file: Option<Hash>,
}

impl Batch<'_> {
    pub(crate) fn claim(&mut self, queue: &QueueKey, claim: Claim) -> rusqlite::Result<Vec<Taken>> {
        let Some(counts) = self.queues.find(self.connection, queue)? else {
            return Ok(Vec::new());
        };
        let mut taken = self.due(counts.id, queue, claim)?;
        let until_ms = self.now.later_ms(claim.visibility);
        let sql = "UPDATE entries SET visible_at_ms = ?3, token = ?4, claimed = 1, receives = ?5
             WHERE queue = ?1 AND seq = ?2";
        let mut update = self.connection.prepare_cached(sql)?;
        for Taken { claimed: Claimed { receipt, entry }, .. } in &mut taken {
            let token = self.next();
            let (seq, receives) = (int(receipt.seq), entry.receives);
            update.execute(params![counts.id, seq, int(until_ms), token, receives])?;
            receipt.token = token.unsigned_abs();
            entry.due_at_ms = self.now.wall_of(until_ms);
        }
        Ok(taken)
    }

    /// What may be claimed, as if it were.
    fn due(&self, id: i64, queue: &QueueKey, claim: Claim) -> rusqlite::Result<Vec<Taken>> {
        let sql = "SELECT e.seq, e.id, e.state, e.grp, e.appended_at_ms, e.receives, e.body_bytes,
                 b.file, b.body
             FROM entries e INDEXED BY entries_visible CROSS JOIN bodies b ON b.seq = e.seq
             WHERE e.queue = ?1 AND e.visible_at_ms <= ?2
             ORDER BY e.visible_at_ms, e.seq LIMIT ?3";
        let mut select = self.connection.prepare_cached(sql)?;
        let entries_max = claim.entries_max.min(ENTRIES_MAX);
        let mut rows = select.query(params![id, self.now_ms(), entries_max])?;
        let mut taken = Vec::new();
        let mut bytes = 0_u64;
        while let Some(row) = rows.next()? {
            bytes = bytes.saturating_add(uint(row.get(6)?));
            if bytes > claim.bytes_max && !taken.is_empty() {
                break;
            }
            taken.push(read(row, queue)?);
        }
        Ok(taken)
    }

    /// Makes a lease end `visibility` from now; false: it is no longer the caller's.
    pub(crate) fn extend(
        &mut self,
        receipt: &Receipt,
        visibility: Duration,
    ) -> rusqlite::Result<bool> {
        let Some(counts) = self.queues.find(self.connection, &receipt.queue)? else {
            return Ok(false);
        };
        let sql = "UPDATE entries SET visible_at_ms = ?4
             WHERE queue = ?1 AND seq = ?2 AND claimed = 1 AND token = ?3";
        let until_ms = int(self.now.later_ms(visibility));
        let mut update = self.connection.prepare_cached(sql)?;
        let found = update.execute([counts.id, int(receipt.seq), int(receipt.token), until_ms])?;
        drop(update);
        // It may end earlier than those who wait were told.
        self.wake(receipt.queue.clone());
        Ok(found > 0)
    }
}

fn read(row: &Row<'_>, queue: &QueueKey) -> rusqlite::Result<Taken> {
    let seq = uint(row.get(0)?);
    let blob = |index| -> rusqlite::Result<Bytes> {
        Ok(Bytes::copy_from_slice(row.get_ref(index)?.as_blob()?))
    };
    let entry = Entry {
        seq,
        id: row.get(1)?,
        state: blob(2)?,
        group: row.get(3)?,
        appended_at_ms: uint(row.get(4)?),
        receives: row.get::<_, u32>(5)?.saturating_add(1),
        body: blob(8)?,
        due_at_ms: 0,
    };
    let receipt = Receipt { queue: queue.clone(), seq, token: 0 };
    Ok(Taken { claimed: Claimed { receipt, entry }, file: row.get(7)? })
}
