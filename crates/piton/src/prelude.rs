//! The names that nearly every file of a service uses: `use piton::prelude::*;`. Tests import
//! [`testing`](crate::testing) as well.

pub use crate::Settings;
#[cfg(feature = "api-key")]
pub use crate::auth::api_key::{ApiKey, ApiKeys};
#[cfg(feature = "jwt")]
pub use crate::auth::jwt::{Identity, Tokens};
#[cfg(feature = "password")]
pub use crate::auth::password::Passwords;
#[cfg(feature = "cache")]
pub use crate::cache::Cache;
#[cfg(feature = "cache")]
pub use crate::cached;
#[cfg(feature = "client")]
pub use crate::client::{External, Peers};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use crate::db::{Db, FromRow};
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub use crate::db_disabled::AbsentDb as Db;
#[cfg(feature = "validation")]
pub use crate::http::Valid;
pub use crate::http::{Created, Error, Form, Json, NoContent, Path, Query, Result, State};
#[cfg(feature = "openapi")]
pub use crate::openapi::OpenApi;
#[cfg(feature = "tasks")]
pub use crate::tasks::{self as task, Tasks};
pub use crate::{App, Command, Handle, StatusCode, Step};
#[cfg(feature = "tasks")]
pub use crate::{cron, task};
pub use crate::{delete, errors, get, limits, patch, post, protected, public, put, route};
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use tracing::{debug, error, info, trace, warn};
