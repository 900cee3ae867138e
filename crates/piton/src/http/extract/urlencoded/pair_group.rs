//! One name/value pair, and all pairs of one name.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use super::limits::{LONG_LIST, MAX_COMPARED, MAX_OTHER_ITEMS, MAX_TYPE_CHANGES};
use super::percent_decoding::decode_form_text;

/// A part of a group: its whole value, or one item of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValuePart {
    Whole,
    Item(ItemIndex),
}

/// The type in which a buffered value is given to serde.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InferredType {
    Text,
    Number,
    /// A number given as a signed one, to tell it from an equal number that is given as unsigned.
    Signed,
    Bool,
    List,
    /// A value that no type accepts, to find out whether the parameter is read at all.
    Poison,
}

/// A name and its value, decoded.
pub(super) struct Pair<'a> {
    pub name: Cow<'a, str>,
    pub value: Cow<'a, str>,
    /// The value as it was sent. `None` in a path, whose parameters arrive decoded.
    pub raw: Option<&'a [u8]>,
    /// The values between commas, split when a list is read.
    pub items: OnceCell<Vec<Cow<'a, str>>>,
    pub is_removed: bool,
}

/// All pairs of one name.
pub(super) struct PairGroup {
    /// The index of the first pair.
    pub first: usize,
    /// The indices of the other pairs.
    pub more: Vec<usize>,
    pub is_removed: bool,
    /// Set by `NameValuePairs::take`: the group is no parameter of the type.
    pub is_taken: bool,
    /// The type in which a buffered value is given.
    pub inferred_type: InferredType,
    /// The type in which the items of a buffered list are given.
    pub item_type: InferredType,
    /// The items that are given in another type than most.
    pub other_items: Vec<(ItemIndex, InferredType)>,
    /// Number of times that `inferred_type` changed, at most [`MAX_TYPE_CHANGES`].
    pub changes: u8,
    /// Set when serde buffers the value: it asks for any type.
    pub is_buffered: Cell<bool>,
    /// Set if `%2C` separates values too, because no value of the list can contain a comma.
    pub splits_encoded_commas: bool,
}

/// The types of a group before a change.
pub(super) struct SavedTypes {
    inferred_type: InferredType,
    item_type: InferredType,
    changes: u8,
    other_items: Vec<(ItemIndex, InferredType)>,
}

/// The position of a value in a list: its pair in the group, and its index between the commas.
pub(super) type ItemIndex = (usize, usize);

impl<'a> Pair<'a> {
    /// Splits `name=value` of a query or a form, and decodes both.
    pub fn from_query(text: &'a [u8]) -> Self {
        let equals = text.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &text[text.len()..]),
        };
        Self { raw: Some(value), ..Self::new(decode_form_text(name), decode_form_text(value)) }
    }

    /// Makes a pair of a decoded name and value.
    pub fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        Self { name, value, raw: None, items: OnceCell::new(), is_removed: false }
    }

    /// Returns the values between commas.
    pub fn items(&self, splits_encoded_commas: bool) -> &[Cow<'a, str>] {
        self.items.get_or_init(|| match self.raw {
            Some(raw) if !splits_encoded_commas => {
                raw.split(|byte| *byte == b',').map(decode_form_text).collect()
            }
            _ => self.value.split(',').map(|item| Cow::Owned(item.to_owned())).collect(),
        })
    }

    /// Returns whether the only commas in the value were sent as `%2C`.
    pub fn has_encoded_comma(&self) -> bool {
        self.raw.is_some_and(|raw| !raw.contains(&b',')) && self.value.contains(',')
    }

    /// Returns the items with their indices, if the value has been read as a list.
    pub fn read_items(&self) -> impl Iterator<Item = (usize, &str)> {
        self.items.get().into_iter().flatten().map(|item| &**item).enumerate()
    }
}

impl PairGroup {
    pub fn new(first: usize) -> Self {
        Self {
            first,
            more: Vec::new(),
            is_removed: false,
            is_taken: false,
            inferred_type: InferredType::Text,
            item_type: InferredType::Text,
            other_items: Vec::new(),
            changes: 0,
            is_buffered: Cell::new(false),
            splits_encoded_commas: false,
        }
    }

    /// Returns the state that [`PairGroup::change_type`] changes.
    pub fn save_types(&self) -> SavedTypes {
        let Self { inferred_type, item_type, changes, .. } = *self;
        SavedTypes { inferred_type, item_type, changes, other_items: self.other_items.clone() }
    }

    /// Restores the state of [`PairGroup::save_types`].
    pub fn restore_types(&mut self, saved: SavedTypes) {
        self.inferred_type = saved.inferred_type;
        self.item_type = saved.item_type;
        self.changes = saved.changes;
        self.other_items = saved.other_items;
    }

    /// Returns the type in which an item of the list is given.
    pub fn item_type(&self, item: ItemIndex) -> InferredType {
        let other = self.other_items.iter().find(|(other, _)| *other == item);
        other.map_or(self.item_type, |(_, inferred_type)| *inferred_type)
    }

    /// Changes the type of a value. Returns false if it has that type, or after too many changes.
    pub fn change_type(&mut self, part: ValuePart, inferred_type: InferredType) -> bool {
        match part {
            ValuePart::Whole
                if self.inferred_type != inferred_type && self.changes < MAX_TYPE_CHANGES =>
            {
                self.changes += 1;
                self.inferred_type = inferred_type;
            }
            ValuePart::Item(item) if self.item_type(item) != inferred_type => {
                let known = self.other_items.len();
                if known > MAX_OTHER_ITEMS || self.other_items.iter().any(|(it, _)| *it == item) {
                    return false;
                }
                self.other_items.push((item, inferred_type));
                // All items change at once, because changing them one by one would take a pass each. A long list has
                // items of one type; only tuples, which are short, have several.
                if known == LONG_LIST {
                    self.item_type = inferred_type;
                }
            }
            _ => return false,
        }
        true
    }

    /// Returns the indices of all pairs.
    pub fn pairs(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

/// Groups the pairs by name, in the order in which the names appear.
pub(super) fn group_by_name(pairs: &[Pair<'_>]) -> Vec<PairGroup> {
    let mut groups: Vec<PairGroup> = Vec::with_capacity(pairs.len());
    // A few names are compared one by one instead of hashed, because that is faster. Many would take quadratic time.
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (index, pair) in pairs.iter().enumerate() {
        let name = &*pair.name;
        let group = if groups.len() < MAX_COMPARED {
            groups.iter().position(|group| pairs[group.first].name == name)
        } else {
            if known.is_empty() {
                let names = groups.iter().enumerate();
                known.extend(names.map(|(at, group)| (&*pairs[group.first].name, at)));
            }
            known.get(name).copied()
        };
        match group {
            Some(group) => groups[group].more.push(index),
            None => {
                if groups.len() >= MAX_COMPARED {
                    known.insert(name, groups.len());
                }
                groups.push(PairGroup::new(index));
            }
        }
    }
    groups
}
