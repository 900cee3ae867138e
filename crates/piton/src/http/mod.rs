//! The public listener: routes, arguments, responses, and the server that serves them.

#[cfg(any(feature = "compression", feature = "files"))]
mod accepted_codings;
mod extract;
#[cfg(feature = "files")]
mod files;
#[cfg(not(feature = "files"))]
#[path = "files_disabled.rs"]
mod files;
mod http2_settings;
mod redirect;
mod responses;
mod routing;
mod server;
mod settings;
mod streams;
mod tls_settings;
mod upload_settings;

pub use crate::compat::error_style::{ErrorDetail, ErrorStyle};
pub use crate::error::{Error, ErrorMapper, ErrorResponse, FieldError, Result, StatusMapping};
#[cfg_attr(
    not(feature = "jwt"),
    expect(unused_imports, reason = "only refusals of tokens are whole")
)]
pub(crate) use crate::error::{ErrorConversion, RendererPath};
pub use crate::request::{ClientIpHeader, Network};
pub use crate::request::{TRACEPARENT, TraceContext};
pub use extract::client_ip::ClientIp;
pub use extract::entity_tag::ETag;
pub use extract::form::Form;
pub use extract::json::Json;
pub use extract::listing::{
    Listing, NoFilter, Page, PageArray, Paging, Sort, SortBy, SortError, Unsorted,
};
#[cfg(feature = "multipart")]
pub use extract::multipart::{FormPart, Multipart, MultipartForm, Upload};
pub use extract::path::Path;
pub use extract::preconditions::Preconditions;
pub use extract::query::Query;
pub use extract::state::State;
#[cfg(feature = "validation")]
pub use extract::valid::{Valid, Validatable};
pub use extract::with_etag::WithETag;
#[cfg(feature = "files")]
pub use files::{Download, EmbeddedFile, EmbeddedFiles, StaticFiles};
/// Values that come up one after another; see [`Sse`].
pub use futures_util::Stream;
pub use http2_settings::Http2Settings;
pub use redirect::Redirect;
pub use responses::{Created, NoContent};
pub use routing::argument_types::{ArgumentType, HandlerArguments};
pub use routing::blueprint::{Blueprint, MakeGuard, ModulePrefix, Registration};
#[doc(hidden)]
pub use routing::describe_signature as probe;
pub use routing::guard::{CredentialHeader, Guard, GuardFuture};
pub use routing::middleware::{Middleware, Next, ResponseFuture, RouteContext};
pub use routing::operation::{
    Content, DocumentedError, DocumentedHeader, DocumentedResponse, Input, MakeSchema, Operation,
    Output, Parameter, ParameterIn, SecuritySchemes,
};
pub use routing::request_hooks::RequestHead;
pub use routing::route::{Route, delete, get, patch, post, put, route};
pub use routing::route_info::{RouteInfo, SourceLocation};
pub use routing::route_limits::RouteLimits;
pub use server::content_coding::encoded_requests::EncodedRequests;
pub use server::cors::CorsSettings;
pub use server::listeners::listen_address::{ListenAddress, UnixAddress};
#[cfg(feature = "tls")]
pub use server::tls::client_certificate::ClientCert;
pub use settings::{HeaderLine, HttpSettings};
pub use streams::byte_stream::ByteStream;
pub use streams::event::Event;
pub use streams::last_event_id::LastEventId;
pub use streams::settings::StreamSettings;
pub use streams::sse::{EventSender, Sse, StreamClosed};
pub use streams::stream_item::StreamItem;
#[cfg(feature = "websocket")]
pub use streams::websocket::{
    CloseCode, CloseFrame, SocketResult, Utf8Bytes, WebSocket, WebSocketMessage, WebSocketReceiver,
    WebSocketSender, WebSocketUpgrade,
};
pub use tls_settings::{ClientAuth, TlsSettings, TlsVersion};
pub use upload_settings::UploadSettings;

#[cfg(feature = "client")]
pub(crate) use crate::request::trace_context::TRACESTATE;
#[cfg(feature = "cache")]
pub(crate) use extract::entity_tag::ETagList;
#[cfg(feature = "openapi")]
pub(crate) use extract::entity_tag::is_not_modified;
#[cfg(feature = "openapi")]
pub(crate) use extract::listing::ALLOW_EMPTY_VALUE;
pub(crate) use files::StaticMount;
pub(crate) use routing::argument_types::descriptor_of;
pub(crate) use routing::explain_routes::explain;
#[cfg(feature = "cache")]
pub(crate) use routing::guard::credential_headers;
#[cfg(feature = "jwt")]
pub(crate) use routing::operation::{ArgumentBodyFirst, BodyFirst, BodyFirstRule};
pub(crate) use routing::request_hooks::RequestHooks;
pub(crate) use routing::route::fallback;
pub(crate) use routing::route_limit_table::limit_problems;
pub(crate) use routing::routing_table::{
    RoutingTable, counted, infos, is_within, problems, registered_modules, router, scan, sort,
};
pub(crate) use routing::unmatched::{AppFallback, with_unmatched};
pub(crate) use server::content_coding::compression::compressed;
pub(crate) use server::listener::{PublicListeners, serve, serve_admin};
pub(crate) use server::listeners::{Listeners, receive_inherited_sockets};
#[cfg(feature = "tasks")]
pub(crate) use server::panics;
pub(crate) use server::panics::{catch_quietly, install_hook as install_panic_hook};
pub(crate) use server::probe_paths::ExemptPaths;
#[cfg(feature = "client")]
pub(crate) use server::request_context::X_REQUEST_ID;
pub(crate) use server::stack::{Stack, StackLayer};
pub(crate) use server::stack_config::StackConfig;
