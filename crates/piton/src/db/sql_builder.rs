//! Builds statements from text of the program's source, never of a user.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::dialect::Dialect;
use super::error::{Error, Kind};
use super::params::Params;
use super::placeholders;
use super::value::{Bind, Value};

/// A statement whose text is known when the program is built.
///
/// Most statements are plain string literals, which convert to `Sql` implicitly. Where the text
/// depends on the request, it is built of pieces. Each piece is a literal too, and values are added
/// by [`Sql::bind`], which numbers their placeholders:
///
/// ```
/// # use piton::db::Sql;
/// # let (state, name) = (Some("SP"), Some("ACME%"));
/// let mut sql = Sql::new("SELECT * FROM companies WHERE active");
/// if let Some(state) = state {
///     sql = sql.push(" AND state = ").bind(state);
/// }
/// if let Some(name) = name {
///     sql = sql.push(" AND name LIKE ").bind(name);
/// }
/// sql = sql.push(" ORDER BY name LIMIT ").bind(20);
/// assert_eq!(
///     sql.text(),
///     "SELECT * FROM companies WHERE active AND state = $1 AND name LIKE $2 ORDER BY name LIMIT $3"
/// );
/// // db.all::<Company>(sql, ()).await?
/// ```
///
/// Text that is not a literal of the program does not compile:
///
/// ```compile_fail,E0277
/// # async fn f(db: piton::db::Db, table: String) -> Result<(), piton::db::Error> {
/// db.run(format!("DELETE FROM {table}"), ()).await?;
/// # Ok(()) }
/// ```
///
/// ```compile_fail,E0521
/// # fn f(order: &str) -> piton::db::Sql {
/// piton::db::Sql::new("SELECT * FROM companies ORDER BY ").push(order)
/// # }
/// ```
///
/// To let a client choose a column, choose among literals: `match order { "name" => "name", .. }`.
#[derive(Clone)]
#[must_use = "a statement does nothing until it is run"]
pub struct Sql {
    text: Cow<'static, str>,
    bound: Vec<Value>,
    /// The number of the first placeholder made by `bind`; those before it are for the parameters
    /// given when the statement is run.
    first_bound: usize,
    /// The highest number of a placeholder so far.
    highest: usize,
    fault: Option<BuildFault>,
}

/// The first fault while building, which is returned when the statement is run: the builder's
/// methods return `Self` instead of a `Result`, so that they can be chained.
#[derive(Clone)]
struct BuildFault(Kind, String);

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            bound: Vec::new(),
            first_bound: 0,
            highest: 0,
            fault: None,
        }
    }
}

impl Sql {
    /// Begins a statement. Placeholders in `text` (`$1`, `$2`) are for the parameters given when it
    /// is run. [`bind`](Self::bind) numbers its placeholders after them.
    pub fn new(text: &'static str) -> Self {
        Self::from("").push(text)
    }

    /// Adds text. Each piece must close the quotes and comments it opens; otherwise running the
    /// statement is an error of [`Kind::Statement`].
    pub fn push(mut self, piece: &'static str) -> Self {
        // Both dialects are tried, because the database is not known before the statement runs.
        let found = [Dialect::Sqlite, Dialect::Postgres].map(|it| placeholders::scan(piece, it));
        if found.iter().all(|found| found.unterminated) {
            self.fail(
                Kind::Statement,
                format!("a piece of a statement must close its quotes and comments: {piece}"),
            );
        }
        self.highest = found.iter().map(|found| found.highest).fold(self.highest, usize::max);
        self.append(piece);
        self
    }

    /// Adds a placeholder and its value. A value that cannot be stored makes running the statement
    /// an error of [`Kind::Type`].
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.add(value.bind());
        self
    }

    /// Adds a placeholder for each value, separated by commas: `IN (` + `bind_all` + `)`. Without
    /// values it adds `NULL`, which no value equals.
    pub fn bind_all<T: Bind>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        let mut values = values.into_iter();
        match values.next() {
            None => self.append("NULL"),
            Some(first) => self.add(first.bind()),
        }
        for value in values {
            self.append(", ");
            self.add(value.bind());
        }
        self
    }

    /// Returns the text so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn add(&mut self, value: Result<Value, super::ValueError>) {
        let number = self.highest + 1;
        self.highest = number;
        if self.bound.is_empty() {
            self.first_bound = number;
        }
        let text = self.text.to_mut();
        if text.ends_with(is_name) {
            text.push(' ');
        }
        write!(text, "${number}").expect("a String takes all text");
        match value {
            Ok(value) => self.bound.push(value),
            Err(error) => self.fail(Kind::Type, format!("parameter ${number}: {error}")),
        }
    }

    /// Adds text, with a space where two words meet: `LIMIT` and `$1` would otherwise be one name.
    fn append(&mut self, piece: &'static str) {
        if self.text.ends_with(is_name) && piece.starts_with(is_name) {
            self.text.to_mut().push(' ');
        }
        self.text.to_mut().push_str(piece);
    }

    fn fail(&mut self, kind: Kind, why: String) {
        self.fault.get_or_insert(BuildFault(kind, why));
    }
}

