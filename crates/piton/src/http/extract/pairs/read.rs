//! Deserializers of pairs by name, as queries and forms are read.

use std::collections::HashMap;

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::forms::ValueForm;
use super::refusal::PairRefusal;
use super::scalar::{POISON, Scalar, read_as_scalar};
use super::split::object_and_member;
use super::{Pairs, Position};

const TWICE: &str = "is given twice";

impl<'a> Pairs<'a> {
    /// Returns a name as a value. Names are always text.
    fn name_as_scalar<'de>(&'de self, text: &'de str) -> Scalar<'de> {
        Scalar { text, form: ValueForm::Text, is_buffered: &self.is_name_buffered }
    }
}

/// A parameter: all pairs of one name, or the members of an object (`range[min]=1&range[max]=2`).
enum ParameterNode<'de> {
    Group(usize),
    Object(Members<'de>),
}

type Members<'de> = Vec<(&'de str, ParameterNode<'de>)>;

impl<'de> ParameterNode<'de> {
    /// Returns the first group of the parameter.
    fn group(&self) -> Option<usize> {
        match self {
            Self::Group(group) => Some(*group),
            Self::Object(members) => members.first()?.1.group(),
        }
    }
}

/// The objects named by brackets, while their members are collected. The map keeps that linear.
struct ObjectTree<'de> {
    objects: Vec<Vec<(&'de str, TreeEntry)>>,
    /// The indices of objects by those of the objects they are in, and by their names.
    known: HashMap<(usize, &'de str), usize>,
}

enum TreeEntry {
    Group(usize),
    Object(usize),
}

impl<'de> ObjectTree<'de> {
    fn new() -> Self {
        Self { objects: vec![Vec::new()], known: HashMap::new() }
    }

    /// Adds the group whose name goes on with `rest`, such as `[min]` or `[a][b]`.
    fn insert(&mut self, mut name: &'de str, rest: &'de str, group: usize) {
        let mut object = 0;
        let members = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        for member in members.into_iter().flat_map(|members| members.split("][")) {
            let next = self.objects.len();
            let inner = *self.known.entry((object, name)).or_insert(next);
            if inner == next {
                self.objects.push(Vec::new());
                self.objects[object].push((name, TreeEntry::Object(inner)));
            }
            (object, name) = (inner, member);
        }
        self.objects[object].push((name, TreeEntry::Group(group)));
    }

    fn into_members(mut self) -> Members<'de> {
        self.take(0)
    }

    /// Takes the members of an object. This recurses as many times as a name may have brackets.
    fn take(&mut self, object: usize) -> Members<'de> {
        let members = std::mem::take(&mut self.objects[object]);
        let node = |(name, entry)| match entry {
            TreeEntry::Group(group) => (name, ParameterNode::Group(group)),
            TreeEntry::Object(object) => (name, ParameterNode::Object(self.take(object))),
        };
        members.into_iter().map(node).collect()
    }
}

/// The value of a parameter.
pub(super) struct ParameterValue<'de, 'a> {
    pairs: &'de Pairs<'a>,
    name: &'de str,
    node: ParameterNode<'de>,
    /// A tuple of two is read as the name and the value.
    pub is_keyed: bool,
    /// The index of the item that is read, if the single parameter of a path is read as a list.
    pub item: Option<usize>,
}

impl<'de, 'a> ParameterValue<'de, 'a> {
    pub fn of_group(pairs: &'de Pairs<'a>, group: usize) -> Self {
        Self {
            pairs,
            name: pairs.name(group),
            node: ParameterNode::Group(group),
            is_keyed: false,
            item: None,
        }
    }

