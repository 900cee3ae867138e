//! What became of a company.

use piton::chrono::{DateTime, Utc};
use piton::db::{Bind, Column, Value, ValueError};
use piton::prelude::*;

use super::Company;

/// A company as it was after one change.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, FromRow)]
pub struct HistoryEntry {
    /// Which change: 1 is the registration.
    pub revision: i64,
    /// What was done.
    pub action: Action,
    /// When.
    pub at: DateTime<Utc>,
    /// The company after it.
    #[row(json)]
    pub company: Company,
}

/// What was done to a company. There is nothing else: companies are never deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was registered.
    Insert,
    /// It was changed.
    Update,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
        }
    }
}

impl Bind for Action {
    fn bind(self) -> Result<Value, ValueError> {
        self.name().bind()
    }
}

impl Column for Action {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let name = String::from_value(value)?;
        let known = [Self::Insert, Self::Update].into_iter().find(|action| action.name() == name);
        known.ok_or_else(|| ValueError::new("an action is `insert` or `update`"))
    }
}
