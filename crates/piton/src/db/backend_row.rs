//! The access to a row that each database offers.

use super::value::{Value, ValueError};

/// A row as a database driver returns it.
pub(super) trait RawRow {
    /// Returns the columns' names, in order.
    fn names(&self) -> Vec<&str>;

    /// Returns the number of columns.
    fn column_count(&self) -> usize;

    /// Returns the index of the column with this name.
    fn index_of(&self, name: &str) -> Option<usize>;

    /// Returns the value of a column. `index` must be that of a column.
    ///
    /// # Errors
    /// The database's type has no equivalent in [`Value`].
    fn value(&self, index: usize) -> Result<Value, ValueError>;

    /// Returns the size of a value in bytes. `index` must be that of a column.
    fn size(&self, index: usize) -> usize;
}
