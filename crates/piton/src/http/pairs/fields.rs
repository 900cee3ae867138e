//! The names of the fields of a type.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

/// Returns the names of the fields of `T`, if it is a struct: its own `Deserialize` announces them before it reads
/// anything.
pub(in crate::http) fn fields<'de, T: Deserialize<'de>>() -> Option<&'static [&'static str]> {
    struct FieldsProbe(Option<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for &mut FieldsProbe {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("nothing is read"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.0 = Some(fields);
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    let mut probe = FieldsProbe(None);
    let _ = T::deserialize(&mut probe);
    probe.0
}
