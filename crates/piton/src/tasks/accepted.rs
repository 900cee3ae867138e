//! [`Accepted`]: the response to a request whose work goes on in the background.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::{Json, Operation, Output};

/// 202 with the header `Location`: the URL at which the task's state is served, if the app has
/// [`App::task_status`](crate::App::task_status) (RFC 9110, section 15.3.3).
///
/// ```
/// use piton::prelude::*;
/// use piton::tasks::{Accepted, Call};
///
/// #[post("/exports")]
/// async fn export() -> Result<Accepted> {
///     Ok(Call::<()>::new("shop.export").send().await?.accepted())
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Accepted(AcceptedTask);

/// The body of [`Accepted`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedTask {
    /// The task's id.
    pub id: String,
    /// The path at which the task's state is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Accepted {
    pub(super) fn new(id: &str, url: Option<String>) -> Self {
        Self(AcceptedTask { id: id.to_owned(), url })
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let location = self.0.url.as_deref().and_then(|url| HeaderValue::try_from(url).ok());
        let mut response = (StatusCode::ACCEPTED, Json(self.0)).into_response();
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

impl Output for Accepted {
    fn describe(operation: &mut Operation) {
        operation.with_status(StatusCode::ACCEPTED, <Json<AcceptedTask> as Output>::describe);
        operation.response_header(
            StatusCode::ACCEPTED,
            "Location",
            "The URL at which the task's state is served.",
        );
    }
}
