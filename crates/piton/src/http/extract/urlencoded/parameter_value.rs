//! The deserializer of one parameter: a scalar, a list, an object or an enum.

use std::borrow::Cow;

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::bracket_tree::ParameterNode;
use super::deserialize_error::DeserializeError;
use super::name_value_pairs::{NameValuePairs, Position};
use super::pair_group::InferredType;
use super::scalar_deserializer::{
    POISON, Scalar, deserialize_as_scalar, deserialize_wrappers_as_contents,
};

/// The message for several pairs of a type that is not a list.
const GIVEN_TWICE: &str = "is given twice";

impl<'a> NameValuePairs<'a> {
    /// Returns the deserializer of a name. Names are always text.
    fn name_as_scalar<'de>(&'de self, text: &'de str) -> Scalar<'de> {
        Scalar { text, inferred_type: InferredType::Text, is_buffered: &self.is_name_buffered }
    }
}

/// The deserializer of the value of a parameter.
pub(super) struct ParameterValue<'de, 'a> {
    pairs: &'de NameValuePairs<'a>,
    name: &'de str,
    node: ParameterNode<'de>,
    /// Set if a tuple of two is read as the name and the value.
    pub is_keyed: bool,
    /// The index of the current item, if the single parameter of a path is read as a list.
    pub item: Option<usize>,
}

impl<'de, 'a> ParameterValue<'de, 'a> {
    /// Returns the deserializer of the pairs of one name.
    pub fn of_group(pairs: &'de NameValuePairs<'a>, group: usize) -> Self {
        Self {
            pairs,
            name: pairs.name(group),
            node: ParameterNode::Group(group),
            is_keyed: false,
            item: None,
        }
    }

    /// Returns the deserializer of the only value.
    fn scalar(&self) -> Result<Scalar<'de>, DeserializeError> {
        let ParameterNode::Group(at) = self.node else {
            return Err(DeserializeError::new(format!(
                "is one value: write `{}=..` instead of `{0}[..]=..`",
                self.name
            )));
        };
        let group = &self.pairs.groups[at];
        if !group.more.is_empty() {
            return Err(DeserializeError::new(GIVEN_TWICE));
        }
        let pair = &self.pairs.pairs[group.first];
        let is_buffered = &self.pairs.is_buffered;
        match self.item.and_then(|item| Some((item, pair.items(false).get(item)?))) {
            Some((item, text)) if group.inferred_type != InferredType::Poison => {
                Ok(Scalar { text, inferred_type: group.item_type((0, item)), is_buffered })
            }
            _ => Ok(Scalar { text: &pair.value, inferred_type: group.inferred_type, is_buffered }),
        }
    }

    /// Returns the values of a list.
    fn items(&self) -> Result<ListItemAccess<'de, 'a>, DeserializeError> {
        self.pairs.is_read_whole.set(true);
        match self.node {
            ParameterNode::Group(group)
                if self.pairs.groups[group].inferred_type == InferredType::Poison =>
            {
                Err(DeserializeError::invalid_type(Unexpected::Bytes(POISON), &"a sequence"))
            }
            ParameterNode::Group(group) => Ok(ListItemAccess::new(self.pairs, group)),
            ParameterNode::Object(_) => Err(DeserializeError::new("is a list, not an object")),
        }
    }

    /// Reads a tuple or an array of `length` values.
    fn deserialize_fixed_length<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        if let (true, 2, ParameterNode::Group(group)) = (self.is_keyed, length, &self.node) {
            let group = *group;
            self.pairs.is_read_whole.set(true);
            let scalar = Self { item: None, node: ParameterNode::Group(group), ..self }.scalar()?;
            return visit_pair(
                Scalar { text: self.name, inferred_type: InferredType::Text, ..scalar },
                scalar,
                visitor,
            );
        }
        let mut items = self.items()?;
        let count = items.count();
        if count != length {
            return Err(DeserializeError::new(format!("has {count} values, expected {length}")));
        }
        visitor.visit_seq(&mut items)
    }

    /// Reads a struct or a map from the members of an object.
    fn deserialize_object<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.node {
            ParameterNode::Object(members) => {
                let name = self.name;
                let members = ParameterMapAccess::new(self.pairs, members.into_iter());
                visitor.visit_map(members).map_err(|error| error.in_object(name))
            }
            ParameterNode::Group(_) => {
                self.scalar()?.check()?;
                Err(DeserializeError::new(format!(
                    "is an object: write its members as `{}[name]=value`",
                    self.name
                )))
            }
        }
    }
}

