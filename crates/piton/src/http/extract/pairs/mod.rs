//! Reads `a=1&b=2` as a value, or names every parameter that is wrong.
//!
//! A list is one pair with commas between its values, several pairs of one name, or both. Values are split
//! at commas before they are decoded, so that `%2C` is part of a value.
//!
//! Serde buffers what `#[serde(flatten)]`, internally tagged and untagged enums read, before it knows their types.
//! Such a value is given as text first. If the type asks for a number, a boolean or a list, the pairs are read
//! again with that value in the form asked for ([`refusal`] says how that is known). A type without any
//! of these is read once.

mod faults;
mod fields;
mod forms;
mod path;
mod read;
mod refusal;
mod scalar;
mod split;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use serde::de::DeserializeOwned;

use self::path::ByPosition;
use self::read::ByName;
use self::refusal::{PairRefusal, start_recording};
use self::split::{Pair, PairGroup, grouped};
use crate::error::handler_error::most_faults;

pub(super) use self::faults::{member, missing};
pub(super) use self::fields::{fields, is_object};
pub(super) use self::split::{filtered, not_utf8, object_and_member, size_of_pairs};

/// A fault: the name of the parameter, if it is known, and the reason.
pub(super) type FieldError = (Option<String>, String);

/// Maximum number of times that pairs are read to find the forms of buffered values, and to find the one that is
/// refused. A struct needs one for each of its fields at most.
const MAX_PASSES: usize = 64;

/// [`MAX_PASSES`] for requests with more than [`MANY_PARAMETERS`], whose passes take long.
const MAX_PASSES_OF_MANY: usize = 16;

/// Number of parameters above which fewer passes are made.
const MANY_PARAMETERS: usize = 1000;

/// Maximum number of names compared one by one, and of candidates tried.
const MAX_COMPARED: usize = 16;

/// Maximum number of levels of brackets in a name: `range[inner][min]` has two.
const MAX_LEVELS: usize = 16;

/// Maximum number of characters of a refused name that are shown.
const MAX_SHOWN: usize = 64;

/// Maximum number of objects with names in brackets that are tried for a type that does not announce its fields:
/// each takes a pass.
const MAX_OBJECTS: usize = 16;

/// Maximum number of values read in all passes after the first. With 50,000 parameters these are 40 passes, about
/// 0.4 s of a CPU.
const MAX_READS: usize = 2_000_000;

/// Reads `a=1&b=2` as a `T`, or returns everything that is wrong with it.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Vec<FieldError>> {
    Pairs::of_query(text)?.read(most_faults(text.len()))
}

/// The reason why the parameters of a path are refused.
pub(super) enum PathRefusal {
    /// The client can correct it.
    Parameters(Vec<FieldError>),
    /// The route and its handler disagree.
    Route(String),
}

/// Reads the parameters of a path, decoded, as a `T`.
pub(super) fn parse_path<'a, T: DeserializeOwned>(
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<T, PathRefusal> {
    let mut pairs = Pairs::of_path(parameters);
    let refusal = match pairs.attempt::<T>() {
        Ok(value) => return Ok(value),
        Err(refusal) => refusal,
    };
    if refusal.is_of_route || missing(&refusal.what).is_some() {
        return Err(PathRefusal::Route(refusal.what));
    }
    pairs
        .explain(refusal, crate::error::handler_error::MOST_FAULTS)
        .map_err(PathRefusal::Parameters)
}

/// The decoded pairs of a query, a form or a path, and the state of reading them.
pub(super) struct Pairs<'a> {
    pairs: Vec<Pair<'a>>,
    groups: Vec<PairGroup>,
    is_path: bool,
    /// Some name may be that of an object's member: `range[min]`.
    has_brackets: bool,
    /// The names of objects, for types that do not announce their fields.
    objects: Vec<String>,
    /// The type does not announce its fields.
    is_open: Cell<bool>,
    /// The parameter that is being read.
    at: Cell<Option<Position>>,
    /// Number of values read in all passes.
    reads: Cell<usize>,
    /// A pass was not made, because there were [`MAX_READS`] before it.
    is_exhausted: Cell<bool>,
    /// Some value was buffered: read without a type.
    is_buffered: Cell<bool>,
    /// Some name was buffered. Names are text in any case, so this has no effect.
    is_name_buffered: Cell<bool>,
    /// The whole of a parameter was read as one value of a list, and not one of its items.
    is_read_whole: Cell<bool>,
    /// The single parameter of a path is read by its name, not by its position.
    is_by_name: Cell<bool>,
    /// The type of the path may read its single parameter by its name.
    may_be_by_name: Cell<bool>,
}

/// The parameter that is being read.
#[derive(Clone, Copy, Debug)]
enum Position {
    Group(usize),
    Pair(usize),
}

