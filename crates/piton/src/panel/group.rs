//! Variables that belong together.

use super::mask::Mask;
use super::reading::{GroupReading, VariableReading};
use super::sources::Sources;

/// Variables that belong together: what they are called, what they are about, their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    name: String,
    description: String,
    variables: Vec<String>,
}

impl Group {
    /// A group that stands in the code.
    ///
    /// ```
    /// use piton::panel::Group;
    ///
    /// let group = Group::new("Redis", "Redis database credentials", ["REDIS_HOST", "REDIS_PORT"]);
    /// assert_eq!(group.variables().collect::<Vec<_>>(), ["REDIS_HOST", "REDIS_PORT"]);
    /// ```
    ///
    /// # Panics
    /// If it is refused, with all that is wrong: see [`Group::checked`].
    #[must_use]
    #[track_caller]
    pub fn new<V: Into<String>>(
        name: impl Into<String>,
        description: impl Into<String>,
        variables: impl IntoIterator<Item = V>,
    ) -> Self {
        match Self::checked(name, description, variables) {
            Ok(group) => group,
            Err(wrong) => panic!("{}", wrong.join("; ")),
        }
    }

    /// A group of names that somebody else wrote.
    ///
    /// # Errors
    /// All that is wrong, for people: a group without a name; a variable that is empty, longer than 255
    /// bytes, begins with `.`, holds `/`, `=` or a control character, or is named twice. The name of a
    /// variable is also the name of a file in a folder of secrets, and must not lead out of it.
    pub fn checked<V: Into<String>>(
        name: impl Into<String>,
        description: impl Into<String>,
        variables: impl IntoIterator<Item = V>,
    ) -> Result<Self, Vec<String>> {
        let (name, description) = (name.into(), description.into());
        let variables: Vec<String> = variables.into_iter().map(Into::into).collect();
        let mut wrong = Vec::new();
        if name.trim().is_empty() {
            wrong.push("a group has no name".to_owned());
        }
        for (index, variable) in variables.iter().enumerate() {
            let twice = variables[..index].contains(variable).then_some("is named twice");
            if let Some(why) = refuse(variable).or(twice) {
                wrong.push(format!("the variable `{}` {why}", variable.escape_debug()));
            }
        }
        if wrong.is_empty() { Ok(Self { name, description, variables }) } else { Err(wrong) }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is about.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The names of its variables, in the order in which they are shown.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    pub(super) fn read(&self, sources: &Sources, mask: Mask) -> GroupReading {
        let variable = |name| VariableReading::new(name, sources.find(name), mask);
        GroupReading {
            name: self.name.clone(),
            description: self.description.clone(),
            variables: self.variables().map(variable).collect(),
        }
    }
}

/// Why this is not the name of a variable and of a file.
fn refuse(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("is empty"),
        _ if name.starts_with('.') => Some("begins with `.`"),
        _ if name.contains(['/', '=']) => Some("holds `/` or `=`"),
        _ if name.contains(char::is_control) => Some("holds a control character"),
        _ if name.len() > 255 => Some("is longer than 255 bytes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_a_folder_or_is_none_is_refused() {
        let long = "A".repeat(256);
        for name in ["", ".", "..", "..data", "a/b", "/etc/passwd", "A=b", "A\0", "A\n", &long] {
            let wrong = Group::checked("Group", "", [name]).unwrap_err();
            assert_eq!(wrong.len(), 1, "{name:?}: {wrong:?}");
        }
        for name in ["A", "a-b.c", "with space", "ÄÖ", "A..B"] {
            assert!(Group::checked("Group", "", [name]).is_ok(), "{name}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = Group::checked(" ", "", ["A", "", "A", "../b"]).unwrap_err();
        assert_eq!(
            wrong,
            [
                "a group has no name",
                "the variable `` is empty",
                "the variable `A` is named twice",
                "the variable `../b` begins with `.`",
            ]
        );
    }

    #[test]
    #[should_panic(expected = "the variable `a/b` holds `/` or `=`")]
    fn a_wrong_name_in_the_code_is_told_where_it_stands() {
        let _ = Group::new("Group", "", ["a/b"]);
    }
}
