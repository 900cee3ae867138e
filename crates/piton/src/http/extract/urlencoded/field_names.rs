//! The names of the fields of a type, which serde's derive announces before it reads anything.

use serde::de::{Expected, Visitor};
use serde::{Deserialize, Deserializer};

/// Returns the names of the fields of `T` if it is a struct without flattened fields; otherwise `None`.
pub(in crate::http::extract) fn field_names<'de, T: Deserialize<'de>>()
-> Option<&'static [&'static str]> {
    probe::<T>().fields
}

/// Returns whether `T` is written as an object: a struct or an internally tagged enum.
pub(in crate::http::extract) fn is_object<'de, T: Deserialize<'de>>() -> bool {
    let probe = probe::<T>();
    probe.fields.is_some() || probe.is_tagged
}

/// A deserializer that records what a type asks for, and reads nothing.
#[derive(Default)]
struct FieldsProbe {
    fields: Option<&'static [&'static str]>,
    is_tagged: bool,
}

/// Records what `T` asks for.
fn probe<'de, T: Deserialize<'de>>() -> FieldsProbe {
    let mut probe = FieldsProbe::default();
    let _ = T::deserialize(&mut probe);
    probe
}

impl<'de> Deserializer<'de> for &mut FieldsProbe {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        // The description is compared, because serde's derive tells in no other way that it is internally tagged.
        let expected = (&visitor as &dyn Expected).to_string();
        self.is_tagged = expected.starts_with("internally tagged enum");
        Err(serde::de::Error::custom("nothing is read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.fields = Some(fields);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
        ignored_any
    }
}
