//! Collects the errors of all parameters, each with the name of its parameter.

use std::cell::OnceCell;

use serde::de::DeserializeOwned;

use super::deserialize_error::DeserializeError;
use super::name_value_pairs::{NameValuePairs, ParameterError, Position};
use crate::http::extract::serde_messages::{
    duplicate_field, missing_field, to_json_terms, unknown_field,
};

impl NameValuePairs<'_> {
    /// Collects all errors, by removing one rejected parameter after the other. A rejected empty value counts as
    /// missing, so the rest may be a `T` without it.
    #[cold]
    pub(super) fn collect_errors<T: DeserializeOwned>(
        mut self,
        mut error: DeserializeError,
        max: usize,
    ) -> Result<T, Vec<ParameterError>> {
        let mut errors: Vec<ParameterError> = Vec::new();
        let mut empty_names: Vec<String> = Vec::new();
        loop {
            let rejected = self.find_rejected::<T>(&error);
            if error.is_final || self.is_exhausted.get() {
                if errors.is_empty() {
                    let name = self.current.get().map(|position| self.name_at(position));
                    errors.push((name, to_json_terms(error.message)));
                }
                return Err(errors);
            }
            let Some(position) = rejected else {
                push_unlocated(error, &empty_names, &mut errors);
                return Err(errors);
            };
            self.remove_rejected(position, error.message, &mut empty_names, &mut errors);
            if errors.len() > max {
                return Err(errors);
            }
            error = match self.attempt::<T>() {
                Ok(value) if errors.is_empty() => return Ok(value),
                Ok(_) => return Err(errors),
                Err(error) => error,
            };
        }
    }

    /// Removes a rejected parameter, and adds its error. The name of an empty one goes to `empty_names` instead, because
    /// the type may be read without it. A list with encoded commas stays for another attempt.
    fn remove_rejected(
        &mut self,
        position: Position,
        message: String,
        empty_names: &mut Vec<String>,
        errors: &mut Vec<ParameterError>,
    ) {
        let name = self.name_at(position);
        match position {
            Position::Group(group) if self.split_at_encoded_commas(group) => {}
            Position::Group(group) => {
                let is_single = self.groups[group].more.is_empty();
                if self.is_without_value(group) && is_single && !self.is_path {
                    empty_names.push(name);
                } else {
                    errors.push((Some(name), to_json_terms(message)));
                }
                self.remove(group);
            }
            Position::Pair(pair) => {
                errors.push((Some(name), to_json_terms(message)));
                self.pairs[pair].is_removed = true;
            }
        }
    }

    /// Splits values at `%2C` too, unless that has been tried. Numbers, dates and the like contain no comma, and many
    /// clients encode the separators.
    fn split_at_encoded_commas(&mut self, group: usize) -> bool {
        let Self { pairs, groups, .. } = self;
        let group = &mut groups[group];
        let has_any = group.pairs().any(|pair| pairs[pair].has_encoded_comma());
        if group.splits_encoded_commas || !has_any {
            return false;
        }
        group.splits_encoded_commas = true;
        group.pairs().for_each(|pair| pairs[pair].items = OnceCell::new());
        true
    }

    /// Finds the rejected parameter, if that can be determined.
    fn find_rejected<T: DeserializeOwned>(&mut self, error: &DeserializeError) -> Option<Position> {
        if self.current.get().is_some() {
            return self.current.get();
        }
        if missing_field(&error.message).is_some() || error.is_route_mismatch || error.is_final {
            return None;
        }
        if let Some((group, _)) = error.value.and_then(|value| self.find(value)) {
            return Some(Position::Group(group));
        }
        let named = unknown_field(&error.message).or_else(|| duplicate_field(&error.message));
        if let Some(named) = named {
            let group = self.present().find(|group| self.name(*group) == named);
            return group.map(Position::Group);
        }
        if !self.is_buffered.get() {
            return None;
        }
        // The parameter is searched by reading again, because a converter's error does not identify the value.
        // Poisoning a parameter that is read after the rejected one does not change the error.
        let buffered = |group: &usize| self.groups[*group].is_buffered.get();
        let groups: Vec<usize> = self.present().filter(buffered).take(self.max_passes()).collect();
        let differs = |message: Option<String>| message.as_deref() != Some(&error.message);
        let read: Vec<usize> = groups
            .into_iter()
            .filter(|group| differs(self.error_with_poison::<T>(*group)))
            .collect();
        // The message changes without the rejected parameter, because then there is no error or a different one.
        let is_valid_without = |group: &usize| {
            let message = self.error_without::<T>(*group);
            differs(message.clone()) && message.as_deref().and_then(missing_field).is_none()
        };
        let group = read.iter().copied().find(is_valid_without).or(read.last().copied());
        self.current.set(None);
        group.map(Position::Group)
    }
}

/// Adds an error whose parameter is not present: it is missing, or it was removed.
fn push_unlocated(
    error: DeserializeError,
    empty_names: &[String],
    errors: &mut Vec<ParameterError>,
) {
    if error.is_route_mismatch && !errors.is_empty() {
        return;
    }
    let missing = missing_field(&error.message);
    if missing.as_ref().is_some_and(|name| empty_names.contains(name)) {
        errors.push((missing, "is empty".into()));
    } else if missing.is_none() || errors.iter().all(|(name, _)| *name != missing) {
        // A parameter with an error is skipped, because it was removed and serde reports it as missing at the end.
        errors.push((missing, to_json_terms(error.message)));
    }
}
