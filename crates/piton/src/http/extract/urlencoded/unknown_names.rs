//! Finds the names that a type does not read, because a `Listing` rejects unknown parameters.

use serde::de::DeserializeOwned;

use super::name_value_pairs::NameValuePairs;

impl NameValuePairs<'_> {
    /// Returns the names that `T` does not read, at most `max + 1`. If other parameters are rejected, that cannot be
    /// determined for all names: then the names that `documented` returns count as read. It also returns whether the
    /// schema allows any name.
    pub fn find_unread_names<T: DeserializeOwned>(
        &mut self,
        max: usize,
        documented: impl FnOnce() -> (Vec<String>, bool),
    ) -> Vec<String> {
        let is_valid = self.attempt::<T>().is_ok();
        let (names, accepts_any_name) = match is_valid {
            true => (Vec::new(), self.accepts_any_name::<T>()),
            false => documented(),
        };
        let mut unread = Vec::new();
        for group in 0..self.groups.len() {
            if accepts_any_name || unread.len() > max {
                break;
            }
            let name = self.name(group).to_owned();
            let is_removed = self.groups[group].is_removed;
            if names.contains(&name) || self.groups[group].is_taken {
                continue;
            }
            self.set_removed(group, false);
            let (is_read, rejections) = self.probe::<T>(group);
            self.set_removed(group, is_removed);
            if self.is_exhausted.get() {
                break;
            }
            if rejections == 0 && (is_read || !is_valid) {
                unread.push(name);
            }
        }
        unread
    }

    /// Returns the names with brackets that no member of `T` has, at most `max + 1`.
    pub fn find_unread_members<T: DeserializeOwned>(&mut self, max: usize) -> Vec<String> {
        let mut unread = Vec::new();
        if !self.has_brackets || self.attempt::<T>().is_err() {
            return unread;
        }
        for group in self.present().collect::<Vec<_>>() {
            if unread.len() > max || self.is_exhausted.get() {
                break;
            }
            if self.name(group).contains('[') && self.probe::<T>(group) == (true, 0) {
                unread.push(self.name(group).to_owned());
            }
        }
        unread
    }
}
