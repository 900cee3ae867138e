//! Messages that came by the queue.

use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::prelude::*;

/// A message as stored.
#[derive(Debug, FromRow, Serialize, JsonSchema)]
pub struct Kept {
    /// Its place: what came later has a larger one.
    pub id: i64,
    /// What the queue calls it.
    pub message_id: String,
    /// What it says.
    pub body: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// Keeps a message, once.
///
/// # Errors
/// Those of the database.
pub async fn keep(db: &Db, id: &str, body: &str) -> Result<()> {
    let sql = "INSERT INTO messages (message_id, body, received_at) VALUES ($1, $2, $3)
        ON CONFLICT (message_id) DO NOTHING";
    db.run(sql, (id, body, Utc::now().trunc_subsecs(6))).await?;
    Ok(())
}

/// The latest messages, or the latest before the one with the `id` `before`.
///
/// # Errors
/// Those of the database.
pub async fn latest(db: &Db, before: Option<i64>, limit: u32) -> Result<Vec<Kept>> {
    let sql = "SELECT id, message_id, body, received_at FROM messages WHERE id < $1
        ORDER BY id DESC LIMIT $2";
    Ok(db.all(sql, (before.unwrap_or(i64::MAX), limit)).await?)
}