impl<'de> Deserializer<'de> for ParameterValue<'de, '_> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        let ParameterNode::Group(at) = self.node else { return self.deserialize_object(visitor) };
        if self.item.is_some() {
            return self.scalar()?.deserialize_any(visitor);
        }
        self.pairs.is_buffered.set(true);
        let group = &self.pairs.groups[at];
        group.is_buffered.set(true);
        match group.inferred_type {
            InferredType::Poison => visitor.visit_borrowed_bytes(POISON),
            inferred_type if inferred_type == InferredType::List || !group.more.is_empty() => {
                visitor.visit_seq(&mut ListItemAccess::new(self.pairs, at))
            }
            _ => self.scalar()?.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_seq(&mut self.items()?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.deserialize_fixed_length(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.deserialize_object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.deserialize_object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        if let ParameterNode::Object(members) = self.node {
            let mut members = members.into_iter();
            let (Some((name, node)), None) = (members.next(), members.next()) else {
                let all = quoted_list(variants);
                return Err(DeserializeError::new(format!("expected exactly one of {all}")));
            };
            let value =
                ParameterValue { pairs: self.pairs, name, node, is_keyed: false, item: None };
            return visitor.visit_enum(VariantDeserializer(value));
        }
        self.scalar()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.scalar()?.deserialize_unit(visitor)
    }

    deserialize_as_scalar!(scalar);

    deserialize_wrappers_as_contents!();
}

impl<'de> VariantAccess<'de> for ParameterValue<'de, '_> {
    type Error = DeserializeError;

    fn unit_variant(self) -> Result<(), DeserializeError> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, DeserializeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.deserialize_fixed_length(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.deserialize_object(visitor)
    }
}

/// A [`SeqAccess`] over the values of a list: in one pair with commas between them, in several pairs, or both.
struct ListItemAccess<'de, 'a> {
    pairs: &'de NameValuePairs<'a>,
    group: usize,
    /// The index of the next pair in the group.
    pair: usize,
    /// The index of the next item in that pair.
    item: usize,
    /// Number of values read so far, for messages.
    read: usize,
}

impl<'de, 'a> ListItemAccess<'de, 'a> {
    fn new(pairs: &'de NameValuePairs<'a>, group: usize) -> Self {
        Self { pairs, group, pair: 0, item: 0, read: 0 }
    }

    /// Returns the values of the pair at `at` in the group. A single empty pair is an empty list.
    fn texts(&self, at: usize) -> Option<&'de [Cow<'a, str>]> {
        let group = &self.pairs.groups[self.group];
        let index = if at == 0 { group.first } else { *group.more.get(at - 1)? };
        let pair = &self.pairs.pairs[index];
        if group.more.is_empty() && pair.value.is_empty() {
            return None;
        }
        Some(pair.items(group.splits_encoded_commas))
    }

    /// Returns the number of values.
    fn count(&self) -> usize {
        (0..).map_while(|at| self.texts(at)).map(<[_]>::len).sum()
    }
}

impl<'de> SeqAccess<'de> for &mut ListItemAccess<'de, '_> {
    type Error = DeserializeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeserializeError> {
        let text = loop {
            let Some(texts) = self.texts(self.pair) else { return Ok(None) };
            if let Some(text) = texts.get(self.item) {
                break text;
            }
            (self.pair, self.item) = (self.pair + 1, 0);
        };
        let inferred_type = self.pairs.groups[self.group].item_type((self.pair, self.item));
        let is_buffered = &self.pairs.is_buffered;
        self.item += 1;
        self.read += 1;
        self.pairs.count_reads(1);
        let value = seed.deserialize(Scalar { text, inferred_type, is_buffered });
        value.map(Some).map_err(|error| error.in_list(self.read))
    }
}

/// A [`MapAccess`] over parameters. It records which one is being read, so that an error can name it.
pub(super) struct ParameterMapAccess<'de, 'a, I> {
    pairs: &'de NameValuePairs<'a>,
    members: I,
    value: Option<(&'de str, ParameterNode<'de>)>,
}

impl<'de, 'a, I> ParameterMapAccess<'de, 'a, I> {
    pub(super) fn new(pairs: &'de NameValuePairs<'a>, members: I) -> Self {
        Self { pairs, members, value: None }
    }
}

impl<'de, I: Iterator<Item = (&'de str, ParameterNode<'de>)>> MapAccess<'de>
    for ParameterMapAccess<'de, '_, I>
{
    type Error = DeserializeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeserializeError> {
        let Some((name, node)) = self.members.next() else {
            self.pairs.current.set(None);
            return Ok(None);
        };
        self.pairs.count_reads(1);
        self.pairs.current.set(node.group().map(Position::Group));
        self.value = Some((name, node));
        seed.deserialize(self.pairs.name_as_scalar(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DeserializeError> {
        let (name, node) = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(ParameterValue {
            pairs: self.pairs,
            name,
            node,
            is_keyed: false,
            item: None,
        })
    }
}

/// The deserializer of an enum whose variant is the name of a parameter, and whose contents are its value.
pub(super) struct VariantDeserializer<'de, 'a>(pub ParameterValue<'de, 'a>);

impl<'de, 'a> EnumAccess<'de> for VariantDeserializer<'de, 'a> {
    type Error = DeserializeError;
    type Variant = ParameterValue<'de, 'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, ParameterValue<'de, 'a>), DeserializeError> {
        let pairs = self.0.pairs;
        pairs.current.set(self.0.node.group().map(Position::Group));
        Ok((seed.deserialize(pairs.name_as_scalar(self.0.name))?, self.0))
    }
}

/// Reads a name and its value as a sequence of two.
pub(super) fn visit_pair<'de, V: Visitor<'de>>(
    name: Scalar<'de>,
    value: Scalar<'de>,
    visitor: V,
) -> Result<V::Value, DeserializeError> {
    let mut both = SeqDeserializer::new([name, value].into_iter());
    let read = visitor.visit_seq(&mut both)?;
    both.end().map(|()| read)
}

/// Returns the names in backquotes, with commas between them.
pub(super) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
