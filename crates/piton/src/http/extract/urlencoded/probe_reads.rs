//! One pass over all parameters, and passes that probe what a type does with one of them.
//!
//! serde does not say which parameters a type reads, nor which one a message is about. Both are found out by reading
//! again with a value that no type accepts (poison), or without the parameter.

use serde::de::DeserializeOwned;

use super::deserialize_error::{DeserializeError, RejectedValue, start_recording, take_mismatches};
use super::limits::MAX_READS;
use super::name_value_pairs::NameValuePairs;
use super::pair_group::{InferredType, Pair, PairGroup, ValuePart};
use super::path_deserializer::PathDeserializer;
use super::struct_deserializer::NameDeserializer;

impl NameValuePairs<'_> {
    /// Reads the pairs once as a `T`, and records the mismatches.
    pub(super) fn pass<T: DeserializeOwned>(&self) -> Result<T, DeserializeError> {
        start_recording();
        self.current.set(None);
        if self.reads.get() > MAX_READS {
            self.is_exhausted.set(true);
            return Err(DeserializeError::exhausted());
        }
        if self.is_path {
            T::deserialize(PathDeserializer(self))
        } else {
            T::deserialize(NameDeserializer(self))
        }
    }

    /// Poisons the value of a group. Returns whether a `T` is read nevertheless, and how often the value was rejected:
    /// `(true, 0)` if nothing reads it.
    pub(super) fn probe<T: DeserializeOwned>(&mut self, group: usize) -> (bool, usize) {
        let inferred_type =
            std::mem::replace(&mut self.groups[group].inferred_type, InferredType::Poison);
        let result = self.pass::<T>();
        let mismatches = take_mismatches();
        self.groups[group].inferred_type = inferred_type;
        let rejections =
            mismatches.iter().filter(|mismatch| mismatch.value == RejectedValue::Poison).count();
        (result.is_ok(), rejections)
    }

    /// Does the same as [`NameValuePairs::probe`] for a value or an item of a list.
    pub(super) fn probe_part<T: DeserializeOwned>(
        &mut self,
        group: usize,
        part: ValuePart,
    ) -> (bool, usize) {
        let ValuePart::Item(item) = part else { return self.probe::<T>(group) };
        self.groups[group].other_items.insert(0, (item, InferredType::Poison));
        let result = self.pass::<T>();
        self.groups[group].other_items.remove(0);
        let mismatches = take_mismatches();
        let rejections = mismatches.iter().filter(|it| it.value == RejectedValue::Poison).count();
        (result.is_ok(), rejections)
    }

    /// Returns the message of the error with the value of a group poisoned.
    pub(super) fn error_with_poison<T: DeserializeOwned>(
        &mut self,
        group: usize,
    ) -> Option<String> {
        let inferred_type =
            std::mem::replace(&mut self.groups[group].inferred_type, InferredType::Poison);
        let message = self.pass::<T>().err().map(|error| error.message);
        self.groups[group].inferred_type = inferred_type;
        message
    }

    /// Returns the message of the error without a group.
    pub(super) fn error_without<T: DeserializeOwned>(&mut self, group: usize) -> Option<String> {
        self.set_removed(group, true);
        let message = self.pass::<T>().err().map(|error| error.message);
        self.set_removed(group, false);
        message
    }

    /// Gives a number as a signed one, and returns how many times it is rejected as such.
    pub(super) fn count_rejections_as_signed<T: DeserializeOwned>(
        &mut self,
        group: usize,
        part: ValuePart,
        number: u64,
    ) -> Option<usize> {
        let signed = RejectedValue::Signed(i64::try_from(number).ok()?);
        let ValuePart::Whole = part else { return None };
        let inferred_type =
            std::mem::replace(&mut self.groups[group].inferred_type, InferredType::Signed);
        let _ = self.pass::<T>();
        self.groups[group].inferred_type = inferred_type;
        Some(take_mismatches().iter().filter(|it| it.value == signed).count())
    }

    /// Returns whether `T` reads a parameter whose name is that of no field, as a map does.
    pub(super) fn accepts_any_name<T: DeserializeOwned>(&mut self) -> bool {
        let name = "\u{0}no such name";
        self.pairs.push(Pair::new(name.into(), "".into()));
        self.groups.push(PairGroup::new(self.pairs.len() - 1));
        let probe = self.probe::<T>(self.groups.len() - 1);
        self.groups.pop();
        self.pairs.pop();
        probe != (true, 0)
    }
}
