//! A piece of evidence as an action sees it.

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

/// A piece of evidence.
pub struct EvidenceInput {
    message: EvidenceCreated,
    source: Source,
    /// Its permit among those that are looked at, kept for as long as anything of it runs.
    permit: Option<Arc<OwnedSemaphorePermit>>,
}

enum Source {
    Ashirt(Box<Client>),
    File(PathBuf),
}

impl EvidenceInput {
    /// Evidence of ASHIRT.
    #[must_use]
    pub fn of_ashirt(mut message: EvidenceCreated, client: Client) -> Self {
        if !super::wants_variables(&message.content_type) {
            message.global_variables = Vec::new();
            message.operation_variables = Vec::new();
        }
        Self { message, source: Source::Ashirt(Box::new(client)), permit: None }
    }

    /// A file of this machine as if it were evidence, to try an action out.
    #[must_use]
    pub fn of_file(content_type: &str, path: PathBuf) -> Self {
        let content_type = content_type.to_owned();
        let message = EvidenceCreated { content_type, ..EvidenceCreated::default() };
        Self { message, source: Source::File(path), permit: None }
    }

    /// Keeps `permit` until nothing of the evidence runs any more, whoever has given it up.
    #[must_use]
    pub(crate) fn with_permit(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permit = Some(Arc::new(permit));
        self
    }

    /// Which one: mostly a UUID.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.message.evidence_uuid
    }

    /// The operation it belongs to.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.message.operation_slug
    }

    /// What it is, such as `image`: any text may be.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.message.content_type
    }

    /// What the administrator of ASHIRT wants every worker to know; nothing, unless the action
    /// [wants it](super::Action::WANTS_VARIABLES).
    #[must_use]
    pub fn global_variables(&self) -> &[GlobalVariable] {
        &self.message.global_variables
    }

    /// What the operation wants every worker to know; as [`global_variables`](Self::global_variables).
    #[must_use]
    pub fn operation_variables(&self) -> &[OperationVariable] {
        &self.message.operation_variables
    }

    /// Looks at the media while it arrives. `work` runs on a thread of its own, where it may take its time;
    /// it need not read to the end. What it keeps is all that is kept: a recording of a gigabyte needs no
    /// more memory than one of a line.
    ///
    /// # Errors
    /// The media cannot be had, or not all of it: then whatever `work` has made of the beginning does
    /// not count. Otherwise the error of `work`.
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
                ended(spawn_blocking(move || work(&mut std::fs::File::open(path)?)).await)
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
        let done = ended(working.await);
        fed?;
        done
    }
}

/// A panic of the work is that of the request.
fn ended<T>(done: std::result::Result<Result<T>, JoinError>) -> Result<T> {
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
