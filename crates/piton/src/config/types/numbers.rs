//! Settings that are numbers.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::config::setting::{Bounds, Setting, bounds_result, expected, from_text};

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            fn expects() -> Cow<'static, str> {
                format!("a whole number from {} to {}", <$number>::MIN, <$number>::MAX).into()
            }

            fn parse(value: &Value) -> Result<Self, String> {
                match value {
                    Value::Number(number) => number
                        .as_i64().and_then(|number| number.try_into().ok())
                        .or_else(|| number.as_u64().and_then(|number| number.try_into().ok()))
                        .ok_or_else(expected::<Self>),
                    text => from_text(text),
                }
            }

            fn show(&self) -> Value {
                Value::from(*self)
            }

            fn schema() -> Value {
                integer_schema(<$number>::MIN as i128, <$number>::MAX as i128)
            }

            fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
                let or = |bound: Option<&'static str>, own: $number| {
                    bound.map_or_else(|| own.to_string().into(), Cow::Borrowed)
                };
                Some([or(bounds.min, <$number>::MIN), or(bounds.max, <$number>::MAX)])
            }

            fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
                let own = [&*<$number>::MIN.to_string(), &*<$number>::MAX.to_string()];
                bounds_result::<Self>(bounds.contain(self, own), bounds)
            }

            fn expects_within(bounds: Bounds) -> Cow<'static, str> {
                let [min, max] = Self::range(bounds).unwrap_or_default();
                format!("a whole number from {min} to {max}").into()
            }

            fn schema_within(bounds: Bounds) -> Value {
                let read = |bound: Option<&str>, own| bound.map_or(Ok(own), str::parse::<i128>);
                let min = read(bounds.min, <$number>::MIN as i128);
                let max = read(bounds.max, <$number>::MAX as i128);
                match (min, max) {
                    (Ok(min), Ok(max)) => integer_schema(min, max),
                    _ => Self::schema(),
                }
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i32, i64);

/// Returns the schema of whole numbers. Bounds that a JSON number does not represent exactly are left out,
/// because editors would round them.
fn integer_schema(min: i128, max: i128) -> Value {
    const EXACT: i128 = 1 << 53;
    let mut schema = json!({ "type": "integer" });
    for (name, bound) in [("minimum", min), ("maximum", max)] {
        if let Some(bound) = i64::try_from(bound).ok().filter(|_| bound.abs() <= EXACT) {
            schema[name] = bound.into();
        }
    }
    schema
}

impl Setting for f64 {
    fn expects() -> Cow<'static, str> {
        "a number, such as `0.5`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Number(number) => number.as_f64().ok_or_else(expected::<Self>)?,
            text => from_text(text)?,
        };
        if number.is_finite() { Ok(number) } else { Err(expected::<Self>()) }
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }

    fn schema() -> Value {
        json!({ "type": "number" })
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        Some(bounds.or(F64_RANGE))
    }

    fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
        bounds_result::<Self>(bounds.contain(self, F64_RANGE), bounds)
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        if bounds == Bounds::default() {
            return Self::expects();
        }
        let [min, max] = bounds.or(F64_RANGE);
        format!("a number from {min} to {max}").into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        let mut schema = Self::schema();
        for (name, bound) in [("minimum", bounds.min), ("maximum", bounds.max)] {
            if let Some(Ok(bound)) = bound.map(str::parse::<f64>) {
                schema[name] = bound.into();
            }
        }
        schema
    }
}

/// The range of the finite numbers of `f64`.
const F64_RANGE: [&str; 2] = ["-1.7976931348623157e308", "1.7976931348623157e308"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Setting>(value: impl Into<Value>) -> Result<T, String> {
        T::parse(&value.into())
    }

    #[test]
    fn a_whole_number_is_read_from_a_number_and_from_text() {
        assert_eq!(parse::<u16>(80), Ok(80));
        assert_eq!(parse::<u16>(" 80 "), Ok(80));
        assert_eq!(parse::<i32>("-3"), Ok(-3));
        assert_eq!(parse::<u64>(u64::MAX), Ok(u64::MAX));
        assert_eq!(parse::<i64>(i64::MIN), Ok(i64::MIN));
        assert_eq!(parse::<u8>(255), Ok(255));
        assert_eq!(parse::<usize>("7"), Ok(7));
        assert_eq!(parse::<u32>(9), Ok(9));
    }

    #[test]
    fn a_number_out_of_range_or_with_a_fraction_is_refused_with_the_range() {
        let why = Err("expected a whole number from 0 to 65535".to_owned());
        for value in [json!(65536), json!(-1), json!(1.5), json!("eighty"), json!(""), json!(true)]
        {
            assert_eq!(parse::<u16>(value.clone()), why, "{value}");
        }
    }

    #[test]
    fn a_fraction_is_read_and_what_is_no_number_is_refused() {
        assert_eq!(parse::<f64>("0.5"), Ok(0.5));
        assert_eq!(parse::<f64>(2), Ok(2.0));
        assert!(parse::<f64>("NaN").is_err());
        assert!(parse::<f64>("inf").is_err());
        assert!(parse::<f64>("half").is_err());
    }

    #[test]
    fn a_schema_has_the_bounds_that_json_can_hold() {
        assert_eq!(u16::schema(), json!({"type": "integer", "minimum": 0, "maximum": 65535}));
        assert_eq!(u64::schema(), json!({"type": "integer", "minimum": 0}));
        assert_eq!(i64::schema(), json!({"type": "integer"}));
    }
}
