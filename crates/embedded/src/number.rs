//! SQLite counts with a sign, the ports without.

use rusqlite::Row;

/// The number as SQLite keeps it. What does not fit lies beyond every time and count there is.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number SQLite kept, which never is negative unless something is corrupt.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
