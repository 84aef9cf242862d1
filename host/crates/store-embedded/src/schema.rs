//! The tables, their version, and what is done to them at open.

use std::path::Path;

use rusqlite::Connection;

use crate::OpenError;

/// "wfhs" in the file's header.
const APPLICATION_ID: i64 = 0x7766_6873;

/// How a database comes from each version to the next; the last one's number is the version that
/// this code knows.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// Brings the schema to the version that this code knows.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let pragma = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed)
    };
    let found = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    let steps = MIGRATIONS.iter().zip(1_i64..).filter(|(_, version)| *version > found);
    for (step, version) in steps {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(step).map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}
