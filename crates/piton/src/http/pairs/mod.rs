//! `a=1&b=2` as a value, and everything that is wrong with it by the parameter's name.
//!
//! A list is one pair with commas between its values, several pairs of one name, or both. Commas are
//! looked for before a value is decoded, so that `%2C` is part of a value.
//!
//! Serde buffers what `#[serde(flatten)]`, internally tagged and untagged enums read, before it knows their types.
//! Such a value is given as text first. If the type asks for a number, a boolean or a list, the pairs are read
//! again with that value in the form asked for ([`refusal`] says how that is known). A type without any
//! of these is read once.

mod read;
mod refusal;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};

use self::read::{ByName, ByPlace, is_number};
use self::refusal::{Record, Refusal, Seen, asks_for_list, start_recording, take_records};
use super::error::most_faults;
use super::words;

/// What is wrong: with which parameter, where that is known, and why.
pub(super) type Wrong = (Option<String>, String);

/// Maximum number of times that pairs are read to find the forms of buffered values, and to find the one that is
/// refused. A struct needs one for each of its fields at most.
const MAX_PASSES: usize = 64;

/// The same if there are very many pairs.
const MAX_PASSES_OF_MANY: usize = 16;

/// More parameters than this are very many.
const MANY: usize = 1000;

/// How often a buffered value changes its form, between the variants of an untagged enum.
const MAX_CHANGES: u8 = 4;

/// Maximum number of items of a buffered list that are of another form than the rest.
const MAX_OTHER_ITEMS: usize = 16;

/// If more items than this are of a form, all are.
const LONG_LIST: usize = 8;

/// Maximum number of buffered values that are equal to others and tried in all forms.
const MAX_EQUAL: usize = 6;

/// Fewer names than this are compared one by one.
const FEW: usize = 16;

/// Returns an estimate of the memory that the pairs of `text` take while they are read.
pub(super) fn size_of_pairs(text: &[u8]) -> u64 {
    let count = |wanted: u8| text.iter().filter(|byte| **byte == wanted).count();
    let pair = size_of::<Pair<'_>>() + size_of::<Group>() + size_of::<(&str, usize)>();
    (count(b'&') * pair + count(b',') * size_of::<Cow<'_, str>>()) as u64
}

/// Reads `a=1&b=2` as a `T`, or returns everything that is wrong with it.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Vec<Wrong>> {
    Pairs::of_query(text).read(most_faults(text.len()))
}

/// The reason why the parameters of a path are refused.
pub(super) enum PathRefusal {
    /// The client can mend it.
    Wrong(Vec<Wrong>),
    /// The route and its handler disagree.
    Route(String),
}

/// Reads the parameters of a path, decoded, as a `T`.
pub(super) fn parse_path<'a, T: DeserializeOwned>(
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<T, PathRefusal> {
    let mut pairs = Pairs::of_path(parameters);
    let refusal = match pairs.attempt::<T>() {
        Ok(value) => return Ok(value),
        Err(refusal) => refusal,
    };
    if refusal.is_of_route || missing(&refusal.what).is_some() {
        return Err(PathRefusal::Route(refusal.what));
    }
    pairs.explain(refusal, super::error::MOST_FAULTS).map_err(PathRefusal::Wrong)
}

/// The pairs of a query, a form or a path, decoded, with what is known of how they are read.
pub(super) struct Pairs<'a> {
    pairs: Vec<Pair<'a>>,
    groups: Vec<Group>,
    is_path: bool,
    /// Whether a name may be that of an object's member: `range[min]`.
    has_brackets: bool,
    /// The parameter that is being read.
    at: Cell<Option<Place>>,
    /// Whether a value was read without saying as what.
    is_buffered: Cell<bool>,
    /// The same of names, which are text in any case.
    is_name_buffered: Cell<bool>,
    /// Whether the single parameter of a path is read by its name, and whether it may be.
    is_by_name: Cell<bool>,
    may_be_by_name: Cell<bool>,
}

/// A name and its value.
struct Pair<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
    /// The value before it was decoded; `None` in a path, whose parameters arrive decoded.
    raw: Option<&'a [u8]>,
    items: OnceCell<Vec<Cow<'a, str>>>,
    is_removed: bool,
}

