//! The route of stored messages, and the handler that stores them.

use piton::aws::sqs::Message;
use piton::prelude::*;

use crate::repositories::messages::{self, StoredMessage};

piton::blueprint!("/messages", tag = "messages");

/// Maximum number of messages in a response.
const MAX_LIMIT: u32 = 100;

/// The page of messages to list.
#[derive(Deserialize, JsonSchema)]
pub struct Page {
    /// The maximum number of messages, up to 100.
    pub limit: Option<u32>,
    /// Only messages before the one with this `id`, which is the last one of the previous page.
    pub before: Option<i64>,
}

/// Lists the messages received from the queue, the latest first.
///
/// To get the next page, set `before` to the `id` of the last message.
#[get("/")]
pub async fn list(db: Db, Query(page): Query<Page>) -> Result<Json<Vec<StoredMessage>>> {
    let limit = page.limit.unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    Ok(Json(messages::latest(&db, page.before, limit).await?))
}

/// Stores a message. A message that is delivered twice, as queues do, is stored once.
///
/// Long polling of two seconds returns a message as soon as there is one, and limits the time that a
/// stop waits for a poll in progress.
#[piton::sqs("gnar-queue", interval = "1s", wait_time = "2s", max_messages = 10)]
pub async fn keep(message: Message, db: Db) -> Result<()> {
    messages::store(&db, message.id(), message.body()).await
}
