//! Finds errors that a type dropped: an `Option` of a flattened struct discards both an invalid value and its error.
//!
//! Without this search a mistyped number in an optional filter would silently count as absent.

use serde::de::DeserializeOwned;

use super::deserialize_error::{DeserializeError, Mismatch, RejectedValue, take_mismatches};
use super::limits::MAX_READS;
use super::name_value_pairs::{NameValuePairs, Position};
use super::pair_group::{InferredType, ValuePart};

impl NameValuePairs<'_> {
    /// Returns the error of a value that was dropped, if there is one.
    pub(super) fn find_dropped_error<T: DeserializeOwned>(
        &mut self,
        mismatches: &[Mismatch],
    ) -> Option<DeserializeError> {
        let mut checked: Vec<(usize, ValuePart)> = Vec::new();
        for mismatch in mismatches {
            if self.reads.get() > MAX_READS {
                return Some(DeserializeError::exhausted());
            }
            if mismatch.value == RejectedValue::Other {
                if let Some(error) = self.find_dropped_converter_error::<T>(mismatch, mismatches) {
                    return Some(error);
                }
                continue;
            }
            for (group, part) in self.find_equal(mismatch.value) {
                if checked.contains(&(group, part)) || checked.len() >= self.max_passes() {
                    continue;
                }
                checked.push((group, part));
                let error = self.dropped_error_of::<T>(group, part, mismatch, mismatches);
                if error.is_some() {
                    return error;
                }
            }
        }
        None
    }

    /// Returns the error of a part of a group, if the part was rejected as `mismatch` says and the type is read without
    /// it nevertheless.
    fn dropped_error_of<T: DeserializeOwned>(
        &mut self,
        group: usize,
        part: ValuePart,
        mismatch: &Mismatch,
        mismatches: &[Mismatch],
    ) -> Option<DeserializeError> {
        let rejections = match mismatch.value {
            RejectedValue::Unsigned(number) => {
                self.count_rejections_as_signed::<T>(group, part, number)
            }
            _ => None,
        };
        let count = || mismatches.iter().filter(|it| it.value == mismatch.value).count();
        let rejections = rejections.unwrap_or_else(count);
        if rejections == 0 || self.probe_part::<T>(group, part) != (true, rejections) {
            return None;
        }
        self.current.set(Some(Position::Group(group)));
        let value = Some(mismatch.value);
        let error = DeserializeError { value, ..DeserializeError::new(&*mismatch.message) };
        Some(match part {
            ValuePart::Whole => error,
            ValuePart::Item((_, item)) => error.in_list(item + 1),
        })
    }

    /// Finds the parameter that a converter rejected. The converter's error does not identify the value.
    fn find_dropped_converter_error<T: DeserializeOwned>(
        &mut self,
        mismatch: &Mismatch,
        mismatches: &[Mismatch],
    ) -> Option<DeserializeError> {
        let count = |all: &[Mismatch]| {
            let is_same =
                |it: &&Mismatch| it.value == mismatch.value && it.message == mismatch.message;
            all.iter().filter(is_same).count()
        };
        let before = count(mismatches);
        let buffered = |group: &usize| self.groups[*group].is_buffered.get();
        let groups: Vec<usize> = self.present().filter(buffered).take(self.max_passes()).collect();
        for group in groups {
            let inferred_type =
                std::mem::replace(&mut self.groups[group].inferred_type, InferredType::Poison);
            let is_ok = self.pass::<T>().is_ok();
            self.groups[group].inferred_type = inferred_type;
            let after = take_mismatches();
            let poison = after.iter().filter(|it| it.value == RejectedValue::Poison).count();
            let fewer = before - count(&after).min(before);
            if is_ok
                && fewer > 0
                && poison == fewer
                && !self.has_same_error_without::<T>(group, before, &count)
            {
                self.current.set(Some(Position::Group(group)));
                return Some(DeserializeError::new(&*mismatch.message));
            }
        }
        None
    }

    /// Returns whether the error of a converter remains without the parameter, so that it is about another one.
    fn has_same_error_without<T: DeserializeOwned>(
        &mut self,
        group: usize,
        before: usize,
        count: &impl Fn(&[Mismatch]) -> usize,
    ) -> bool {
        self.set_removed(group, true);
        let _ = self.pass::<T>();
        self.set_removed(group, false);
        count(&take_mismatches()) >= before
    }
}