impl<'a> Pairs<'a> {
    /// Splits a query without its `?`, or a form, into pairs.
    ///
    /// # Errors
    /// The names with too many brackets: each of their levels would take a frame of the stack.
    pub fn of_query(text: &'a [u8]) -> Result<Self, Vec<FieldError>> {
        if text.is_empty() {
            return Ok(Self::new(Vec::new(), false));
        }
        let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let pairs = Self::new(pairs.map(Pair::of_query).collect(), false);
        if pairs.has_brackets {
            pairs.refuse_deep_names(most_faults(text.len()))?;
        }
        Ok(pairs)
    }

    #[cold]
    fn refuse_deep_names(&self, most: usize) -> Result<(), Vec<FieldError>> {
        let names = self.present().map(|group| self.name(group));
        let is_deep = |name: &&str| {
            name.matches('[').nth(MAX_LEVELS).is_some() && object_and_member(name).is_some()
        };
        let refuse = |name: &str| {
            let shown: String = name.chars().take(MAX_SHOWN).collect();
            let name = if shown.len() < name.len() { format!("{shown}…") } else { shown };
            (Some(name), format!("has more than {MAX_LEVELS} levels of brackets"))
        };
        let wrong: Vec<FieldError> = names.filter(is_deep).take(most + 1).map(refuse).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn of_path(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self::new(
            parameters.map(|(name, value)| Pair::new(name.into(), value.into())).collect(),
            true,
        )
    }

    fn new(pairs: Vec<Pair<'a>>, is_path: bool) -> Self {
        let groups = grouped(&pairs);
        let has_brackets = !is_path && pairs.iter().any(|pair| pair.name.contains('['));
        Self {
            pairs,
            groups,
            is_path,
            has_brackets,
            objects: Vec::new(),
            is_open: Cell::new(false),
            at: Cell::new(None),
            reads: Cell::new(0),
            is_exhausted: Cell::new(false),
            is_buffered: Cell::new(false),
            is_name_buffered: Cell::new(false),
            is_read_whole: Cell::new(false),
            is_by_name: Cell::new(false),
            may_be_by_name: Cell::new(false),
        }
    }

    fn present(&self) -> impl Iterator<Item = usize> {
        (0..self.groups.len()).filter(|group| !self.groups[*group].is_removed)
    }

    fn name(&self, group: usize) -> &str {
        &self.pairs[self.groups[group].first].name
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

    /// Removes the parameters that `is_removed` returns true for, by their name and whether they have no value.
    pub fn remove_if(&mut self, mut is_removed: impl FnMut(&str, bool) -> bool) {
        for group in 0..self.groups.len() {
            let is_empty = self.is_without_value(group);
            if !self.groups[group].is_removed && is_removed(self.name(group), is_empty) {
                self.remove(group);
            }
        }
    }

    fn remove(&mut self, group: usize) {
        self.set_removed(group, true);
    }

    fn set_removed(&mut self, group: usize, is_removed: bool) {
        let Self { pairs, groups, .. } = self;
        groups[group].is_removed = is_removed;
        groups[group].pairs().for_each(|pair| pairs[pair].is_removed = is_removed);
    }

    fn is_without_value(&self, group: usize) -> bool {
        self.groups[group].pairs().all(|pair| self.pairs[pair].value.is_empty())
    }

    /// Reads the pairs as a `T`.
    ///
    /// # Errors
    /// All faults, at most `most + 1`, so that the caller can tell that there are more.
    pub fn read<T: DeserializeOwned>(mut self, most: usize) -> Result<T, Vec<FieldError>> {
        match self.attempt() {
            Ok(value) => Ok(value),
            Err(refusal) => self.explain(refusal, most),
        }
    }

    /// Reads the pairs once, and again only where values were buffered.
    fn attempt<T: DeserializeOwned>(&mut self) -> Result<T, PairRefusal> {
        let mut result = self.pass_and_settle();
        let mut is_complete = false;
        while self.has_brackets && self.is_open.get() && !(is_complete && result.is_ok()) {
            is_complete = result.is_ok();
            let objects = self.find_objects::<T>(result.as_ref().err())?;
            if objects.is_empty() {
                break;
            }
            self.objects.extend(objects);
            result = self.pass_and_settle();
        }
        if self.is_exhausted.get() { Err(PairRefusal::exhausted()) } else { result }
    }

    fn pass_and_settle<T: DeserializeOwned>(&mut self) -> Result<T, PairRefusal> {
        let result = self.pass();
        if self.is_buffered.get() {
            return self.settle(result);
        }
        result
    }

    fn pass<T: DeserializeOwned>(&self) -> Result<T, PairRefusal> {
        start_recording();
        self.at.set(None);
        if self.reads.get() > MAX_READS {
            self.is_exhausted.set(true);
            return Err(PairRefusal::exhausted());
        }
        if self.is_path { T::deserialize(ByPosition(self)) } else { T::deserialize(ByName(self)) }
    }

    fn count_reads(&self, count: usize) {
        self.reads.set(self.reads.get().saturating_add(count));
    }

    fn max_passes(&self) -> usize {
        if self.groups.len() > MANY_PARAMETERS { MAX_PASSES_OF_MANY } else { MAX_PASSES }
    }
}
