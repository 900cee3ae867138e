//! Stores and reads messages from the queue.

use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::prelude::*;

/// A stored message.
#[derive(Debug, FromRow, Serialize, JsonSchema)]
pub struct StoredMessage {
    /// The message's number, which is larger for later messages.
    pub id: i64,
    /// The queue's ID of the message.
    pub message_id: String,
    /// The message's text.
    pub body: String,
    /// The time when it was received.
    pub received_at: DateTime<Utc>,
}

/// Stores a message, unless it is stored already.
///
/// # Errors
/// Those of the database.
pub async fn store(db: &Db, id: &str, body: &str) -> Result<()> {
    let sql = "INSERT INTO messages (message_id, body, received_at) VALUES ($1, $2, $3)
        ON CONFLICT (message_id) DO NOTHING";
    db.run(sql, (id, body, Utc::now().trunc_subsecs(6))).await?;
    Ok(())
}

/// Returns the latest messages, or the latest before the one with the `id` `before`.
///
/// # Errors
/// Those of the database.
pub async fn latest(db: &Db, before: Option<i64>, limit: u32) -> Result<Vec<StoredMessage>> {
    let sql = "SELECT id, message_id, body, received_at FROM messages WHERE id < $1
        ORDER BY id DESC LIMIT $2";
    Ok(db.all(sql, (before.unwrap_or(i64::MAX), limit)).await?)
}
