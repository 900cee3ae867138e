//! Messages out of a queue, kept.

use piton::aws::sqs::Message;
use piton::prelude::*;

use crate::repositories::messages::{self, Kept};

piton::blueprint!("/messages", tag = "messages");

/// How many messages one answer has at most.
const MOST: u32 = 100;

/// Which messages to show.
#[derive(Deserialize, JsonSchema)]
pub struct Page {
    /// How many at most, up to 100.
    pub limit: Option<u32>,
    /// Only those before the message with this `id`: the last one of the page before.
    pub before: Option<i64>,
}

/// Shows the messages that came by the queue, the latest first.
///
/// For the page after this one, ask for those before the last message of this one.
#[get("/")]
pub async fn list(db: Db, Query(page): Query<Page>) -> Result<Json<Vec<Kept>>> {
    let limit = page.limit.unwrap_or(MOST).min(MOST);
    Ok(Json(messages::latest(&db, page.before, limit).await?))
}

/// Keeps a message. One that is delivered twice, as queues do, is kept once.
///
/// An empty queue is asked again after a second, and answers as soon as there is something: so a message
/// is here at once, and a stop does not wait long for a question under way.
#[piton::sqs("gnar-queue", interval = "1s", wait_time = "2s", max_messages = 10)]
pub async fn keep(message: Message, db: Db) -> Result<()> {
    messages::keep(&db, message.id(), message.body()).await
}
