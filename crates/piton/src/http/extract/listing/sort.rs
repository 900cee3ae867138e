//! In which order: `sort=-updated_at,name`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde_json::{Value, json};

/// By which fields a list can be sorted. What the request says chooses among them; the columns are
/// text of the program, so nothing that a caller sends becomes SQL.
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
/// let why = "size".parse::<Sort<Order>>().unwrap_err().to_string();
/// assert_eq!(why, "`size` is nothing to sort by: there are `name`, `age`");
/// # Ok::<(), piton::http::SortRefused>(())
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
    /// What is written in the query, and the column (or expression) that it stands for. One that may
    /// be NULL is sorted differently by different databases: write `coalesce(column, '')`.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// The order where the request says none, written as in the query: `-updated_at,name`.
    const DEFAULT: &'static str;

    /// A column without equals, which comes last in every order: without it the same entry could be
    /// on two pages, and another on none.
    const UNIQUE: &'static str;
}

/// The order of a list of which the request cannot choose the order.
#[derive(Clone, Copy, Debug)]
pub struct Unsorted;

impl SortBy for Unsorted {
    const FIELDS: &'static [(&'static str, &'static str)] = &[];
    const DEFAULT: &'static str = "";
    const UNIQUE: &'static str = "";
}

/// An order: fields of `B`, each up or (`-`) down.
pub struct Sort<B> {
    fields: Vec<Field>,
    by: PhantomData<fn() -> B>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Field {
    name: &'static str,
    column: &'static str,
    down: bool,
}

impl<B: SortBy> Sort<B> {
    /// The columns to sort by, each with whether it goes down; the unique one last.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let unique = !B::UNIQUE.is_empty() && self.fields.iter().all(|f| f.column != B::UNIQUE);
        let fields = self.fields.iter().map(|field| (field.column, field.down));
        fields.chain(unique.then_some((B::UNIQUE, false)))
    }
}

impl<B: SortBy> Default for Sort<B> {
    fn default() -> Self {
        const { assert!(names_fields(B::DEFAULT, B::FIELDS), "DEFAULT names what is not in FIELDS") };
        B::DEFAULT.parse().unwrap_or(Self { fields: Vec::new(), by: PhantomData })
    }
}

/// Whether each word of `order` is the name of a field; none at all is right as well.
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

/// Whether `text` from `start` to `end` is `word`.
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
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let mut fields: Vec<Field> = Vec::new();
        for word in text.split(',').filter(|_| !text.is_empty()) {
            let name = word.strip_prefix('-').unwrap_or(word);
            let known = B::FIELDS.iter().find(|(field, _)| *field == name);
            let Some((name, column)) = known else { return Err(Refused::unknown::<B>(name)) };
            if fields.iter().any(|field| field.name == *name) {
                return Err(Refused(format!("`{name}` is given twice")));
            }
            fields.push(Field { name, column, down: word.starts_with('-') });
        }
        Ok(Self { fields, by: PhantomData })
    }
}

/// Why an order is refused; for the client to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl Refused {
    fn unknown<B: SortBy>(name: &str) -> Self {
        let all: Vec<String> = B::FIELDS.iter().map(|(name, _)| format!("`{name}`")).collect();
        let name: String = name.chars().take(40).collect();
        Self(format!("`{name}` is nothing to sort by: there are {}", all.join(", ")))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// As it is written in a query.
impl<B> fmt::Display for Sort<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, field) in self.fields.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let minus = if field.down { "-" } else { "" };
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

/// An array of the names, with and without `-`, each once. That a field is not there in both ways is said
/// in words: JSON Schema would need a condition for each field (`not`, `allOf`, `contains`), of which
/// generators of clients make types that nothing can have.
pub(super) fn schema<B: SortBy>() -> Value {
    let names: Vec<&str> = B::FIELDS.iter().map(|(name, _)| *name).collect();
    let down = names.iter().map(|name| format!("-{name}"));
    let values: Vec<String> = names.iter().map(ToString::to_string).chain(down).collect();
    json!({
        "type": "array",
        "description": "In which order, the first field before the others; `-` turns it round. No field \
            is there twice.",
        "items": { "type": "string", "enum": values },
        "minItems": 1,
        "maxItems": names.len(),
        "uniqueItems": true,
        "default": B::DEFAULT.split(',').collect::<Vec<_>>(),
    })
}
