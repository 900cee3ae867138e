//! The trait `Converter` and the macro `converter!`, which implements serde, the schema and database columns for it.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{Schema, json_schema};
use serde::Deserializer;
use serde::de::{Error, Visitor};

/// A type that is written as text, with the description that the OpenAPI document shows.
///
/// Implement it with [`converter!`](crate::converter), which also implements serde, the schema and
/// database columns.
pub trait Converter: FromStr<Err: Display> + Display {
    /// The name of the type, such as `Cnpj`.
    const NAME: &'static str;
    /// The `format` in the document: a standard one such as `date`, or your own such as `cnpj`.
    const FORMAT: &'static str;
    /// The description in the document, one sentence.
    const DESCRIPTION: &'static str;
    /// Valid values, the most common one first. Each is parsed at launch.
    const EXAMPLES: &'static [&'static str];
    /// Maximum number of characters, if the pattern does not limit it.
    const MAX_LENGTH: Option<usize> = None;

    /// Returns a regular expression (ECMA-262) from `^` to `$`. It matches exactly the texts that
    /// `from_str` accepts, apart from rules that no pattern can express, such as check digits.
    fn pattern() -> Cow<'static, str>;
}

/// Implements [`Converter`] for a type with [`FromStr`] (its error message is shown to the client)
/// and [`Display`] (the canonical form, which is also the one that is stored).
///
/// The type also gets `Deserialize`, `Serialize`, `JsonSchema` and, in a build with a database,
/// `Bind` and `Column`. `description`, `pattern` and `max_length` take any expression. The pattern
/// must match every text that `from_str` accepts, and no other. All examples are parsed at launch; a
/// service with a rejected example does not start.
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
///     description = "a plate of a Brazilian car",
///     pattern = "^[A-Z]{3}[0-9][A-Z][0-9]{2}$",
///     example = "ABC1D23",
/// );
///
/// let plate: Plate = piton::serde_json::from_str(r#""ABC1D23""#)?;
/// let error = piton::serde_json::from_str::<Plate>(r#""ABC-1234""#).unwrap_err();
/// assert!(error.to_string().starts_with("a plate is written as ABC1D23"));
/// # Ok::<(), piton::serde_json::Error>(())
/// ```
///
/// A service whose converter rejects its own example does not start:
///
/// ```standalone_crate
/// # use piton::prelude::*;
/// # struct Even(u8);
/// # impl std::str::FromStr for Even {
/// #     type Err = &'static str;
/// #     fn from_str(text: &str) -> Result<Self, Self::Err> {
/// #         let number = text.parse().map_err(|_| "not a number")?;
/// #         if number % 2 == 0 { Ok(Self(number)) } else { Err("an odd number") }
/// #     }
/// # }
/// # impl std::fmt::Display for Even {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
/// # }
/// piton::converter!(Even:
///     format = "even", description = "an even number", pattern = "^[0-9]+$", example = "2", "3",
/// );
///
/// # let runtime = piton::tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # let error = runtime.block_on(async {
/// #     let listener = piton::tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// #     let (trigger, stop) = piton::Stop::new();
/// #     trigger.stop();
/// #     Ok::<_, std::io::Error>(App::new("wrong").serve(listener, stop).await.unwrap_err())
/// # })?;
/// let report = error.report("wrong");
/// assert!(report.contains("converter `Even` rejects its own example `3`: an odd number"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[macro_export]
macro_rules! converter {
    ($type:ident: $($properties:tt)+) => {
        $crate::__converter!($type: $($properties)+);
        $crate::__converter_column!($type);
    };
}

/// Implements everything of [`converter!`](crate::converter) except database columns.
#[doc(hidden)]
#[macro_export]
macro_rules! __converter {
    ($type:ident:
        format = $format:expr,
        description = $description:expr,
        pattern = $pattern:expr,
        $(max_length = $max_length:expr,)?
        example = $($example:expr),+ $(,)?
    ) => {
        impl $crate::convert::Converter for $type {
            const NAME: &'static str = stringify!($type);
            const FORMAT: &'static str = $format;
            const DESCRIPTION: &'static str = $description;
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
            $crate::convert::ConverterExamples($crate::convert::invalid_example::<$type>)
        }
    };
}

/// The examples of one converter, registered for the check at launch.
#[doc(hidden)]
pub struct ConverterExamples(pub fn() -> Option<String>);

inventory::collect!(ConverterExamples);

/// Returns one line for each converter in this program that rejects one of its own examples.
pub(crate) fn invalid_examples() -> Vec<String> {
    inventory::iter::<ConverterExamples>().filter_map(|examples| examples.0()).collect()
}

/// Returns why the first invalid example of `T` is invalid: `T` rejects it, or parsing its
/// `Display` form gives another value. Returns `None` if all are valid.
///
/// A service may call it in a test: `assert_eq!(invalid_example::<Cnpj>(), None)`.
#[must_use]
pub fn invalid_example<T: Converter>() -> Option<String> {
    T::EXAMPLES.iter().find_map(|example| {
        let reason = match example.parse::<T>() {
            Err(error) => format!("rejects its own example `{example}`: {error}"),
            Ok(value) => match value.to_string().parse::<T>() {
                Err(error) => {
                    format!(
                        "formats its example `{example}` as `{value}`, and rejects that: {error}"
                    )
                }
                Ok(again) if again.to_string() != value.to_string() => {
                    format!("formats its example `{example}` as `{value}`, and that as `{again}`")
                }
                Ok(_) => return None,
            },
        };
        Some(format!("converter `{}` {reason}", T::NAME))
    })
}

/// Deserializes a converter from a string of any serde format.
///
/// # Errors
/// The input is not a string, or `from_str` rejects it; then the message is that of its error.
pub fn deserialize<'de, T: Converter, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct TextVisitor<T>(PhantomData<T>);

    impl<T: Converter> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a string of the format `{}`", T::FORMAT)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(TextVisitor(PhantomData))
}

/// Returns the JSON Schema of a converter.
#[must_use]
pub fn schema<T: Converter>() -> Schema {
    let mut schema = json_schema!({
        "type": "string",
        "format": T::FORMAT,
        "description": T::DESCRIPTION,
        "pattern": T::pattern(),
        "examples": T::EXAMPLES,
    });
    if let Some(max) = T::MAX_LENGTH {
        schema.insert("maxLength".into(), max.into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Even(u8);

    impl FromStr for Even {
        type Err = &'static str;

        fn from_str(text: &str) -> Result<Self, &'static str> {
            let number = text.parse().map_err(|_| "not a number")?;
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
        const DESCRIPTION: &'static str = "an even number";
        const EXAMPLES: &'static [&'static str] = &["2", "3"];

        fn pattern() -> Cow<'static, str> {
            "^[0-9]+$".into()
        }
    }

    #[test]
    fn a_rejected_example_is_reported_with_the_reason() {
        let report = invalid_example::<Even>().unwrap();
        assert_eq!(report, "converter `Even` rejects its own example `3`: odd");
        assert_eq!(invalid_examples(), [""; 0], "the ready-made converters accept theirs");
    }

    #[test]
    fn a_value_that_is_not_a_string_is_rejected_with_the_expected_format() {
        let read = |json: &str| {
            let deserializer = &mut serde_json::Deserializer::from_str(json);
            deserialize::<Even, _>(deserializer).map(|even| even.0).map_err(|e| e.to_string())
        };
        assert_eq!(read(r#""4""#), Ok(4));
        assert!(read(r#""5""#).unwrap_err().starts_with("odd"));
        assert!(read("4").unwrap_err().contains("expected a string of the format `even`"));
    }
}
