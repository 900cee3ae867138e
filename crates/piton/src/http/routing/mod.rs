//! Routes, their guards and middleware, and the table in which they are found.

pub(crate) mod argument_types;
pub(crate) mod blueprint;
#[doc(hidden)]
pub mod describe_signature;
pub(crate) mod explain_routes;
pub(crate) mod guard;
pub(crate) mod middleware;
pub(crate) mod operation;
pub(crate) mod path_encoding;
pub(crate) mod request_hooks;
pub(crate) mod route;
pub(crate) mod route_info;
pub(crate) mod route_limit_table;
pub(crate) mod route_limits;
pub(crate) mod routing_table;
pub(crate) mod unmatched;
