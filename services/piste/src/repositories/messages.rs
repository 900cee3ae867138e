//! Messages that came by the queue.

use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::prelude::*;

/// A message as stored.
#[derive(Debug, FromRow, Serialize, JsonSchema)]
pub struct Kept {
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

/// The latest messages.
///
/// # Errors
/// Those of the database.
pub async fn latest(db: &Db, limit: u32) -> Result<Vec<Kept>> {
    let sql = "SELECT message_id, body, received_at FROM messages ORDER BY id DESC LIMIT $1";
    Ok(db.all(sql, (limit,)).await?)
}
