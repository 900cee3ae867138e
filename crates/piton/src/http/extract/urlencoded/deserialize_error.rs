//! The error of the deserializers in this module, and the recorded mismatches of values and types.
//!
//! `#[serde(flatten)]` and untagged enums read from a buffer of serde's own, which stores values before their types
//! are known. It reports a mismatch only through the constructors of the error, and an `Option` or an untagged enum
//! drops that error. So the constructors record each mismatch in a thread-local list, and the next pass gives the value
//! in the type that was asked for. A pass does not await, so it never moves to another thread.

use std::cell::RefCell;
use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::limits::MAX_MISMATCHES;
use super::numbers::{NOT_FINITE, overflows_f32};
use crate::http::extract::serde_messages::{missing_field, plain_type};

thread_local! {
    static MISMATCHES: RefCell<Vec<Mismatch>> = const { RefCell::new(Vec::new()) };
}

/// A value that was not of the requested type.
pub(super) struct Mismatch {
    pub value: RejectedValue,
    /// The name of the type in serde's message.
    pub expected: String,
    /// The message for clients.
    pub message: String,
    /// Set if the value may be accepted in another type: as a number instead of text, for example.
    pub is_type_mismatch: bool,
}

/// A rejected value, by which its parameter is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RejectedValue {
    /// Borrowed text, identified by its address.
    Text {
        address: usize,
        length: usize,
    },
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    List,
    /// The value that no type accepts.
    Poison,
    /// A value that serde does not report: a converter rejected it.
    Other,
}

impl RejectedValue {
    /// Identifies text by its address and length.
    pub fn text(text: &str) -> Self {
        Self::Text { address: text.as_ptr().addr(), length: text.len() }
    }

    /// Returns whether the value was given as text.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text { .. })
    }

    fn from_unexpected(unexpected: Unexpected<'_>) -> Self {
        match unexpected {
            Unexpected::Str(text) => Self::text(text),
            Unexpected::Unsigned(number) => Self::Unsigned(number),
            Unexpected::Signed(number) => Self::Signed(number),
            Unexpected::Float(number) => Self::Float(number),
            Unexpected::Bool(flag) => Self::Bool(flag),
            Unexpected::Seq => Self::List,
            Unexpected::Bytes(_) => Self::Poison,
            _ => Self::Other,
        }
    }
}

/// Clears the mismatches of an earlier pass.
pub(super) fn start_recording() {
    MISMATCHES.with_borrow_mut(Vec::clear);
}

/// Returns the mismatches since [`start_recording`].
pub(super) fn take_mismatches() -> Vec<Mismatch> {
    MISMATCHES.take()
}

/// Records a mismatch of this pass.
fn record(value: RejectedValue, expected: String, message: &str, is_type_mismatch: bool) {
    MISMATCHES.with_borrow_mut(|mismatches| {
        if mismatches.len() < MAX_MISMATCHES {
            mismatches.push(Mismatch {
                value,
                expected,
                message: message.to_owned(),
                is_type_mismatch,
            });
        }
    });
}

/// The error of reading pairs as a type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DeserializeError {
    /// The message for the client.
    pub message: String,
    /// The rejected value, if it is known.
    pub value: Option<RejectedValue>,
    /// Set if the parameters of the route do not match those of the handler's type, which no client can correct.
    pub is_route_mismatch: bool,
    /// Set if no other error is looked for, because that would take too long.
    pub is_final: bool,
}

impl DeserializeError {
    /// Makes an error with a message and without a value.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), value: None, is_route_mismatch: false, is_final: false }
    }

    /// Makes the error for parameters that would have to be read too many times.
    pub fn exhausted() -> Self {
        let message = "there are too many parameters for the types that are expected";
        Self { is_final: true, ..Self::new(message) }
    }

    /// Adds the position, from 1, of the rejected value in a list.
    pub fn in_list(self, position: usize) -> Self {
        Self { message: format!("value {position} of the list: {}", self.message), ..self }
    }

    /// Adds the object to which a missing member belongs.
    pub fn in_object(self, name: &str) -> Self {
        let Some(member) = missing_field(&self.message) else { return self };
        let (first, rest) = member.split_at(member.find('[').unwrap_or(member.len()));
        Self { message: format!("missing field `{name}[{first}]{rest}`"), ..self }
    }
}

impl Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeserializeError {}

impl Error for DeserializeError {
    fn custom<T: Display>(message: T) -> Self {
        let message = message.to_string();
        // These are not recorded, because they are about a struct or an enum as a whole and not about a value. An
        // untagged enum reports its own after the mismatches of its variants.
        let is_of_value = !message.starts_with("missing field `")
            && !message.starts_with("unknown field `")
            && !message.starts_with("duplicate field `")
            && !message.starts_with("data did not match any variant");
        if is_of_value {
            record(RejectedValue::Other, String::new(), &message, false);
        }
        Self::new(message)
    }

    #[cold]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let value = RejectedValue::from_unexpected(unexpected);
        let expected_name = expected.to_string();
        let message = match unexpected {
            Unexpected::Str("") => "is empty".to_owned(),
            Unexpected::Seq if !asks_for_list(&expected_name) => "is given twice".to_owned(),
            Unexpected::Str(text) if expected_name == "f32" && overflows_f32(text) => {
                NOT_FINITE.to_owned()
            }
            Unexpected::Str(_) if plain_name(&expected_name) != expected_name => {
                not_valid(&expected_name)
            }
            _ => format!("invalid type: {unexpected}, expected {expected_name}"),
        };
        record(value, expected_name, &message, true);
        Self { value: Some(value), ..Self::new(message) }
    }

    #[cold]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let value = RejectedValue::from_unexpected(unexpected);
        let message = format!("invalid value: {unexpected}, expected {expected}");
        record(value, expected.to_string(), &message, false);
        Self { value: Some(value), ..Self::new(message) }
    }

    #[cold]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let value = match variant {
            "\u{fffd}" => RejectedValue::Poison,
            _ => RejectedValue::text(variant),
        };
        let message = match expected {
            [] => format!("unknown variant `{variant}`, there are no variants"),
            [one] => format!("unknown variant `{variant}`, expected `{one}`"),
            [one, other] => format!("unknown variant `{variant}`, expected `{one}` or `{other}`"),
            all => {
                let all: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
                format!("unknown variant `{variant}`, expected one of {}", all.join(", "))
            }
        };
        record(value, String::new(), &message, false);
        Self { value: Some(value), ..Self::new(message) }
    }
}

/// Returns the message for text that is not of the type that serde calls `expected`.
fn not_valid(expected: &str) -> String {
    format!("is not a valid {}", plain_name(expected))
}

/// Returns the name for clients of the type that serde calls `expected`.
fn plain_name(expected: &str) -> &str {
    match expected {
        "a boolean" => plain_type("bool"),
        other => plain_type(other.strip_prefix("a nonzero ").unwrap_or(other)),
    }
}

/// Returns whether a type that calls itself `expected` in messages reads a list. serde tells the type in no other way.
pub(super) fn asks_for_list(expected: &str) -> bool {
    ["sequence", "tuple", "array", "list", "set"].iter().any(|word| expected.contains(word))
}
