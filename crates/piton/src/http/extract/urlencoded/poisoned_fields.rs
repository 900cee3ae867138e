//! Finds the fields of a form that a type reads in another way than as files.

use serde::de::DeserializeOwned;

use super::name_value_pairs::{NameValuePairs, ParameterError};
use super::pair_group::InferredType;
use crate::error::handler_error::max_field_errors;

/// Reads `a=1&b=2` as a `T` with values that no type accepts in place of those of `names`. Returns the errors: a name that
/// `T` does not read has none.
pub(in crate::http::extract) fn errors_with_poison<T: DeserializeOwned>(
    text: &[u8],
    names: &[&str],
) -> Vec<ParameterError> {
    let Ok(mut pairs) = NameValuePairs::from_query(text) else { return Vec::new() };
    for group in 0..pairs.groups.len() {
        if names.contains(&pairs.name(group)) {
            pairs.groups[group].inferred_type = InferredType::Poison;
        }
    }
    pairs.read::<T>(max_field_errors(text.len())).err().unwrap_or_default()
}