/// All pairs of one name.
struct Group {
    first: usize,
    more: Vec<usize>,
    is_removed: bool,
    /// Whether it has been taken out by [`Pairs::take`], and is read by no type.
    is_taken: bool,
    /// How a buffered value is given, and the items of a buffered list.
    form: Form,
    item_form: Form,
    /// The items that are given in another form than most: by their pair in the group and their place in it.
    other_items: Vec<(Item, Form)>,
    changes: u8,
    /// Whether the value has been read without saying as what.
    is_buffered: Cell<bool>,
    /// Whether `%2C` separates values, too: no value of the list can hold a comma.
    splits_decoded: bool,
}

/// A value of a list: the pair of the group that has it, and its place between the commas.
type Item = (usize, usize);

/// The whole value of a group, or one of its list.
#[derive(Clone, Copy, Debug)]
enum Part {
    Whole,
    Item(Item),
}

/// How a buffered value is given to serde.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Flag,
    List,
    /// As what no type accepts, to learn whether it is read at all.
    Poison,
}

/// Where reading has come to.
#[derive(Clone, Copy, Debug)]
enum Place {
    Group(usize),
    Pair(usize),
}

impl<'a> Pair<'a> {
    fn of_query(text: &'a [u8]) -> Self {
        let equals = text.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &text[text.len()..]),
        };
        Self { raw: Some(value), ..Self::new(form_decoded(name), form_decoded(value)) }
    }

    fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        Self { name, value, raw: None, items: OnceCell::new(), is_removed: false }
    }

    /// The values between commas.
    fn items(&self, splits_decoded: bool) -> &[Cow<'a, str>] {
        self.items.get_or_init(|| match self.raw {
            Some(raw) if !splits_decoded => {
                raw.split(|byte| *byte == b',').map(form_decoded).collect()
            }
            _ => self.value.split(',').map(|item| Cow::Owned(item.to_owned())).collect(),
        })
    }

    fn has_encoded_comma(&self) -> bool {
        self.raw.is_some_and(|raw| !raw.contains(&b',')) && self.value.contains(',')
    }

    /// The items that have been read, with their places.
    fn read_items(&self) -> impl Iterator<Item = (usize, &str)> {
        self.items.get().into_iter().flatten().map(|item| &**item).enumerate()
    }
}

impl Group {
    fn new(first: usize) -> Self {
        Self {
            first,
            more: Vec::new(),
            is_removed: false,
            is_taken: false,
            form: Form::Text,
            item_form: Form::Text,
            other_items: Vec::new(),
            changes: 0,
            is_buffered: Cell::new(false),
            splits_decoded: false,
        }
    }

    fn item_form(&self, item: Item) -> Form {
        let other = self.other_items.iter().find(|(other, _)| *other == item);
        other.map_or(self.item_form, |(_, form)| *form)
    }

