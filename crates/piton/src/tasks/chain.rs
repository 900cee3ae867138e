//! [`Chain`]: tasks that run one after the other, and groups between them.

use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

use super::call::Call;
use super::error::BrokerError;
use super::group_call::GroupWithSummary;
use super::sent::Sent;
use super::tasks_part::Tasks;

/// Tasks that run one after the other: each gets the result of the one before as its first argument, unless it is
/// [`immutable`](Call::immutable). `T` is the type of the last one's result.
///
/// If a task fails for good or is revoked, those after it do not run, and the last one fails with the same exception. It has its
/// id from the moment the chain is sent; its state is known once it is sent itself, or will never be.
///
/// ```
/// use piton::tasks::{BrokerError, Call, Chain, Group};
///
/// # async fn f() -> Result<(), BrokerError> {
/// let resize = |width: u32| Call::<String>::new("media.resize").kwarg("width", width);
/// let sent = Chain::new(Call::<String>::new("media.download").arg("https://example.org/a.png"))
///     .then(Group::new([resize(300), resize(1200)]).then(Call::<String>::new("media.pack")))
///     .then(Call::<()>::new("media.publish"))
///     .send()
///     .await?;
/// println!("{}", sent.id());
/// # Ok(())
/// # }
/// ```
#[must_use = "a chain does nothing until it is sent"]
pub struct Chain<T = Value> {
    /// The last one is a call.
    pub(super) steps: Vec<Step>,
    output: PhantomData<fn() -> T>,
}

/// A part of a chain.
#[derive(Clone)]
pub(super) enum Step {
    Call(Box<Call>),
    /// Tasks that run at the same time. The next step gets the list of their results.
    Group(Vec<Chain>),
}

impl<T> Chain<T> {
    /// Makes a chain that begins with a call, or with a group and its summary.
    pub fn new(first: impl Into<Self>) -> Self {
        first.into()
    }

    /// Adds a call, a group with its summary, or the steps of another chain.
    pub fn then<S>(mut self, next: impl Into<Chain<S>>) -> Chain<S> {
        self.steps.extend(next.into().steps);
        Chain { steps: self.steps, output: PhantomData }
    }

    /// Sends the chain with the running app's broker. Returns its last task, whose result is that of the whole.
    ///
    /// # Errors
    /// Those of [`Call::send`], for any of its calls; [`Kind::Invalid`](super::Kind::Invalid) as well if more than 10 groups
    /// are within each other or follow each other directly, if one has no member or more than 10,000, and if the first
    /// group has a member that begins with another group.
    pub async fn send(self) -> Result<Sent<T>, BrokerError> {
        Tasks::current()?.send_chain(self).await
    }

    /// Returns the chain without the type of its result.
    pub(super) fn untyped(self) -> Chain {
        Chain { steps: self.steps, output: PhantomData }
    }

    pub(super) fn of_steps(steps: Vec<Step>) -> Self {
        Self { steps, output: PhantomData }
    }
}

impl<T> From<Call<T>> for Chain<T> {
    fn from(call: Call<T>) -> Self {
        Self::of_steps(vec![Step::Call(Box::new(call.untyped()))])
    }
}

impl<T, S> From<GroupWithSummary<T, S>> for Chain<S> {
    fn from(group: GroupWithSummary<T, S>) -> Self {
        group.into_chain()
    }
}

impl<T> Clone for Chain<T> {
    fn clone(&self) -> Self {
        Self::of_steps(self.steps.clone())
    }
}

impl<T> fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.steps).finish()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => call.fmt(f),
            Self::Group(members) => f.debug_tuple("Group").field(members).finish(),
        }
    }
}
