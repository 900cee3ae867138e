//! Maps database errors to HTTP statuses, for handlers that return them.

use std::time::Duration;

use http::StatusCode;

use super::error::{Error, Kind};
use super::sqlx_errors::of_database;
use crate::http::{ErrorMapper, StatusMapping};

fn status_of(error: &(dyn std::error::Error + 'static)) -> Option<StatusMapping> {
    if let Some(error) = error.downcast_ref::<Error>() {
        return of_kind(error.kind());
    }
    match error.downcast_ref::<sqlx::Error>()? {
        sqlx::Error::RowNotFound => of_kind(Kind::NotFound),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => of_kind(Kind::Unavailable),
        sqlx::Error::Database(error) => of_kind(of_database(&**error).kind()),
        _ => None,
    }
}

fn of_kind(kind: Kind) -> Option<StatusMapping> {
    match kind {
        Kind::NotFound => Some(StatusCode::NOT_FOUND.into()),
        Kind::Unique => Some(StatusCode::CONFLICT.into()),
        // 422 and not 500, because the fault is in the client's text whichever field a handler
        // did not check.
        Kind::Character => Some(
            StatusMapping::from(StatusCode::UNPROCESSABLE_ENTITY)
                .detail("a text has a character that cannot be stored: U+0000"),
        ),
        Kind::Unavailable => Some(
            StatusMapping::from(StatusCode::SERVICE_UNAVAILABLE)
                .detail("the database is not available at the moment")
                .retry_after(Duration::from_secs(1)),
        ),
        _ => None,
    }
}

inventory::submit! { ErrorMapper(status_of) }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_are_mapped_to_a_status() {
        let of = |status: u16| StatusCode::from_u16(status).map(StatusMapping::from).ok();
        assert_eq!(status_of(&Error::new(Kind::Unique, "")), of(409));
        assert_eq!(status_of(&Error::new(Kind::NotFound, "")), of(404));
        assert_eq!(status_of(&Error::new(Kind::Type, "")), None);
        assert!(status_of(&Error::new(Kind::Character, "")).is_some());
        assert_eq!(status_of(&sqlx::Error::RowNotFound), of(404));
        assert_eq!(status_of(&Error::from(sqlx::Error::RowNotFound)), of(404));
        assert_eq!(status_of(&std::fmt::Error), None);
        let unavailable = of_kind(Kind::Unavailable);
        assert!(unavailable.is_some());
        assert_eq!(status_of(&Error::new(Kind::Unavailable, "")), unavailable);
        assert_eq!(status_of(&Error::from(sqlx::Error::PoolTimedOut)), unavailable);
        assert_eq!(status_of(&Error::from(sqlx::Error::PoolClosed)), unavailable);
        assert_eq!(status_of(&sqlx::Error::PoolTimedOut), unavailable);
    }
}
