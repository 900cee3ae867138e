//! Deserializers of pairs: by name, as a query and a form are read, and by place, as a path may be.
//!
//! A type that says what it reads gets it parsed from the text. One that does not say, because serde
//! buffers the value first, gets it in the form that [`Group`](super::Group) notes.

use std::cell::Cell;

use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::super::extract::plain_type;
use super::refusal::Refusal;
use super::{Form, Pairs, Place};

/// Bytes that are neither text nor anything else a parameter may be.
const POISON: &[u8] = &[0xff];

const NOT_FINITE: &str = "is not a finite number";
const TWICE: &str = "is given twice";

/// Parses a whole number as JSON writes it: without `+`, and without `-0`.
fn whole<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_zero_with_sign = digits.len() < text.len() && digits.bytes().all(|byte| byte == b'0');
    if is_whole && !is_zero_with_sign { text.parse().ok() } else { None }
}

/// Parses a number with or without a fraction, which may not be finite.
fn float<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// Returns whether `text` may be given as a number to a type that asks for one.
pub(super) fn is_number(text: &str) -> bool {
    whole::<u64>(text).is_some() || float::<f64>(text).is_some_and(f64::is_finite)
}

/// Calls the visitor with the narrowest number that `text` is; `None` if it is no number.
fn visit_number<'de, V: Visitor<'de>>(text: &'de str, visitor: V) -> Result<V::Value, Refusal> {
    if let Some(number) = whole::<u64>(text) {
        visitor.visit_u64(number)
    } else if let Some(number) = whole::<i64>(text) {
        visitor.visit_i64(number)
    } else {
        match float::<f64>(text).filter(|number| number.is_finite()) {
            Some(number) => visitor.visit_f64(number),
            None => visitor.visit_borrowed_str(text),
        }
    }
}

/// One value, or one item of a list.
#[derive(Clone, Copy)]
struct Scalar<'de> {
    text: &'de str,
    form: Form,
    /// Set when the value is read without saying as what.
    is_buffered: &'de Cell<bool>,
}

impl Scalar<'_> {
    /// Refuses the value that stands for none.
    fn check(self) -> Result<Self, Refusal> {
        if self.form == Form::Poison {
            return Err(Refusal::invalid_type(Unexpected::Bytes(POISON), &"text"));
        }
        Ok(self)
    }

    fn refuse(self, kind: &str) -> Refusal {
        if self.text.is_empty() {
            Refusal::new("is empty")
        } else {
            Refusal::new(format!("is not a valid {}", plain_type(kind)))
        }
    }
}

impl<'a> Pairs<'a> {
    /// A name, which is text in whatever way it is read.
    fn name_as_scalar<'de>(&'de self, text: &'de str) -> Scalar<'de> {
        Scalar { text, form: Form::Text, is_buffered: &self.is_name_buffered }
    }
}

macro_rules! parsed {
    ($parse:ident: $($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let scalar = self.check()?;
            match $parse::<$type>(scalar.text) {
                Some(value) => visitor.$visit(value),
                None => Err(scalar.refuse(stringify!($type))),
            }
        })*
    };
}

macro_rules! finite {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let scalar = self.check()?;
            match float::<$type>(scalar.text) {
                Some(value) if value.is_finite() => visitor.$visit(value),
                Some(_) => Err(Refusal::new(NOT_FINITE)),
                None => Err(scalar.refuse(stringify!($type))),
            }
        })*
    };
}

macro_rules! text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            visitor.visit_borrowed_str(self.check()?.text)
        })*
    };
}

fn flag<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

impl<'de> Deserializer<'de> for Scalar<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.is_buffered.set(true);
        match self.form {
            Form::Text | Form::List => visitor.visit_borrowed_str(self.text),
            Form::Number => visit_number(self.text, visitor),
            Form::Flag => match self.text {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                text => visitor.visit_borrowed_str(text),
            },
            Form::Poison => visitor.visit_borrowed_bytes(POISON),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.check()?.text))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if self.check()?.text.is_empty() {
            return visitor.visit_unit();
        }
        Err(Refusal::new("has a value, and none is expected"))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    parsed!(whole:
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u128 visit_u128 u128, deserialize_i128 visit_i128 i128,
    );
    parsed!(flag: deserialize_bool visit_bool bool);
    finite!(deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64);
    text!(deserialize_str deserialize_string deserialize_char deserialize_identifier
        deserialize_bytes deserialize_byte_buf);

    serde::forward_to_deserialize_any! { seq tuple tuple_struct map struct }
}

