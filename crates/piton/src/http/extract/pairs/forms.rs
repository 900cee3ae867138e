//! The forms of buffered values: the search for those that their types accept.

use serde::de::DeserializeOwned;

use super::faults::missing;
use super::refusal::{Mismatch, PairRefusal, RefusedValue, asks_for_list, take_mismatches};
use super::scalar::is_number;
use super::split::{GroupForms, ItemIndex, object_and_member};
use super::{MAX_COMPARED, MAX_OBJECTS, MAX_READS, Pairs, Position};

/// Maximum number of times that a buffered value changes its form, between the variants of an untagged enum.
pub(super) const MAX_CHANGES: u8 = 4;

/// Maximum number of refused values looked at for one change.
const MAX_TRIED: usize = 256;

/// Maximum number of buffered values that are equal to others and tried in all forms.
const MAX_EQUAL: usize = 6;

/// The whole value of a group, or one of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValuePart {
    Whole,
    Item(ItemIndex),
}

/// The form in which a buffered value is given to serde.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueForm {
    Text,
    Number,
    /// A number given as a signed one, to tell it from an equal one that is not.
    Signed,
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
        let mut changed = Vec::new();
        // The refusal of the single parameter of a path, read by its position.
        let mut by_place: Option<(PairRefusal, Option<Position>)> = None;
        for pass in 0..self.max_passes() {
            let mismatches = take_mismatches();
            let is_accepted = result.is_ok();
            if let (false, Some(before)) = (is_accepted, accepted.take_if(|_| !is_accepted)) {
                accepted = Some(self.settle_one_by_one(before, changed));
                break;
            }
            // An accepted form is kept: the next variant of the enum would refuse it.
            changed = self.change_forms(&mismatches, is_accepted);
            let mut is_changed = !changed.is_empty();
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

    /// Undoes changes of which one was refused, and makes those that are accepted, one by one.
    fn settle_one_by_one<T: DeserializeOwned>(
        &mut self,
        (mut value, mut mismatches): (T, Vec<Mismatch>),
        changed: Vec<(usize, GroupForms)>,
    ) -> (T, Vec<Mismatch>) {
        for (group, forms) in changed.into_iter().rev() {
            self.groups[group].restore(forms);
        }
        let mut refused = Vec::new();
        for _ in 0..self.max_passes() {
            let is_form = |it: &&Mismatch| it.is_form && it.value.is_text();
            let changes = mismatches.iter().filter(is_form).take(MAX_TRIED);
            let next = changes.filter_map(|it| self.wanted_form(it)).find(|(group, part, form)| {
                let is_new = match part {
                    ValuePart::Whole => self.groups[*group].form != *form,
                    ValuePart::Item(item) => self.groups[*group].item_form(*item) != *form,
                };
                is_new && !refused.contains(&(*group, *part, *form))
            });
            let Some((group, part, form)) = next else { break };
            let before = self.groups[group].forms();
            refused.push((group, part, form));
            if !self.groups[group].change(part, form) {
                continue;
            }
            match self.pass() {
                Ok(better) => (value, mismatches) = (better, take_mismatches()),
                Err(_) => self.groups[group].restore(before),
            }
        }
        (value, mismatches)
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

    /// Changes values to the forms that their types asked for. Returns the groups that changed, as they were.
    fn change_forms(
        &mut self,
        mismatches: &[Mismatch],
        is_accepted: bool,
    ) -> Vec<(usize, GroupForms)> {
        let mut changed = Vec::new();
        let mismatches =
            mismatches.iter().filter(|it| it.is_form && (it.value.is_text() || !is_accepted));
        for mismatch in mismatches.take(self.max_passes()) {
            let Some((group, part, form)) = self.wanted_form(mismatch) else { continue };
            let before = self.groups[group].forms();
            if self.groups[group].change(part, form) {
                changed.push((group, before));
            }
        }
        changed
    }

    /// Finds the refused value, and the form that its type asked for.
    fn wanted_form(&self, mismatch: &Mismatch) -> Option<(usize, ValuePart, ValueForm)> {
        let (group, part) = self.find(mismatch.value)?;
        let text = self.text(group, part);
        let wants_list = matches!(part, ValuePart::Whole) && asks_for_list(&mismatch.expected);
        let wanted = match mismatch.value {
            RefusedValue::Text { .. } | RefusedValue::List if wants_list => ValueForm::List,
            // serde casts a number to an `f32`, and a large one to infinity.
            RefusedValue::Text { .. } if mismatch.expected == "f32" && overflows_f32(text) => {
                ValueForm::Text
            }
            RefusedValue::Text { .. } => text_form(text),
            _ => ValueForm::Text,
        };
        Some((group, part, wanted))
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
            // The items of a field that is a list are buffered, and not the list.
            let is_list_of_items =
                !group.is_buffered.get() && self.pairs[group.first].items.get().is_some();
            let is_list =
                group.form == ValueForm::List || !group.more.is_empty() || is_list_of_items;
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
        let mut looked_at: Vec<(usize, ValuePart)> = Vec::new();
        for mismatch in mismatches {
            if self.reads.get() > MAX_READS {
                return Some(PairRefusal::exhausted());
            }
            if mismatch.value == RefusedValue::Other {
                if let Some(refusal) = self.dropped_by_converter::<T>(mismatch, mismatches) {
                    return Some(refusal);
                }
                continue;
            }
            for (group, part) in self.find_equal(mismatch.value) {
                if looked_at.contains(&(group, part)) || looked_at.len() >= self.max_passes() {
                    continue;
                }
                looked_at.push((group, part));
                let refused = match mismatch.value {
                    RefusedValue::Unsigned(number) => {
                        self.refused_as_signed::<T>(group, part, number)
                    }
                    _ => None,
                };
                let count = || mismatches.iter().filter(|it| it.value == mismatch.value).count();
                let refused = refused.unwrap_or_else(count);
                if refused > 0 && self.poisoned_part::<T>(group, part) == (true, refused) {
                    self.at.set(Some(Position::Group(group)));
                    let value = Some(mismatch.value);
                    let refusal = PairRefusal { value, ..PairRefusal::new(&*mismatch.what) };
                    return Some(match part {
                        ValuePart::Whole => refusal,
                        ValuePart::Item((_, item)) => refusal.in_list(item + 1),
                    });
                }
            }
        }
        None
    }

    /// Finds the parameter that a converter refused in a value that was dropped. Its error names no value.
    fn dropped_by_converter<T: DeserializeOwned>(
        &mut self,
        mismatch: &Mismatch,
        mismatches: &[Mismatch],
    ) -> Option<PairRefusal> {
        let count = |all: &[Mismatch]| {
            let is_same = |it: &&Mismatch| it.value == mismatch.value && it.what == mismatch.what;
            all.iter().filter(is_same).count()
        };
        let before = count(mismatches);
        let buffered = |group: &usize| self.groups[*group].is_buffered.get();
        let groups: Vec<usize> = self.present().filter(buffered).take(self.max_passes()).collect();
        for group in groups {
            let form = std::mem::replace(&mut self.groups[group].form, ValueForm::Poison);
            let is_ok = self.pass::<T>().is_ok();
            self.groups[group].form = form;
            let after = take_mismatches();
            let poison = after.iter().filter(|it| it.value == RefusedValue::Poison).count();
            let fewer = before - count(&after).min(before);
            if is_ok
                && fewer > 0
                && poison == fewer
                && !self.is_read_without::<T>(group, before, &count)
            {
                self.at.set(Some(Position::Group(group)));
                return Some(PairRefusal::new(&*mismatch.what));
            }
        }
        None
    }

    /// Returns whether the error of a converter remains without the parameter.
    fn is_read_without<T: DeserializeOwned>(
        &mut self,
        group: usize,
        before: usize,
        count: &impl Fn(&[Mismatch]) -> usize,
    ) -> bool {
        self.set_removed(group, true);
        let _ = self.pass::<T>();
        self.set_removed(group, false);
        count(&take_mismatches()) >= before
    }

    /// Finds the values that may be the refused one: numbers have no address.
    fn find_equal(&self, value: RefusedValue) -> Vec<(usize, ValuePart)> {
        let first = self.find(value);
        if !matches!(value, RefusedValue::Unsigned(_)) {
            return first.into_iter().collect();
        }
        let is_equal = |group: &usize| {
            let it = &self.groups[*group];
            it.form == ValueForm::Number && is_same(&self.pairs[it.first].value, value)
        };
        let equal = self.present().filter(is_equal).map(|group| (group, ValuePart::Whole));
        let mut all: Vec<_> = first.into_iter().collect();
        for one in equal.take(MAX_COMPARED) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    /// Gives a number as a signed one, and returns how many times it is refused as such.
    fn refused_as_signed<T: DeserializeOwned>(
        &mut self,
        group: usize,
        part: ValuePart,
        number: u64,
    ) -> Option<usize> {
        let signed = RefusedValue::Signed(i64::try_from(number).ok()?);
        let ValuePart::Whole = part else { return None };
        let form = std::mem::replace(&mut self.groups[group].form, ValueForm::Signed);
        let _ = self.pass::<T>();
        self.groups[group].form = form;
        Some(take_mismatches().iter().filter(|it| it.value == signed).count())
    }

    /// Replaces a value, or an item of a list, with one that no type accepts. Returns as [`Pairs::poisoned`] does.
    fn poisoned_part<T: DeserializeOwned>(
        &mut self,
        group: usize,
        part: ValuePart,
    ) -> (bool, usize) {
        let ValuePart::Item(item) = part else { return self.poisoned::<T>(group) };
        self.groups[group].other_items.insert(0, (item, ValueForm::Poison));
        let result = self.pass::<T>();
        self.groups[group].other_items.remove(0);
        let mismatches = take_mismatches();
        let refused = mismatches.iter().filter(|it| it.value == RefusedValue::Poison).count();
        (result.is_ok(), refused)
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

/// Returns whether `text` is a finite number that is infinite as an `f32`.
pub(super) fn overflows_f32(text: &str) -> bool {
    text.parse().is_ok_and(|number: f32| number.is_infinite()) && is_number(text)
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
