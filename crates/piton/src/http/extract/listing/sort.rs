//! The order of a list: `sort=-updated_at,name`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde_json::{Value, json};

/// The fields by which a list can be sorted. The request chooses among their names; the columns are constants of the
/// program, so nothing that a client sends becomes SQL.
///
/// ```
/// use piton::http::{Sort, SortBy};
///
/// struct Order;
///
/// impl SortBy for Order {
///     const FIELDS: &[(&str, &str)] = &[("name", "lower(name)"), ("age", "born_at")];
///     const DEFAULT: &str = "name";
///     const UNIQUE: &str = "id";
/// }
///
/// let sort: Sort<Order> = "-age".parse()?;
/// assert_eq!(sort.columns().collect::<Vec<_>>(), [("born_at", true), ("id", false)]);
/// let error = "size".parse::<Sort<Order>>().unwrap_err().to_string();
/// assert_eq!(error, "cannot sort by `size`; expected one of `name`, `age`");
/// # Ok::<(), piton::http::SortError>(())
/// ```
///
/// A default that names no field does not compile:
///
/// ```compile_fail,E0080
/// # use piton::http::{Sort, SortBy};
/// struct Order;
///
/// impl SortBy for Order {
///     const FIELDS: &[(&str, &str)] = &[("name", "name")];
///     const DEFAULT: &str = "nmae";
///     const UNIQUE: &str = "id";
/// }
///
/// let sort = Sort::<Order>::default();
/// ```
pub trait SortBy {
    /// The names in the query, each with its column or SQL expression. Databases place NULL differently: write
    /// `coalesce(column, '')` for a column that may be NULL.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// The order if the request has none, written as in the query: `-updated_at,name`.
    const DEFAULT: &'static str;

    /// A column whose values are unique. It is added last to every order, because otherwise an item could be on two pages
    /// and another on none.
    const UNIQUE: &'static str;
}

/// No fields to sort by: the list has no parameter `sort`.
#[derive(Clone, Copy, Debug)]
pub struct Unsorted;

impl SortBy for Unsorted {
    const FIELDS: &'static [(&'static str, &'static str)] = &[];
    const DEFAULT: &'static str = "";
    const UNIQUE: &'static str = "";
}

/// The order of a list: fields of `B`, each ascending or (`-`) descending.
pub struct Sort<B> {
    fields: Vec<SortField>,
    by: PhantomData<fn() -> B>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct SortField {
    name: &'static str,
    column: &'static str,
    descending: bool,
}

impl<B: SortBy> Sort<B> {
    /// Returns the columns to sort by, each with whether it is descending. The unique one is last.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let unique = !B::UNIQUE.is_empty() && self.fields.iter().all(|f| f.column != B::UNIQUE);
        let fields = self.fields.iter().map(|field| (field.column, field.descending));
        fields.chain(unique.then_some((B::UNIQUE, false)))
    }
}

impl<B: SortBy> Default for Sort<B> {
    fn default() -> Self {
        const {
            assert!(
                names_fields(B::DEFAULT, B::FIELDS),
                "DEFAULT names a field that is not in FIELDS"
            );
        };
        B::DEFAULT.parse().unwrap_or(Self { fields: Vec::new(), by: PhantomData })
    }
}

/// Returns whether each name in `order` is that of a field. It compares bytes by hand because it runs at compile time,
/// where iterators and string methods are not available.
const fn names_fields(order: &str, fields: &[(&str, &str)]) -> bool {
    let order = order.as_bytes();
    let mut start = 0;
    while start < order.len() {
        if order[start] == b'-' {
            start += 1;
        }
        let mut end = start;
        while end < order.len() && order[end] != b',' {
            end += 1;
        }
        let mut known = false;
        let mut n = 0;
        while n < fields.len() {
            known = known || is_at(order, start, end, fields[n].0.as_bytes());
            n += 1;
        }
        if !known {
            return false;
        }
        start = end + 1;
    }
    true
}

/// Returns whether `text` from `start` to `end` is `word`.
const fn is_at(text: &[u8], start: usize, end: usize, word: &[u8]) -> bool {
    if end - start != word.len() {
        return false;
    }
    let mut n = 0;
    while n < word.len() {
        if text[start + n] != word[n] {
            return false;
        }
        n += 1;
    }
    true
}

impl<B: SortBy> FromStr for Sort<B> {
    type Err = SortError;

    fn from_str(text: &str) -> Result<Self, SortError> {
        let mut fields: Vec<SortField> = Vec::new();
        for word in text.split(',').filter(|_| !text.is_empty()) {
            let name = word.strip_prefix('-').unwrap_or(word);
            let known = B::FIELDS.iter().find(|(field, _)| *field == name);
            let Some((name, column)) = known else {
                return Err(SortError::unknown_field::<B>(name));
            };
            if fields.iter().any(|field| field.name == *name) {
                return Err(SortError(format!("`{name}` is given twice")));
            }
            fields.push(SortField { name, column, descending: word.starts_with('-') });
        }
        Ok(Self { fields, by: PhantomData })
    }
}

/// The error of an invalid order. Its message is shown to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortError(String);

impl SortError {
    /// Makes the error for a name that is not that of a field.
    fn unknown_field<B: SortBy>(name: &str) -> Self {
        let all: Vec<String> = B::FIELDS.iter().map(|(name, _)| format!("`{name}`")).collect();
        let name: String = name.chars().take(40).collect();
        Self(format!("cannot sort by `{name}`; expected one of {}", all.join(", ")))
    }
}

impl fmt::Display for SortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SortError {}

impl<B> fmt::Display for Sort<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.fields.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let minus = if field.descending { "-" } else { "" };
            write!(f, "{comma}{minus}{}", field.name)?;
        }
        Ok(())
    }
}

impl<B> Clone for Sort<B> {
    fn clone(&self) -> Self {
        Self { fields: self.fields.clone(), by: PhantomData }
    }
}

impl<B> fmt::Debug for Sort<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sort({self})")
    }
}

/// Returns the schema of the parameter `sort`: an array of the names, with and without `-`, each once.
///
/// Only the description says that a field must not be given in both directions. JSON Schema would need a condition for
/// each field (`not`, `allOf`, `contains`), from which generators of clients make types without any value.
pub(super) fn sort_schema<B: SortBy>() -> Value {
    let names: Vec<&str> = B::FIELDS.iter().map(|(name, _)| *name).collect();
    let down = names.iter().map(|name| format!("-{name}"));
    let values: Vec<String> = names.iter().map(ToString::to_string).chain(down).collect();
    json!({
        "type": "array",
        "description": "The fields to sort by, most significant first; `-` means descending. Each field \
            at most once.",
        "items": { "type": "string", "enum": values },
        "minItems": 1,
        "maxItems": names.len(),
        "uniqueItems": true,
        "default": B::DEFAULT.split(',').collect::<Vec<_>>(),
    })
}
