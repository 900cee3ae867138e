//! Infers the types of buffered values: reads again until each value is given in the type that was asked for.

use serde::de::DeserializeOwned;

use super::deserialize_error::{
    DeserializeError, Mismatch, RejectedValue, asks_for_list, take_mismatches,
};
use super::limits::{MAX_COMPARED, MAX_EQUAL, MAX_TRIED};
use super::name_value_pairs::{NameValuePairs, Position};
use super::numbers::{is_number, overflows_f32, parse_bool};
use super::pair_group::{InferredType, SavedTypes, ValuePart};

impl NameValuePairs<'_> {
    /// Reads the pairs once, and again only if values were buffered.
    pub(super) fn attempt<T: DeserializeOwned>(&mut self) -> Result<T, DeserializeError> {
        let mut result = self.pass_with_inference();
        let mut is_complete = false;
        while self.has_brackets && self.has_unknown_fields.get() && !(is_complete && result.is_ok())
        {
            is_complete = result.is_ok();
            let objects = self.find_objects::<T>(result.as_ref().err())?;
            if objects.is_empty() {
                break;
            }
            self.objects.extend(objects);
            result = self.pass_with_inference();
        }
        if self.is_exhausted.get() { Err(DeserializeError::exhausted()) } else { result }
    }

    /// Reads the pairs once, and infers the types of buffered values.
    fn pass_with_inference<T: DeserializeOwned>(&mut self) -> Result<T, DeserializeError> {
        let result = self.pass();
        if self.is_buffered.get() {
            return self.infer_types(result);
        }
        result
    }

    /// Reads again until every buffered value has the type that was asked for.
    #[cold]
    pub(super) fn infer_types<T: DeserializeOwned>(
        &mut self,
        mut result: Result<T, DeserializeError>,
    ) -> Result<T, DeserializeError> {
        // Reading goes on after a success, because an untagged enum may accept a type that is not the first one it asked
        // for.
        let mut accepted: Option<(T, Vec<Mismatch>)> = None;
        let mut changed = Vec::new();
        let mut by_position: Option<(DeserializeError, Option<Position>)> = None;
        for pass in 0..self.max_passes() {
            let mismatches = take_mismatches();
            let is_accepted = result.is_ok();
            if let (false, Some(before)) = (is_accepted, accepted.take_if(|_| !is_accepted)) {
                accepted = Some(self.infer_one_by_one(before, changed));
                break;
            }
            // An accepted type is kept, because the next variant of the enum would reject it.
            changed = self.apply_requested_types(&mismatches, is_accepted);
            let mut is_changed = !changed.is_empty();
            if let Ok(value) = result {
                accepted = Some((value, mismatches));
                result = Err(DeserializeError::new(""));
            } else if pass == self.max_passes() / 2 {
                // All numbers are changed at once, because in a map with many of them each would take a pass.
                is_changed |= self.change_all_to_numbers();
            } else if !is_changed
                && self.may_read_by_name.get()
                && !self.reads_by_name.replace(true)
                && let Err(error) = result
            {
                by_position = Some((error, self.current.get()));
                is_changed = true;
                result = Err(DeserializeError::new(""));
            }
            if !is_changed {
                break;
            }
            result = self.pass();
        }
        let Some((value, mismatches)) = accepted else {
            let Some(error) = self.error_by_position(by_position) else {
                return result.or_else(|error| self.try_equal_values().ok_or(error));
            };
            return Err(error);
        };
        match self.find_dropped_error::<T>(&mismatches) {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }

    /// Returns the error of reading the single parameter of a path by its position, if it explains more than the one of
    /// reading it by its name: not if it only says that a struct is no text.
    fn error_by_position(
        &self,
        by_position: Option<(DeserializeError, Option<Position>)>,
    ) -> Option<DeserializeError> {
        let (error, position) = by_position?;
        if error.message.starts_with("invalid type") {
            return None;
        }
        self.current.set(position);
        self.reads_by_name.set(false);
        Some(error)
    }

    /// Undoes changes of which one was rejected, and repeats those that are accepted, one by one.
    fn infer_one_by_one<T: DeserializeOwned>(
        &mut self,
        (mut value, mut mismatches): (T, Vec<Mismatch>),
        changed: Vec<(usize, SavedTypes)>,
    ) -> (T, Vec<Mismatch>) {
        for (group, forms) in changed.into_iter().rev() {
            self.groups[group].restore_types(forms);
        }
        let mut rejected = Vec::new();
        for _ in 0..self.max_passes() {
            let is_type_mismatch = |it: &&Mismatch| it.is_type_mismatch && it.value.is_text();
            let changes = mismatches.iter().filter(is_type_mismatch).take(MAX_TRIED);
            let next = changes.filter_map(|it| self.requested_type(it)).find(
                |(group, part, inferred_type)| {
                    let is_new = match part {
                        ValuePart::Whole => self.groups[*group].inferred_type != *inferred_type,
                        ValuePart::Item(item) => {
                            self.groups[*group].item_type(*item) != *inferred_type
                        }
                    };
                    is_new && !rejected.contains(&(*group, *part, *inferred_type))
                },
            );
            let Some((group, part, inferred_type)) = next else { break };
            let before = self.groups[group].save_types();
            rejected.push((group, part, inferred_type));
            if !self.groups[group].change_type(part, inferred_type) {
                continue;
            }
            match self.pass() {
                Ok(better) => (value, mismatches) = (better, take_mismatches()),
                Err(_) => self.groups[group].restore_types(before),
            }
        }
        (value, mismatches)
    }

    /// Tries all types of equal values, because serde does not say which of them it rejects.
    fn try_equal_values<T: DeserializeOwned>(&mut self) -> Option<T> {
        let text = |group: usize| &*self.pairs[self.groups[group].first].value;
        let may_be_typed = |group: &usize| {
            let it = &self.groups[*group];
            let is_typed = matches!(text(*group), "true" | "false") || is_number(text(*group));
            it.is_buffered.get()
                && it.more.is_empty()
                && it.inferred_type != InferredType::List
                && is_typed
        };
        let all: Vec<usize> = self.present().filter(may_be_typed).take(MAX_COMPARED).collect();
        let is_equal =
            |group: &usize| all.iter().any(|it| it != group && text(*it) == text(*group));
        let equal: Vec<usize> = all.iter().copied().filter(is_equal).collect();
        if equal.is_empty() || equal.len() > MAX_EQUAL {
            return None;
        }
        let (at, before) =
            (self.current.get(), equal.iter().map(|it| self.groups[*it].inferred_type));
        let before: Vec<InferredType> = before.collect();
        for types in 0..1_usize << equal.len() {
            for (bit, group) in equal.iter().enumerate() {
                let inferred_type =
                    match apparent_type(&self.pairs[self.groups[*group].first].value) {
                        typed if types >> bit & 1 == 1 => typed,
                        _ => InferredType::Text,
                    };
                self.groups[*group].inferred_type = inferred_type;
            }
            if let Ok(value) = self.pass() {
                return Some(value);
            }
        }
        equal
            .iter()
            .zip(before)
            .for_each(|(group, inferred_type)| self.groups[*group].inferred_type = inferred_type);
        self.current.set(at);
        None
    }

    /// Changes values to the types that were asked for. Returns the groups that changed, with their earlier types.
    fn apply_requested_types(
        &mut self,
        mismatches: &[Mismatch],
        is_accepted: bool,
    ) -> Vec<(usize, SavedTypes)> {
        let mut changed = Vec::new();
        let applicable = mismatches
            .iter()
            .filter(|it| it.is_type_mismatch && (it.value.is_text() || !is_accepted));
        for mismatch in applicable.take(self.max_passes()) {
            let Some((group, part, mut inferred_type)) = self.requested_type(mismatch) else {
                continue;
            };
            if !is_accepted && self.is_switch(mismatch, mismatches) {
                inferred_type = InferredType::Bool;
            }
            let before = self.groups[group].save_types();
            if self.groups[group].change_type(part, inferred_type) {
                changed.push((group, before));
            }
        }
        changed
    }

    /// Finds the rejected value, and the type that was asked for.
    fn requested_type(&self, mismatch: &Mismatch) -> Option<(usize, ValuePart, InferredType)> {
        let (group, part) = self.find(mismatch.value)?;
        let text = self.text(group, part);
        let wants_list = matches!(part, ValuePart::Whole) && asks_for_list(&mismatch.expected);
        let wanted = match mismatch.value {
            RejectedValue::Text { .. } | RejectedValue::List if wants_list => InferredType::List,
            // It stays text, which is rejected, because as a number it would be cast to an `f32` and become infinite.
            RejectedValue::Text { .. } if mismatch.expected == "f32" && overflows_f32(text) => {
                InferredType::Text
            }
            RejectedValue::Text { .. } => apparent_type(text),
            _ => InferredType::Text,
        };
        Some((group, part, wanted))
    }

    /// Returns whether a boolean, and nothing else, was asked for in place of text such as `on` or `1`. Such text is no
    /// boolean if another type accepts it: a variant with a number, for example.
    fn is_switch(&self, mismatch: &Mismatch, all: &[Mismatch]) -> bool {
        let asks_for_boolean = |it: &Mismatch| it.expected == "a boolean";
        mismatch.value.is_text()
            && asks_for_boolean(mismatch)
            && all.iter().all(|it| it.value != mismatch.value || asks_for_boolean(it))
            && self
                .find(mismatch.value)
                .is_some_and(|(group, part)| parse_bool::<bool>(self.text(group, part)).is_some())
    }

    /// Changes all values that look like numbers to numbers. Returns whether any changed.
    fn change_all_to_numbers(&mut self) -> bool {
        let mut is_changed = false;
        let Self { pairs, groups, .. } = self;
        for group in groups.iter_mut().filter(|group| group.inferred_type == InferredType::Text) {
            if group.more.is_empty() && is_number(&pairs[group.first].value) {
                group.inferred_type = InferredType::Number;
                is_changed = true;
            }
        }
        is_changed
    }
}

/// Returns the type that `text` looks like: number, boolean or text.
fn apparent_type(text: &str) -> InferredType {
    match text {
        "true" | "false" => InferredType::Bool,
        number if is_number(number) => InferredType::Number,
        _ => InferredType::Text,
    }
}
