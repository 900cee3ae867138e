//! The evidence that an action gets: its message and its media.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use piton::tokio::sync::OwnedSemaphorePermit;
use piton::tokio::task::{JoinError, spawn_blocking};

use super::media_stream::{MediaStream, feed};
use super::{Error, Result};
use crate::ashirt::{Client, ContentPart, EvidenceContent};
use crate::protocol::{EvidenceCreated, GlobalVariable, OperationVariable};

/// A piece of evidence that is to be processed.
pub struct EvidenceInput {
    message: EvidenceCreated,
    source: Source,
    /// Permit of the queue. Held for as long as anything of this evidence runs, because a thread
    /// cannot be cancelled.
    permit: Option<Arc<OwnedSemaphorePermit>>,
}

enum Source {
    Ashirt(Box<Client>),
    File(PathBuf),
}

impl EvidenceInput {
    /// Creates the evidence of a message. Its media is fetched by `client` when an action reads it.
    #[must_use]
    pub fn from_message(mut message: EvidenceCreated, client: Client) -> Self {
        if !super::wants_variables(&message.content_type) {
            message.global_variables = Vec::new();
            message.operation_variables = Vec::new();
        }
        Self { message, source: Source::Ashirt(Box::new(client)), permit: None }
    }

    /// Creates evidence from a local file, to try an action without ASHIRT.
    #[must_use]
    pub fn from_file(content_type: &str, path: PathBuf) -> Self {
        let content_type = content_type.to_owned();
        let message = EvidenceCreated { content_type, ..EvidenceCreated::default() };
        Self { message, source: Source::File(path), permit: None }
    }

    /// Holds `permit` until nothing of the evidence runs any more, also after the caller was
    /// cancelled.
    #[must_use]
    pub(crate) fn with_permit(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permit = Some(Arc::new(permit));
        self
    }

    /// Returns the identifier of the evidence: usually a UUID, but ASHIRT allows any text.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.message.evidence_uuid
    }

    /// Returns the slug of the operation to which the evidence belongs.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.message.operation_slug
    }

    /// Returns the content type, such as `image`. ASHIRT does not check it: any text is possible.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.message.content_type
    }

    /// Returns ASHIRT's global variables, which its administrator defines for all workers. Empty
    /// unless the action sets [`WANTS_VARIABLES`](super::Action::WANTS_VARIABLES).
    #[must_use]
    pub fn global_variables(&self) -> &[GlobalVariable] {
        &self.message.global_variables
    }

    /// Returns the variables of the operation. Empty in the same case as
    /// [`global_variables`](Self::global_variables).
    #[must_use]
    pub fn operation_variables(&self) -> &[OperationVariable] {
        &self.message.operation_variables
    }

    /// Runs `work` on the media while it arrives. `work` gets a thread of its own, where it may
    /// block, and need not read to the end. Memory holds only what `work` keeps: a recording of a
    /// gigabyte needs no more of it than one of a line.
    ///
    /// # Errors
    /// When the media cannot be fetched, or not completely: what `work` made of the beginning is
    /// dropped then. Otherwise the error of `work`.
    pub async fn read_media<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Read) -> Result<T> + Send + 'static,
    {
        match &self.source {
            Source::Ashirt(client) => {
                let (slug, uuid) = (self.operation(), self.uuid());
                self.read_content(
                    client.evidence_content(slug, uuid, ContentPart::Media).await?,
                    work,
                )
                .await
            }
            Source::File(path) => {
                let path = path.clone();
                thread_result(spawn_blocking(move || work(&mut std::fs::File::open(path)?)).await)
            }
        }
    }

    async fn read_content<T, F>(&self, content: EvidenceContent, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Read) -> Result<T> + Send + 'static,
    {
        let (feeder, mut media) = MediaStream::new();
        let permit = self.permit.clone();
        let working = spawn_blocking(move || {
            let done = work(&mut media);
            drop(permit);
            done
        });
        let fed = feed(content, feeder).await;
        let done = thread_result(working.await);
        fed?;
        done
    }
}

/// Returns the result of the thread. Resumes its panic, so that it is handled as a panic of the
/// request.
fn thread_result<T>(done: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    match done.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(error)) => Err(Error::from(error)),
    }
}

impl fmt::Debug for EvidenceInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Evidence").field(&self.message).finish()
    }
}
