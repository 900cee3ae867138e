//! Stores the types of [`convert`](crate::convert) as parameters and columns: most as their text,
//! and those with a type of their own in the database as that type.

use super::value::{Bind, Column, Value, ValueError};
use crate::convert::{Bounded, Converter, Date, Timestamp, Uuid};

/// Implements [`Bind`] and [`Column`] for a type of [`converter!`](crate::converter), in a build
/// with a database.
#[doc(hidden)]
#[macro_export]
macro_rules! __converter_column {
    ($type:ident) => {
        impl $crate::db::Bind for $type {
            fn bind(self) -> ::std::result::Result<$crate::db::Value, $crate::db::ValueError> {
                $crate::db::Bind::bind(::std::string::ToString::to_string(&self))
            }
        }

        impl $crate::db::Column for $type {
            fn from_value(
                value: $crate::db::Value,
            ) -> ::std::result::Result<Self, $crate::db::ValueError> {
                $crate::db::column_of_converter(value)
            }
        }
    };
}

/// Reads a converter from a column of text.
///
/// # Errors
/// The value is not text, or not in the converter's form. The error does not contain the value.
#[doc(hidden)]
pub fn column_of_converter<T: Converter>(value: Value) -> Result<T, ValueError> {
    let other = || ValueError::new(format!("expected a `{}`, found other text", T::NAME));
    String::from_value(value)?.parse().map_err(|_| other())
}

/// Stores converters as the type that they wrap.
macro_rules! stored_as_inner {
    ($($type:ident)*) => {$(
        impl Bind for $type {
            fn bind(self) -> Result<Value, ValueError> {
                self.0.bind()
            }
        }

        impl Column for $type {
            fn from_value(value: Value) -> Result<Self, ValueError> {
                Column::from_value(value).map(Self)
            }
        }
    )*};
}

stored_as_inner!(Date Timestamp Uuid);

impl<const MIN: i64, const MAX: i64> Bind for Bounded<MIN, MAX> {
    fn bind(self) -> Result<Value, ValueError> {
        self.get().bind()
    }
}

impl<const MIN: i64, const MAX: i64> Column for Bounded<MIN, MAX> {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let number = i64::from_value(value)?;
        Self::new(number).map_err(|_| {
            ValueError::new(format!("expected an integer from {MIN} to {MAX}, found another"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::Slug;

    #[test]
    fn a_converter_is_read_back_from_its_stored_form() {
        let slug: Slug = "open-source".parse().unwrap();
        assert_eq!(slug.clone().bind(), Ok(Value::Text("open-source".into())));
        assert_eq!(Slug::from_value(Value::Text("open-source".into())), Ok(slug));
        let date: Date = "2026-11-21".parse().unwrap();
        assert_eq!(Date::from_value(date.bind().unwrap()), Ok(date));
        assert_eq!(Date::from_value(Value::Text("2026-11-21".into())), Ok(date));
        assert_eq!(Bounded::<1, 3>::from_value(Value::Integer(3)).map(Bounded::get), Ok(3));
    }

    #[test]
    fn a_stored_value_of_another_form_is_refused_without_being_shown() {
        let why = Slug::from_value(Value::Text("Hunter 2".into())).unwrap_err().to_string();
        assert_eq!(why, "expected a `Slug`, found other text");
        let why = Bounded::<1, 3>::from_value(Value::Integer(4)).unwrap_err().to_string();
        assert_eq!(why, "expected an integer from 1 to 3, found another");
    }
}
