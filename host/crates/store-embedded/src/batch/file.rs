//! References to files.

use crate::files::Hash;

use super::Batch;

impl Batch<'_> {
    /// A row refers to the file.
    pub(crate) fn refer(&self, hash: &Hash) -> rusqlite::Result<()> {
        let sql = "INSERT INTO files (hash, refs) VALUES (?1, 1)
             ON CONFLICT (hash) DO UPDATE SET refs = refs + 1";
        self.connection.prepare_cached(sql)?.execute([hash])?;
        Ok(())
    }

    /// A row refers to it no longer.
    pub(crate) fn unrefer(&mut self, hash: Option<&Hash>) -> rusqlite::Result<()> {
        let Some(hash) = hash else { return Ok(()) };
        self.dropped_files = true;
        let sql = "UPDATE files SET refs = refs - 1 WHERE hash = ?1";
        self.connection.prepare_cached(sql)?.execute([hash])?;
        Ok(())
    }

    pub(super) fn unreferenced(&self) -> rusqlite::Result<Vec<Hash>> {
        let sql = "DELETE FROM files WHERE refs <= 0 RETURNING hash";
        let mut delete = self.connection.prepare_cached(sql)?;
        delete.query_map([], |row| row.get(0))?.collect()
    }
}
