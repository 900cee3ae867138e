//! Processes evidence after its response, and reports the result as metadata.

use piton::prelude::*;
use piton::tasks::TaskRun;

use crate::actions::{self, EvidenceInput};
use crate::ashirt::{Kind, Metadata};
use crate::evidence_queue::{Deferral, EvidenceQueue};
use crate::protocol::{EvidenceCreated, WorkerResponse};
use crate::services::{Backend, chain};
use crate::worker_settings::WorkerSettings;

/// Number of attempts after which a failure of the action is reported: with the pauses between them
/// two and a half minutes or more.
const MAX_FAILED_ATTEMPTS: u32 = 5;

/// Returns how the evidence is deferred, or `None` if it is processed in its request.
pub(crate) fn deferral(settings: &WorkerSettings, evidence: &EvidenceInput) -> Option<Deferral> {
    let after = settings.defer.after()?;
    if !actions::may_be_deferred(evidence.content_type()) {
        return None;
    }
    let names = [evidence.uuid(), evidence.operation(), evidence.content_type()];
    let [uuid, operation, content_type] = names.map(str::to_owned);
    let call = process::apply(uuid, operation, content_type).countdown(settings.report_delay);
    Some(Deferral { after, call })
}

/// Processes deferred evidence, and reports the result to ASHIRT as metadata. Running it again
/// stores the same metadata again. `worker.timeout` and `ashirt.timeout` bound each attempt.
// A thousand retries, because a week passes until the last, and ASHIRT may be down for a weekend.
#[task(
    name = "ashirt_worker.process",
    retries = 1000,
    backoff = "10s",
    max_backoff = "10m",
    ignore_result
)]
async fn process(
    #[part] queue: EvidenceQueue,
    #[part] backend: Backend,
    #[part] run: TaskRun,
    evidence_uuid: String,
    operation_slug: String,
    content_type: String,
) -> task::Result<()> {
    let (uuid, operation) = (evidence_uuid.clone(), operation_slug.clone());
    let message = EvidenceCreated {
        evidence_uuid,
        operation_slug,
        content_type,
        ..EvidenceCreated::default()
    };
    let evidence = EvidenceInput::from_message(message, backend.client().clone());
    let response = queue.process_deferred(evidence).await;
    if let WorkerResponse::Error(why) = &response
        && run.retries() + 1 < MAX_FAILED_ATTEMPTS
    {
        return Err(task::Error::retry(why.clone()));
    }
    let source = queue.settings().source.clone().unwrap_or_default();
    match with_task_id(response, run.id()).metadata(source) {
        Some(metadata) => report(&backend, &operation, &uuid, &metadata).await,
        None => Ok(()),
    }
}

/// Adds the task's id to an error, so that an administrator finds its log lines.
fn with_task_id(response: WorkerResponse, id: &str) -> WorkerResponse {
    match response {
        WorkerResponse::Error(why) => WorkerResponse::Error(format!("{why} (task {id})").into()),
        other => other,
    }
}

/// Stores the result in ASHIRT.
///
/// # Errors
/// The task runs again, unless the evidence is gone.
async fn report(
    backend: &Backend,
    operation: &str,
    uuid: &str,
    metadata: &Metadata,
) -> task::Result<()> {
    let stored = backend.client().upsert_evidence_metadata(operation, uuid, metadata).await;
    let Err(error) = stored else {
        info!(evidence = uuid, operation, "Reported deferred evidence `{uuid}` to ASHIRT");
        return Ok(());
    };
    let why = chain(&error);
    // ASHIRT responds with 401 to wrong keys, and also if there is no such evidence any more.
    if error.kind() == Kind::Unauthorized && backend.check().await.is_ok() {
        return Err(task::Error::reject(format!("there is no such evidence any more: {why}")));
    }
    Err(task::Error::retry(why))
}
