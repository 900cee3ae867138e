//! The faults of pairs: finds every parameter that is wrong, by its name.

use std::cell::OnceCell;

use serde::de::DeserializeOwned;

use super::forms::ValueForm;
use super::refusal::PairRefusal;
use super::split::{Pair, PairGroup};
use super::{FieldError, Pairs, Position};
use crate::http::extract::serde_messages;

impl Pairs<'_> {
    /// Collects all faults, by removing one refused parameter after the other. An empty value that its type refuses
    /// counts as missing, so the rest may be a `T` without it.
    #[cold]
    pub(super) fn explain<T: DeserializeOwned>(
        mut self,
        mut refusal: PairRefusal,
        most: usize,
    ) -> Result<T, Vec<FieldError>> {
        let mut wrong: Vec<FieldError> = Vec::new();
        let mut without_value: Vec<String> = Vec::new();
        loop {
            let culprit = self.culprit::<T>(&refusal);
            if refusal.is_final || self.is_exhausted.get() {
                if wrong.is_empty() {
                    let name = self.at.get().map(|place| self.name_at(place));
                    wrong.push((name, serde_messages::plain(refusal.what)));
                }
                return Err(wrong);
            }
            let Some(place) = culprit else {
                if refusal.is_of_route && !wrong.is_empty() {
                    return Err(wrong);
                }
                let missing = missing(&refusal.what);
                if missing.as_ref().is_some_and(|name| without_value.contains(name)) {
                    wrong.push((missing, "is empty".into()));
                } else if missing.is_none() || wrong.iter().all(|(name, _)| *name != missing) {
                    // A refused parameter was removed, so serde reports it as missing at the end.
                    wrong.push((missing, serde_messages::plain(refusal.what)));
                }
                return Err(wrong);
            };
            match place {
                Position::Group(group) if self.split_at_encoded_commas(group) => {}
                Position::Group(group) => {
                    let name = self.name(group).to_owned();
                    if self.is_without_value(group)
                        && self.groups[group].more.is_empty()
                        && !self.is_path
                    {
                        without_value.push(name);
                    } else {
                        wrong.push((Some(name), serde_messages::plain(refusal.what)));
                    }
                    self.remove(group);
                }
                Position::Pair(pair) => {
                    let name = self.pairs[pair].name.to_string();
                    wrong.push((Some(name), serde_messages::plain(refusal.what)));
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

    fn name_at(&self, place: Position) -> String {
        match place {
            Position::Group(group) => self.name(group).to_owned(),
            Position::Pair(pair) => self.pairs[pair].name.to_string(),
        }
    }

    /// Splits values at `%2C` too, unless that has been tried: numbers, dates and the like contain no comma.
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

    /// Finds the parameter that was refused, if that can be determined.
    fn culprit<T: DeserializeOwned>(&mut self, refusal: &PairRefusal) -> Option<Position> {
        if self.at.get().is_some() {
            return self.at.get();
        }
        if missing(&refusal.what).is_some() || refusal.is_of_route || refusal.is_final {
            return None;
        }
        if let Some((group, _)) = refusal.value.and_then(|value| self.find(value)) {
            return Some(Position::Group(group));
        }
        let named = member(&refusal.what, "unknown field `");
        if let Some(named) = named.or_else(|| member(&refusal.what, "duplicate field `")) {
            let group = self.present().find(|group| self.name(*group) == named);
            return group.map(Position::Group);
        }
        if !self.is_buffered.get() {
            return None;
        }
        // A converter's error has no position. Parameters read after the refused one do not change the error.
        let buffered = |group: &usize| self.groups[*group].is_buffered.get();
        let groups: Vec<usize> = self.present().filter(buffered).take(self.max_passes()).collect();
        let differs = |what: Option<String>| what.as_deref() != Some(&refusal.what);
        let read: Vec<usize> = groups
            .into_iter()
            .filter(|group| differs(self.refused_with_poison::<T>(*group)))
            .collect();
        // Without the refused value, there is no error or a different one, if only that it is missing.
        let is_sound_without = |group: &usize| {
            let what = self.refused_without::<T>(*group);
            differs(what.clone()) && what.as_deref().and_then(missing).is_none()
        };
        let found = read.iter().copied().find(is_sound_without).or(read.last().copied());
        self.at.set(None);
        found.map(Position::Group)
    }

    fn refused_with_poison<T: DeserializeOwned>(&mut self, group: usize) -> Option<String> {
        let form = std::mem::replace(&mut self.groups[group].form, ValueForm::Poison);
        let refused = self.pass::<T>().err().map(|refusal| refusal.what);
        self.groups[group].form = form;
        refused
    }

    /// Returns the refusal of the pairs without this parameter.
    fn refused_without<T: DeserializeOwned>(&mut self, group: usize) -> Option<String> {
        self.set_removed(group, true);
        let refused = self.pass::<T>().err().map(|refusal| refusal.what);
        self.set_removed(group, false);
        refused
    }

    /// Returns the names that `T` does not read, at most `most + 1`. If other parameters are refused, that cannot be
    /// determined for all names, and names that are not `documented` count as not read.
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
            if self.is_exhausted.get() {
                break;
            }
            if refused == 0 && (is_read || !is_sound) {
                unread.push(name);
            }
        }
        unread
    }

    /// Returns the names in brackets that no member of `T` has, at most `most + 1`.
    pub fn unread_members<T: DeserializeOwned>(&mut self, most: usize) -> Vec<String> {
        let mut unread = Vec::new();
        if !self.has_brackets || self.attempt::<T>().is_err() {
            return unread;
        }
        for group in self.present().collect::<Vec<_>>() {
            if unread.len() > most || self.is_exhausted.get() {
                break;
            }
            if self.name(group).contains('[') && self.poisoned::<T>(group) == (true, 0) {
                unread.push(self.name(group).to_owned());
            }
        }
        unread
    }

    /// Returns whether `T` reads a parameter of a name that no field has.
    pub(super) fn accepts_any_name<T: DeserializeOwned>(&mut self) -> bool {
        let name = "\u{0}no such name";
        self.pairs.push(Pair::new(name.into(), "".into()));
        self.groups.push(PairGroup::new(self.pairs.len() - 1));
        let poisoned = self.poisoned::<T>(self.groups.len() - 1);
        self.groups.pop();
        self.pairs.pop();
        poisoned != (true, 0)
    }
}

/// Returns the name of the member in serde's message for a missing one.
pub(in crate::http) fn missing(why: &str) -> Option<String> {
    member(why, "missing field `")
}

/// Returns the name between `before` and the next backquote of a message.
pub(in crate::http) fn member(why: &str, before: &str) -> Option<String> {
    why.strip_prefix(before)?.split('`').next().map(str::to_owned)
}
