//! The error of the deserializers of this module, and the recorded mismatches of values and types.
//!
//! `#[serde(flatten)]` and untagged enums read from a buffer of serde's own, which stores values before their
//! types are known. It reports a mismatch only through the constructors of the error, and an `Option` or an
//! untagged enum drops that error. So the constructors record each mismatch, and the next pass gives the value
//! in the form that the type asked for.

use std::cell::RefCell;
use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::forms::overflows_f32;
use super::scalar::NOT_FINITE;
use crate::http::extract::arguments::plain_type;

/// Maximum number of mismatches recorded in one pass. An untagged enum in a long list makes very many.
const MAX_MISMATCHES: usize = 4096;

thread_local! {
    static MISMATCHES: RefCell<Vec<Mismatch>> = const { RefCell::new(Vec::new()) };
}

/// A value that was not of the requested type.
pub(super) struct Mismatch {
    pub value: RefusedValue,
    /// The name of the type in serde's message.
    pub expected: String,
    /// The message for clients.
    pub what: String,
    /// The type refused the form of the value, which may be right in another form.
    pub is_form: bool,
}

/// A refused value, by which its parameter is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RefusedValue {
    /// Borrowed text, identified by its address.
    Text {
        address: usize,
        length: usize,
    },
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Flag(bool),
    List,
    /// The value that no type accepts.
    Poison,
    Other,
}

impl RefusedValue {
    pub fn text(text: &str) -> Self {
        Self::Text { address: text.as_ptr().addr(), length: text.len() }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text { .. })
    }

    fn of(unexpected: Unexpected<'_>) -> Self {
        match unexpected {
            Unexpected::Str(text) => Self::text(text),
            Unexpected::Unsigned(number) => Self::Unsigned(number),
            Unexpected::Signed(number) => Self::Signed(number),
            Unexpected::Float(number) => Self::Float(number),
            Unexpected::Bool(flag) => Self::Flag(flag),
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

fn record(value: RefusedValue, expected: String, what: &str, is_form: bool) {
    MISMATCHES.with_borrow_mut(|mismatches| {
        if mismatches.len() < MAX_MISMATCHES {
            mismatches.push(Mismatch { value, expected, what: what.to_owned(), is_form });
        }
    });
}

/// The reason why pairs are not of a type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PairRefusal {
    pub what: String,
    /// The refused value, if it is known.
    pub value: Option<RefusedValue>,
    /// The parameters of the route do not match those of the handler's type.
    pub is_of_route: bool,
    /// No other fault is looked for, because that would take too long.
    pub is_final: bool,
}

impl PairRefusal {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), value: None, is_of_route: false, is_final: false }
    }

    /// Returns the refusal of parameters that would have to be read too many times.
    pub fn exhausted() -> Self {
        let what = "there are too many parameters to read them as the types that are expected";
        Self { is_final: true, ..Self::new(what) }
    }

    /// Adds the position of the refused value in a list.
    pub fn in_list(self, place: usize) -> Self {
        Self { what: format!("value {place} of the list: {}", self.what), ..self }
    }

    /// Adds the object to which a missing member belongs.
    pub fn in_object(self, name: &str) -> Self {
        let Some(member) = super::missing(&self.what) else { return self };
        let (first, rest) = member.split_at(member.find('[').unwrap_or(member.len()));
        Self { what: format!("missing field `{name}[{first}]{rest}`"), ..self }
    }
}

impl Display for PairRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for PairRefusal {}

impl Error for PairRefusal {
    fn custom<T: Display>(message: T) -> Self {
        let what = message.to_string();
        // An untagged enum reports that after the mismatches of its variants.
        let is_of_value = !what.starts_with("missing field `")
            && !what.starts_with("unknown field `")
            && !what.starts_with("duplicate field `")
            && !what.starts_with("data did not match any variant");
        if is_of_value {
            record(RefusedValue::Other, String::new(), &what, false);
        }
        Self::new(what)
    }

    #[cold]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let value = RefusedValue::of(unexpected);
        let wanted = expected.to_string();
        let what = match unexpected {
            Unexpected::Str("") => "is empty".to_owned(),
            Unexpected::Seq if !asks_for_list(&wanted) => "is given twice".to_owned(),
            Unexpected::Str(text) if wanted == "f32" && overflows_f32(text) => {
                NOT_FINITE.to_owned()
            }
            Unexpected::Str(_) if plain_name(&wanted) != wanted => not_valid(&wanted),
            _ => format!("invalid type: {unexpected}, expected {wanted}"),
        };
        record(value, wanted, &what, true);
        Self { value: Some(value), ..Self::new(what) }
    }

    #[cold]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let value = RefusedValue::of(unexpected);
        let what = format!("invalid value: {unexpected}, expected {expected}");
        record(value, expected.to_string(), &what, false);
        Self { value: Some(value), ..Self::new(what) }
    }

    #[cold]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let value = match variant {
            "\u{fffd}" => RefusedValue::Poison,
            _ => RefusedValue::text(variant),
        };
        let what = match expected {
            [] => format!("unknown variant `{variant}`, there are no variants"),
            [one] => format!("unknown variant `{variant}`, expected `{one}`"),
            [one, other] => format!("unknown variant `{variant}`, expected `{one}` or `{other}`"),
            all => {
                let all: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
                format!("unknown variant `{variant}`, expected one of {}", all.join(", "))
            }
        };
        record(value, String::new(), &what, false);
        Self { value: Some(value), ..Self::new(what) }
    }
}

/// Returns the message for a value that is not of the type that serde calls `expected`.
fn not_valid(expected: &str) -> String {
    format!("is not a valid {}", plain_name(expected))
}

/// Returns the plain name, for clients, of the type that serde calls `expected`.
fn plain_name(expected: &str) -> &str {
    match expected {
        "a boolean" => plain_type("bool"),
        other => plain_type(other.strip_prefix("a nonzero ").unwrap_or(other)),
    }
}

/// Returns whether a type that calls itself `expected` reads a list.
pub(super) fn asks_for_list(expected: &str) -> bool {
    ["sequence", "tuple", "array", "list", "set"].iter().any(|word| expected.contains(word))
}
