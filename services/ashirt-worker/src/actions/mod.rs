//! What the worker does with evidence: a file an action, and a line of the list below.
//!
//! An action gets the evidence, looks at its media, and answers. All around it is done for it: who may
//! call, how many run at once, how long each may take, what ASHIRT can store, the log.
//!
//! ```
//! use ashirt_worker::actions::{Action, Evidence, Result};
//! use ashirt_worker::protocol::Answer;
//!
//! /// How much there is.
//! struct Size;
//!
//! impl Action for Size {
//!     const CONTENT_TYPE: &'static str = "image";
//!
//!     async fn run(evidence: &Evidence) -> Result<Answer> {
//!         let size = evidence.look(|media| Ok(std::io::copy(media, &mut std::io::sink())?)).await?;
//!         Ok(Answer::Processed(format!("{size} bytes")))
//!     }
//! }
//! ```

mod codeblock;
mod evidence;
mod har;
mod image;
mod media;
mod terminal;
mod without_file;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

pub use evidence::Evidence;

use crate::ashirt;
use crate::enhance::Fault;
use crate::protocol::Answer;
use crate::services::chain;

/// Every action. Evidence of other types is rejected.
const ACTIONS: [Listed; 6] = [
    Listed::of::<har::Har>(),
    Listed::of::<terminal::TerminalRecording>(),
    Listed::of::<codeblock::Codeblock>(),
    Listed::of::<image::Image>(),
    Listed::of::<without_file::Event>(),
    Listed::of::<without_file::Note>(),
];

/// Looks at evidence of one content type.
pub trait Action: Send + Sync + 'static {
    /// The content type, as ASHIRT spells it.
    const CONTENT_TYPE: &'static str;

    /// Whether [`Evidence`] keeps its variables. They come again with each message, and a thousand of
    /// those may wait for their turn: who does not need them lets them go. **Default: `false`.**
    const WANTS_VARIABLES: bool = false;

    /// What can be said of the evidence. The same evidence may come again: an administrator asks, or
    /// ASHIRT for all that an operation has.
    ///
    /// # Errors
    /// Whatever keeps it from being said; the administrator reads it, so that trying again may help.
    fn run(evidence: &Evidence) -> impl Future<Output = Result<Answer>> + Send;
}

/// What an action comes to.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no answer. It does not implement [`std::error::Error`], so that `?` makes it of
/// everything that does.
pub struct Error(Why);

enum Why {
    /// Nothing can be said of such evidence.
    Unfit(String),
    /// It went wrong this time.
    Failed(String),
}

impl Error {
    /// The evidence is not what it should be, and why: it is rejected.
    #[must_use]
    pub fn unfit(why: impl Into<String>) -> Self {
        Self(Why::Unfit(why.into()))
    }

    /// The answer that tells it.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        match self.0 {
            Why::Unfit(why) => Answer::Rejected(why.into()),
            Why::Failed(why) => Answer::Error(why.into()),
        }
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let error: &(dyn std::error::Error + 'static) = &error;
        let of_ashirt = error.downcast_ref::<ashirt::Error>();
        match error.downcast_ref::<Fault>() {
            Some(Fault::Unfit(why)) => Self::unfit(why),
            // It will be as large the next time.
            _ if of_ashirt.is_some_and(|error| error.kind() == ashirt::Kind::TooLarge) => {
                Self::unfit(format!("the media is too large: {}", chain(error)))
            }
            _ => Self(Why::Failed(chain(error))),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Unfit(why) => f.debug_tuple("Unfit").field(why).finish(),
            Why::Failed(why) => f.debug_tuple("Failed").field(why).finish(),
        }
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>;

/// An action of the list.
#[derive(Clone, Copy)]
struct Listed {
    content_type: &'static str,
    wants_variables: bool,
    run: for<'a> fn(&'a Evidence) -> Running<'a>,
}

impl Listed {
    const fn of<A: Action>() -> Self {
        Self {
            content_type: A::CONTENT_TYPE,
            wants_variables: A::WANTS_VARIABLES,
            run: |evidence| Box::pin(A::run(evidence)),
        }
    }
}

/// The content types that there are actions for.
pub fn content_types() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|action| action.content_type)
}

/// As it is called in figures: a type that there is an action for, or `other`.
#[must_use]
pub fn known_content_type(content_type: &str) -> &'static str {
    content_types().find(|known| *known == content_type).unwrap_or("other")
}

/// Whether the action for evidence of this type looks at variables.
pub(crate) fn wants_variables(content_type: &str) -> bool {
    ACTIONS.iter().any(|action| action.content_type == content_type && action.wants_variables)
}

/// What can be said of the evidence: the answer of the action for its content type.
pub async fn look_at(evidence: &Evidence) -> Answer {
    let action = ACTIONS.iter().find(|action| action.content_type == evidence.content_type());
    let Some(action) = action else {
        let types = content_types().collect::<Vec<_>>().join(", ");
        let unknown: String = evidence.content_type().chars().take(100).collect();
        let why =
            format!("this worker does not know the content type `{unknown}`; it knows {types}");
        return Answer::Rejected(why.into());
    };
    (action.run)(evidence).await.unwrap_or_else(Error::into_answer)
}
