//! Removes what is over, a bounded piece at a time.

use rusqlite::params;

use crate::files::Hash;

use super::Batch;

/// The most rows of each kind that one transaction removes.
const ROWS_MAX: u32 = 500;

impl Batch<'_> {
    /// Whether there may be more.
    pub(crate) fn sweep(&mut self) -> rusqlite::Result<bool> {
        let (values, seen) = (self.sweep_values()?, self.sweep_seen()?);
        let full = ROWS_MAX as usize;
        Ok(values >= full || seen >= full)
    }

    fn sweep_values(&mut self) -> rusqlite::Result<usize> {
        let sql = "DELETE FROM kv WHERE id IN
             (SELECT id FROM kv WHERE expires_at_ms <= ?1 LIMIT ?2) RETURNING file";
        let mut delete = self.connection.prepare_cached(sql)?;
        let limits = params![self.now_ms(), ROWS_MAX];
        let files: Vec<Option<Hash>> =
            delete.query_map(limits, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        drop(delete);
        for file in &files {
            self.unrefer(file.as_ref())?;
        }
        Ok(files.len())
    }

    fn sweep_seen(&self) -> rusqlite::Result<usize> {
        let sql = "DELETE FROM seen WHERE (queue, id) IN
             (SELECT queue, id FROM seen WHERE until_ms <= ?1 LIMIT ?2)";
        self.connection.prepare_cached(sql)?.execute(params![self.now_ms(), ROWS_MAX])
    }
}
