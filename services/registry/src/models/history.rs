//! The history of a company.

use piton::chrono::{DateTime, Utc};
use piton::db::{Bind, Column, Value, ValueError};
use piton::prelude::*;

use super::Company;

/// The state of a company after one change.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, FromRow)]
pub struct HistoryEntry {
    /// The number of the change: 1 is the registration.
    pub revision: i64,
    /// The kind of the change.
    pub action: Action,
    /// The time of the change.
    pub at: DateTime<Utc>,
    /// The company after the change.
    #[row(json)]
    pub company: Company,
}

/// The kind of a change. There is no deletion, because companies are never deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The company was registered.
    Insert,
    /// The company was changed.
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
        known.ok_or_else(|| ValueError::new("expected the action `insert` or `update`"))
    }
}
