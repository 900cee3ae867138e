//! The deserializer of all parameters by their names, for queries and forms.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::bracket_tree::{Members, ObjectTree, ParameterNode};
use super::deserialize_error::DeserializeError;
use super::name_value_pairs::{NameValuePairs, Position};
use super::pair_group::InferredType;
use super::parameter_value::{
    ParameterMapAccess, ParameterValue, VariantDeserializer, quoted_list, visit_pair,
};
use super::percent_decoding::object_and_member;
use super::scalar_deserializer::{Scalar, deserialize_wrappers_as_contents};

/// The deserializer of all parameters by their names.
#[derive(Clone, Copy)]
pub(super) struct NameDeserializer<'de, 'a>(pub &'de NameValuePairs<'a>);

impl<'de, 'a> NameDeserializer<'de, 'a> {
    /// Returns the parameters without objects: names are read as they are.
    fn flat_parameters(
        self,
    ) -> impl Iterator<Item = (&'de str, ParameterNode<'de>)> + use<'de, 'a> {
        self.0.present().map(move |group| (self.0.name(group), ParameterNode::Group(group)))
    }

    /// Puts `range[min]` below `range` if `is_member` says so, by the name and the part before the bracket.
    #[cold]
    fn with_objects(
        self,
        is_member: impl Fn(&str, &str) -> bool,
    ) -> Result<Members<'de>, DeserializeError> {
        let mut tree = ObjectTree::new();
        self.0.count_reads(self.0.groups.len());
        for group in self.0.present() {
            let name = self.0.name(group);
            let head = &name[..name.find('[').unwrap_or(name.len())];
            if head.len() == name.len() || !is_member(name, head) {
                tree.insert(name, "", group);
            } else if let Some((object, rest)) = object_and_member(name) {
                tree.insert(object, rest, group);
            } else {
                self.0.current.set(Some(Position::Group(group)));
                return Err(DeserializeError::new(format!(
                    "is not the name of a member: write it as `{head}[name]=value`"
                )));
            }
        }
        Ok(tree.into_members())
    }
}

impl<'de> Deserializer<'de> for NameDeserializer<'de, '_> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.0.has_unknown_fields.set(true);
        if !self.0.objects.is_empty() {
            let is_object = |_: &str, head: &str| self.0.objects.iter().any(|it| it == head);
            let members = self.with_objects(is_object)?.into_iter();
            return visitor.visit_map(ParameterMapAccess::new(self.0, members));
        }
        visitor.visit_map(ParameterMapAccess::new(self.0, self.flat_parameters()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        if self.0.has_brackets {
            let is_member =
                |name: &str, head: &str| !fields.contains(&name) && fields.contains(&head);
            let members = self.with_objects(is_member)?.into_iter();
            return visitor.visit_map(ParameterMapAccess::new(self.0, members));
        }
        visitor.visit_map(ParameterMapAccess::new(self.0, self.flat_parameters()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_seq(PairSeqAccess { pairs: self.0, next: 0 })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.0.present().next() {
            Some(_) => visitor.visit_some(self),
            None => visitor.visit_none(),
        }
    }

    /// Reads the only parameter as the variant of its name.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        let mut groups = self.0.present();
        match (groups.next(), groups.next()) {
            (Some(group), None) => {
                visitor.visit_enum(VariantDeserializer(ParameterValue::of_group(self.0, group)))
            }
            (None, _) => {
                Err(DeserializeError::new(format!("one of {} is missing", quoted_list(variants))))
            }
            _ => Err(DeserializeError::new(format!(
                "expected exactly one of {}",
                quoted_list(variants)
            ))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.0.present().next() {
            None => visitor.visit_unit(),
            Some(group) => {
                self.0.current.set(Some(Position::Group(group)));
                Err(DeserializeError::new("unknown parameter"))
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        tuple map identifier
    }

    deserialize_wrappers_as_contents!();
}

/// A [`SeqAccess`] over all pairs, each as a sequence of two: for `Vec<(String, String)>`.
struct PairSeqAccess<'de, 'a> {
    pairs: &'de NameValuePairs<'a>,
    next: usize,
}

impl<'de> SeqAccess<'de> for PairSeqAccess<'de, '_> {
    type Error = DeserializeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeserializeError> {
        while self.pairs.pairs.get(self.next).is_some_and(|pair| pair.is_removed) {
            self.next += 1;
        }
        let Some(pair) = self.pairs.pairs.get(self.next) else {
            self.pairs.current.set(None);
            return Ok(None);
        };
        self.pairs.count_reads(1);
        self.pairs.current.set(Some(Position::Pair(self.next)));
        self.next += 1;
        let is_buffered = &self.pairs.is_buffered;
        let text = |text: &'de str| Scalar { text, inferred_type: InferredType::Text, is_buffered };
        seed.deserialize(PairDeserializer(text(&pair.name), text(&pair.value))).map(Some)
    }
}

/// The deserializer of a pair as a sequence of its name and value.
struct PairDeserializer<'de>(Scalar<'de>, Scalar<'de>);

impl<'de> Deserializer<'de> for PairDeserializer<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visit_pair(self.0, self.1, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
