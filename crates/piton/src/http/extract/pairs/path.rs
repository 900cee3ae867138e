//! The deserializer of the parameters of a path, by their positions or names.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::read::{ByName, ParameterValue};
use super::refusal::PairRefusal;
use super::scalar::read_as_scalar;
use super::{Pairs, Position};

/// A deserializer of the parameters of a path: a single one, several by their positions, or by name.
#[derive(Clone, Copy)]
pub(super) struct ByPosition<'de, 'a>(pub &'de Pairs<'a>);

impl<'de, 'a> ByPosition<'de, 'a> {
    fn single(self) -> Result<ParameterValue<'de, 'a>, PairRefusal> {
        self.expect_count(1)?;
        let group = self.0.present().next().unwrap_or_default();
        self.0.at.set(Some(Position::Group(group)));
        Ok(ParameterValue::of_group(self.0, group))
    }

    /// Refuses a route whose number of parameters differs from that of the handler's type.
    fn expect_count(self, count: usize) -> Result<(), PairRefusal> {
        let got = self.0.present().count();
        if got == count {
            return Ok(());
        }
        let what = format!("the path has {got} parameters, and the handler reads {count} of them");
        Err(PairRefusal { is_of_route: true, ..PairRefusal::new(what) })
    }

    fn in_order<V: Visitor<'de>>(
        self,
        is_keyed: bool,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        // Once a refused parameter is removed, the positions of the others would shift.
        self.expect_count(self.0.groups.len())?;
        // A list in the single parameter has commas between its values, as it is documented.
        let item = (is_keyed && self.0.groups.len() == 1).then_some(0);
        visitor.visit_seq(PathSequence { pairs: self.0, next: 0, is_keyed, item })
    }
}

impl<'de> Deserializer<'de> for ByPosition<'de, '_> {
    type Error = PairRefusal;

    /// Reads a single parameter as a scalar first: an enum may be one of scalars, or of structs, which read by name.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        if self.0.groups.len() == 1 && !self.0.is_by_name.get() {
            self.0.may_be_by_name.set(true);
            return self.single()?.deserialize_any(visitor);
        }
        ByName(self.0).deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        self.in_order(true, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.expect_count(length)?;
        self.in_order(false, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        ByName(self.0).deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        ByName(self.0).deserialize_struct(name, fields, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_unit()
    }

    read_as_scalar!(single);
}

/// A [`SeqAccess`] over the parameters of a path.
struct PathSequence<'de, 'a> {
    pairs: &'de Pairs<'a>,
    next: usize,
    is_keyed: bool,
    /// The index of the next item of the single parameter, if it is a list.
    item: Option<usize>,
}

impl<'de> SeqAccess<'de> for PathSequence<'de, '_> {
    type Error = PairRefusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, PairRefusal> {
        if self.next >= self.pairs.groups.len() {
            self.pairs.at.set(None);
            return Ok(None);
        }
        self.pairs.at.set(Some(Position::Group(self.next)));
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
            _ => read.map(Some).map_err(|refusal| refusal.in_list(item + 1)),
        }
    }
}
