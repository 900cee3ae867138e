//! Reads the rows of a statement into memory, within limits.

use futures_util::{TryStream, TryStreamExt};
use sqlx::Either;

use super::error::RowsExceedBudget;
use super::row::Row;
use crate::context::{self, MemoryRefusal};

/// The maximum that is read of a statement's rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowLimit {
    rows: usize,
    bytes: u64,
}

impl RowLimit {
    /// No limit.
    pub const ALL: Self = Self { rows: usize::MAX, bytes: u64::MAX };

    /// Limits the number of rows.
    pub const fn rows(rows: usize) -> Self {
        Self { rows, bytes: u64::MAX }
    }

    /// Limits the rows by their bytes together. At least one row is read.
    pub const fn bytes(bytes: u64) -> Self {
        Self { rows: usize::MAX, bytes }
    }
}

/// The step, in bytes, in which rows are charged to the memory budget, because charging each row
/// would cost more than it protects.
const CHARGE_STEP_BYTES: u64 = 64 << 10;

/// Reads the rows of a statement, up to `limit`. Where the number of rows is not limited, they are
/// charged to `http.memory_budget`.
pub(super) async fn collect_rows<D, R>(
    mut results: impl TryStream<Ok = Either<D, R>, Error = sqlx::Error> + Unpin,
    limit: RowLimit,
    to_row: fn(R) -> Row,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut rows = Vec::new();
    let (mut bytes, mut charged) = (0_u64, 0_u64);
    while let Some(result) = results.try_next().await? {
        let Either::Right(raw) = result else { continue };
        let row = to_row(raw);
        if limit.rows == usize::MAX {
            bytes += row.size();
            if bytes > limit.bytes && !rows.is_empty() {
                break;
            }
            if bytes - charged > CHARGE_STEP_BYTES {
                context::hold_memory(bytes - charged).map_err(exceeds_budget)?;
                charged = bytes;
            }
        }
        rows.push(row);
        if rows.len() == limit.rows {
            break;
        }
    }
    Ok(rows)
}

#[cold]
fn exceeds_budget(refusal: MemoryRefusal) -> sqlx::Error {
    sqlx::Error::AnyDriverError(Box::new(RowsExceedBudget(refusal)))
}
