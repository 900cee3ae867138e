//! What stands in the place of `Db` in a build without a database: a type that no handler can take,
//! so that the compiler says which feature is missing instead of not knowing the name.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::http::Error;

/// There is no database in this build: give piton the feature `sqlite` or `postgres`.
#[derive(Clone, Debug)]
pub struct Db(());

/// Implemented by nothing, for the sake of its message.
#[diagnostic::on_unimplemented(
    message = "this build of piton has no database, so no handler can take `Db`",
    label = "`Db` needs a database",
    note = "give piton the feature in Cargo.toml: `piton = {{ version = \"..\", features = [\"sqlite\"] }}`"
)]
pub trait HasDatabase {}

impl<S> FromRequestParts<S> for Db
where
    S: HasDatabase + Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        Err(Error::internal("this build of piton has no database"))
    }
}

/// What `converter!` makes beside the rest in a build with a database; here nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! __converter_column {
    ($type:ident) => {};
}
