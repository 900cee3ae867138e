//! The deserializer of path parameters, by their positions or their names.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::deserialize_error::DeserializeError;
use super::name_value_pairs::{NameValuePairs, Position};
use super::parameter_value::ParameterValue;
use super::scalar_deserializer::{deserialize_as_scalar, deserialize_wrappers_as_contents};
use super::struct_deserializer::NameDeserializer;

/// The deserializer of all path parameters: of the only one, of several by their positions, or by name.
#[derive(Clone, Copy)]
pub(super) struct PathDeserializer<'de, 'a>(pub &'de NameValuePairs<'a>);

impl<'de, 'a> PathDeserializer<'de, 'a> {
    /// Returns the only parameter.
    fn single_parameter(self) -> Result<ParameterValue<'de, 'a>, DeserializeError> {
        self.expect_count(1)?;
        let group = self.0.present().next().unwrap_or_default();
        self.0.current.set(Some(Position::Group(group)));
        Ok(ParameterValue::of_group(self.0, group))
    }

    /// Rejects a route whose number of parameters differs from that of the handler's type.
    fn expect_count(self, count: usize) -> Result<(), DeserializeError> {
        let got = self.0.present().count();
        if got == count {
            return Ok(());
        }
        let message =
            format!("the path has {got} parameters, and the handler reads {count} of them");
        Err(DeserializeError { is_route_mismatch: true, ..DeserializeError::new(message) })
    }

    /// Reads the parameters as a sequence.
    fn visit_in_order<V: Visitor<'de>>(
        self,
        is_keyed: bool,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        // All parameters must be present, because a removed one (`collect_errors`) would shift the positions of the
        // others.
        self.expect_count(self.0.groups.len())?;
        // A single parameter is split at commas, because the OpenAPI document describes a list in a path so (style
        // `simple`).
        let item = (is_keyed && self.0.groups.len() == 1).then_some(0);
        visitor.visit_seq(PathSeqAccess { pairs: self.0, next: 0, is_keyed, item })
    }
}

impl<'de> Deserializer<'de> for PathDeserializer<'de, '_> {
    type Error = DeserializeError;

    /// Reads a single parameter as a scalar first, and by its name in a later pass if that fails: the variants of an
    /// untagged enum may be scalars or structs.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        if self.0.groups.len() == 1 && !self.0.reads_by_name.get() {
            self.0.may_read_by_name.set(true);
            return self.single_parameter()?.deserialize_any(visitor);
        }
        NameDeserializer(self.0).deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.visit_in_order(true, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.expect_count(length)?;
        self.visit_in_order(false, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.single_parameter()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        NameDeserializer(self.0).deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        NameDeserializer(self.0).deserialize_struct(name, fields, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_unit()
    }

    deserialize_as_scalar!(single_parameter);

    deserialize_wrappers_as_contents!();
}

/// A [`SeqAccess`] over the parameters of a path.
struct PathSeqAccess<'de, 'a> {
    pairs: &'de NameValuePairs<'a>,
    next: usize,
    is_keyed: bool,
    /// The index of the next item of the single parameter, if it is a list.
    item: Option<usize>,
}

impl<'de> SeqAccess<'de> for PathSeqAccess<'de, '_> {
    type Error = DeserializeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeserializeError> {
        if self.next >= self.pairs.groups.len() {
            self.pairs.current.set(None);
            return Ok(None);
        }
        self.pairs.current.set(Some(Position::Group(self.next)));
        let mut value = ParameterValue::of_group(self.pairs, self.next);
        value.is_keyed = self.is_keyed;
        value.item = self.item;
        let Some(item) = self.item else {
            self.next += 1;
            return seed.deserialize(value).map(Some);
        };
        let group = &self.pairs.groups[self.next];
        let count = self.pairs.pairs[group.first].items(false).len();
        self.item = Some(item + 1);
        self.pairs.is_read_whole.set(false);
        let read = seed.deserialize(value);
        if item + 1 >= count || self.pairs.is_read_whole.get() {
            self.next += 1;
        }
        match count {
            1 => read.map(Some),
            _ => read.map(Some).map_err(|error| error.in_list(item + 1)),
        }
    }
}
