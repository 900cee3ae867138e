//! The actions: one file per content type, and a line in the list below.
//!
//! An action gets the evidence, reads its media and responds. Everything else is done for it:
//! authentication, the limit of concurrent work, the timeout, the limits of ASHIRT's database, the
//! log.
//!
//! ```
//! use ashirt_worker::actions::{Action, EvidenceInput, Result};
//! use ashirt_worker::protocol::WorkerResponse;
//!
//! /// Reports the size of the media.
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

/// All actions. Evidence of other content types is rejected.
const ACTIONS: [ActionEntry; 6] = [
    ActionEntry::of::<har::HarAction>(),
    ActionEntry::of::<terminal::TerminalAction>(),
    ActionEntry::of::<codeblock::CodeblockAction>(),
    ActionEntry::of::<image::ImageAction>(),
    ActionEntry::of::<unsupported::EventAction>(),
    ActionEntry::of::<unsupported::NoteAction>(),
];

/// Processes evidence of one content type.
pub trait Action: Send + Sync + 'static {
    /// Content type, as ASHIRT spells it.
    const CONTENT_TYPE: &'static str;

    /// Set to `true` to get the variables of ASHIRT and of the operation. They come again with each
    /// message, and a thousand messages may wait in the queue, so they are dropped unless the
    /// action wants them. **Default: `false`.**
    const WANTS_VARIABLES: bool = false;

    /// Set to `false` if `run` responds at once, so that such evidence is never deferred
    /// (`worker.defer`). **Default: `true`.**
    const TAKES_TIME: bool = true;

    /// Processes the evidence. The same evidence may come again: an administrator can ask for it,
    /// and so can ASHIRT for all evidence of an operation.
    ///
    /// # Errors
    /// Any error. An administrator reads it in ASHIRT and decides whether to run the evidence
    /// again.
    fn run(evidence: &EvidenceInput) -> impl Future<Output = Result<WorkerResponse>> + Send;
}

/// Result of an action.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Reason why an action has no result. It does not implement [`std::error::Error`], so that `?`
/// converts every error that does.
pub struct Error(ErrorKind);

enum ErrorKind {
    /// The evidence cannot be processed, now or later.
    Unsupported(String),
    /// Processing failed this time.
    Failed(String),
}

impl Error {
    /// Creates an error for evidence that is not valid: it is rejected with this reason.
    #[must_use]
    pub fn unsupported(why: impl Into<String>) -> Self {
        Self(ErrorKind::Unsupported(why.into()))
    }

    /// Converts the error into the response that reports it.
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
            // Rejected instead of failed, because the media will be as large the next time.
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

/// An entry of the list of actions: the trait's items as values.
#[derive(Clone, Copy)]
struct ActionEntry {
    content_type: &'static str,
    wants_variables: bool,
    takes_time: bool,
    run: for<'a> fn(&'a EvidenceInput) -> ActionFuture<'a>,
}

impl ActionEntry {
    const fn of<A: Action>() -> Self {
        Self {
            content_type: A::CONTENT_TYPE,
            wants_variables: A::WANTS_VARIABLES,
            takes_time: A::TAKES_TIME,
            run: |evidence| Box::pin(A::run(evidence)),
        }
    }
}

/// Returns the content types that have an action.
pub fn content_types() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|action| action.content_type)
}

/// Returns the content type for a metric label: one that has an action, or `other`. Arbitrary text
/// would give each message a series of its own.
#[must_use]
pub fn known_content_type(content_type: &str) -> &'static str {
    content_types().find(|known| *known == content_type).unwrap_or("other")
}

/// Returns whether the action for this content type wants variables.
pub(crate) fn wants_variables(content_type: &str) -> bool {
    ACTIONS.iter().any(|action| action.content_type == content_type && action.wants_variables)
}

/// Returns whether evidence of this content type may be deferred. Not if its action wants variables:
/// they may be secret, a task is stored on disk, and ASHIRT has no call that returns them later.
pub(crate) fn may_be_deferred(content_type: &str) -> bool {
    let is_deferrable = |action: &ActionEntry| action.takes_time && !action.wants_variables;
    ACTIONS.iter().any(|action| action.content_type == content_type && is_deferrable(action))
}

/// Runs the action for the content type of the evidence. Rejects content types without an action.
pub async fn process(evidence: &EvidenceInput) -> WorkerResponse {
    let action = ACTIONS.iter().find(|action| action.content_type == evidence.content_type());
    let Some(action) = action else {
        let types = content_types().collect::<Vec<_>>().join(", ");
        let unknown: String = evidence.content_type().chars().take(100).collect();
        let why = format!("unsupported content type `{unknown}`; supported are {types}");
        return WorkerResponse::Rejected(why.into());
    };
    (action.run)(evidence).await.unwrap_or_else(Error::into_response)
}