    fn scalar(&self) -> Result<Scalar<'de>, PairRefusal> {
        let ParameterNode::Group(at) = self.node else {
            return Err(PairRefusal::new(format!(
                "is one value: write `{}=..` instead of `{0}[..]=..`",
                self.name
            )));
        };
        let group = &self.pairs.groups[at];
        if !group.more.is_empty() {
            return Err(PairRefusal::new(TWICE));
        }
        let pair = &self.pairs.pairs[group.first];
        let is_buffered = &self.pairs.is_buffered;
        match self.item.and_then(|item| Some((item, pair.items(false).get(item)?))) {
            Some((item, text)) if group.form != ValueForm::Poison => {
                Ok(Scalar { text, form: group.item_form((0, item)), is_buffered })
            }
            _ => Ok(Scalar { text: &pair.value, form: group.form, is_buffered }),
        }
    }

    fn items(&self) -> Result<ListItems<'de, 'a>, PairRefusal> {
        self.pairs.is_read_whole.set(true);
        match self.node {
            ParameterNode::Group(group) if self.pairs.groups[group].form == ValueForm::Poison => {
                Err(PairRefusal::invalid_type(Unexpected::Bytes(POISON), &"a sequence"))
            }
            ParameterNode::Group(group) => Ok(ListItems::new(self.pairs, group)),
            ParameterNode::Object(_) => Err(PairRefusal::new("is a list, and not an object")),
        }
    }

    fn fixed<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, PairRefusal> {
        if let (true, 2, ParameterNode::Group(group)) = (self.is_keyed, length, &self.node) {
            let group = *group;
            self.pairs.is_read_whole.set(true);
            let scalar = Self { item: None, node: ParameterNode::Group(group), ..self }.scalar()?;
            return visit_pair(
                Scalar { text: self.name, form: ValueForm::Text, ..scalar },
                scalar,
                visitor,
            );
        }
        let mut items = self.items()?;
        let count = items.count();
        if count != length {
            return Err(PairRefusal::new(format!("has {count} values, and {length} are expected")));
        }
        visitor.visit_seq(&mut items)
    }

    fn object<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        match self.node {
            ParameterNode::Object(members) => {
                let name = self.name;
                let members = MemberAccess::new(self.pairs, members.into_iter());
                visitor.visit_map(members).map_err(|refusal| refusal.in_object(name))
            }
            ParameterNode::Group(_) => {
                self.scalar()?.check()?;
                Err(PairRefusal::new(format!(
                    "is an object: write its members as `{}[name]=value`",
                    self.name
                )))
            }
        }
    }
}

