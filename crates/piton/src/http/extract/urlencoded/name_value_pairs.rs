//! All pairs of a query, a form or a path, and the state of reading them.

use std::cell::Cell;

use super::limits::{
    MANY_PARAMETERS, MAX_BRACKET_LEVELS, MAX_NAME_SHOWN, MAX_PASSES, MAX_PASSES_MANY_PARAMETERS,
};
use super::pair_group::{Pair, PairGroup, group_by_name};
use super::percent_decoding::object_and_member;
use crate::error::handler_error::max_field_errors;

/// An error of a parameter: its name, if it is known, and the message.
pub(in crate::http::extract) type ParameterError = (Option<String>, String);

/// The decoded pairs of a query, a form or a path, and the state of reading them.
pub(in crate::http::extract) struct NameValuePairs<'a> {
    pub(super) pairs: Vec<Pair<'a>>,
    pub(super) groups: Vec<PairGroup>,
    pub(super) is_path: bool,
    /// Set if some name may be that of an object's member: `range[min]`.
    pub(super) has_brackets: bool,
    /// The names of objects, for types that do not announce their fields.
    pub(super) objects: Vec<String>,
    /// Set if the type does not announce its fields, so that `range[min]` may be a field or a member of `range`.
    pub(super) has_unknown_fields: Cell<bool>,
    /// The parameter that is being read.
    pub(super) current: Cell<Option<Position>>,
    /// Number of values read in all passes.
    pub(super) reads: Cell<usize>,
    /// Set if a pass was not made, because earlier ones had read `MAX_READS` values.
    pub(super) is_exhausted: Cell<bool>,
    /// Set when serde buffers a value: it asks for any type.
    pub(super) is_buffered: Cell<bool>,
    /// Set when serde buffers a name. It has no effect, because names are always text.
    pub(super) is_name_buffered: Cell<bool>,
    /// Set when the whole of a path parameter was read as one value of a list, and not one of its items.
    pub(super) is_read_whole: Cell<bool>,
    /// Set if the single parameter of a path is read by its name instead of by its position.
    pub(super) reads_by_name: Cell<bool>,
    /// Set if the type of the path may read its single parameter by its name.
    pub(super) may_read_by_name: Cell<bool>,
}

/// The index of the parameter that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Position {
    Group(usize),
    Pair(usize),
}

impl<'a> NameValuePairs<'a> {
    /// Splits a query without its `?`, or a form, into pairs.
    ///
    /// # Errors
    /// Names that have more than [`MAX_BRACKET_LEVELS`] levels of brackets, because each level would take a stack frame.
    pub fn from_query(text: &'a [u8]) -> Result<Self, Vec<ParameterError>> {
        if text.is_empty() {
            return Ok(Self::new(Vec::new(), false));
        }
        let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let pairs = Self::new(pairs.map(Pair::from_query).collect(), false);
        if pairs.has_brackets {
            pairs.reject_deep_names(max_field_errors(text.len()))?;
        }
        Ok(pairs)
    }

    /// Rejects names with too many levels of brackets.
    #[cold]
    fn reject_deep_names(&self, max: usize) -> Result<(), Vec<ParameterError>> {
        let names = self.present().map(|group| self.name(group));
        let is_deep = |name: &&str| {
            name.matches('[').nth(MAX_BRACKET_LEVELS).is_some() && object_and_member(name).is_some()
        };
        let describe = |name: &str| {
            let shown: String = name.chars().take(MAX_NAME_SHOWN).collect();
            let name = if shown.len() < name.len() { format!("{shown}…") } else { shown };
            (Some(name), format!("has more than {MAX_BRACKET_LEVELS} levels of brackets"))
        };
        let errors: Vec<ParameterError> =
            names.filter(is_deep).take(max + 1).map(describe).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Takes the decoded parameters of a path.
    pub(super) fn from_path(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self::new(
            parameters.map(|(name, value)| Pair::new(name.into(), value.into())).collect(),
            true,
        )
    }

    fn new(pairs: Vec<Pair<'a>>, is_path: bool) -> Self {
        let groups = group_by_name(&pairs);
        let has_brackets = !is_path && pairs.iter().any(|pair| pair.name.contains('['));
        Self {
            pairs,
            groups,
            is_path,
            has_brackets,
            objects: Vec::new(),
            has_unknown_fields: Cell::new(false),
            current: Cell::new(None),
            reads: Cell::new(0),
            is_exhausted: Cell::new(false),
            is_buffered: Cell::new(false),
            is_name_buffered: Cell::new(false),
            is_read_whole: Cell::new(false),
            reads_by_name: Cell::new(false),
            may_read_by_name: Cell::new(false),
        }
    }

    /// Returns the indices of the groups that were not removed.
    pub(super) fn present(&self) -> impl Iterator<Item = usize> {
        (0..self.groups.len()).filter(|group| !self.groups[*group].is_removed)
    }

    /// Returns the name of a group.
    pub(super) fn name(&self, group: usize) -> &str {
        &self.pairs[self.groups[group].first].name
    }

    /// Returns the name of the parameter at `position`.
    pub(super) fn name_at(&self, position: Position) -> String {
        match position {
            Position::Group(group) => self.name(group).to_owned(),
            Position::Pair(pair) => self.pairs[pair].name.to_string(),
        }
    }

    /// Returns the values of the pairs named `name`, if there are any, and removes them.
    pub fn take(&mut self, name: &str) -> Vec<String> {
        let Some(group) = self.present().find(|group| self.name(*group) == name) else {
            return Vec::new();
        };
        let values = self.groups[group].pairs().map(|pair| self.pairs[pair].value.to_string());
        let values = values.collect();
        self.groups[group].is_taken = true;
        self.remove(group);
        values
    }

    /// Removes the parameters for which `is_removed` returns true. It gets the name, and whether the value is empty.
    pub fn remove_if(&mut self, mut is_removed: impl FnMut(&str, bool) -> bool) {
        for group in 0..self.groups.len() {
            let is_empty = self.is_without_value(group);
            if !self.groups[group].is_removed && is_removed(self.name(group), is_empty) {
                self.remove(group);
            }
        }
    }

    /// Removes a group.
    pub(super) fn remove(&mut self, group: usize) {
        self.set_removed(group, true);
    }

    /// Removes a group, or adds it again.
    pub(super) fn set_removed(&mut self, group: usize, is_removed: bool) {
        let Self { pairs, groups, .. } = self;
        groups[group].is_removed = is_removed;
        groups[group].pairs().for_each(|pair| pairs[pair].is_removed = is_removed);
    }

    /// Returns whether all values of a group are empty.
    pub(super) fn is_without_value(&self, group: usize) -> bool {
        self.groups[group].pairs().all(|pair| self.pairs[pair].value.is_empty())
    }

    /// Counts values that were read, for `MAX_READS`.
    pub(super) fn count_reads(&self, count: usize) {
        self.reads.set(self.reads.get().saturating_add(count));
    }

    /// Returns the maximum number of passes to infer types.
    pub(super) fn max_passes(&self) -> usize {
        if self.groups.len() > MANY_PARAMETERS { MAX_PASSES_MANY_PARAMETERS } else { MAX_PASSES }
    }
}
