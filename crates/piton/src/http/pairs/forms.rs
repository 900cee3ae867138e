//! The forms of buffered values: the search for those that their types accept.

use serde::de::DeserializeOwned;

use super::faults::missing;
use super::refusal::{self, Mismatch, PairRefusal, RefusedValue, asks_for_list, take_mismatches};
use super::scalar::is_number;
use super::split::{ItemIndex, object_and_member};
use super::{MAX_COMPARED, MAX_OBJECTS, MAX_READS, Pairs, Position};

/// Maximum number of times that a buffered value changes its form, between the variants of an untagged enum.
pub(super) const MAX_CHANGES: u8 = 4;

/// Maximum number of buffered values that are equal to others and tried in all forms.
const MAX_EQUAL: usize = 6;

/// The whole value of a group, or one of its list.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValuePart {
    Whole,
    Item(ItemIndex),
}

/// The form in which a buffered value is given to serde.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueForm {
    Text,
    Number,
    Flag,
    List,
    /// A value that no type accepts, to learn whether it is read at all.
    Poison,
}

impl Pairs<'_> {
    /// Reads again until every buffered value has the form that its type asks for.
    #[cold]
    pub(super) fn settle<T: DeserializeOwned>(
        &mut self,
        mut result: Result<T, PairRefusal>,
    ) -> Result<T, PairRefusal> {
        // An untagged enum may accept a form that is not the first one it asked for.
        let mut accepted: Option<(T, Vec<Mismatch>)> = None;
        // The refusal of the single parameter of a path, read by its position.
        let mut by_place: Option<(PairRefusal, Option<Position>)> = None;
        for pass in 0..self.max_passes() {
            let mismatches = take_mismatches();
            let is_accepted = result.is_ok();
            if !is_accepted && accepted.is_some() {
                break;
            }
            // An accepted form is kept: the next variant of the enum would refuse it.
            let mut is_changed = self.change_forms(&mismatches, is_accepted);
            if let Ok(value) = result {
                accepted = Some((value, mismatches));
                result = Err(PairRefusal::new(""));
            } else if pass == self.max_passes() / 2 {
                // In a map with many numbers, each of them would take a pass.
                is_changed |= self.change_all();
            } else if !is_changed
                && self.may_be_by_name.get()
                && !self.is_by_name.replace(true)
                && let Err(refusal) = result
            {
                by_place = Some((refusal, self.at.get()));
                is_changed = true;
                result = Err(PairRefusal::new(""));
            }
            if !is_changed {
                break;
            }
            result = self.pass();
        }
        let Some((value, mismatches)) = accepted else {
            // A struct refuses text as such, which does not explain what is wrong with the value.
            if let Some((refusal, at)) = by_place
                && !refusal.what.starts_with("invalid type")
            {
                self.at.set(at);
                self.is_by_name.set(false);
                return Err(refusal);
            }
            return result.or_else(|refusal| self.try_equal_values().ok_or(refusal));
        };
        match self.dropped::<T>(&mismatches) {
            Some(refusal) => Err(refusal),
            None => Ok(value),
        }
    }

    /// Tries all forms of equal values: serde does not say which of them it refuses.
    fn try_equal_values<T: DeserializeOwned>(&mut self) -> Option<T> {
        let text = |group: usize| &*self.pairs[self.groups[group].first].value;
        let may_be_typed = |group: &usize| {
            let it = &self.groups[*group];
            let is_typed = matches!(text(*group), "true" | "false") || is_number(text(*group));
            it.is_buffered.get() && it.more.is_empty() && it.form != ValueForm::List && is_typed
        };
        let all: Vec<usize> = self.present().filter(may_be_typed).take(MAX_COMPARED).collect();
        let is_equal =
            |group: &usize| all.iter().any(|it| it != group && text(*it) == text(*group));
        let equal: Vec<usize> = all.iter().copied().filter(is_equal).collect();
        if equal.is_empty() || equal.len() > MAX_EQUAL {
            return None;
        }
        let (at, before) = (self.at.get(), equal.iter().map(|it| self.groups[*it].form));
        let before: Vec<ValueForm> = before.collect();
        for forms in 0..1_usize << equal.len() {
            for (place, group) in equal.iter().enumerate() {
                let form = match text_form(&self.pairs[self.groups[*group].first].value) {
                    typed if forms >> place & 1 == 1 => typed,
                    _ => ValueForm::Text,
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

    /// Changes values to the forms that their types asked for. Returns whether any changed.
    fn change_forms(&mut self, mismatches: &[Mismatch], is_accepted: bool) -> bool {
        let mut is_changed = false;
        let is_text = |mismatch: &Mismatch| matches!(mismatch.value, RefusedValue::Text { .. });
        let mismatches = mismatches.iter().filter(|it| it.is_form && (is_text(it) || !is_accepted));
        for mismatch in mismatches.take(self.max_passes()) {
            is_changed |= self.change_form(mismatch);
        }
        is_changed
    }

    fn change_form(&mut self, mismatch: &Mismatch) -> bool {
        let Some((group, part)) = self.find(mismatch.value) else { return false };
        let text = self.text(group, part);
        let wants_list = matches!(part, ValuePart::Whole) && asks_for_list(&mismatch.expected);
        let wanted = match mismatch.value {
            RefusedValue::Text { .. } | RefusedValue::List if wants_list => ValueForm::List,
            RefusedValue::Text { .. } => text_form(text),
            _ => ValueForm::Text,
        };
        self.groups[group].change(part, wanted)
    }

    fn text(&self, group: usize, part: ValuePart) -> &str {
        let group = &self.groups[group];
        let pair = |at: usize| &self.pairs[if at == 0 { group.first } else { group.more[at - 1] }];
        match part {
            ValuePart::Whole => &pair(0).value,
            ValuePart::Item((at, item)) => &pair(at).items(group.splits_decoded)[item],
        }
    }

    /// Changes all values that look like numbers to numbers. Returns whether any changed.
    fn change_all(&mut self) -> bool {
        let mut is_changed = false;
        let Self { pairs, groups, .. } = self;
        for group in groups.iter_mut().filter(|group| group.form == ValueForm::Text) {
            if group.more.is_empty() && is_number(&pairs[group.first].value) {
                group.form = ValueForm::Number;
                is_changed = true;
            }
        }
        is_changed
    }

    /// Finds the group and the part of it whose value was refused.
    pub(super) fn find(&self, value: RefusedValue) -> Option<(usize, ValuePart)> {
        // Comparing a value takes much less time than reading it.
        self.count_reads(self.pairs.len() / 32);
        self.present().find_map(|at| {
            let group = &self.groups[at];
            let is_typed = |form: ValueForm| matches!(form, ValueForm::Number | ValueForm::Flag);
            let is_list = group.form == ValueForm::List || !group.more.is_empty();
            let part = match value {
                // A list of one item has the same address as the item.
                RefusedValue::Text { .. } => self.find_part(at, |part, text| {
                    RefusedValue::text(text) == value
                        && !(is_list && matches!(part, ValuePart::Whole))
                }),
                RefusedValue::Unsigned(_)
                | RefusedValue::Signed(_)
                | RefusedValue::Float(_)
                | RefusedValue::Flag(_) => self.find_part(at, |part, text| match part {
                    ValuePart::Whole => {
                        is_typed(group.form) && group.changes < MAX_CHANGES && is_same(text, value)
                    }
                    ValuePart::Item(item) => {
                        is_typed(group.item_form(item)) && is_same(text, value)
                    }
                }),
                RefusedValue::List => (!group.more.is_empty()).then_some(ValuePart::Whole),
                RefusedValue::Poison | RefusedValue::Other => None,
            };
            Some((at, part?))
        })
    }

    /// Finds the first part of a group that `is_it`.
    fn find_part(
        &self,
        group: usize,
        is_it: impl Fn(ValuePart, &str) -> bool,
    ) -> Option<ValuePart> {
        self.groups[group].pairs().enumerate().find_map(|(at, pair)| {
            let pair = &self.pairs[pair];
            if is_it(ValuePart::Whole, &pair.value) {
                return Some(ValuePart::Whole);
            }
            let items = pair.read_items().map(|(item, text)| (ValuePart::Item((at, item)), text));
            items.into_iter().find_map(|(part, text)| is_it(part, text).then_some(part))
        })
    }

    /// Returns the refusal of a value that was dropped: an `Option` of a flattened struct discards both the value
    /// and the error.
    fn dropped<T: DeserializeOwned>(&mut self, mismatches: &[Mismatch]) -> Option<PairRefusal> {
        let mut looked_at = Vec::new();
        for mismatch in
            mismatches.iter().filter(|mismatch| matches!(mismatch.value, RefusedValue::Text { .. }))
        {
            if self.reads.get() > MAX_READS {
                return Some(PairRefusal::exhausted());
            }
            let Some((group, ValuePart::Whole)) = self.find(mismatch.value) else { continue };
            if looked_at.contains(&group) || looked_at.len() >= self.max_passes() {
                continue;
            }
            looked_at.push(group);
            let refused = mismatches.iter().filter(|other| other.value == mismatch.value).count();
            if self.poisoned::<T>(group) == (true, refused) {
                let expected: &str = &mismatch.expected;
                let what = match self.pairs[self.groups[group].first].value.is_empty() {
                    true => "is empty".into(),
                    false => refusal::not_valid(expected),
                };
                return Some(PairRefusal { value: Some(mismatch.value), ..PairRefusal::new(what) });
            }
        }
        None
    }

    /// Replaces the group's value with one that no type accepts. Returns whether a `T` is read nevertheless, and how
    /// often the value is refused.
    pub(super) fn poisoned<T: DeserializeOwned>(&mut self, group: usize) -> (bool, usize) {
        let form = std::mem::replace(&mut self.groups[group].form, ValueForm::Poison);
        let result = self.pass::<T>();
        let mismatches = take_mismatches();
        self.groups[group].form = form;
        let refused =
            mismatches.iter().filter(|mismatch| mismatch.value == RefusedValue::Poison).count();
        (result.is_ok(), refused)
    }

    /// Returns the names before brackets that may be those of objects: `range[min]` is not read as it is, or `range` is
    /// missing.
    ///
    /// # Errors
    /// There are more than [`MAX_OBJECTS`] of them.
    #[cold]
    pub(super) fn find_objects<T: DeserializeOwned>(
        &mut self,
        refusal: Option<&PairRefusal>,
    ) -> Result<Vec<String>, PairRefusal> {
        let missing = refusal.map(|refusal| missing(&refusal.what));
        // A map reads all names as they are: to try each of them would take a pass.
        if missing == Some(None) || missing.is_none() && self.accepts_any_name::<T>() {
            return Ok(Vec::new());
        }
        let mut candidates: Vec<(usize, String)> = Vec::new();
        for group in self.present() {
            let Some((object, _)) = object_and_member(self.name(group)) else { continue };
            let is_known = self.objects.iter().any(|known| known == object)
                || candidates.iter().any(|(_, known)| known == object);
            let is_another = missing.as_ref().is_some_and(|it| it.as_deref() != Some(object));
            if is_known || is_another {
                continue;
            }
            if self.objects.len() + candidates.len() >= MAX_OBJECTS {
                self.at.set(Some(Position::Group(group)));
                let what = format!("is one of more than {MAX_OBJECTS} names with brackets");
                return Err(PairRefusal { is_final: true, ..PairRefusal::new(what) });
            }
            candidates.push((group, object.to_owned()));
        }
        let is_object = |(group, _): &(usize, String)| {
            missing.is_some() || self.poisoned::<T>(*group) == (true, 0)
        };
        candidates.retain(is_object);
        Ok(candidates.into_iter().map(|(_, object)| object).collect())
    }
}

/// Returns the form of `text` other than text: number or boolean, if it looks like one.
fn text_form(text: &str) -> ValueForm {
    match text {
        "true" | "false" => ValueForm::Flag,
        number if is_number(number) => ValueForm::Number,
        _ => ValueForm::Text,
    }
}

/// Returns whether `text` was given as the number or boolean that was refused.
fn is_same(text: &str, value: RefusedValue) -> bool {
    match value {
        RefusedValue::Unsigned(number) => text.parse() == Ok(number),
        RefusedValue::Signed(number) => text.parse() == Ok(number),
        RefusedValue::Float(number) => {
            text.parse().is_ok_and(|other: f64| other.to_bits() == number.to_bits())
        }
        RefusedValue::Flag(flag) => text.parse() == Ok(flag),
        _ => false,
    }
}
