//! Types of what is written in paths, queries and bodies, checked where it is read.
//!
//! A converter is one type that says once what may be written: a path, a query, a body and a column
//! of the database read it by the same rule, and the OpenAPI document knows its format, its pattern
//! and an example. There are some ready made ([`Slug`], [`Date`], [`Moment`], [`Bounded`], [`List`],
//! with a database [`Uuid`]); [`converter!`](crate::converter) makes one of any type that can be
//! parsed and shown.
//!
//! ```
//! use piton::convert::{Bounded, Date, List, Slug};
//!
//! assert_eq!("open-source".parse::<Slug>()?.as_str(), "open-source");
//! assert!("2026-02-30".parse::<Date>().is_err());
//! assert_eq!("7".parse::<Bounded<1, 10>>()?.get(), 7);
//! assert_eq!(*"1,2,3".parse::<List<u8>>()?, [1, 2, 3]);
//! # Ok::<(), piton::convert::Refused>(())
//! ```

mod bounded;
mod date;
mod list;
mod moment;
mod slug;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod uuid;

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{Schema, json_schema};
use serde::Deserializer;
use serde::de::{Error, Visitor};

pub use bounded::Bounded;
pub use date::Date;
pub use list::List;
pub use moment::Moment;
pub use slug::Slug;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use uuid::Uuid;

/// A type that is written as text, with what a document says of it.
///
/// [`converter!`](crate::converter) implements it, and with it everything that follows from it.
pub trait Converter: FromStr<Err: Display> + Display {
    /// The name of the type, such as `Cnpj`.
    const NAME: &'static str;
    /// The `format` in the document: `date`, `uuid`, or a word of one's own such as `cnpj`.
    const FORMAT: &'static str;
    /// What it is, in a sentence.
    const ABOUT: &'static str;
    /// What may be written, best first. Each is tried at launch.
    const EXAMPLES: &'static [&'static str];
    /// The most characters it has, where the pattern does not say.
    const MAX_LENGTH: Option<usize> = None;

    /// What may be written, as a regular expression of ECMA-262 from `^` to `$`: neither more nor
    /// less than what `from_str` can accept by its form.
    fn pattern() -> Cow<'static, str>;
}

/// Makes a converter of a type that has [`FromStr`] (whose error says what is wrong, for the client
/// to read) and [`Display`] (the one way it is written and stored).
///
/// It gets `Deserialize` and `Serialize`, `JsonSchema`, and in a build with a database `Bind` and
/// `Column`. `about`, `pattern` and `max_length` may be any expressions; the pattern has to accept
/// all forms that are read, and no others. Every example is read when the service starts, which it
/// does not if one is refused.
///
/// ```
/// use std::fmt;
/// use std::str::FromStr;
///
/// /// A plate of a Brazilian car: `ABC1D23`.
/// #[derive(Clone, Debug, PartialEq)]
/// struct Plate(String);
///
/// impl FromStr for Plate {
///     type Err = &'static str;
///
///     fn from_str(text: &str) -> Result<Self, Self::Err> {
///         let kinds = text.bytes().map(|c| (c.is_ascii_uppercase(), c.is_ascii_digit()));
///         let right = [true, true, true, false, true, false, false].map(|l| (l, !l));
///         if kinds.eq(right) { Ok(Self(text.into())) } else { Err("a plate is written as ABC1D23") }
///     }
/// }
///
/// impl fmt::Display for Plate {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
/// }
///
/// piton::converter!(Plate:
///     format = "plate",
///     about = "a plate of a Brazilian car",
///     pattern = "^[A-Z]{3}[0-9][A-Z][0-9]{2}$",
///     example = "ABC1D23",
/// );
///
/// let plate: Plate = piton::serde_json::from_str(r#""ABC1D23""#)?;
/// let refused = piton::serde_json::from_str::<Plate>(r#""ABC-1234""#).unwrap_err();
/// assert!(refused.to_string().starts_with("a plate is written as ABC1D23"));
/// # Ok::<(), piton::serde_json::Error>(())
/// ```
///
/// With an example that is refused no service starts:
///
/// ```standalone_crate
/// # use piton::prelude::*;
/// # struct Even(u8);
/// # impl std::str::FromStr for Even {
/// #     type Err = &'static str;
/// #     fn from_str(text: &str) -> Result<Self, Self::Err> {
/// #         let number = text.parse().map_err(|_| "no number")?;
/// #         if number % 2 == 0 { Ok(Self(number)) } else { Err("an odd number") }
/// #     }
/// # }
/// # impl std::fmt::Display for Even {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
/// # }
/// piton::converter!(Even:
///     format = "even", about = "an even number", pattern = "^[0-9]+$", example = "2", "3",
/// );
///
/// # let runtime = piton::tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # let error = runtime.block_on(async {
/// #     let listener = piton::tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// #     let (trigger, stop) = piton::Stop::new();
/// #     trigger.stop();
/// #     Ok::<_, std::io::Error>(App::new("wrong").serve(listener, stop).await.unwrap_err())
/// # })?;
/// let said = error.report("wrong");
/// assert!(said.contains("the converter `Even` does not read its own example `3`: it is refused: an odd number"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[macro_export]
macro_rules! converter {
    ($type:ident: $($described:tt)+) => {
        $crate::__converter!($type: $($described)+);
        $crate::__converter_column!($type);
    };
}

