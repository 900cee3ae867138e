//! [`Group`]: variables that belong together.

use super::mask::Mask;
use super::snapshot::{GroupSnapshot, VariableSnapshot};
use super::variable_sources::VariableSources;

/// Variables that belong together: their name as a group, a description, and the name of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    name: String,
    description: String,
    variables: Vec<String>,
}

impl Group {
    /// Creates a group whose names are written in the code.
    ///
    /// ```
    /// use piton::panel::Group;
    ///
    /// let group = Group::new("Redis", "Redis database credentials", ["REDIS_HOST", "REDIS_PORT"]);
    /// assert_eq!(group.variables().collect::<Vec<_>>(), ["REDIS_HOST", "REDIS_PORT"]);
    /// ```
    ///
    /// # Panics
    /// If a name is invalid. The message lists all faults; [`Group::checked`] returns them.
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

    /// Creates a group of names from outside the code.
    ///
    /// # Errors
    /// The texts are all that is wrong, for people: a group without a name; a variable that is empty, longer
    /// than 255 bytes, begins with `.`, contains `/`, `=` or a control character, or is named twice. The name
    /// of a variable is also the name of a file in a folder of secrets, and must not lead out of it.
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
            if let Some(why) = name_fault(variable).or(twice) {
                wrong.push(format!("the variable `{}` {why}", variable.escape_debug()));
            }
        }
        if wrong.is_empty() { Ok(Self { name, description, variables }) } else { Err(wrong) }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the description.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns the names of the variables, in the order in which they are shown.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    pub(super) fn read(&self, sources: &VariableSources, mask: Mask) -> GroupSnapshot {
        let variable = |name| VariableSnapshot::new(name, sources.find(name), mask);
        GroupSnapshot {
            name: self.name.clone(),
            description: self.description.clone(),
            variables: self.variables().map(variable).collect(),
        }
    }
}

/// Returns the reason why a text is not the name of a variable and of a file.
fn name_fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("is empty"),
        _ if name.starts_with('.') => Some("begins with `.`"),
        _ if name.contains(['/', '=']) => Some("contains `/` or `=`"),
        _ if name.contains(char::is_control) => Some("contains a control character"),
        _ if name.len() > 255 => Some("is longer than 255 bytes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_name_or_one_that_leads_out_of_a_folder_is_refused() {
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
    fn all_faults_are_reported_at_once() {
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
    #[should_panic(expected = "the variable `a/b` contains `/` or `=`")]
    fn an_invalid_name_in_the_code_panics_at_its_line() {
        let _ = Group::new("Group", "", ["a/b"]);
    }
}
