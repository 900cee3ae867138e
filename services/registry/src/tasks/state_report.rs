//! Counts the companies of every state, each in a task of its own, and adds the numbers up.

use std::collections::BTreeMap;

use piton::prelude::*;
use piton::tasks::{BrokerError, Group, Sent};

use crate::converters::State;

/// The number of companies in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateCount {
    /// The state.
    pub state: State,
    /// The number of companies.
    pub companies: u64,
}

/// The result of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateReport {
    /// The number of all companies.
    pub companies: u64,
    /// The numbers of the states that have any.
    pub states: BTreeMap<String, u64>,
}

/// Sends a task for each state, and one that sums up their results.
///
/// # Errors
/// The tasks cannot be stored now.
pub async fn send() -> Result<Sent<StateReport>, BrokerError> {
    let counts = State::ALL.map(count_state::apply);
    Group::new(counts).then(sum_up::signature()).send().await
}

/// Counts the companies of a state.
#[task(name = "registry.count_state", retries = 3)]
pub async fn count_state(#[part] db: Db, state: State) -> task::Result<StateCount> {
    let companies = db.scalar("SELECT count(*) FROM companies WHERE state = $1", (state,)).await?;
    Ok(StateCount { state, companies })
}

/// Sums up the numbers of the states.
#[task(name = "registry.sum_up")]
pub async fn sum_up(counts: Vec<StateCount>) -> task::Result<StateReport> {
    let companies = counts.iter().map(|count| count.companies).sum();
    let some = counts.into_iter().filter(|count| count.companies > 0);
    let states = some.map(|count| (count.state.to_string(), count.companies)).collect();
    Ok(StateReport { companies, states })
}