/// What [`converter!`](crate::converter) makes beside the columns of a database.
#[doc(hidden)]
#[macro_export]
macro_rules! __converter {
    ($type:ident:
        format = $format:expr,
        about = $about:expr,
        pattern = $pattern:expr,
        $(max_length = $max_length:expr,)?
        example = $($example:expr),+ $(,)?
    ) => {
        impl $crate::convert::Converter for $type {
            const NAME: &'static str = stringify!($type);
            const FORMAT: &'static str = $format;
            const ABOUT: &'static str = $about;
            const EXAMPLES: &'static [&'static str] = &[$($example),+];
            $(const MAX_LENGTH: Option<usize> = Some($max_length);)?

            fn pattern() -> ::std::borrow::Cow<'static, str> {
                ::std::convert::Into::into($pattern)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                $crate::convert::deserialize(deserializer)
            }
        }

        impl $crate::serde::Serialize for $type {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl $crate::schemars::JsonSchema for $type {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                <Self as $crate::convert::Converter>::NAME.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(
                _: &mut $crate::schemars::SchemaGenerator,
            ) -> $crate::schemars::Schema {
                $crate::convert::schema::<Self>()
            }
        }

        $crate::__private::inventory::submit! {
            $crate::convert::Examples($crate::convert::wrong_example::<$type>)
        }
    };
}

/// The examples of one converter, registered to be read at launch.
#[doc(hidden)]
pub struct Examples(pub fn() -> Option<String>);

inventory::collect!(Examples);

/// What is wrong with the converters of this program, one line each.
pub(crate) fn problems() -> Vec<String> {
    inventory::iter::<Examples>().filter_map(|examples| examples.0()).collect()
}

/// The first example that is not read, or is not read again as what it is shown as. A test of one's
/// own may ask too: `assert_eq!(wrong_example::<Cnpj>(), None)`.
#[must_use]
pub fn wrong_example<T: Converter>() -> Option<String> {
    T::EXAMPLES.iter().find_map(|example| {
        let why = match example.parse::<T>() {
            Err(why) => format!("it is refused: {why}"),
            Ok(value) => match value.to_string().parse::<T>() {
                Err(why) => format!("it is shown as `{value}`, which is refused: {why}"),
                Ok(again) if again.to_string() != value.to_string() => {
                    format!("it is shown as `{value}`, and that as `{again}`")
                }
                Ok(_) => return None,
            },
        };
        Some(format!(
            "the converter `{}` does not read its own example `{example}`: {why}",
            T::NAME
        ))
    })
}

