//! `Db` in a build without a database: a type that no handler can take, so that the compiler names
//! the missing feature instead of an unknown type.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::http::Error;

/// A placeholder for `Db`: this build has no database. Enable piton's feature `sqlite` or
/// `postgres`.
#[derive(Clone, Debug)]
pub struct AbsentDb(());

/// A trait without implementations, for the message that the compiler prints for a missing one.
#[diagnostic::on_unimplemented(
    message = "this build of piton has no database, so no handler can take `Db`",
    label = "`Db` needs a database",
    note = "enable the feature in Cargo.toml: `piton = {{ version = \"..\", features = [\"sqlite\"] }}`"
)]
pub trait HasDatabase {}

impl<S> FromRequestParts<S> for AbsentDb
where
    S: HasDatabase + Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        Err(Error::internal("this build of piton has no database"))
    }
}

/// Adds nothing to `converter!`, which implements `Bind` and `Column` in a build with a database.
#[doc(hidden)]
#[macro_export]
macro_rules! __converter_column {
    ($type:ident) => {};
}
