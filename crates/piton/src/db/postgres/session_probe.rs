//! Asks a session of a PostgreSQL server for its role, and detects a pooler in front of it.

use sqlx::{PgConnection, Row as _};

use crate::db::setting_enums::SessionTarget;

/// The kind of pooler between the service and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Pooling {
    /// No connection has been made yet.
    Unknown,
    /// No pooler.
    Direct,
    /// A pooler that assigns a server session to each connection.
    Session,
    /// A pooler that assigns a server session to each transaction.
    Transaction,
}

impl Pooling {
    /// Returns whether a pooler keeps startup parameters from the server.
    pub fn is_pooled(self) -> bool {
        matches!(self, Self::Session | Self::Transaction)
    }
}

/// The capabilities of a server's sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SessionRole {
    pub standby: bool,
    pub read_only: bool,
}

impl SessionRole {
    /// Returns the reason why a server in this role is not suitable, if it is not.
    pub fn unsuitable(self, target: SessionTarget) -> Option<&'static str> {
        match target {
            SessionTarget::Any => None,
            SessionTarget::ReadWrite if self.read_only => Some("is read-only"),
            SessionTarget::ReadOnly if !self.read_only => Some("is not read-only"),
            SessionTarget::Primary if self.standby => Some("is a standby"),
            SessionTarget::Standby | SessionTarget::PreferStandby if !self.standby => {
                Some("is not a standby")
            }
            _ => None,
        }
    }
}

/// The result of [`probe`].
pub(super) struct SessionProbe {
    pub role: SessionRole,
    /// Set if the startup parameters have reached the server.
    pub is_direct: bool,
}

/// Asks a session for its role. Detects a pooler by `extra_float_digits=2`, because sqlx sends that
/// with each startup, other clients do not by default, and poolers do not pass it on.
///
/// # Errors
/// The connection failed. A server that does not support the query counts as one that can write.
pub(super) async fn probe(connection: &mut PgConnection) -> Result<SessionProbe, sqlx::Error> {
    const SQL: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
        current_setting('extra_float_digits') = '2'";
    let row = match sqlx::raw_sql(SQL).fetch_one(connection).await {
        Err(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| &code[..2] == "42") =>
        {
            return Ok(SessionProbe { role: SessionRole::default(), is_direct: true });
        }
        row => row?,
    };
    let role = SessionRole { standby: row.try_get(0)?, read_only: row.try_get(1)? };
    Ok(SessionProbe { role, is_direct: row.try_get(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_suitable_as_in_libpq() {
        let primary = SessionRole::default();
        let standby = SessionRole { standby: true, read_only: true };
        let locked = SessionRole { standby: false, read_only: true };
        let suits = |target: SessionTarget| {
            [primary, standby, locked].map(|role| role.unsuitable(target).is_none())
        };
        assert_eq!(suits(SessionTarget::Any), [true, true, true]);
        assert_eq!(suits(SessionTarget::ReadWrite), [true, false, false]);
        assert_eq!(suits(SessionTarget::ReadOnly), [false, true, true]);
        assert_eq!(suits(SessionTarget::Primary), [true, false, true]);
        assert_eq!(suits(SessionTarget::Standby), [false, true, false]);
        assert_eq!(suits(SessionTarget::PreferStandby), [false, true, false]);
    }
}
