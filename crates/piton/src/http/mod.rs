//! The public listener: routes, arguments, responses, and the server that serves them.

mod extract;
mod responses;
mod routing;
mod server;
mod settings;

pub use crate::compat::error_envelope::{ErrorDetail, ErrorStyle};
pub use crate::error::{Error, ErrorMapper, ErrorResponse, FieldError, Result, StatusMapping};
#[cfg_attr(
    not(feature = "jwt"),
    expect(unused_imports, reason = "only refusals of tokens are whole")
)]
pub(crate) use crate::error::{ErrorConversion, RendererPath};
pub use crate::request::{TRACEPARENT, TraceContext};
pub use extract::arguments::{Form, Json, Path, Query, State};
pub use extract::etag::{ETag, Tagged};
pub use extract::listing::{
    Items, Listing, NoFilter, Page, Paging, Sort, SortBy, SortRefused, Unsorted,
};
pub use extract::preconditions::Preconditions;
#[cfg(feature = "validation")]
pub use extract::validation::{Checked, Valid};
pub use responses::{Created, NoContent};
pub use routing::guard::{CredentialHeader, Guard, GuardFuture};
pub use routing::hooks::RequestHead;
pub use routing::middleware::{Middleware, Next, ResponseFuture, RouteContext};
pub use routing::operation::{
    Content, DocumentedError, DocumentedHeader, DocumentedResponse, Input, MakeSchema, Operation,
    Output, Parameter, ParameterIn, SecuritySchemes, probe,
};
pub use routing::route::{
    ArgumentType, Arguments, Blueprint, MakeGuard, ModulePrefix, Registration, Route, RouteInfo,
    SourceLocation, delete, get, patch, post, put, route,
};
pub use server::cors::CorsSettings;
pub use server::forwarded::{ClientIp, ClientIpHeader, Network};
pub use settings::{HeaderLine, HttpSettings};

#[cfg(feature = "client")]
pub(crate) use crate::request::trace_context::TRACESTATE;
#[cfg(feature = "cache")]
pub(crate) use extract::etag::TagList;
#[cfg(feature = "openapi")]
pub(crate) use extract::etag::client_has;
#[cfg(feature = "openapi")]
pub(crate) use extract::listing::ALLOW_EMPTY_VALUE;
pub(crate) use routing::explain::explain;
#[cfg(feature = "cache")]
pub(crate) use routing::guard::credential_headers;
pub(crate) use routing::hooks::Hooks;
#[cfg(feature = "jwt")]
pub(crate) use routing::operation::{ArgumentBodyFirst, BodyFirst, BodyFirstRule};
pub(crate) use routing::routing_table::{
    counted, descriptor_of, infos, is_within, problems, router, scan, sort,
};
pub(crate) use server::body_budget::BodyState;
pub(crate) use server::compression::compressed;
pub(crate) use server::forwarded::Proxies;
pub(crate) use server::listener::{serve, serve_beside};
pub(crate) use server::panics::install as keep_panics;
#[cfg(feature = "client")]
pub(crate) use server::stack::X_REQUEST_ID;
pub(crate) use server::stack::{Stack, StackConfig, StackLayer};