/// Reads a converter from any format of serde.
///
/// # Errors
/// It is no text, or `from_str` refuses it: then the message is that of its error.
pub fn deserialize<'de, T: Converter, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Text<T>(PhantomData<T>);

    impl<T: Converter> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a string of the format `{}`", T::FORMAT)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(PhantomData))
}

/// The schema of a converter.
#[must_use]
pub fn schema<T: Converter>() -> Schema {
    let mut schema = json_schema!({
        "type": "string",
        "format": T::FORMAT,
        "description": T::ABOUT,
        "pattern": T::pattern(),
        "examples": T::EXAMPLES,
    });
    if let Some(most) = T::MAX_LENGTH {
        schema.insert("maxLength".into(), most.into());
    }
    schema
}

/// A pattern for one of several words, in capital letters or not: for a converter that tells them
/// apart with `eq_ignore_ascii_case`.
///
/// ```
/// assert_eq!(piton::convert::any_case(["SP", "RJ"]), "^([Ss][Pp]|[Rr][Jj])$");
/// ```
#[must_use]
pub fn any_case<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut pattern = String::from("^(");
    for (place, word) in words.into_iter().enumerate() {
        if place > 0 {
            pattern.push('|');
        }
        word.chars().for_each(|letter| push_any_case(&mut pattern, letter));
    }
    pattern + ")$"
}

fn push_any_case(pattern: &mut String, letter: char) {
    if letter.is_ascii_alphabetic() {
        let (upper, lower) = (letter.to_ascii_uppercase(), letter.to_ascii_lowercase());
        write!(pattern, "[{upper}{lower}]").expect("a String takes all text");
    } else {
        if letter.is_ascii_punctuation() && letter != '_' {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
}

/// Why a text was refused by one of the converters that are ready made; for the client to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(Cow<'static, str>);

impl Refused {
    fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Whether `text` has the form of `form`, in which `9` stands for any digit and all else for itself.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let fits = |(c, wanted): (&u8, &u8)| {
        if *wanted == b'9' { c.is_ascii_digit() } else { c == wanted }
    };
    text.len() == form.len() && text.iter().zip(form).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Even(u8);

    impl FromStr for Even {
        type Err = &'static str;

        fn from_str(text: &str) -> Result<Self, &'static str> {
            let number = text.parse().map_err(|_| "no number")?;
            if number % 2 == 0 { Ok(Self(number)) } else { Err("odd") }
        }
    }

    impl Display for Even {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Converter for Even {
        const NAME: &'static str = "Even";
        const FORMAT: &'static str = "even";
        const ABOUT: &'static str = "an even number";
        const EXAMPLES: &'static [&'static str] = &["2", "3"];

        fn pattern() -> Cow<'static, str> {
            "^[0-9]+$".into()
        }
    }

    #[test]
    fn an_example_that_is_refused_is_told_with_the_reason() {
        let told = wrong_example::<Even>().unwrap();
        assert_eq!(
            told,
            "the converter `Even` does not read its own example `3`: it is refused: odd"
        );
        assert_eq!(problems(), [""; 0], "the ready made ones read theirs");
    }

    #[test]
    fn what_is_no_text_is_told_what_it_should_be() {
        let told = |json: &str| {
            let deserializer = &mut serde_json::Deserializer::from_str(json);
            deserialize::<Even, _>(deserializer).map(|even| even.0).map_err(|e| e.to_string())
        };
        assert_eq!(told(r#""4""#), Ok(4));
        assert!(told(r#""5""#).unwrap_err().starts_with("odd"));
        assert!(told("4").unwrap_err().contains("expected a string of the format `even`"));
    }

    #[test]
    fn words_of_a_pattern_mean_themselves() {
        assert_eq!(any_case(["A.b", "1_2"]), r"^([Aa]\.[Bb]|1_2)$");
    }
}
