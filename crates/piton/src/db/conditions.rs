//! Conditions that are there when something is asked for, and not otherwise.

use super::sql::Sql;
use super::value::{Bind, Value, ValueError};

/// What rows have to be like: conditions joined by `AND`, each left out where its value is `None`.
///
/// Columns are text of the program, values are bound: nothing that a caller sends becomes SQL. A
/// column may be any expression (`lower(name)`, `p.name`).
///
/// ```
/// use piton::db::{Sql, Where};
///
/// let (state, name, year) = (Some("SP"), Some("50%"), None::<i32>);
/// let fitting = Where::new()
///     .equal("state", state)
///     .contains("searched", name)
///     .at_least("founded_in", year);
/// let sql = Sql::new("SELECT * FROM companies").filter(&fitting);
/// assert_eq!(
///     sql.text(),
///     r"SELECT * FROM companies WHERE state = $1 AND searched LIKE $2 ESCAPE '\'"
/// );
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "conditions do nothing until `Sql::filter` takes them"]
pub struct Where(Vec<Condition>);

/// `text`, with the values in the place of each gap between its pieces.
#[derive(Clone, Debug)]
struct Condition {
    before: [&'static str; 2],
    values: Vec<Result<Value, ValueError>>,
    after: &'static str,
}

/// Makes each function a comparison.
macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $operator:literal)*) => {$(
        $(#[$doc])*
        pub fn $name(self, column: &'static str, value: Option<impl Bind>) -> Self {
            self.compare(column, $operator, value)
        }
    )*};
}

impl Where {
    /// No condition: every row.
    pub fn new() -> Self {
        Self::default()
    }

    comparisons! {
        /// The column is this.
        equal " = "
        /// The column is something else. What is NULL does not count as something else.
        differs " <> "
        /// The column is this or more.
        at_least " >= "
        /// The column is this or less.
        at_most " <= "
        /// The column is more than this.
        above " > "
        /// The column is less than this.
        below " < "
    }

    /// The column is one of these; none at all are in no row.
    pub fn one_of<T: Bind>(
        self,
        column: &'static str,
        values: Option<impl IntoIterator<Item = T>>,
    ) -> Self {
        let Some(values) = values else { return self };
        let values = values.into_iter().map(Bind::bind).collect();
        self.with(Condition { before: [column, " IN ("], values, after: ")" })
    }

    /// The column has this text in it, whose `%` and `_` mean themselves. SQLite does not tell small
    /// from capital letters of ASCII, PostgreSQL does: search in a column of small letters.
    pub fn contains(self, column: &'static str, text: Option<impl AsRef<str>>) -> Self {
        self.like(column, text.map(|text| format!("%{}%", escaped(text.as_ref()))))
    }

    /// The column begins with this text; otherwise as [`contains`](Self::contains).
    pub fn starts_with(self, column: &'static str, text: Option<impl AsRef<str>>) -> Self {
        self.like(column, text.map(|text| format!("{}%", escaped(text.as_ref()))))
    }

    /// A condition in SQL, such as `deleted_at IS NULL`.
    pub fn and(self, condition: &'static str) -> Self {
        self.with(Condition { before: [condition, ""], values: Vec::new(), after: "" })
    }

    fn like(self, column: &'static str, pattern: Option<String>) -> Self {
        let Some(pattern) = pattern else { return self };
        let values = vec![pattern.bind()];
        self.with(Condition { before: [column, " LIKE "], values, after: r" ESCAPE '\'" })
    }

    fn compare(
        self,
        column: &'static str,
        operator: &'static str,
        value: Option<impl Bind>,
    ) -> Self {
        let Some(value) = value else { return self };
        let values = vec![value.bind()];
        self.with(Condition { before: [column, operator], values, after: "" })
    }

    fn with(mut self, condition: Condition) -> Self {
        self.0.push(condition);
        self
    }

    /// Adds the conditions to a statement.
    pub(super) fn add_to(&self, sql: Sql) -> Sql {
        self.0.iter().enumerate().fold(sql, |sql, (place, condition)| {
            let sql = sql.push(if place == 0 { " WHERE " } else { " AND " });
            let sql = condition.before.iter().fold(sql, |sql, piece| sql.push(piece));
            let bound = !condition.values.is_empty() || condition.after == ")";
            let values = condition.values.iter().cloned().map(Given);
            let sql = if bound { sql.bind_all(values) } else { sql };
            sql.push(condition.after)
        })
    }
}

/// A value that has been made ready, or cannot be stored.
struct Given(Result<Value, ValueError>);

impl Bind for Given {
    fn bind(self) -> Result<Value, ValueError> {
        self.0
    }
}

/// Text whose `%` and `_` mean themselves in a pattern with `ESCAPE '\'`.
fn escaped(text: &str) -> String {
    let special = |c: &char| matches!(c, '\\' | '%' | '_');
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_no_condition() {
        let none = Where::new().equal("a", None::<i64>).one_of("b", None::<Vec<i64>>);
        assert_eq!(Sql::new("SELECT 1").filter(&none).text(), "SELECT 1");
    }

    #[test]
    fn values_are_bound_in_their_order() {
        let fitting = Where::new()
            .one_of("a", Some([1, 2]))
            .and("b IS NULL")
            .differs("c", Some("x"))
            .one_of("d", Some(Vec::<i64>::new()))
            .below("e", Some(3));
        let sql = Sql::new("SELECT 1 FROM t").filter(&fitting).push(" LIMIT ").bind(4);
        assert_eq!(
            sql.text(),
            "SELECT 1 FROM t WHERE a IN ($1, $2) AND b IS NULL AND c <> $3 AND d IN (NULL) AND e < $4 LIMIT $5"
        );
    }

    #[test]
    fn a_pattern_finds_what_is_written_and_nothing_else() {
        assert_eq!(escaped(r"100%_\"), r"100\%\_\\");
    }
}
