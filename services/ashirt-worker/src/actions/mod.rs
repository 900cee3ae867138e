//! What the worker does with evidence: a file an action, and a line of the list below.
//!
//! An action gets the evidence, looks at its media, and answers. All around it is done for it: who may
//! call, how many run at once, how long each may take, what ASHIRT can store, the log.
//!
//! ```
//! use ashirt_worker::actions::{Action, EvidenceInput, Result};
//! use ashirt_worker::protocol::WorkerResponse;
//!
//! /// How much there is.
//! struct Size;
//!
//! impl Action for Size {
//!     const CONTENT_TYPE: &'static str = "image";
//!
//!     async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
//!         let size = evidence.read_media(|media| Ok(std::io::copy(media, &mut std::io::sink())?)).await?;
//!         Ok(WorkerResponse::Processed(format!("{size} bytes")))
//!     }
//! }
//! ```

mod codeblock;
mod evidence_input;
mod har;
mod image;
mod media_stream;
mod terminal;
mod unsupported;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

pub use evidence_input::EvidenceInput;

use crate::ashirt;
use crate::enhance::EnhanceError;
use crate::protocol::WorkerResponse;
use crate::services::chain;

/// Every action. Evidence of other types is rejected.
const ACTIONS: [ActionEntry; 6] = [
    ActionEntry::of::<har::HarAction>(),
    ActionEntry::of::<terminal::TerminalAction>(),
    ActionEntry::of::<codeblock::CodeblockAction>(),
    ActionEntry::of::<image::ImageAction>(),
    ActionEntry::of::<unsupported::EventAction>(),
    ActionEntry::of::<unsupported::NoteAction>(),
];

/// Looks at evidence of one content type.
pub trait Action: Send + Sync + 'static {
    /// The content type, as ASHIRT spells it.
    const CONTENT_TYPE: &'static str;

    /// Whether [`EvidenceInput`] keeps its variables. They come again with each message, and a thousand of
    /// those may wait for their turn: who does not need them lets them go. **Default: `false`.**
    const WANTS_VARIABLES: bool = false;

    /// What can be said of the evidence. The same evidence may come again: an administrator asks, or
    /// ASHIRT for all that an operation has.
    ///
    /// # Errors
    /// Whatever keeps it from being said; the administrator reads it, so that trying again may help.
    fn run(evidence: &EvidenceInput) -> impl Future<Output = Result<WorkerResponse>> + Send;
}

/// What an action comes to.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// ErrorKind there is no answer. It does not implement [`std::error::Error`], so that `?` makes it of
/// everything that does.
pub struct Error(ErrorKind);

enum ErrorKind {
    /// Nothing can be said of such evidence.
    Unsupported(String),
    /// It went wrong this time.
    Failed(String),
}

impl Error {
    /// The evidence is not what it should be, and why: it is rejected.
    #[must_use]
    pub fn unsupported(why: impl Into<String>) -> Self {
        Self(ErrorKind::Unsupported(why.into()))
    }

    /// The answer that tells it.
    #[must_use]
    pub fn into_response(self) -> WorkerResponse {
        match self.0 {
            ErrorKind::Unsupported(why) => WorkerResponse::Rejected(why.into()),
            ErrorKind::Failed(why) => WorkerResponse::Error(why.into()),
        }
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let error: &(dyn std::error::Error + 'static) = &error;
        let of_ashirt = error.downcast_ref::<ashirt::Error>();
        match error.downcast_ref::<EnhanceError>() {
            Some(EnhanceError::Unsupported(why)) => Self::unsupported(why),
            // It will be as large the next time.
            _ if of_ashirt.is_some_and(|error| error.kind() == ashirt::Kind::TooLarge) => {
                Self::unsupported(format!("the media is too large: {}", chain(error)))
            }
            _ => Self(ErrorKind::Failed(chain(error))),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ErrorKind::Unsupported(why) => f.debug_tuple("Unsupported").field(why).finish(),
            ErrorKind::Failed(why) => f.debug_tuple("Failed").field(why).finish(),
        }
    }
}

type ActionFuture<'a> = Pin<Box<dyn Future<Output = Result<WorkerResponse>> + Send + 'a>>;

/// An action of the list.
#[derive(Clone, Copy)]
struct ActionEntry {
    content_type: &'static str,
    wants_variables: bool,
    run: for<'a> fn(&'a EvidenceInput) -> ActionFuture<'a>,
}

impl ActionEntry {
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
pub async fn process(evidence: &EvidenceInput) -> WorkerResponse {
    let action = ACTIONS.iter().find(|action| action.content_type == evidence.content_type());
    let Some(action) = action else {
        let types = content_types().collect::<Vec<_>>().join(", ");
        let unknown: String = evidence.content_type().chars().take(100).collect();
        let why =
            format!("this worker does not know the content type `{unknown}`; it knows {types}");
        return WorkerResponse::Rejected(why.into());
    };
    (action.run)(evidence).await.unwrap_or_else(Error::into_response)
}
