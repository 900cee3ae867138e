//! The function that a message is given to: which it may be, and what its answer means.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use super::Message;
use crate::handle::Handle;
use crate::http::Error;
use crate::part::{Dependencies, Health, Part};

/// What becomes of a message.
#[derive(Debug)]
pub enum Verdict {
    /// It has been dealt with and is deleted.
    Delete,
    /// It stays in the queue, and is delivered again when its visibility timeout has run out.
    Keep,
    /// As `Keep`, because of an error.
    Failed(Error),
}

/// What a callback may return: nothing, a `bool` (`false` keeps the message), or a `Result` of
/// either. An error keeps the message.
pub trait Outcome {
    /// What it means for the message.
    fn verdict(self) -> Verdict;
}

impl Outcome for () {
    fn verdict(self) -> Verdict {
        Verdict::Delete
    }
}

impl Outcome for bool {
    fn verdict(self) -> Verdict {
        if self { Verdict::Delete } else { Verdict::Keep }
    }
}

impl<T: Outcome, E: Into<Error>> Outcome for Result<T, E> {
    fn verdict(self) -> Verdict {
        match self {
            Ok(outcome) => outcome.verdict(),
            Err(error) => Verdict::Failed(error.into()),
        }
    }
}

/// What a callback may take beside its message: a [`Part`], or the [`Handle`].
pub trait Given: Sized + Send {
    /// Names the part, if it is one.
    fn dependencies(dependencies: &mut Dependencies);

    /// The argument.
    ///
    /// # Errors
    /// The part has not connected yet.
    fn given(handle: &Handle) -> Result<Self, Error>;

    /// Whether it can be had, and does its work.
    ///
    /// # Errors
    /// Why not.
    fn ready(handle: &Handle) -> impl Future<Output = Result<(), String>> + Send {
        std::future::ready(Self::given(handle).map(drop).map_err(|error| reason(&error)))
    }
}

/// Without the status that it would be as an answer.
fn reason(error: &Error) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

/// How long a part may think about its health.
const HEALTH: Duration = Duration::from_secs(1);

impl<P: Part> Given for P {
    fn dependencies(dependencies: &mut Dependencies) {
        dependencies.add::<P>();
    }

    fn given(handle: &Handle) -> Result<Self, Error> {
        handle.try_part()
    }

    async fn ready(handle: &Handle) -> Result<(), String> {
        let part = handle.try_part::<P>().map_err(|error| reason(&error))?;
        match timeout(HEALTH, part.health()).await {
            Ok(Health::Up | Health::Degraded(_)) => Ok(()),
            Ok(Health::Down(why)) => Err(format!("`{}` is down: {why}", P::NAME)),
            Err(_) => Err(format!("`{}` is down: it does not answer", P::NAME)),
        }
    }
}

impl Given for Handle {
    fn dependencies(_: &mut Dependencies) {}

    fn given(handle: &Handle) -> Result<Self, Error> {
        Ok(handle.clone())
    }
}

/// A function that messages are given to: `async fn(Message) -> R`, with up to six parts behind the
/// message. `Arguments` are their types, by which the compiler tells such functions apart.
#[diagnostic::on_unimplemented(
    message = "messages of a queue cannot be given to `{Self}`",
    note = "it is an `async fn` that takes a `Message`, then at most six parts, and returns nothing, a `bool`, or a `Result` of either"
)]
pub trait Callback<Arguments>: Send + Sync + 'static {
    /// Names the parts it takes.
    fn dependencies(dependencies: &mut Dependencies);

    /// Whether all of them can be had now, and do their work: otherwise the queue is not read.
    fn ready(handle: &Handle) -> Ready<'_>;

    /// Calls it.
    fn call(&self, message: Message, handle: &Handle) -> Called;
}

/// The work of a callback.
pub type Called = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// Whether a callback can be given all it takes, and if not, why.
pub type Ready<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

macro_rules! callbacks {
    ($($part:ident $given:ident)*) => {
        impl<F, Fut, $($part: Given),*> Callback<($($part,)*)> for F
        where
            F: Fn(Message, $($part),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output: Outcome> + Send + 'static,
        {
            fn dependencies(_dependencies: &mut Dependencies) {
                $($part::dependencies(_dependencies);)*
            }

            fn ready(_handle: &Handle) -> Ready<'_> {
                Box::pin(async move {
                    $($part::ready(_handle).await?;)*
                    Ok(())
                })
            }

            fn call(&self, message: Message, _handle: &Handle) -> Called {
                $(let $given = match $part::given(_handle) {
                    Ok(given) => given,
                    Err(error) => return Box::pin(std::future::ready(Verdict::Failed(error))),
                };)*
                let work = self(message, $($given),*);
                Box::pin(async move { work.await.verdict() })
            }
        }
    };
}

callbacks!();
callbacks!(P1 p1);
callbacks!(P1 p1 P2 p2);
callbacks!(P1 p1 P2 p2 P3 p3);
callbacks!(P1 p1 P2 p2 P3 p3 P4 p4);
callbacks!(P1 p1 P2 p2 P3 p3 P4 p4 P5 p5);
callbacks!(P1 p1 P2 p2 P3 p3 P4 p4 P5 p5 P6 p6);

#[cfg(test)]
mod tests {
    use super::*;

    fn is(outcome: impl Outcome) -> &'static str {
        match outcome.verdict() {
            Verdict::Delete => "delete",
            Verdict::Keep => "keep",
            Verdict::Failed(_) => "failed",
        }
    }

    #[test]
    fn a_message_is_deleted_unless_its_function_says_false_or_fails() {
        let failure = || Error::unavailable("not now");
        assert_eq!(is(()), "delete");
        assert_eq!((is(true), is(false)), ("delete", "keep"));
        assert_eq!(is(Ok::<(), Error>(())), "delete");
        assert_eq!((is(Ok::<bool, Error>(true)), is(Ok::<bool, Error>(false))), ("delete", "keep"));
        assert_eq!(is(Err::<(), _>(failure())), "failed");
        assert_eq!(is(Err::<bool, _>("x".parse::<u8>().unwrap_err())), "failed");
    }

    #[test]
    fn what_a_function_takes_is_known_from_its_types() {
        use crate::aws::sqs::Sqs;

        async fn alone(_: Message) {}
        async fn with_parts(_: Message, _: Sqs, _: Handle) -> Result<bool, Error> {
            Ok(true)
        }
        fn asked<Arguments, C: Callback<Arguments>>(_: C) -> usize {
            let mut dependencies = Dependencies::default();
            C::dependencies(&mut dependencies);
            dependencies.0.len()
        }
        assert_eq!((asked(alone), asked(with_parts)), (0, 1));
        assert_eq!(asked(|message: Message| async move { message.body().is_empty() }), 0);
    }
}
