//! Converters: types written as text in paths, queries, bodies and columns, validated while they are parsed.
//!
//! A converter defines one text format. Path parameters, query parameters, JSON bodies and database
//! columns all parse it by the same rule, and the OpenAPI document shows its format, pattern and an
//! example. Ready-made converters are [`Slug`], [`Date`], [`Timestamp`], [`Bounded`], [`List`] and, with
//! a database, [`Uuid`]. The macro [`converter!`](crate::converter) turns any type that implements
//! `FromStr` and `Display` into one.
//!
//! ```
//! use piton::convert::{Bounded, Date, List, Slug};
//!
//! assert_eq!("open-source".parse::<Slug>()?.as_str(), "open-source");
//! assert!("2026-02-30".parse::<Date>().is_err());
//! assert_eq!("7".parse::<Bounded<1, 10>>()?.get(), 7);
//! assert_eq!(*"1,2,3".parse::<List<u8>>()?, [1, 2, 3]);
//! # Ok::<(), piton::convert::ConvertError>(())
//! ```

mod bounded;
mod converter;
mod date;
mod error;
mod list;
mod pattern;
mod slug;
mod timestamp;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod uuid;

pub use bounded::Bounded;
pub(crate) use converter::invalid_examples;
pub use converter::{Converter, ConverterExamples, deserialize, invalid_example, schema};
pub use date::Date;
pub use error::ConvertError;
pub use list::List;
pub use pattern::case_insensitive_pattern;
pub use slug::Slug;
pub use timestamp::Timestamp;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use uuid::Uuid;
