//! Users.

use piton::prelude::*;
use piton::uuid::Uuid;

/// A user as stored.
#[derive(Debug, FromRow)]
pub struct User {
    /// The email address, which is who they are.
    pub email: String,
    /// The hash of the password.
    pub password_hash: String,
    /// What they are called.
    pub name: Option<String>,
    /// Whether they have shown that the address is theirs.
    pub active: bool,
}

/// A user who has just been added.
#[derive(Debug, FromRow)]
pub struct NewUser {
    /// The email address.
    pub email: String,
    /// What activates the account.
    pub activation_token: String,
}

/// The user with this address, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &Db, email: &str) -> Result<Option<User>> {
    let sql = "SELECT email, password_hash, name, active FROM users WHERE email = $1";
    Ok(db.one(sql, (email,)).await?)
}

/// Adds a user who is not active yet; `None` if the address is taken.
///
/// # Errors
/// Those of the database.
pub async fn add(db: &Db, email: &str, hash: &str, name: Option<&str>) -> Result<Option<NewUser>> {
    let sql =
        "INSERT INTO users (email, password_hash, name, activation_token) VALUES ($1, $2, $3, $4)
        ON CONFLICT (email) DO NOTHING RETURNING email, activation_token";
    let token = Uuid::new_v4().to_string();
    Ok(db.one(sql, (email, hash, name, token)).await?)
}

/// Takes back a user whose letter could not be sent.
///
/// # Errors
/// Those of the database.
pub async fn remove_inactive(db: &Db, activation_token: &str) -> Result<()> {
    let sql = "DELETE FROM users WHERE activation_token = $1 AND NOT active";
    db.run(sql, (activation_token,)).await?;
    Ok(())
}

/// Activates the account that the token is for, once; its address, or `None`.
///
/// # Errors
/// Those of the database.
pub async fn activate(db: &Db, token: &str) -> Result<Option<String>> {
    let sql = "UPDATE users SET active = TRUE, activation_token = NULL WHERE activation_token = $1
        RETURNING email";
    Ok(db.one(sql, (token,)).await?)
}

/// Replaces a password's hash, unless somebody else has in the meantime.
///
/// # Errors
/// Those of the database.
pub async fn set_password(db: &Db, email: &str, before: &str, hash: &str) -> Result<()> {
    let sql = "UPDATE users SET password_hash = $3 WHERE email = $1 AND password_hash = $2";
    db.run(sql, (email, before, hash)).await?;
    Ok(())
}
