//! The list of changes that a comparison of two documents collects.

use serde_json::Value;

/// A difference between two documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::openapi) struct ApiChange {
    /// True if clients of the older document may fail.
    pub breaking: bool,
    /// The operation or type, and the change, for people to read.
    pub text: String,
}

/// The comparison of two documents: the changes found so far, and the present place in the documents.
pub(super) struct Diff<'a> {
    pub before: &'a Value,
    pub now: &'a Value,
    pub place: String,
    pub changes: Vec<ApiChange>,
}

impl<'a> Diff<'a> {
    /// Adds a change that breaks clients.
    pub fn breaks(&mut self, what: &str) {
        self.add(true, what);
    }

    /// Adds a change that breaks no client.
    pub fn allows(&mut self, what: &str) {
        self.add(false, what);
    }

    pub fn add(&mut self, breaking: bool, what: &str) {
        let change = ApiChange { breaking, text: format!("{}: {what}", self.place) };
        // A type that is used twice in one place is compared twice, and its change is reported once.
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// Runs `compare` with `name` appended to the present place.
    pub fn within(&mut self, name: &str, compare: impl FnOnce(&mut Self)) {
        let length = self.place.len();
        self.place += name;
        compare(self);
        self.place.truncate(length);
    }
}

/// Returns the members of an object in the order of their names, so that reports do not depend on the order of
/// keys, which a Cargo feature of `serde_json` changes.
pub(super) fn members(value: &Value) -> Vec<(&str, &Value)> {
    let mut members: Vec<(&str, &Value)> =
        value.as_object().into_iter().flatten().map(|(key, value)| (&**key, value)).collect();
    members.sort_by_key(|(key, _)| *key);
    members
}
