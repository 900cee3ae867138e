//! Problems of the settings, reported together so that they can be fixed in one go: the setting, its
//! value, the place where it was written, the reason, and what to write instead.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use serde_json::Value;

use super::origin::Origin;

/// A setting that is wrong.
///
/// Deliberately not a `std::error::Error`, so that [`part::Error`](crate::part::Error) can tell a wrong
/// setting from a fault of the machine: the first ends the process, the second is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, such as `http.port`, or the path of a file that is wrong as a whole.
    pub key: String,
    /// The value for display: a secret is `***`. `None` if the value does not matter.
    pub value: Option<String>,
    /// The place where the value was written.
    pub origin: Origin,
    /// The reason why it is refused, a lower-case fragment.
    pub why: String,
    /// The text to write instead; empty if there is no proposal.
    pub fix: String,
}

impl Problem {
    /// Creates a problem that the settings' own checks do not find, for example one of a part that starts.
    pub fn new(key: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
            origin: Origin::Default,
            why: why.into(),
            fix: fix.into(),
        }
    }

    /// Sets the place where the value was written.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Sets the value, which must be redacted already: see
    /// [`redact_setting`](crate::secrets::redact_setting).
    pub(crate) fn with_value(mut self, shown: &Value) -> Self {
        self.value = Some(shorten(&shown.to_string()));
        self
    }

    /// Creates a problem of a file that cannot be read as a whole.
    pub(crate) fn in_file(
        path: &Path,
        line: Option<usize>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::new(path.display().to_string(), why, fix)
            .at(Origin::File { path: path.to_owned(), line })
    }

    /// Returns the first line of the report: `http.port = "eighty"`.
    fn head(&self) -> String {
        match &self.value {
            Some(value) => format!("{} = {value}", self.key),
            None => self.key.clone(),
        }
    }

    /// Returns whether there is a place to point to.
    fn has_origin(&self) -> bool {
        self.origin != Origin::Default || self.value.is_some()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, width: usize) -> fmt::Result {
        let head = self.head();
        match self.has_origin() {
            true => writeln!(f, "  {head:<width$}  from {}", self.origin)?,
            false => writeln!(f, "  {head}")?,
        }
        for line in self.why.lines() {
            writeln!(f, "    {line}")?;
        }
        if !self.fix.is_empty() {
            writeln!(f, "    fix: {}", self.fix)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head())?;
        if self.has_origin() {
            write!(f, " (from {})", self.origin)?;
        }
        write!(f, ": {}", self.why)
    }
}

/// All problems of the settings, to be reported together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Creates an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the message that a service prints before it exits with code 2.
    #[must_use]
    pub fn report(&self, app_name: &str) -> String {
        let count = match self.len() {
            1 => "1 setting is wrong".to_owned(),
            count => format!("{count} settings are wrong"),
        };
        format!("{app_name} cannot start: {count}\n\n{self}")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Limited, so that one long value does not push the origins of all lines to the right.
        const MAX_HEAD_WIDTH: usize = 40;
        let heads = self.iter().filter(|problem| problem.has_origin());
        let width = heads.map(|problem| problem.head().chars().count()).max().unwrap_or(0);
        self.iter().try_for_each(|problem| problem.write(f, width.min(MAX_HEAD_WIDTH)))
    }
}

impl Deref for Problems {
    type Target = Vec<Problem>;

    fn deref(&self) -> &Vec<Problem> {
        &self.0
    }
}

impl DerefMut for Problems {
    fn deref_mut(&mut self) -> &mut Vec<Problem> {
        &mut self.0
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}

/// Cuts a value to the width of a line in the report.
pub(crate) fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_is_counted_in_the_singular() {
        let problems = Problems(vec![Problem::new("a", "b", "c")]);
        assert!(problems.report("x").starts_with("x cannot start: 1 setting is wrong\n"));
    }

    #[test]
    fn a_long_value_is_cut() {
        let value = Value::from("é".repeat(500));
        let problem = Problem::new("a", "b", "c").with_value(&value);
        assert_eq!(problem.value.expect("set above").chars().count(), 61);
    }
}
