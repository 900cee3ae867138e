//! Parameters of a statement, as tuples: `("ACME", 3)`.

use super::error::Error;
use super::value::{Bind, Value};

/// The parameters of a statement: `()` for none, a tuple of up to 16 [`Bind`] types by value or by
/// reference, or a `Vec<Value>` when their number is known at run time only.
///
/// A single parameter is a tuple too, with its comma: `(id,)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of parameters",
    label = "write `()`, `(a,)` with its comma, or `(a, b)`",
    note = "each element must implement `piton::db::Bind`"
)]
pub trait Params {
    /// Returns the values, in order.
    ///
    /// # Errors
    /// [`Kind::Type`](super::Kind::Type) if one of them cannot be stored.
    fn into_values(self) -> Result<Vec<Value>, Error>;
}

impl Params for () {
    fn into_values(self) -> Result<Vec<Value>, Error> {
        Ok(Vec::new())
    }
}

impl Params for Vec<Value> {
    fn into_values(self) -> Result<Self, Error> {
        Ok(self)
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt)+))+) => {$(
        impl<$($name: Bind),+> Params for ($($name,)+) {
            fn into_values(self) -> Result<Vec<Value>, Error> {
                Ok(vec![$(self.$index.bind().map_err(|error| Error::parameter($index + 1, error))?),+])
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_by_value_and_by_reference() {
        let name = String::from("a");
        let maybe: Option<String> = None;
        let id = uuid::Uuid::nil();
        let values =
            (&name, name.as_str(), &maybe, &id, &3, b"xy", Some(&name)).into_values().unwrap();
        let text = || Value::Text("a".into());
        assert_eq!(
            values,
            [
                text(),
                text(),
                Value::Null,
                Value::Uuid(id),
                Value::Integer(3),
                Value::Bytes(b"xy".to_vec()),
                text()
            ]
        );
    }

    #[test]
    fn a_refused_parameter_is_named_by_its_number() {
        let error = (1, u64::MAX).into_values().unwrap_err();
        assert_eq!(error.kind(), crate::db::Kind::Type);
        assert!(error.to_string().starts_with("parameter $2: a `u64` above i64::MAX"), "{error}");
    }
}