impl<'de> Deserializer<'de> for ParameterValue<'de, '_> {
    type Error = PairRefusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        let ParameterNode::Group(at) = self.node else { return self.object(visitor) };
        if self.item.is_some() {
            return self.scalar()?.deserialize_any(visitor);
        }
        self.pairs.is_buffered.set(true);
        let group = &self.pairs.groups[at];
        group.is_buffered.set(true);
        match group.form {
            ValueForm::Poison => visitor.visit_borrowed_bytes(POISON),
            form if form == ValueForm::List || !group.more.is_empty() => {
                visitor.visit_seq(&mut ListItems::new(self.pairs, at))
            }
            _ => self.scalar()?.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_seq(&mut self.items()?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.fixed(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.fixed(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        self.object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        // `ext[number]=5` is the variant `number` with its value.
        if let ParameterNode::Object(members) = self.node {
            let mut members = members.into_iter();
            let (Some((name, node)), None) = (members.next(), members.next()) else {
                let all = listed(variants);
                return Err(PairRefusal::new(format!("expected one of {all} alone")));
            };
            let value =
                ParameterValue { pairs: self.pairs, name, node, is_keyed: false, item: None };
            return visitor.visit_enum(NamedVariant(value));
        }
        self.scalar()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.scalar()?.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        self.scalar()?.deserialize_unit(visitor)
    }

    read_as_scalar!(scalar);
}

/// The values of a list: of one pair with commas between them, of several pairs, or both.
struct ListItems<'de, 'a> {
    pairs: &'de Pairs<'a>,
    group: usize,
    /// The index of the next pair in the group.
    pair: usize,
    /// The index of the next item in that pair.
    item: usize,
    read: usize,
}

impl<'de, 'a> ListItems<'de, 'a> {
    fn new(pairs: &'de Pairs<'a>, group: usize) -> Self {
        Self { pairs, group, pair: 0, item: 0, read: 0 }
    }

    /// Returns the values of the pair at `at` in the group. A single empty pair is an empty list.
    fn texts(&self, at: usize) -> Option<&'de [std::borrow::Cow<'a, str>]> {
        let group = &self.pairs.groups[self.group];
        let index = if at == 0 { group.first } else { *group.more.get(at - 1)? };
        let pair = &self.pairs.pairs[index];
        if group.more.is_empty() && pair.value.is_empty() {
            return None;
        }
        Some(pair.items(group.splits_decoded))
    }

    fn count(&self) -> usize {
        (0..).map_while(|at| self.texts(at)).map(<[_]>::len).sum()
    }
}

impl<'de> SeqAccess<'de> for &mut ListItems<'de, '_> {
    type Error = PairRefusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, PairRefusal> {
        let text = loop {
            let Some(texts) = self.texts(self.pair) else { return Ok(None) };
            if let Some(text) = texts.get(self.item) {
                break text;
            }
            (self.pair, self.item) = (self.pair + 1, 0);
        };
        let form = self.pairs.groups[self.group].item_form((self.pair, self.item));
        let is_buffered = &self.pairs.is_buffered;
        self.item += 1;
        self.read += 1;
        self.pairs.count_reads(1);
        let value = seed.deserialize(Scalar { text, form, is_buffered });
        value.map(Some).map_err(|refusal| refusal.in_list(self.read))
    }
}

/// A [`MapAccess`] over parameters that records the one being read, for messages.
struct MemberAccess<'de, 'a, I> {
    pairs: &'de Pairs<'a>,
    members: I,
    value: Option<(&'de str, ParameterNode<'de>)>,
}

impl<'de, 'a, I> MemberAccess<'de, 'a, I> {
    fn new(pairs: &'de Pairs<'a>, members: I) -> Self {
        Self { pairs, members, value: None }
    }
}

impl<'de, I: Iterator<Item = (&'de str, ParameterNode<'de>)>> MapAccess<'de>
    for MemberAccess<'de, '_, I>
{
    type Error = PairRefusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, PairRefusal> {
        let Some((name, node)) = self.members.next() else {
            self.pairs.at.set(None);
            return Ok(None);
        };
        self.pairs.count_reads(1);
        self.pairs.at.set(node.group().map(Position::Group));
        self.value = Some((name, node));
        seed.deserialize(self.pairs.name_as_scalar(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, PairRefusal> {
        let (name, node) = self.value.take().expect("a value is asked for after its key");
        seed.deserialize(ParameterValue {
            pairs: self.pairs,
            name,
            node,
            is_keyed: false,
            item: None,
        })
    }
}

/// Visits a name and its value as a sequence of two.
fn visit_pair<'de, V: Visitor<'de>>(
    name: Scalar<'de>,
    value: Scalar<'de>,
    visitor: V,
) -> Result<V::Value, PairRefusal> {
    let mut both = SeqDeserializer::new([name, value].into_iter());
    let read = visitor.visit_seq(&mut both)?;
    both.end().map(|()| read)
}

/// A deserializer of all pairs by their names.
#[derive(Clone, Copy)]
pub(super) struct ByName<'de, 'a>(pub &'de Pairs<'a>);

impl<'de, 'a> ByName<'de, 'a> {
    fn ungrouped(self) -> impl Iterator<Item = (&'de str, ParameterNode<'de>)> + use<'de, 'a> {
        self.0.present().map(move |group| (self.0.name(group), ParameterNode::Group(group)))
    }

    /// Puts `range[min]` below `range` where there is a field of that name.
    #[cold]
    fn with_objects(
        self,
        is_member: impl Fn(&str, &str) -> bool,
    ) -> Result<Members<'de>, PairRefusal> {
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
                self.0.at.set(Some(Position::Group(group)));
                return Err(PairRefusal::new(format!(
                    "is not the name of a member: write it as `{head}[name]=value`"
                )));
            }
        }
        Ok(tree.into_members())
    }
}

impl<'de> Deserializer<'de> for ByName<'de, '_> {
    type Error = PairRefusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        self.0.is_open.set(true);
        if !self.0.objects.is_empty() {
            let is_object = |_: &str, head: &str| self.0.objects.iter().any(|it| it == head);
            let members = self.with_objects(is_object)?.into_iter();
            return visitor.visit_map(MemberAccess::new(self.0, members));
        }
        visitor.visit_map(MemberAccess::new(self.0, self.ungrouped()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        if self.0.has_brackets {
            let is_member =
                |name: &str, head: &str| !fields.contains(&name) && fields.contains(&head);
            let members = self.with_objects(is_member)?.into_iter();
            return visitor.visit_map(MemberAccess::new(self.0, members));
        }
        visitor.visit_map(MemberAccess::new(self.0, self.ungrouped()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_seq(PairSequence { pairs: self.0, next: 0 })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        match self.0.present().next() {
            Some(_) => visitor.visit_some(self),
            None => visitor.visit_none(),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        visitor.visit_newtype_struct(self)
    }

    /// Reads the only parameter, whose name is that of the variant.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        let mut groups = self.0.present();
        match (groups.next(), groups.next()) {
            (Some(group), None) => {
                visitor.visit_enum(NamedVariant(ParameterValue::of_group(self.0, group)))
            }
            (None, _) => Err(PairRefusal::new(format!("one of {} is missing", listed(variants)))),
            _ => Err(PairRefusal::new(format!("expected one of {} alone", listed(variants)))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        match self.0.present().next() {
            None => visitor.visit_unit(),
            Some(group) => {
                self.0.at.set(Some(Position::Group(group)));
                Err(PairRefusal::new("there is no such parameter here"))
            }
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        tuple tuple_struct map identifier
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The variant named by a parameter, with its value.
struct NamedVariant<'de, 'a>(ParameterValue<'de, 'a>);

impl<'de, 'a> EnumAccess<'de> for NamedVariant<'de, 'a> {
    type Error = PairRefusal;
    type Variant = ParameterValue<'de, 'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, ParameterValue<'de, 'a>), PairRefusal> {
        let pairs = self.0.pairs;
        pairs.at.set(self.0.node.group().map(Position::Group));
        Ok((seed.deserialize(pairs.name_as_scalar(self.0.name))?, self.0))
    }
}

impl<'de> VariantAccess<'de> for ParameterValue<'de, '_> {
    type Error = PairRefusal;

    fn unit_variant(self) -> Result<(), PairRefusal> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, PairRefusal> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.fixed(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.object(visitor)
    }
}

/// A [`SeqAccess`] over all pairs, each as a sequence of two.
struct PairSequence<'de, 'a> {
    pairs: &'de Pairs<'a>,
    next: usize,
}

impl<'de> SeqAccess<'de> for PairSequence<'de, '_> {
    type Error = PairRefusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, PairRefusal> {
        while self.pairs.pairs.get(self.next).is_some_and(|pair| pair.is_removed) {
            self.next += 1;
        }
        let Some(pair) = self.pairs.pairs.get(self.next) else {
            self.pairs.at.set(None);
            return Ok(None);
        };
        self.pairs.count_reads(1);
        self.pairs.at.set(Some(Position::Pair(self.next)));
        self.next += 1;
        let is_buffered = &self.pairs.is_buffered;
        let text = |text: &'de str| Scalar { text, form: ValueForm::Text, is_buffered };
        seed.deserialize(PairDeserializer(text(&pair.name), text(&pair.value))).map(Some)
    }
}

struct PairDeserializer<'de>(Scalar<'de>, Scalar<'de>);

impl<'de> Deserializer<'de> for PairDeserializer<'de> {
    type Error = PairRefusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visit_pair(self.0, self.1, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