    /// Gives a value in another form from now on. Returns false if it has had too many.
    fn change(&mut self, part: Part, form: Form) -> bool {
        match part {
            Part::Whole if self.form != form && self.changes < MAX_CHANGES => {
                self.changes += 1;
                self.form = form;
            }
            Part::Item(item) if self.item_form(item) != form => {
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

    fn pairs(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

impl<'a> Pairs<'a> {
    /// The pairs of a query without its `?`, or of a form.
    pub fn of_query(text: &'a [u8]) -> Self {
        if text.is_empty() {
            return Self::new(Vec::new(), false);
        }
        let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        Self::new(pairs.map(Pair::of_query).collect(), false)
    }

    fn of_path(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self::new(
            parameters.map(|(name, value)| Pair::new(name.into(), value.into())).collect(),
            true,
        )
    }

    fn new(pairs: Vec<Pair<'a>>, is_path: bool) -> Self {
        let groups = grouped(&pairs);
        let has_brackets = !is_path && pairs.iter().any(|pair| pair.name.ends_with(']'));
        Self {
            pairs,
            groups,
            is_path,
            has_brackets,
            at: Cell::new(None),
            is_buffered: Cell::new(false),
            is_name_buffered: Cell::new(false),
            is_by_name: Cell::new(false),
            may_be_by_name: Cell::new(false),
        }
    }

    fn present(&self) -> impl Iterator<Item = usize> {
        (0..self.groups.len()).filter(|group| !self.groups[*group].is_removed)
    }

    fn name(&self, group: usize) -> &str {
        &self.pairs[self.groups[group].first].name
    }

    /// Returns the values of the pairs named `name`, if there are any, and removes them.
    pub fn take(&mut self, name: &str) -> Vec<String> {
        let Some(group) = self.present().find(|group| self.name(*group) == name) else {
            return Vec::new();
        };
        let values = self.groups[group].pairs().map(|pair| self.pairs[pair].value.to_string());
        let values = values.collect();
        self.groups[group].is_taken = true;
        self.remove(group);
        values
    }

    /// Removes the parameters that `is_removed` returns true for, by their name and whether they have no value.
    pub fn remove_if(&mut self, mut is_removed: impl FnMut(&str, bool) -> bool) {
        for group in 0..self.groups.len() {
            let is_empty = self.is_without_value(group);
            if !self.groups[group].is_removed && is_removed(self.name(group), is_empty) {
                self.remove(group);
            }
        }
    }

    fn remove(&mut self, group: usize) {
        self.set_removed(group, true);
    }

    fn set_removed(&mut self, group: usize, is_removed: bool) {
        let Self { pairs, groups, .. } = self;
        groups[group].is_removed = is_removed;
        groups[group].pairs().for_each(|pair| pairs[pair].is_removed = is_removed);
    }

    fn is_without_value(&self, group: usize) -> bool {
        self.groups[group].pairs().all(|pair| self.pairs[pair].value.is_empty())
    }

    /// Reads the pairs as a `T`, or returns what is wrong with them: one fault more than `most` if there are more.
    pub fn read<T: DeserializeOwned>(mut self, most: usize) -> Result<T, Vec<Wrong>> {
        match self.attempt() {
            Ok(value) => Ok(value),
            Err(refusal) => self.explain(refusal, most),
        }
    }

    /// Reads the pairs once, and again only where values were buffered.
    fn attempt<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let result = self.pass();
        if self.is_buffered.get() {
            return self.settle(result);
        }
        result
    }

    fn pass<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        start_recording();
        self.at.set(None);
        if self.is_path { T::deserialize(ByPlace(self)) } else { T::deserialize(ByName(self)) }
    }

    fn max_passes(&self) -> usize {
        if self.groups.len() > MANY { MAX_PASSES_OF_MANY } else { MAX_PASSES }
    }

    /// Reads again until no buffered value is of another form than was asked for.
    #[cold]
    fn settle<T: DeserializeOwned>(
        &mut self,
        mut result: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        // What was read when an untagged enum accepted a form that is not the first it asked for.
        let mut accepted: Option<(T, Vec<Record>)> = None;
        // Why the single parameter of a path is refused where it is not read by its name.
        let mut by_place: Option<(Refusal, Option<Place>)> = None;
        for pass in 0..self.max_passes() {
            let records = take_records();
            let is_accepted = result.is_ok();
            if !is_accepted && accepted.is_some() {
                break;
            }
            // A form that is accepted is not given up.
            let mut is_changed = self.change_forms(&records, is_accepted);
            if let Ok(value) = result {
                accepted = Some((value, records));
                result = Err(Refusal::new(""));
            } else if pass == self.max_passes() / 2 {
                // There is a map with many numbers, each of which would take a pass.
                is_changed |= self.change_all();
            } else if !is_changed
                && self.may_be_by_name.get()
                && !self.is_by_name.replace(true)
                && let Err(refusal) = result
            {
                by_place = Some((refusal, self.at.get()));
                is_changed = true;
                result = Err(Refusal::new(""));
            }
            if !is_changed {
                break;
            }
            result = self.pass();
        }
        let Some((value, records)) = accepted else {
            // What a struct says of text is not what is wrong.
            if let Some((refusal, at)) = by_place
                && !refusal.what.starts_with("invalid type")
            {
                self.at.set(at);
                self.is_by_name.set(false);
                return Err(refusal);
            }
            return result.or_else(|refusal| self.try_equal_values().ok_or(refusal));
        };
        match self.dropped::<T>(&records) {
            Some(refusal) => Err(refusal),
            None => Ok(value),
        }
    }

    /// Tries all forms of values that are equal: a number that is refused does not say which of them it is.
    fn try_equal_values<T: DeserializeOwned>(&mut self) -> Option<T> {
        let text = |group: usize| &*self.pairs[self.groups[group].first].value;
        let may_be_typed = |group: &usize| {
            let it = &self.groups[*group];
            let is_typed = matches!(text(*group), "true" | "false") || is_number(text(*group));
            it.is_buffered.get() && it.more.is_empty() && it.form != Form::List && is_typed
        };
        let all: Vec<usize> = self.present().filter(may_be_typed).take(FEW).collect();
        let is_equal =
            |group: &usize| all.iter().any(|it| it != group && text(*it) == text(*group));
        let equal: Vec<usize> = all.iter().copied().filter(is_equal).collect();
        if equal.is_empty() || equal.len() > MAX_EQUAL {
            return None;
        }
        let (at, before) = (self.at.get(), equal.iter().map(|it| self.groups[*it].form));
        let before: Vec<Form> = before.collect();
        for forms in 0..1_usize << equal.len() {
            for (place, group) in equal.iter().enumerate() {
                let form = match text_form(&self.pairs[self.groups[*group].first].value) {
                    typed if forms >> place & 1 == 1 => typed,
                    _ => Form::Text,
                };
                self.groups[*group].form = form;
            }
            if let Ok(value) = self.pass() {
                return Some(value);
            }
        }
        equal.iter().zip(before).for_each(|(group, form)| self.groups[*group].form = form);
        self.at.set(at);
        None
    }

    /// Gives values in the forms that were asked for. Returns whether that changes anything.
    fn change_forms(&mut self, records: &[Record], is_accepted: bool) -> bool {
        let mut is_changed = false;
        let is_text = |record: &Record| matches!(record.seen, Seen::Text { .. });
        let records = records.iter().filter(|it| it.is_form && (is_text(it) || !is_accepted));
        for record in records.take(self.max_passes()) {
            is_changed |= self.change_form(record);
        }
        is_changed
    }

    fn change_form(&mut self, record: &Record) -> bool {
        let Some((group, part)) = self.find(record.seen) else { return false };
        let text = self.text(group, part);
        let wants_list = matches!(part, Part::Whole) && asks_for_list(&record.expected);
        let wanted = match record.seen {
            Seen::Text { .. } | Seen::List if wants_list => Form::List,
            Seen::Text { .. } => text_form(text),
            _ => Form::Text,
        };
        self.groups[group].change(part, wanted)
    }

    fn text(&self, group: usize, part: Part) -> &str {
        let group = &self.groups[group];
        let pair = |at: usize| &self.pairs[if at == 0 { group.first } else { group.more[at - 1] }];
        match part {
            Part::Whole => &pair(0).value,
            Part::Item((at, item)) => &pair(at).items(group.splits_decoded)[item],
        }
    }

    /// Gives everything that looks like a number as one.
    fn change_all(&mut self) -> bool {
        let mut is_changed = false;
        let Self { pairs, groups, .. } = self;
        for group in groups.iter_mut().filter(|group| group.form == Form::Text) {
            if group.more.is_empty() && is_number(&pairs[group.first].value) {
                group.form = Form::Number;
                is_changed = true;
            }
        }
        is_changed
    }

    /// Finds the parameter whose value was refused, and which part of it.
    fn find(&self, seen: Seen) -> Option<(usize, Part)> {
        self.present().find_map(|at| {
            let group = &self.groups[at];
            let is_typed = |form: Form| matches!(form, Form::Number | Form::Flag);
            let is_list = group.form == Form::List || !group.more.is_empty();
            let part = match seen {
                // A list of one has the address of its value.
                Seen::Text { .. } => self.find_part(at, |part, text| {
                    Seen::text(text) == seen && !(is_list && matches!(part, Part::Whole))
                }),
                Seen::Unsigned(_) | Seen::Signed(_) | Seen::Float(_) | Seen::Flag(_) => self
                    .find_part(at, |part, text| match part {
                        Part::Whole => {
                            is_typed(group.form)
                                && group.changes < MAX_CHANGES
                                && is_same(text, seen)
                        }
                        Part::Item(item) => is_typed(group.item_form(item)) && is_same(text, seen),
                    }),
                Seen::List => (!group.more.is_empty()).then_some(Part::Whole),
                Seen::Poison | Seen::Other => None,
            };
            Some((at, part?))
        })
    }

    /// Finds the first part of a group that `is_it`.
    fn find_part(&self, group: usize, is_it: impl Fn(Part, &str) -> bool) -> Option<Part> {
        self.groups[group].pairs().enumerate().find_map(|(at, pair)| {
            let pair = &self.pairs[pair];
            if is_it(Part::Whole, &pair.value) {
                return Some(Part::Whole);
            }
            let items = pair.read_items().map(|(item, text)| (Part::Item((at, item)), text));
            items.into_iter().find_map(|(part, text)| is_it(part, text).then_some(part))
        })
    }

    /// Returns the refusal of a value that nothing reads since it was refused: an `Option` of a flattened struct drops
    /// both without a word.
    fn dropped<T: DeserializeOwned>(&mut self, records: &[Record]) -> Option<Refusal> {
        let mut looked_at = Vec::new();
        for record in records.iter().filter(|record| matches!(record.seen, Seen::Text { .. })) {
            let Some((group, Part::Whole)) = self.find(record.seen) else { continue };
            if looked_at.contains(&group) || looked_at.len() >= self.max_passes() {
                continue;
            }
            looked_at.push(group);
            let refused = records.iter().filter(|other| other.seen == record.seen).count();
            if self.poisoned::<T>(group) == (true, refused) {
                let expected: &str = &record.expected;
                let what = match self.pairs[self.groups[group].first].value.is_empty() {
                    true => "is empty".into(),
                    false => refusal::not_valid(expected),
                };
                return Some(Refusal { seen: Some(record.seen), ..Refusal::new(what) });
            }
        }
        None
    }

    /// Gives a value that no type accepts in the place of the group's. Returns whether the rest is a `T` without it, and
    /// how often it is refused.
    fn poisoned<T: DeserializeOwned>(&mut self, group: usize) -> (bool, usize) {
        let form = std::mem::replace(&mut self.groups[group].form, Form::Poison);
        let result = self.pass::<T>();
        let records = take_records();
        self.groups[group].form = form;
        let refused = records.iter().filter(|record| record.seen == Seen::Poison).count();
        (result.is_ok(), refused)
    }

    /// Returns the names that `T` does not read, one more than `most` if there are more. Where the other parameters
    /// are refused that cannot be known of all, and counts for those that are not `documented`.
    pub fn unread<T: DeserializeOwned>(
        &mut self,
        most: usize,
        documented: impl FnOnce() -> (Vec<String>, bool),
    ) -> Vec<String> {
        let is_sound = self.attempt::<T>().is_ok();
        let (names, is_open) = match is_sound {
            true => (Vec::new(), self.accepts_any_name::<T>()),
            false => documented(),
        };
        let mut unread = Vec::new();
        for group in 0..self.groups.len() {
            if is_open || unread.len() > most {
                break;
            }
            let name = self.name(group).to_owned();
            let is_removed = self.groups[group].is_removed;
            if names.contains(&name) || self.groups[group].is_taken {
                continue;
            }
            self.set_removed(group, false);
            let (is_read, refused) = self.poisoned::<T>(group);
            self.set_removed(group, is_removed);
            if refused == 0 && (is_read || !is_sound) {
                unread.push(name);
            }
        }
        unread
    }

    /// Returns whether `T` reads a parameter of a name that no field has.
    fn accepts_any_name<T: DeserializeOwned>(&mut self) -> bool {
        let name = "\u{0}no such name";
        self.pairs.push(Pair::new(name.into(), "".into()));
        self.groups.push(Group::new(self.pairs.len() - 1));
        let poisoned = self.poisoned::<T>(self.groups.len() - 1);
        self.groups.pop();
        self.pairs.pop();
        poisoned != (true, 0)
    }

    /// Returns everything that is wrong. A value that is empty where its type is not is as one that is not given, so the
    /// rest may be a `T` without it.
    #[cold]
    fn explain<T: DeserializeOwned>(
        mut self,
        mut refusal: Refusal,
        most: usize,
    ) -> Result<T, Vec<Wrong>> {
        let mut wrong: Vec<Wrong> = Vec::new();
        let mut without_value: Vec<String> = Vec::new();
        loop {
            let Some(place) = self.culprit::<T>(&refusal) else {
                if refusal.is_of_route && !wrong.is_empty() {
                    return Err(wrong);
                }
                let missing = missing(&refusal.what);
                if missing.as_ref().is_some_and(|name| without_value.contains(name)) {
                    wrong.push((missing, "is empty".into()));
                } else if missing.is_none() || wrong.iter().all(|(name, _)| *name != missing) {
                    // What is missing is found after the last pair, and is no news if it was refused.
                    wrong.push((missing, words::plain(refusal.what)));
                }
                return Err(wrong);
            };
            match place {
                Place::Group(group) if self.split_at_encoded_commas(group) => {}
                Place::Group(group) => {
                    let name = self.name(group).to_owned();
                    if self.is_without_value(group)
                        && self.groups[group].more.is_empty()
                        && !self.is_path
                    {
                        without_value.push(name);
                    } else {
                        wrong.push((Some(name), words::plain(refusal.what)));
                    }
                    self.remove(group);
                }
                Place::Pair(pair) => {
                    let name = self.pairs[pair].name.to_string();
                    wrong.push((Some(name), words::plain(refusal.what)));
                    self.pairs[pair].is_removed = true;
                }
            }
            if wrong.len() > most {
                return Err(wrong);
            }
            refusal = match self.attempt::<T>() {
                Ok(value) if wrong.is_empty() => return Ok(value),
                Ok(_) => return Err(wrong),
                Err(refusal) => refusal,
            };
        }
    }

    /// Splits values at `%2C`, too, where that has not been tried: numbers, dates and the like have no comma.
    fn split_at_encoded_commas(&mut self, group: usize) -> bool {
        let Self { pairs, groups, .. } = self;
        let group = &mut groups[group];
        let has_any = group.pairs().any(|pair| pairs[pair].has_encoded_comma());
        if group.splits_decoded || !has_any {
            return false;
        }
        group.splits_decoded = true;
        group.pairs().for_each(|pair| pairs[pair].items = OnceCell::new());
        true
    }

    /// Returns which parameter is refused, where that can be known.
    fn culprit<T: DeserializeOwned>(&mut self, refusal: &Refusal) -> Option<Place> {
        if self.at.get().is_some() {
            return self.at.get();
        }
        if missing(&refusal.what).is_some() || refusal.is_of_route {
            return None;
        }
        if let Some((group, _)) = refusal.seen.and_then(|seen| self.find(seen)) {
            return Some(Place::Group(group));
        }
        let named = member(&refusal.what, "unknown field `");
        if let Some(named) = named.or_else(|| member(&refusal.what, "duplicate field `")) {
            let group = self.present().find(|group| self.name(*group) == named);
            return group.map(Place::Group);
        }
        if !self.is_buffered.get() {
            return None;
        }
        // A converter's error says nothing of the place. What is read after it makes no difference to it.
        let buffered = |group: &usize| self.groups[*group].is_buffered.get();
        let groups: Vec<usize> = self.present().filter(buffered).take(self.max_passes()).collect();
        let differs = |what: Option<String>| what.as_deref() != Some(&refusal.what);
        let read: Vec<usize> = groups
            .into_iter()
            .filter(|group| differs(self.refused_with_poison::<T>(*group)))
            .collect();
        // Without the refused value nothing is wrong, or something else, if only that it is missing.
        let is_sound_without = |group: &usize| {
            let what = self.refused_without::<T>(*group);
            differs(what.clone()) && what.as_deref().and_then(missing).is_none()
        };
        let found = read.iter().copied().find(is_sound_without).or(read.last().copied());
        self.at.set(None);
        found.map(Place::Group)
    }

    fn refused_with_poison<T: DeserializeOwned>(&mut self, group: usize) -> Option<String> {
        let form = std::mem::replace(&mut self.groups[group].form, Form::Poison);
        let refused = self.pass::<T>().err().map(|refusal| refusal.what);
        self.groups[group].form = form;
        refused
    }

    /// Returns what is refused without the parameter.
    fn refused_without<T: DeserializeOwned>(&mut self, group: usize) -> Option<String> {
        self.set_removed(group, true);
        let refused = self.pass::<T>().err().map(|refusal| refusal.what);
        self.set_removed(group, false);
        refused
    }
}

/// Puts the pairs of one name together, in the order in which the names appear.
fn grouped(pairs: &[Pair<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(pairs.len());
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (index, pair) in pairs.iter().enumerate() {
        let name = &*pair.name;
        let group = if groups.len() < FEW {
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
                if groups.len() >= FEW {
                    known.insert(name, groups.len());
                }
                groups.push(Group::new(index));
            }
        }
    }
    groups
}

/// Returns what `text` may be but text.
fn text_form(text: &str) -> Form {
    match text {
        "true" | "false" => Form::Flag,
        number if is_number(number) => Form::Number,
        _ => Form::Text,
    }
}

/// Returns whether `text` was given as the number or boolean that was refused.
fn is_same(text: &str, seen: Seen) -> bool {
    match seen {
        Seen::Unsigned(number) => text.parse() == Ok(number),
        Seen::Signed(number) => text.parse() == Ok(number),
        Seen::Float(number) => {
            text.parse().is_ok_and(|other: f64| other.to_bits() == number.to_bits())
        }
        Seen::Flag(flag) => text.parse() == Ok(flag),
        _ => false,
    }
}

/// Decodes a name or a value of a query or a form. What is no text has been refused before.
fn form_decoded(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return String::from_utf8_lossy(text);
    }
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(String::from_utf8_lossy(&decoded(&spaced)).into_owned())
}

/// The parameters whose bytes are no text.
pub(super) fn not_utf8(text: &[u8]) -> Vec<String> {
    if !text.iter().any(|byte| *byte == b'%' || !byte.is_ascii()) {
        return Vec::new();
    }
    let pairs = text.split(|byte| *byte == b'&');
    let wrong = pairs.filter(|pair| std::str::from_utf8(&decoded(pair)).is_err());
    wrong.map(|pair| Pair::of_query(pair).name.into_owned()).collect()
}

/// Returns the pairs of `query` that `is_kept` returns true for, by name and value, as they are written. Characters
/// that have a meaning in a header are percent-encoded.
pub(super) fn kept(query: &str, is_kept: impl Fn(&str, &str) -> bool) -> String {
    let mut kept = String::with_capacity(query.len());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Pair { name, value, .. } = Pair::of_query(pair.as_bytes());
        if !is_kept(&name, &value) {
            continue;
        }
        if !kept.is_empty() {
            kept.push('&');
        }
        for byte in pair.bytes() {
            match byte {
                b'*' | b'-' | b'.' | b'_' | b'+' | b',' | b'=' | b'%' => kept.push(byte.into()),
                byte if byte.is_ascii_alphanumeric() => kept.push(byte.into()),
                byte => kept.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    kept
}

/// The bytes that are meant by `%` and two digits.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text;
    let mut bytes = Vec::with_capacity(text.len());
    while let [byte, after @ ..] = rest {
        rest = after;
        bytes.push(match after {
            [high, low, after @ ..] if *byte == b'%' => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high * 16 + low
                }
                _ => *byte,
            },
            _ => *byte,
        });
    }
    bytes
}

/// The name in serde's own words for a member that is not there.
pub(super) fn missing(why: &str) -> Option<String> {
    member(why, "missing field `")
}

/// The name that stands between `before` and the next accent.
pub(super) fn member(why: &str, before: &str) -> Option<String> {
    why.strip_prefix(before)?.split('`').next().map(str::to_owned)
}

/// The names of the fields of `T`, if it is a struct: asked of its own `Deserialize`, which says what
/// it wants before it reads anything.
pub(super) fn fields<'de, T: Deserialize<'de>>() -> Option<&'static [&'static str]> {
    struct Ask(Option<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for &mut Ask {
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

    let mut ask = Ask(None);
    let _ = T::deserialize(&mut ask);
    ask.0
}

#[cfg(test)]
mod tests;
