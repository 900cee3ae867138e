//! [`Group`]: calls that belong together, with a summary of their results.

use std::fmt;

use serde_json::Value;

use super::call::Call;
use super::chain::{Chain, Step};
use super::error::BrokerError;
use super::sent::Sent;
use super::tasks_part::Tasks;

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
    members: Vec<Chain<T>>,
}

impl<T> Group<T> {
    /// Makes a group of calls, or of chains, whose last results count.
    pub fn new<M: Into<Chain<T>>>(members: impl IntoIterator<Item = M>) -> Self {
        Self { members: members.into_iter().map(Into::into).collect() }
    }

    /// Adds the task that gets the results.
    pub fn then<S>(self, summary: Call<S>) -> GroupWithSummary<T, S> {
        GroupWithSummary { members: self.members, summary }
    }

    /// Sends the members, all or none. Returns the last task of each.
    ///
    /// # Errors
    /// Those of [`Call::send`], and of [`Chain::send`].
    pub async fn send(self) -> Result<Vec<Sent<T>>, BrokerError> {
        Tasks::current()?.send_members(self.members).await
    }
}

/// A [`Group`] with its summary.
#[must_use = "a group does nothing until it is sent"]
pub struct GroupWithSummary<T, S> {
    members: Vec<Chain<T>>,
    summary: Call<S>,
}

impl<T, S> GroupWithSummary<T, S> {
    /// Adds what follows the summary.
    pub fn then<U>(self, next: impl Into<Chain<U>>) -> Chain<U> {
        self.into_chain().then(next)
    }

    /// Sends the members, all or none. Returns the summary, whose result is that of the whole.
    ///
    /// # Errors
    /// Those of [`Call::send`]; [`Kind::Invalid`](super::Kind::Invalid) if there is no member, or more than 10,000, or one
    /// begins with a group.
    pub async fn send(self) -> Result<Sent<S>, BrokerError> {
        Tasks::current()?.send_group(self).await
    }

    pub(super) fn into_chain(self) -> Chain<S> {
        let members = self.members.into_iter().map(Chain::untyped).collect();
        let summary = Step::Call(Box::new(self.summary.untyped()));
        Chain::of_steps(vec![Step::Group(members), summary])
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
