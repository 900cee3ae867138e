//! A serde deserializer for name/value pairs: query strings, HTML forms (`a=1&b=2`) and path parameters.
//!
//! It reads a type, or reports every invalid parameter by its name. A list is one pair with commas between its
//! values, several pairs of one name, or both. Values are split at commas before they are decoded, so that `%2C` is
//! part of a value.
//!
//! Serde buffers what `#[serde(flatten)]`, internally tagged and untagged enums read, before it knows their types.
//! Such a value is given as text first. If its type rejects text and asks for a number, a boolean or a list, the pairs
//! are read again with the value in that type (`type_inference`); the constructors of `DeserializeError` record what
//! was asked for. A type without buffered values is read once. `docs/decisions/0022` has the alternatives.

mod bracket_tree;
mod deserialize_error;
mod errors_dropped_by_serde;
mod field_names;
mod limits;
mod name_value_pairs;
mod numbers;
mod object_names;
mod pair_group;
mod parameter_errors;
mod parameter_value;
mod path_deserializer;
mod percent_decoding;
#[cfg(feature = "multipart")]
mod poisoned_fields;
mod probe_reads;
mod raw_query;
mod read_as_type;
mod rejected_parameter;
mod scalar_deserializer;
mod struct_deserializer;
#[cfg(test)]
mod tests;
mod type_inference;
mod unknown_names;

pub(super) use self::field_names::{field_names, is_object};
pub(super) use self::name_value_pairs::{NameValuePairs, ParameterError};
pub(super) use self::percent_decoding::object_and_member;
#[cfg(feature = "multipart")]
pub(super) use self::poisoned_fields::errors_with_poison;
pub(super) use self::raw_query::{filter_pairs, memory_estimate, names_not_utf8};
pub(super) use self::read_as_type::{PathError, parse, parse_path};
