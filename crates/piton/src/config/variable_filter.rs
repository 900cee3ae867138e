//! [`VariableFilter`]: decides which variables of the environment are remembered.

use std::collections::HashSet;

use super::section::Section;
use super::variable_names::VariableNames;

/// The variables that are remembered. Nothing is kept of the others, because they may be secrets of other
/// programs.
pub(super) struct VariableFilter<'a> {
    names: HashSet<String>,
    /// The prefix with its `_`. Empty if there is no prefix: it would match every variable otherwise.
    start: String,
    sections: &'a [&'a Section],
}

impl<'a> VariableFilter<'a> {
    /// Creates the filter of the variables of `names`, of those under the prefix, and of those that a
    /// section uses.
    pub fn new(prefix: &str, names: &[VariableNames], sections: &'a [&'a Section]) -> Self {
        let start = if prefix.is_empty() { String::new() } else { format!("{prefix}_") };
        let names: HashSet<String> = names.iter().flat_map(VariableNames::all).collect();
        Self { names, start, sections }
    }

    /// Returns whether a variable is remembered.
    pub fn includes(&self, variable: &str) -> bool {
        (!self.start.is_empty() && variable.starts_with(&self.start))
            || self.names.contains(variable)
            || self.is_used(variable)
    }

    /// Returns whether a section uses a variable without its being a setting.
    pub fn is_used(&self, variable: &str) -> bool {
        self.sections.iter().any(|section| section.uses_variable(variable))
    }
}
