//! What was found, as far as it may be shown.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::mask::Mask;
use super::sources::Found;
use crate::config::Origin;

/// What was found, as far as it may be shown: what is hidden is not in it. It serializes to JSON;
/// [`Reading::html`] and [`Reading::json`] are its two forms, [`Reading::answer`] is that of the two which
/// a request prefers.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Reading {
    /// What the panel is called.
    pub title: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What whoever sees it must be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// What is wrong at this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<String>,
    /// Which values are hidden: `none`, `secrets` or `all`.
    #[serde(serialize_with = "name_of")]
    #[schemars(with = "String")]
    pub mask: Mask,
    /// The groups in their order.
    pub groups: Vec<GroupReading>,
    #[serde(skip)]
    pub(super) json_at: Option<String>,
}

/// A group of a [`Reading`].
#[derive(Clone, Serialize, JsonSchema)]
pub struct GroupReading {
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Its variables in their order.
    pub variables: Vec<VariableReading>,
}

/// A variable of a [`Reading`].
#[derive(Clone, Serialize, JsonSchema)]
pub struct VariableReading {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Its value as it may be shown; `null` where there is none, or none that is text.
    pub value: Option<String>,
    /// Where it was found.
    pub source: Option<Place>,
    /// Why its value cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has a value, and that is shown.
    Set,
    /// It has a value, which or a part of which is hidden: `***` stands in its place.
    Hidden,
    /// It is there, and empty.
    Empty,
    /// It is nowhere.
    Missing,
    /// It is there, and is not to be read.
    Unreadable,
}

/// Where a variable was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// `environment`, `.env` or `file`.
    pub kind: &'static str,
    /// Which it is, such as `.env:3` or `/etc/secrets/CSRF_SECRET`.
    pub at: String,
}

impl VariableReading {
    pub(super) fn new(name: &str, found: Option<Found>, mask: Mask) -> Self {
        let name = name.to_owned();
        let Some(Found { text, origin }) = found else {
            return Self { name, state: State::Missing, value: None, source: None, why: None };
        };
        let source = Some(Place::of(&origin));
        match text {
            Ok(text) => {
                let shown = mask.show(&name, &text);
                let state = match () {
                    () if text.is_empty() => State::Empty,
                    () if shown == text && mask != Mask::All => State::Set,
                    () => State::Hidden,
                };
                Self { name, state, value: Some(shown), source, why: None }
            }
            Err(why) => {
                Self { name, state: State::Unreadable, value: None, source, why: Some(why) }
            }
        }
    }
}

impl Place {
    fn of(origin: &Origin) -> Self {
        let kind = match origin {
            Origin::Environment { .. } => "environment",
            Origin::DotEnv { .. } => ".env",
            _ => "file",
        };
        Self { kind, at: origin.to_string() }
    }
}

impl Reading {
    /// How many variables there are, and how many of them have a value or are empty. What cannot be read
    /// has not reached the service.
    pub(super) fn counts(&self) -> (usize, usize) {
        let groups = self.groups.iter().map(GroupReading::counts);
        groups.fold((0, 0), |(all, there), (more, more_there)| (all + more, there + more_there))
    }
}

impl GroupReading {
    pub(super) fn counts(&self) -> (usize, usize) {
        let lacks = |variable: &VariableReading| {
            matches!(variable.state, State::Missing | State::Unreadable)
        };
        let there = |variable: &&VariableReading| !lacks(variable);
        (self.variables.len(), self.variables.iter().filter(there).count())
    }
}

fn name_of<S: serde::Serializer>(mask: &Mask, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(mask.name())
}

/// Without the values: with [`Mask::None`] they are secrets.
macro_rules! debug_without_values {
    ($($reading:ident $shown:ident),*) => {$(
        impl fmt::Debug for $reading {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut f = f.debug_struct(stringify!($reading));
                f.field(stringify!($shown), &self.$shown).finish_non_exhaustive()
            }
        }
    )*};
}

debug_without_values!(Reading groups, GroupReading variables, VariableReading name);
