//! The error of the deserializers of this module, and the record of what types have refused.
//!
//! `#[serde(flatten)]` and untagged enums read from a buffer of serde's own, which holds values as they
//! were given to it and is asked for their types later. It reports a mismatch by the constructors of the
//! error alone, and an `Option` or an untagged enum drops that error. So the constructors write each
//! mismatch down, and the next pass gives the value as the type asked for it.

use std::cell::RefCell;
use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::super::extract::plain_type;

/// Maximum number of mismatches recorded in one pass: more are of an untagged enum in a long list.
const MAX_RECORDS: usize = 4096;

thread_local! {
    static RECORDS: RefCell<Vec<Record>> = const { RefCell::new(Vec::new()) };
}

/// One value that was not of the type that was asked for.
pub(super) struct Record {
    pub seen: Seen,
    /// The name of the type, in serde's words.
    pub expected: String,
    /// Whether the value may be right in another form: the type refused the form, not the value.
    pub is_form: bool,
}

/// A value that was refused, as far as it can be found again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seen {
    /// Text that was lent, found by its address.
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

impl Seen {
    pub fn text(text: &str) -> Self {
        Self::Text { address: text.as_ptr().addr(), length: text.len() }
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

/// Forgets the mismatches of an earlier pass.
pub(super) fn start_recording() {
    RECORDS.with_borrow_mut(Vec::clear);
}

/// Returns the mismatches since [`start_recording`].
pub(super) fn take_records() -> Vec<Record> {
    RECORDS.take()
}

fn record(seen: Seen, expected: String, is_form: bool) {
    RECORDS.with_borrow_mut(|records| {
        if records.len() < MAX_RECORDS {
            records.push(Record { seen, expected, is_form });
        }
    });
}

/// The reason why pairs are not of a type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub what: String,
    /// The value that was refused, where it is known.
    pub seen: Option<Seen>,
    /// Whether the parameters of the route are others than those of the handler's type.
    pub is_of_route: bool,
}

impl Refusal {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), seen: None, is_of_route: false }
    }

    /// Says at which value of a list the refused one stands.
    pub fn in_list(self, place: usize) -> Self {
        Self { what: format!("value {place} of the list: {}", self.what), ..self }
    }

    /// Says to which object a member belongs that is missing.
    pub fn in_object(self, name: &str) -> Self {
        let Some(member) = super::missing(&self.what) else { return self };
        let (first, rest) = member.split_at(member.find('[').unwrap_or(member.len()));
        Self { what: format!("missing field `{name}[{first}]{rest}`"), ..self }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refusal {}

impl Error for Refusal {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    #[cold]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let seen = Seen::of(unexpected);
        let wanted = expected.to_string();
        let what = match unexpected {
            Unexpected::Str("") => "is empty".to_owned(),
            Unexpected::Seq if !asks_for_list(&wanted) => "is given twice".to_owned(),
            Unexpected::Str(_) if plain_name(&wanted) != wanted => not_valid(&wanted),
            _ => format!("invalid type: {unexpected}, expected {wanted}"),
        };
        record(seen, wanted, true);
        Self { what, seen: Some(seen), is_of_route: false }
    }

    #[cold]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let seen = Seen::of(unexpected);
        record(seen, expected.to_string(), false);
        let what = format!("invalid value: {unexpected}, expected {expected}");
        Self { what, seen: Some(seen), is_of_route: false }
    }

    #[cold]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let seen = match variant {
            "\u{fffd}" => Seen::Poison,
            _ => Seen::text(variant),
        };
        record(seen, String::new(), false);
        let what = match expected {
            [] => format!("unknown variant `{variant}`, there are no variants"),
            [one] => format!("unknown variant `{variant}`, expected `{one}`"),
            [one, other] => format!("unknown variant `{variant}`, expected `{one}` or `{other}`"),
            all => {
                let all: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
                format!("unknown variant `{variant}`, expected one of {}", all.join(", "))
            }
        };
        Self { what, seen: Some(seen), is_of_route: false }
    }
}

/// Says that a value is not of the type of serde's words `expected`.
pub(super) fn not_valid(expected: &str) -> String {
    format!("is not a valid {}", plain_name(expected))
}

/// Returns what the type of serde's words `expected` is to whoever sent the request.
fn plain_name(expected: &str) -> &str {
    match expected {
        "a boolean" => plain_type("bool"),
        other => plain_type(other),
    }
}

/// Returns whether a type that calls itself `expected` reads a list.
pub(super) fn asks_for_list(expected: &str) -> bool {
    ["sequence", "tuple", "array", "list", "set"].iter().any(|word| expected.contains(word))
}
