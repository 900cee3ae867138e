//! Finds the parameter whose value was rejected: text by its address, a number by its value.

use super::deserialize_error::RejectedValue;
use super::limits::{MAX_COMPARED, MAX_TYPE_CHANGES};
use super::name_value_pairs::NameValuePairs;
use super::numbers::parse_bool;
use super::pair_group::{InferredType, ValuePart};

impl NameValuePairs<'_> {
    /// Finds the group, and the part of it, whose value was rejected.
    pub(super) fn find(&self, value: RejectedValue) -> Option<(usize, ValuePart)> {
        // 32 comparisons count as one read, because a comparison takes much less time.
        self.count_reads(self.pairs.len() / 32);
        self.present().find_map(|at| {
            let group = &self.groups[at];
            let is_typed = |inferred_type: InferredType| {
                matches!(inferred_type, InferredType::Number | InferredType::Bool)
            };
            // A list counts as one even if only its items are buffered, because its field is a list.
            let is_list_of_items =
                !group.is_buffered.get() && self.pairs[group.first].items.get().is_some();
            let is_list = group.inferred_type == InferredType::List
                || !group.more.is_empty()
                || is_list_of_items;
            let part = match value {
                // The whole value of a list is left out, because a list of one item has the same address as the item.
                RejectedValue::Text { .. } => self.find_part(at, |part, text| {
                    RejectedValue::text(text) == value
                        && !(is_list && matches!(part, ValuePart::Whole))
                }),
                RejectedValue::Unsigned(_)
                | RejectedValue::Signed(_)
                | RejectedValue::Float(_)
                | RejectedValue::Bool(_) => self.find_part(at, |part, text| match part {
                    ValuePart::Whole => {
                        is_typed(group.inferred_type)
                            && group.changes < MAX_TYPE_CHANGES
                            && is_same(text, value)
                    }
                    ValuePart::Item(item) => {
                        is_typed(group.item_type(item)) && is_same(text, value)
                    }
                }),
                RejectedValue::List => (!group.more.is_empty()).then_some(ValuePart::Whole),
                RejectedValue::Poison | RejectedValue::Other => None,
            };
            Some((at, part?))
        })
    }

    /// Finds the first part of a group for which `is_it` returns true.
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

    /// Finds all values that may be the rejected one. Several numbers may be equal, and have no address to tell them apart.
    pub(super) fn find_equal(&self, value: RejectedValue) -> Vec<(usize, ValuePart)> {
        let first = self.find(value);
        if !matches!(value, RejectedValue::Unsigned(_)) {
            return first.into_iter().collect();
        }
        let is_equal = |group: &usize| {
            let it = &self.groups[*group];
            it.inferred_type == InferredType::Number && is_same(&self.pairs[it.first].value, value)
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

    /// Returns the text of a part of a group.
    pub(super) fn text(&self, group: usize, part: ValuePart) -> &str {
        let group = &self.groups[group];
        let pair = |at: usize| &self.pairs[if at == 0 { group.first } else { group.more[at - 1] }];
        match part {
            ValuePart::Whole => &pair(0).value,
            ValuePart::Item((at, item)) => &pair(at).items(group.splits_encoded_commas)[item],
        }
    }
}

/// Returns whether `text` was given as the number or boolean that was rejected.
fn is_same(text: &str, value: RejectedValue) -> bool {
    match value {
        RejectedValue::Unsigned(number) => text.parse() == Ok(number),
        RejectedValue::Signed(number) => text.parse() == Ok(number),
        RejectedValue::Float(number) => {
            text.parse().is_ok_and(|other: f64| other.to_bits() == number.to_bits())
        }
        RejectedValue::Bool(flag) => parse_bool(text) == Some(flag),
        _ => false,
    }
}
