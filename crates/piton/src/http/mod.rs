//! The public listener: routes, arguments, answers, errors, and the loop that serves them.

mod absent;
mod around;
mod bodies;
#[cfg_attr(not(feature = "compression"), path = "without_compression.rs")]
mod compression;
mod cors;
mod error;
mod etag;
mod exchange;
mod explain;
mod extract;
mod failed;
mod finite;
mod forwarded;
mod guard;
mod hooks;
mod json;
mod listing;
mod operation;
mod origin;
mod pairs;
mod panics;
mod path_text;
mod polite;
mod preconditions;
pub(crate) mod problem;
mod respond;
mod route;
mod server;
mod settings;
mod shape;
mod stack;
mod table;
mod trace;
#[cfg(feature = "validation")]
mod valid;
mod words;

pub use crate::compat::error_envelope::{ErrorDetail, ErrorStyle};
pub use around::{Answering, Around, Next, Surroundings};
pub use cors::CorsSettings;
#[cfg_attr(
    not(feature = "jwt"),
    expect(unused_imports, reason = "only refusals of tokens are whole")
)]
pub(crate) use error::WholeError;
pub use error::{Error, Fault, Known, Recognise, Result};
pub use etag::{ETag, Tagged};
pub use extract::{Form, Json, Path, Query, State};
pub use failed::FailedRequest;
pub(crate) use failed::OwnFormat;
pub use forwarded::{ClientIp, ClientIpHeader, Network};
pub use guard::{CredentialHeader, Guard, Passed};
pub use hooks::RequestHead;
pub use listing::{Items, Listing, NoFilter, Page, Paging, Sort, SortBy, SortRefused, Unsorted};
pub use operation::{
    Answer, AnswerHeader, Content, ErrorAnswer, Input, MakeSchema, Operation, Output, Parameter,
    Place, SecurityWays, probe,
};
pub use preconditions::Preconditions;
pub use respond::{Created, NoContent};
pub use route::{
    ArgumentType, Arguments, Blueprint, MakeGuard, ModulePrefix, Registration, Route, RouteInfo,
    Source, delete, get, patch, post, put, route,
};
pub use settings::{HeaderLine, HttpSettings};
pub use trace::{TRACEPARENT, TraceContext};
#[cfg(feature = "validation")]
pub use valid::{Checked, Valid};

pub(crate) use bodies::BodyState;
pub(crate) use compression::compressed;
#[cfg(feature = "cache")]
pub(crate) use etag::TagList;
#[cfg(feature = "openapi")]
pub(crate) use etag::client_has;
pub(crate) use explain::explain;
pub(crate) use forwarded::Proxies;
#[cfg(feature = "cache")]
pub(crate) use guard::credential_headers;
pub(crate) use hooks::Hooks;
#[cfg(feature = "openapi")]
pub(crate) use listing::ALLOW_EMPTY_VALUE;
#[cfg(feature = "jwt")]
pub(crate) use operation::{ArgumentBodyFirst, BodyFirst, BodyFirstRule};
pub(crate) use panics::install as keep_panics;
pub(crate) use server::{serve, serve_beside};
#[cfg(feature = "client")]
pub(crate) use stack::X_REQUEST_ID;
pub(crate) use stack::{Rules, Stack, StackLayer};
pub(crate) use table::{counted, entry_of, infos, is_within, problems, router, scan, sort};
#[cfg(feature = "client")]
pub(crate) use trace::TRACESTATE;