impl<'de> IntoDeserializer<'de, Refusal> for Scalar<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A parameter: all pairs of one name, or the members of an object (`range[min]=1&range[max]=2`).
enum Node<'de> {
    Group(usize),
    Object(Members<'de>),
}

type Members<'de> = Vec<(&'de str, Node<'de>)>;

impl<'de> Node<'de> {
    /// The first group in it.
    fn group(&self) -> Option<usize> {
        match self {
            Self::Group(group) => Some(*group),
            Self::Object(members) => members.first()?.1.group(),
        }
    }

    /// Adds the group whose name goes on with `rest`, such as `[min]` or `[a][b]`.
    fn insert(members: &mut Members<'de>, name: &'de str, rest: &'de str, group: usize) {
        let member = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let Some((member, rest)) = member else {
            return members.push((name, Self::Group(group)));
        };
        let known = members.iter_mut().find_map(|(known, node)| match node {
            Self::Object(members) if *known == name => Some(members),
            _ => None,
        });
        match known {
            Some(members) => Self::insert(members, member, rest, group),
            None => {
                let mut inner = Vec::new();
                Self::insert(&mut inner, member, rest, group);
                members.push((name, Self::Object(inner)));
            }
        }
    }
}

/// The value of a parameter.
struct Value<'de, 'a> {
    pairs: &'de Pairs<'a>,
    name: &'de str,
    node: Node<'de>,
    /// Whether two values that are asked for are the name and the value.
    is_keyed: bool,
}

impl<'de, 'a> Value<'de, 'a> {
    fn of_group(pairs: &'de Pairs<'a>, group: usize) -> Self {
        Self { pairs, name: pairs.name(group), node: Node::Group(group), is_keyed: false }
    }

    fn scalar(&self) -> Result<Scalar<'de>, Refusal> {
        let Node::Group(at) = self.node else {
            return Err(Refusal::new(format!(
                "is one value: write `{}=..` instead of `{0}[..]=..`",
                self.name
            )));
        };
        let group = &self.pairs.groups[at];
        if !group.more.is_empty() {
            return Err(Refusal::new(TWICE));
        }
        let text = &*self.pairs.pairs[group.first].value;
        Ok(Scalar { text, form: group.form, is_buffered: &self.pairs.is_buffered })
    }

    fn items(&self) -> Result<Items<'de, 'a>, Refusal> {
        match self.node {
            Node::Group(group) if self.pairs.groups[group].form == Form::Poison => {
                Err(Refusal::invalid_type(Unexpected::Bytes(POISON), &"a sequence"))
            }
            Node::Group(group) => Ok(Items::new(self.pairs, group)),
            Node::Object(_) => Err(Refusal::new("is a list, and not an object")),
        }
    }

    fn fixed<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Refusal> {
        if self.is_keyed && length == 2 {
            let scalar = self.scalar()?;
            return pair(Scalar { text: self.name, form: Form::Text, ..scalar }, scalar, visitor);
        }
        let mut items = self.items()?;
        let count = items.count();
        if count != length {
            return Err(Refusal::new(format!("has {count} values, and {length} are expected")));
        }
        visitor.visit_seq(&mut items)
    }

    fn object<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.node {
            Node::Object(members) => {
                let name = self.name;
                let members = Access::new(self.pairs, members.into_iter());
                visitor.visit_map(members).map_err(|refusal| refusal.in_object(name))
            }
            Node::Group(_) => {
                self.scalar()?.check()?;
                Err(Refusal::new(format!(
                    "is an object: write its members as `{}[name]=value`",
                    self.name
                )))
            }
        }
    }
}

