//! Splits text into pairs, and pairs into the values of lists.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::MAX_COMPARED;
use super::forms::{MAX_CHANGES, ValueForm, ValuePart};

/// Characters of a query that are percent-encoded in the header `Link`, where others have a meaning.
const NOT_IN_LINKS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b'%');

/// Maximum number of items of a buffered list that are of another form than the rest.
const MAX_OTHER_ITEMS: usize = 16;

/// Number of items of one form after which all items of the list get that form.
const LONG_LIST: usize = 8;

/// A name and its value.
pub(super) struct Pair<'a> {
    pub name: Cow<'a, str>,
    pub value: Cow<'a, str>,
    /// The value before it was decoded; `None` in a path, whose parameters arrive decoded.
    pub raw: Option<&'a [u8]>,
    pub items: OnceCell<Vec<Cow<'a, str>>>,
    pub is_removed: bool,
}

/// All pairs of one name.
pub(super) struct PairGroup {
    pub first: usize,
    pub more: Vec<usize>,
    pub is_removed: bool,
    /// Removed by [`Pairs::take`], and thus read by no type.
    pub is_taken: bool,
    /// The form in which a buffered value is given.
    pub form: ValueForm,
    /// The form in which the items of a buffered list are given.
    pub item_form: ValueForm,
    /// The items that are given in another form than most.
    pub other_items: Vec<(ItemIndex, ValueForm)>,
    pub changes: u8,
    /// The value was buffered: read without a type.
    pub is_buffered: Cell<bool>,
    /// `%2C` separates values too, because no value of the list can contain a comma.
    pub splits_decoded: bool,
}

/// The forms of a group before a change.
pub(super) struct GroupForms {
    form: ValueForm,
    item_form: ValueForm,
    changes: u8,
    other_items: Vec<(ItemIndex, ValueForm)>,
}

/// The position of a value in a list: its pair in the group, and its index between the commas.
pub(super) type ItemIndex = (usize, usize);

impl<'a> Pair<'a> {
    pub fn of_query(text: &'a [u8]) -> Self {
        let equals = text.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &text[text.len()..]),
        };
        Self { raw: Some(value), ..Self::new(form_decoded(name), form_decoded(value)) }
    }

    pub fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        Self { name, value, raw: None, items: OnceCell::new(), is_removed: false }
    }

    /// Returns the values between commas.
    pub fn items(&self, splits_decoded: bool) -> &[Cow<'a, str>] {
        self.items.get_or_init(|| match self.raw {
            Some(raw) if !splits_decoded => {
                raw.split(|byte| *byte == b',').map(form_decoded).collect()
            }
            _ => self.value.split(',').map(|item| Cow::Owned(item.to_owned())).collect(),
        })
    }

    pub fn has_encoded_comma(&self) -> bool {
        self.raw.is_some_and(|raw| !raw.contains(&b',')) && self.value.contains(',')
    }

    /// Returns the items that have been split, with their indices.
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
            form: ValueForm::Text,
            item_form: ValueForm::Text,
            other_items: Vec::new(),
            changes: 0,
            is_buffered: Cell::new(false),
            splits_decoded: false,
        }
    }

    /// Returns the state that [`PairGroup::change`] changes.
    pub fn forms(&self) -> GroupForms {
        let Self { form, item_form, changes, .. } = *self;
        GroupForms { form, item_form, changes, other_items: self.other_items.clone() }
    }

    pub fn restore(&mut self, forms: GroupForms) {
        self.form = forms.form;
        self.item_form = forms.item_form;
        self.changes = forms.changes;
        self.other_items = forms.other_items;
    }

    pub fn item_form(&self, item: ItemIndex) -> ValueForm {
        let other = self.other_items.iter().find(|(other, _)| *other == item);
        other.map_or(self.item_form, |(_, form)| *form)
    }

    /// Changes the form of a value. Returns false after too many changes.
    pub fn change(&mut self, part: ValuePart, form: ValueForm) -> bool {
        match part {
            ValuePart::Whole if self.form != form && self.changes < MAX_CHANGES => {
                self.changes += 1;
                self.form = form;
            }
            ValuePart::Item(item) if self.item_form(item) != form => {
                let known = self.other_items.len();
                if known > MAX_OTHER_ITEMS || self.other_items.iter().any(|(it, _)| *it == item) {
                    return false;
                }
                self.other_items.push((item, form));
                // A tuple is of several types, and a long list of one: its first ones stand for all.
                if known == LONG_LIST {
                    self.item_form = form;
                }
            }
            _ => return false,
        }
        true
    }

    pub fn pairs(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

/// Splits the name of an object's member, such as `range[min]` or `range[a][b]`, at its first bracket.
pub(in crate::http) fn object_and_member(name: &str) -> Option<(&str, &str)> {
    let (object, rest) = name.split_at(name.find('[')?);
    let members = rest.strip_prefix('[')?.strip_suffix(']')?;
    let mut members = members.split("][");
    members.all(|member| !member.contains(['[', ']'])).then_some((object, rest))
}

/// Groups the pairs by name, in the order in which the names appear.
pub(super) fn grouped(pairs: &[Pair<'_>]) -> Vec<PairGroup> {
    let mut groups: Vec<PairGroup> = Vec::with_capacity(pairs.len());
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

/// Decodes a name or a value of a query or a form. Bytes that are not UTF-8 have been refused before.
fn form_decoded(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return String::from_utf8_lossy(text);
    }
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(String::from_utf8_lossy(&decoded(&spaced)).into_owned())
}

/// Decodes `%` and two hexadecimal digits to bytes.
fn decoded(text: &[u8]) -> Vec<u8> {
    percent_decode(text).collect()
}

/// Returns an estimate of the memory that the pairs of `text` take while they are read.
pub(in crate::http) fn size_of_pairs(text: &[u8]) -> u64 {
    let count = |wanted: u8| text.iter().filter(|byte| **byte == wanted).count();
    let pair = size_of::<Pair<'_>>() + size_of::<PairGroup>() + size_of::<(&str, usize)>();
    (count(b'&') * pair + count(b',') * size_of::<Cow<'_, str>>()) as u64
}

/// Returns the names of the parameters that are not UTF-8.
pub(in crate::http) fn not_utf8(text: &[u8]) -> Vec<String> {
    if !text.iter().any(|byte| *byte == b'%' || !byte.is_ascii()) {
        return Vec::new();
    }
    let pairs = text.split(|byte| *byte == b'&');
    let wrong = pairs.filter(|pair| std::str::from_utf8(&decoded(pair)).is_err());
    wrong.map(|pair| Pair::of_query(pair).name.into_owned()).collect()
}

/// Returns the pairs of `query` that `is_kept` selects by name and value, unchanged. Characters with a meaning in a
/// header are percent-encoded, because the result goes into the header `Link`.
pub(in crate::http) fn filtered(query: &str, is_kept: impl Fn(&str, &str) -> bool) -> String {
    let mut kept = String::with_capacity(query.len());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Pair { name, value, .. } = Pair::of_query(pair.as_bytes());
        if !is_kept(&name, &value) {
            continue;
        }
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.extend(utf8_percent_encode(pair, NOT_IN_LINKS));
    }
    kept
}