fn is_name(last: char) -> bool {
    last.is_alphanumeric() || last == '_' || last == '$' || !last.is_ascii()
}

/// Shows the text and the number of values. The values are left out, because they may be secrets.
impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").field("text", &self.text).field("bound", &self.bound.len()).finish()
    }
}

/// A checked statement with all its values, ready to be run by a database.
#[derive(Clone, Debug)]
pub(super) struct BoundStatement {
    pub text: Cow<'static, str>,
    pub values: Vec<Value>,
}

impl BoundStatement {
    /// Joins the statement with its parameters, and checks that their number is right.
    ///
    /// # Errors
    /// [`Kind::Arity`] if the numbers of placeholders and values differ; a fault of building.
    pub fn new(sql: Sql, params: impl Params, dialect: Dialect) -> Result<Self, Error> {
        Self::join(sql, params.into_values()?, dialect)
    }

    fn join(sql: Sql, mut values: Vec<Value>, dialect: Dialect) -> Result<Self, Error> {
        if let Some(BuildFault(kind, why)) = sql.fault {
            return Err(Error::new(kind, why));
        }
        let given = values.len();
        let bound = sql.bound.len();
        values.extend(sql.bound);
        placeholders::scan(&sql.text, dialect).check(values.len(), &sql.text).map_err(|error| {
            let foreign = dialect == Dialect::Postgres
                && placeholders::scan(&sql.text, Dialect::Sqlite).positional > 0;
            if foreign {
                error.while_doing("`?` is a placeholder of SQLite only, write `$1`")
            } else {
                error
            }
        })?;
        if bound > 0 && sql.first_bound != given + 1 {
            return Err(Error::new(
                Kind::Arity,
                format!(
                    "pieces with placeholders of their own must come before the first `bind`: {}",
                    placeholders::excerpt(&sql.text)
                ),
            ));
        }
        Ok(Self { text: sql.text, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(sql: impl Into<Sql>, params: impl Params) -> Result<BoundStatement, Error> {
        BoundStatement::new(sql.into(), params, Dialect::Sqlite)
    }

    #[test]
    fn bound_values_come_after_the_parameters_given() {
        let sql = Sql::new("SELECT * FROM t WHERE a = $1")
            .push(" AND b = ")
            .bind("x")
            .push(" LIMIT")
            .bind(5);
        assert_eq!(sql.text(), "SELECT * FROM t WHERE a = $1 AND b = $2 LIMIT $3");
        let statement = join(sql, (true,)).unwrap();
        assert_eq!(
            statement.values,
            [Value::Bool(true), Value::Text("x".into()), Value::Integer(5)]
        );
    }

    #[test]
    fn a_list_is_bound_with_commas_and_an_empty_one_matches_nothing() {
        let sql = Sql::new("SELECT 1 WHERE 1 IN (").bind_all([1, 2, 3]).push(")");
        assert_eq!(sql.text(), "SELECT 1 WHERE 1 IN ($1, $2, $3)");
        let sql = Sql::new("SELECT 1 WHERE 1 IN (").bind_all::<i64>([]).push(")");
        assert_eq!(sql.text(), "SELECT 1 WHERE 1 IN (NULL)");
        assert!(join(sql, ()).is_ok());
    }

    #[test]
    fn words_do_not_melt_together_where_pieces_meet() {
        let sql = Sql::new("SELECT").bind(1).push("AS a FROM").push("t");
        assert_eq!(sql.text(), "SELECT $1 AS a FROM t");
    }

    #[test]
    fn placeholders_cannot_be_confused_by_pieces() {
        let kind = |sql: Sql, params: Vec<Value>| join(sql, params).unwrap_err().kind();
        let one = || vec![Value::Null];
        assert_eq!(kind(Sql::new("a = ?").push(" AND b = ").bind(1), one()), Kind::Arity);
        assert_eq!(kind(Sql::new("a = '").push("$9' AND b = ").bind(1), vec![]), Kind::Statement);
        assert_eq!(kind(Sql::new("a = ").bind(1).push(" AND b = $2"), one()), Kind::Arity);
        assert_eq!(kind(Sql::new("a = $1 AND b = ").bind(1), vec![]), Kind::Arity);
        assert_eq!(kind(Sql::new("a = ").bind(u64::MAX), vec![]), Kind::Type);
    }

    #[test]
    fn what_is_bound_is_not_shown() {
        let sql = Sql::new("a = ").bind("hunter2");
        assert_eq!(format!("{sql:?}"), r#"Sql { text: "a = $1", bound: 1 }"#);
    }
}
