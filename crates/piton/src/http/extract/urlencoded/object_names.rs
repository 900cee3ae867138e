//! Finds out which names before brackets are those of objects, for types that do not announce their fields.

use serde::de::DeserializeOwned;

use super::deserialize_error::DeserializeError;
use super::limits::MAX_OBJECTS;
use super::name_value_pairs::{NameValuePairs, Position};
use super::percent_decoding::object_and_member;
use crate::http::extract::serde_messages::missing_field;

impl NameValuePairs<'_> {
    /// Returns the names before brackets that may be those of objects, because the type does not read `range[min]` as a
    /// name, or because it misses `range`.
    ///
    /// # Errors
    /// There are more than [`MAX_OBJECTS`] of them.
    #[cold]
    pub(super) fn find_objects<T: DeserializeOwned>(
        &mut self,
        error: Option<&DeserializeError>,
    ) -> Result<Vec<String>, DeserializeError> {
        let missing = error.map(|error| missing_field(&error.message));
        // A map has no objects, because it reads all names as they are. It is skipped to avoid a pass for each name.
        if missing == Some(None) || missing.is_none() && self.accepts_any_name::<T>() {
            return Ok(Vec::new());
        }
        let mut candidates: Vec<(usize, String)> = Vec::new();
        for group in self.present() {
            let Some((object, _)) = object_and_member(self.name(group)) else { continue };
            let is_known = self.objects.iter().any(|known| known == object)
                || candidates.iter().any(|(_, known)| known == object);
            let is_another = missing.as_ref().is_some_and(|it| it.as_deref() != Some(object));
            if is_known || is_another {
                continue;
            }
            if self.objects.len() + candidates.len() >= MAX_OBJECTS {
                self.current.set(Some(Position::Group(group)));
                let message = format!("is one of more than {MAX_OBJECTS} names with brackets");
                return Err(DeserializeError { is_final: true, ..DeserializeError::new(message) });
            }
            candidates.push((group, object.to_owned()));
        }
        let is_object = |(group, _): &(usize, String)| {
            missing.is_some() || self.probe::<T>(*group) == (true, 0)
        };
        candidates.retain(is_object);
        Ok(candidates.into_iter().map(|(_, object)| object).collect())
    }
}
