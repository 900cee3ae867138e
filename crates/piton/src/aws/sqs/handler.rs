//! The functions that can handle messages, and the meaning of what they return.

use std::future::Future;
use std::pin::Pin;

use super::message::Message;
use crate::handle::Handle;
use crate::http::Error;
use crate::part::Dependencies;
pub use crate::runtime::from_handle::FromHandle;

/// The disposition of a message after its handler has returned.
#[derive(Debug)]
pub enum Disposition {
    /// The message is handled: it is deleted.
    Delete,
    /// The message stays in the queue, and is delivered again after its visibility timeout.
    Keep,
    /// The same as `Keep`, because of an error.
    Failed(Error),
}

/// The return types of handlers: nothing, a `bool` (`false` keeps the message), or a `Result` of either. An
/// error keeps the message.
pub trait IntoDisposition {
    /// Returns the disposition of the message.
    fn into_disposition(self) -> Disposition;
}

impl IntoDisposition for () {
    fn into_disposition(self) -> Disposition {
        Disposition::Delete
    }
}

impl IntoDisposition for bool {
    fn into_disposition(self) -> Disposition {
        if self { Disposition::Delete } else { Disposition::Keep }
    }
}

impl<T: IntoDisposition, E: Into<Error>> IntoDisposition for Result<T, E> {
    fn into_disposition(self) -> Disposition {
        match self {
            Ok(outcome) => outcome.into_disposition(),
            Err(error) => Disposition::Failed(error.into()),
        }
    }
}

/// A function that handles messages: `async fn(Message, ..) -> impl IntoDisposition`, with up to six
/// arguments after the message. `Arguments` are their types: without them in the trait, the implementations
/// for functions of different arity would overlap.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot handle messages of a queue",
    note = "a handler is an `async fn` that takes a `Message`, then at most six parts, and returns nothing, a `bool`, or a `Result` of either"
)]
pub trait MessageHandler<Arguments>: Send + Sync + 'static {
    /// Adds the parts among its arguments to `dependencies`.
    fn dependencies(dependencies: &mut Dependencies);

    /// Checks that all arguments are available now; otherwise the queue is not read.
    fn ready(handle: &Handle) -> ReadyFuture<'_>;

    /// Calls the function with a message.
    fn call(&self, message: Message, handle: &Handle) -> HandlerFuture;
}

/// The future of a handler's call.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Disposition> + Send>>;

/// The future that checks a handler's arguments. An error is the reason why one is not available.
pub type ReadyFuture<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

macro_rules! handlers {
    ($($part:ident $argument:ident)*) => {
        impl<F, Fut, $($part: FromHandle),*> MessageHandler<($($part,)*)> for F
        where
            F: Fn(Message, $($part),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output: IntoDisposition> + Send + 'static,
        {
            fn dependencies(_dependencies: &mut Dependencies) {
                $($part::dependencies(_dependencies);)*
            }

            fn ready(_handle: &Handle) -> ReadyFuture<'_> {
                Box::pin(async move {
                    $($part::ready(_handle).await?;)*
                    Ok(())
                })
            }

            fn call(&self, message: Message, _handle: &Handle) -> HandlerFuture {
                $(let $argument = match $part::extract(_handle) {
                    Ok(argument) => argument,
                    Err(error) => return Box::pin(std::future::ready(Disposition::Failed(error))),
                };)*
                let work = self(message, $($argument),*);
                Box::pin(async move { work.await.into_disposition() })
            }
        }
    };
}

handlers!();
handlers!(P1 p1);
handlers!(P1 p1 P2 p2);
handlers!(P1 p1 P2 p2 P3 p3);
handlers!(P1 p1 P2 p2 P3 p3 P4 p4);
handlers!(P1 p1 P2 p2 P3 p3 P4 p4 P5 p5);
handlers!(P1 p1 P2 p2 P3 p3 P4 p4 P5 p5 P6 p6);

#[cfg(test)]
mod tests {
    use super::*;

    fn disposition(outcome: impl IntoDisposition) -> &'static str {
        match outcome.into_disposition() {
            Disposition::Delete => "delete",
            Disposition::Keep => "keep",
            Disposition::Failed(_) => "failed",
        }
    }

    #[test]
    fn a_message_is_deleted_unless_its_handler_returns_false_or_fails() {
        let failure = || Error::unavailable("not now");
        assert_eq!(disposition(()), "delete");
        assert_eq!((disposition(true), disposition(false)), ("delete", "keep"));
        assert_eq!(disposition(Ok::<(), Error>(())), "delete");
        assert_eq!(
            (disposition(Ok::<bool, Error>(true)), disposition(Ok::<bool, Error>(false))),
            ("delete", "keep")
        );
        assert_eq!(disposition(Err::<(), _>(failure())), "failed");
        assert_eq!(disposition(Err::<bool, _>("x".parse::<u8>().unwrap_err())), "failed");
    }

    #[test]
    fn the_parts_of_a_handler_are_known_from_its_argument_types() {
        use crate::aws::sqs::Sqs;

        async fn alone(_: Message) {}
        async fn with_parts(_: Message, _: Sqs, _: Handle) -> Result<bool, Error> {
            Ok(true)
        }
        fn count_dependencies<Arguments, C: MessageHandler<Arguments>>(_: C) -> usize {
            let mut dependencies = Dependencies::default();
            C::dependencies(&mut dependencies);
            dependencies.0.len()
        }
        assert_eq!((count_dependencies(alone), count_dependencies(with_parts)), (0, 1));
        assert_eq!(
            count_dependencies(|message: Message| async move { message.body().is_empty() }),
            0
        );
    }
}
