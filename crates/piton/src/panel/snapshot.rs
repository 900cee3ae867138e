//! [`PanelSnapshot`]: the variables as they were found, without the values that are hidden.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::mask::Mask;
use super::variable_sources::FoundVariable;
use crate::config::Origin;

/// The variables of a panel as they were found. Hidden values are not in it. Serializes to JSON;
/// [`PanelSnapshot::html`] and [`PanelSnapshot::json`] return its two forms, [`PanelSnapshot::respond`] the
/// one that a request prefers.
#[derive(Clone, Serialize, JsonSchema)]
pub struct PanelSnapshot {
    /// The title of the panel.
    pub title: String,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The warning to all readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The alarm about the current state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<String>,
    /// The values that are hidden: `none`, `secrets` or `all`.
    #[serde(serialize_with = "name_of")]
    #[schemars(with = "String")]
    pub mask: Mask,
    /// The groups in their order.
    pub groups: Vec<GroupSnapshot>,
    #[serde(skip)]
    pub(super) json_at: Option<String>,
}

/// A group of a [`PanelSnapshot`].
#[derive(Clone, Serialize, JsonSchema)]
pub struct GroupSnapshot {
    /// The name of the group.
    pub name: String,
    /// The description of the group.
    pub description: String,
    /// The variables in their order.
    pub variables: Vec<VariableSnapshot>,
}

/// A variable of a [`PanelSnapshot`].
#[derive(Clone, Serialize, JsonSchema)]
pub struct VariableSnapshot {
    /// The name of the variable.
    pub name: String,
    /// The state of the variable.
    pub state: VariableState,
    /// The value for display; `null` if there is none, or if it is not text.
    pub value: Option<String>,
    /// The place where it was found.
    pub source: Option<ValueSource>,
    /// The reason why the value cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The state of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VariableState {
    /// Set, and the value is shown.
    Set,
    /// Set, and the value or a part of it is hidden: `***` replaces it.
    Hidden,
    /// Present, and empty.
    Empty,
    /// In none of the sources.
    Missing,
    /// Present, and not readable.
    Unreadable,
}

/// The place where a variable was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ValueSource {
    /// The kind of place: `environment`, `.env` or `file`.
    pub kind: &'static str,
    /// The place itself, such as `.env:3` or `/etc/secrets/CSRF_SECRET`.
    pub at: String,
}

impl VariableSnapshot {
    pub(super) fn new(name: &str, found: Option<FoundVariable>, mask: Mask) -> Self {
        let name = name.to_owned();
        let Some(FoundVariable { text, origin }) = found else {
            return Self {
                name,
                state: VariableState::Missing,
                value: None,
                source: None,
                why: None,
            };
        };
        let source = Some(ValueSource::of(&origin));
        match text {
            Ok(text) => {
                let shown = mask.show(&name, &text);
                let state = match () {
                    () if text.is_empty() => VariableState::Empty,
                    () if shown == text && mask != Mask::All => VariableState::Set,
                    () => VariableState::Hidden,
                };
                Self { name, state, value: Some(shown), source, why: None }
            }
            Err(why) => {
                Self { name, state: VariableState::Unreadable, value: None, source, why: Some(why) }
            }
        }
    }
}

impl ValueSource {
    fn of(origin: &Origin) -> Self {
        let kind = match origin {
            Origin::Environment { .. } => "environment",
            Origin::DotEnv { .. } => ".env",
            _ => "file",
        };
        Self { kind, at: origin.to_string() }
    }
}

impl PanelSnapshot {
    /// Returns the number of variables, and the number of those that are present. A variable that cannot be
    /// read does not count as present, because its value has not reached the service.
    pub(super) fn counts(&self) -> (usize, usize) {
        let groups = self.groups.iter().map(GroupSnapshot::counts);
        groups.fold((0, 0), |(all, there), (more, more_there)| (all + more, there + more_there))
    }
}

impl GroupSnapshot {
    pub(super) fn counts(&self) -> (usize, usize) {
        let lacks = |variable: &VariableSnapshot| {
            matches!(variable.state, VariableState::Missing | VariableState::Unreadable)
        };
        let there = |variable: &&VariableSnapshot| !lacks(variable);
        (self.variables.len(), self.variables.iter().filter(there).count())
    }
}

fn name_of<S: serde::Serializer>(mask: &Mask, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(mask.name())
}

/// Implements `Debug` without the values, because with [`Mask::None`] some are secrets.
macro_rules! debug_without_values {
    ($($snapshot:ident $shown:ident),*) => {$(
        impl fmt::Debug for $snapshot {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut f = f.debug_struct(stringify!($snapshot));
                f.field(stringify!($shown), &self.$shown).finish_non_exhaustive()
            }
        }
    )*};
}

debug_without_values!(PanelSnapshot groups, GroupSnapshot variables, VariableSnapshot name);
