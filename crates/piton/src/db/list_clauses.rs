//! Adds filters, order and paging of a list request to a statement.

use super::sql_builder::Sql;
use super::where_conditions::Where;
use crate::http::{Paging, Sort, SortBy};

/// Adds the parts of a list request.
///
/// ```
/// use piton::db::{Sql, Where};
/// use piton::http::{Paging, Sort, SortBy};
///
/// struct Order;
///
/// impl SortBy for Order {
///     const FIELDS: &[(&str, &str)] = &[("name", "searched"), ("age", "born_at")];
///     const DEFAULT: &str = "name";
///     const UNIQUE: &str = "id";
/// }
///
/// let sort: Sort<Order> = "-age,name".parse()?;
/// let sql = Sql::new("SELECT * FROM people")
///     .filter(&Where::new().equal("state", Some("SP")))
///     .sort(&sort)
///     .page(Paging { page: 3, per_page: 20 });
/// assert_eq!(
///     sql.text(),
///     "SELECT * FROM people WHERE state = $1 ORDER BY born_at DESC, searched, id LIMIT $2 OFFSET $3"
/// );
/// # Ok::<(), piton::http::SortError>(())
/// ```
impl Sql {
    /// Adds `WHERE` and the conditions. Adds nothing if there are none.
    pub fn filter(self, conditions: &Where) -> Self {
        conditions.add_to(self)
    }

    /// Adds `ORDER BY` and the columns. The unique column is last, so that pages do not overlap.
    pub fn sort<B: SortBy>(self, sort: &Sort<B>) -> Self {
        sort.columns().enumerate().fold(self, |sql, (place, (column, down))| {
            let sql = sql.push(if place == 0 { " ORDER BY " } else { ", " }).push(column);
            if down { sql.push(" DESC") } else { sql }
        })
    }

    /// Adds `LIMIT` and `OFFSET`.
    pub fn page(self, paging: Paging) -> Self {
        self.push(" LIMIT ").bind(paging.per_page).push(" OFFSET ").bind(paging.offset())
    }
}