macro_rules! scalar {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.scalar()?.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'de, '_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let Node::Group(at) = self.node else { return self.object(visitor) };
        self.pairs.is_buffered.set(true);
        let group = &self.pairs.groups[at];
        group.is_buffered.set(true);
        match group.form {
            Form::Poison => visitor.visit_borrowed_bytes(POISON),
            form if form == Form::List || !group.more.is_empty() => {
                visitor.visit_seq(&mut Items::new(self.pairs, at))
            }
            _ => self.scalar()?.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_seq(&mut self.items()?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.fixed(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.fixed(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.scalar()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.scalar()?.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    scalar!(
        deserialize_bool deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier
    );
}

/// The values of a list: of one pair with commas between them, of several pairs, or both.
struct Items<'de, 'a> {
    pairs: &'de Pairs<'a>,
    group: usize,
    /// The pair of the group, and the item of that pair.
    pair: usize,
    item: usize,
    read: usize,
}

impl<'de, 'a> Items<'de, 'a> {
    fn new(pairs: &'de Pairs<'a>, group: usize) -> Self {
        Self { pairs, group, pair: 0, item: 0, read: 0 }
    }

    /// The texts of the pair at `at` in the group. A single empty one is an empty list.
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

impl<'de> SeqAccess<'de> for &mut Items<'de, '_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
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
        let value = seed.deserialize(Scalar { text, form, is_buffered });
        value.map(Some).map_err(|refusal| refusal.in_list(self.read))
    }
}

/// Goes over parameters and notes how far it came.
struct Access<'de, 'a, I> {
    pairs: &'de Pairs<'a>,
    members: I,
    value: Option<(&'de str, Node<'de>)>,
}

impl<'de, 'a, I> Access<'de, 'a, I> {
    fn new(pairs: &'de Pairs<'a>, members: I) -> Self {
        Self { pairs, members, value: None }
    }
}

impl<'de, I: Iterator<Item = (&'de str, Node<'de>)>> MapAccess<'de> for Access<'de, '_, I> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        let Some((name, node)) = self.members.next() else {
            self.pairs.at.set(None);
            return Ok(None);
        };
        self.pairs.at.set(node.group().map(Place::Group));
        self.value = Some((name, node));
        seed.deserialize(self.pairs.name_as_scalar(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let (name, node) = self.value.take().expect("a value is asked for after its key");
        seed.deserialize(Value { pairs: self.pairs, name, node, is_keyed: false })
    }
}

/// Reads a name and its value as two values.
fn pair<'de, V: Visitor<'de>>(
    name: Scalar<'de>,
    value: Scalar<'de>,
    visitor: V,
) -> Result<V::Value, Refusal> {
    let mut both = SeqDeserializer::new([name, value].into_iter());
    let read = visitor.visit_seq(&mut both)?;
    both.end().map(|()| read)
}

/// A deserializer of all pairs, by their names.
#[derive(Clone, Copy)]
pub(super) struct ByName<'de, 'a>(pub &'de Pairs<'a>);

impl<'de, 'a> ByName<'de, 'a> {
    fn whole(self) -> impl Iterator<Item = (&'de str, Node<'de>)> + use<'de, 'a> {
        self.0.present().map(move |group| (self.0.name(group), Node::Group(group)))
    }

    /// Puts `range[min]` below `range` where there is a field of that name.
    #[cold]
    fn with_objects(self, is_member: impl Fn(&str, &str) -> bool) -> Members<'de> {
        let mut members = Vec::new();
        for group in self.0.present() {
            let name = self.0.name(group);
            let (head, rest) = name.split_at(name.find('[').unwrap_or(name.len()));
            let (head, rest) = if is_member(name, head) { (head, rest) } else { (name, "") };
            Node::insert(&mut members, head, rest, group);
        }
        members
    }
}

impl<'de> Deserializer<'de> for ByName<'de, '_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.0.is_open.set(true);
        if !self.0.objects.is_empty() {
            let is_object = |_: &str, head: &str| self.0.objects.iter().any(|it| it == head);
            let members = self.with_objects(is_object).into_iter();
            return visitor.visit_map(Access::new(self.0, members));
        }
        visitor.visit_map(Access::new(self.0, self.whole()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if self.0.has_brackets {
            let is_member =
                |name: &str, head: &str| !fields.contains(&name) && fields.contains(&head);
            let members = self.with_objects(is_member).into_iter();
            return visitor.visit_map(Access::new(self.0, members));
        }
        visitor.visit_map(Access::new(self.0, self.whole()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_seq(InOrder { pairs: self.0, next: 0 })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.present().next() {
            Some(_) => visitor.visit_some(self),
            None => visitor.visit_none(),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    /// One parameter, whose name is the variant's.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let mut groups = self.0.present();
        match (groups.next(), groups.next()) {
            (Some(group), None) => visitor.visit_enum(Variant(Value::of_group(self.0, group))),
            (None, _) => Err(Refusal::new(format!("one of {} is missing", listed(variants)))),
            _ => Err(Refusal::new(format!("expected one of {} alone", listed(variants)))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.present().next() {
            None => visitor.visit_unit(),
            Some(group) => {
                self.0.at.set(Some(Place::Group(group)));
                Err(Refusal::new("there is no such parameter here"))
            }
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
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

/// The variant that the name of a parameter says, with its value.
struct Variant<'de, 'a>(Value<'de, 'a>);

impl<'de, 'a> EnumAccess<'de> for Variant<'de, 'a> {
    type Error = Refusal;
    type Variant = Value<'de, 'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Value<'de, 'a>), Refusal> {
        let pairs = self.0.pairs;
        pairs.at.set(self.0.node.group().map(Place::Group));
        Ok((seed.deserialize(pairs.name_as_scalar(self.0.name))?, self.0))
    }
}

impl<'de> VariantAccess<'de> for Value<'de, '_> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refusal> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.fixed(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.object(visitor)
    }
}

/// Each pair as a list of two, in their order.
struct InOrder<'de, 'a> {
    pairs: &'de Pairs<'a>,
    next: usize,
}

impl<'de> SeqAccess<'de> for InOrder<'de, '_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        while self.pairs.pairs.get(self.next).is_some_and(|pair| pair.is_removed) {
            self.next += 1;
        }
        let Some(pair) = self.pairs.pairs.get(self.next) else {
            self.pairs.at.set(None);
            return Ok(None);
        };
        self.pairs.at.set(Some(Place::Pair(self.next)));
        self.next += 1;
        let is_buffered = &self.pairs.is_buffered;
        let text = |text: &'de str| Scalar { text, form: Form::Text, is_buffered };
        seed.deserialize(Couple(text(&pair.name), text(&pair.value))).map(Some)
    }
}

struct Couple<'de>(Scalar<'de>, Scalar<'de>);

impl<'de> Deserializer<'de> for Couple<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        pair(self.0, self.1, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A deserializer of the parameters of a path: a single one, several in order, or by name.
#[derive(Clone, Copy)]
pub(super) struct ByPlace<'de, 'a>(pub &'de Pairs<'a>);

impl<'de, 'a> ByPlace<'de, 'a> {
    fn only(self) -> Result<Value<'de, 'a>, Refusal> {
        self.expect(1)?;
        let group = self.0.present().next().unwrap_or_default();
        self.0.at.set(Some(Place::Group(group)));
        Ok(Value::of_group(self.0, group))
    }

    /// Refuses a route with another number of parameters than the type of its handler has.
    fn expect(self, count: usize) -> Result<(), Refusal> {
        let got = self.0.present().count();
        if got == count {
            return Ok(());
        }
        let what = format!("the path has {got} parameters, and the handler reads {count} of them");
        Err(Refusal { is_of_route: true, ..Refusal::new(what) })
    }

    fn in_order<V: Visitor<'de>>(self, is_keyed: bool, visitor: V) -> Result<V::Value, Refusal> {
        // Without a parameter that was refused, the others would move to other places.
        self.expect(self.0.groups.len())?;
        visitor.visit_seq(Places { pairs: self.0, next: 0, is_keyed })
    }
}

macro_rules! only {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.only()?.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for ByPlace<'de, '_> {
    type Error = Refusal;

    /// An enum of scalars reads one parameter, one of structs reads the names.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if self.0.groups.len() == 1 && !self.0.is_by_name.get() {
            self.0.may_be_by_name.set(true);
            return self.only()?.deserialize_any(visitor);
        }
        ByName(self.0).deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.in_order(true, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.expect(length)?;
        self.in_order(false, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        ByName(self.0).deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        ByName(self.0).deserialize_struct(name, fields, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    only!(
        deserialize_bool deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier
    );
}

/// The parameters of a path, one after the other.
struct Places<'de, 'a> {
    pairs: &'de Pairs<'a>,
    next: usize,
    is_keyed: bool,
}

impl<'de> SeqAccess<'de> for Places<'de, '_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        if self.next >= self.pairs.groups.len() {
            self.pairs.at.set(None);
            return Ok(None);
        }
        self.pairs.at.set(Some(Place::Group(self.next)));
        let value = Value::of_group(self.pairs, self.next);
        self.next += 1;
        seed.deserialize(Value { is_keyed: self.is_keyed, ..value }).map(Some)
    }
}
