//! Responds to requests whose path has no route: with a static file, by the app's fallback, or with 404.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::StatusCode;

use super::route_info::SourceLocation;
use crate::context;
use crate::handle::Handle;
use crate::http::files::StaticMount;
use crate::metrics::RequestMetrics;

/// The handler that an app has set for paths without a route.
pub(crate) struct AppFallback {
    pub endpoint: MethodRouter<Handle>,
    pub source: SourceLocation,
}

/// Sets the router's response to paths without a route. Of the static files that hold a path, those with the
/// longest prefix respond.
pub(crate) fn with_unmatched(
    router: Router<Handle>,
    mut files: Vec<StaticMount>,
    fallback: Option<AppFallback>,
    metrics: &Arc<RequestMetrics>,
) -> Router<Handle> {
    let fallback = fallback.map(|fallback| fallback.endpoint);
    if files.is_empty() {
        return match fallback {
            Some(endpoint) => router.fallback(endpoint),
            None => router.fallback(not_found),
        };
    }
    files.sort_by_key(|mount| std::cmp::Reverse(mount.prefix().len()));
    router.fallback(Unmatched { files: files.into(), fallback, metrics: metrics.clone() })
}

/// The fallback of a router with static files.
#[derive(Clone)]
struct Unmatched {
    files: Arc<[StaticMount]>,
    fallback: Option<MethodRouter<Handle>>,
    metrics: Arc<RequestMetrics>,
}

impl Handler<(), Handle> for Unmatched {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: Handle) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            for mount in self.files.iter() {
                if let Some(response) = mount.respond(&head).await {
                    context::matched(self.metrics.find(mount.series()));
                    return response;
                }
            }
            match self.fallback {
                Some(endpoint) => endpoint.call(Request::from_parts(head, body), app).await,
                None => not_found().await.into_response(),
            }
        })
    }
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "nothing is served at this path")
}
