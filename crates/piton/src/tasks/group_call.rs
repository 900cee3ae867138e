//! [`Group`]: calls that belong together, with a summary of their results.

use std::fmt;

use serde_json::Value;

use super::brokers::records::{GroupMember, NewGroup, NewTask};
use super::call::Call;
use super::error::{BrokerError, Kind};
use super::sent::Sent;
use super::tasks_part::Tasks;

/// Maximum number of members of a group.
const MAX_MEMBERS: usize = 10_000;

/// Tasks that are sent together, and one that gets all their results when the last has ended: Celery's chord.
///
/// The first argument of the summary is the list of the results, in the order in which the members were
/// added. If a member fails for good or is revoked, the summary does not run, and fails with `ChordError`.
///
/// ```
/// use piton::tasks::{BrokerError, Call, Group};
///
/// # async fn f() -> Result<(), BrokerError> {
/// let months = (1..=12).map(|month| Call::<u64>::new("shop.count").arg(&month));
/// let summary = Group::new(months).then(Call::<u64>::new("shop.sum")).send().await?;
/// println!("{}", summary.id());
/// # Ok(())
/// # }
/// ```
#[must_use = "a group does nothing until it is sent"]
pub struct Group<T = Value> {
    members: Vec<Call<T>>,
}

impl<T> Group<T> {
    /// Makes a group of calls.
    pub fn new(members: impl IntoIterator<Item = Call<T>>) -> Self {
        Self { members: members.into_iter().collect() }
    }

    /// Adds the task that gets the results.
    pub fn then<S>(self, summary: Call<S>) -> GroupWithSummary<T, S> {
        GroupWithSummary { members: self.members, summary }
    }

    /// Sends the members, all or none.
    ///
    /// # Errors
    /// Those of [`Call::send`].
    pub async fn send(self) -> Result<Vec<Sent<T>>, BrokerError> {
        Tasks::current()?.send_all(self.members).await
    }
}

/// A [`Group`] with its summary.
#[must_use = "a group does nothing until it is sent"]
pub struct GroupWithSummary<T, S> {
    members: Vec<Call<T>>,
    summary: Call<S>,
}

impl<T, S> GroupWithSummary<T, S> {
    /// Sends the members, all or none. Returns the summary, whose result is that of the whole.
    ///
    /// # Errors
    /// Those of [`Call::send`]; [`Kind::Invalid`] if there is no member, or more than 10,000.
    pub async fn send(self) -> Result<Sent<S>, BrokerError> {
        Tasks::current()?.send_group(self).await
    }

    /// Returns the records for a broker.
    pub(super) fn into_records(
        self,
        tasks: &Tasks,
    ) -> Result<(Vec<NewTask>, NewGroup), BrokerError> {
        let size = self.members.len();
        if size == 0 || size > MAX_MEMBERS {
            let why = format!("a group has 1 to {MAX_MEMBERS} tasks, not {size}: split it");
            return Err(BrokerError::new(Kind::Invalid, why));
        }
        let summary = tasks.new_task(self.summary, None)?;
        // The group has the id of its summary, by which its status is found until the summary is enqueued.
        let id = summary.id.clone();
        let member = |index: usize| GroupMember {
            id: id.clone(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
        };
        let members = self.members.into_iter().enumerate();
        let members = members.map(|(index, call)| tasks.new_task(call, Some(member(index))));
        let members = members.collect::<Result<Vec<_>, _>>()?;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Ok((members, NewGroup { id, size, summary }))
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(&self.members).finish()
    }
}

impl<T, S> fmt::Debug for GroupWithSummary<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupWithSummary")
            .field("members", &self.members)
            .field("summary", &self.summary)
            .finish()
    }
}
