//! The route that serves the state of a task, as JSON or as a stream of events.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use http::{HeaderMap, StatusCode, header};

use super::task_status::{TaskStatus, has_declared_error};
use super::tasks_part::Tasks;
use crate::app::App;
use crate::context;
use crate::error::Error;
use crate::http::{self as piton_http, Event, Json, Operation, Output, Path, Route, Sse};

/// Interval at which a stream looks for a change.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

const EVENT_STREAM: &str = "text/event-stream";

/// The path of the route, for the URLs in [`Accepted`](super::Accepted).
pub(super) struct StatusPath(pub String);

impl App {
    /// Serves the states of tasks: `.task_status("/tasks")` adds the route `GET /tasks/{id}`, and
    /// [`Accepted`](crate::tasks::Accepted) links to it. Ids cannot be guessed; whoever knows one reads the result.
    ///
    /// A client that accepts `text/event-stream` gets an event for each change. The stream ends with the task, or when the
    /// service stops: a browser then connects again by itself.
    #[must_use]
    #[track_caller]
    pub fn task_status(self, path: &str) -> Self {
        self.task_status_with(path, |route| route)
    }

    /// Does the same as [`task_status`](Self::task_status) with a route that is changed, such as by a guard:
    /// `.task_status_with("/tasks", |route| route.guard(ApiKey::guard()))`.
    #[must_use]
    #[track_caller]
    #[expect(clippy::allow_attributes, reason = "`describe!` is written for other crates")]
    pub fn task_status_with(self, path: &str, change: impl FnOnce(Route) -> Route) -> Self {
        let path = path.trim_end_matches('/').to_owned();
        let route = piton_http::get(format!("{path}/{{id}}"), task_status)
            .describe(crate::describe!(task_status))
            .described_by_types()
            .doc(
            "Shows the state of a task.\n\nThe state, the progress and, once it has ended, the result. With `Accept: text/event-stream` an \
             event for each change, until the task has ended.",
        );
        self.route(change(route).tag("tasks")).provide(StatusPath(path))
    }
}

/// The handler of the route.
///
/// # Errors
/// 404 if nothing is known of the task; 503 if the broker cannot be asked.
pub async fn task_status(
    tasks: Tasks,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusResponse, Error> {
    let status = status_for_clients(&tasks, &id).await?;
    let Some(status) = status else { return Err(unknown_task()) };
    if accepts_events(&headers) {
        Ok(StatusResponse(Sse::new(changes(tasks, status)).into_response()))
    } else {
        Ok(StatusResponse(Json(status).into_response()))
    }
}

fn unknown_task() -> Error {
    Error::not_found("no such task, or its result has expired")
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| {
        let mut pieces = part.split(';').map(str::trim);
        pieces.next().is_some_and(|name| name.eq_ignore_ascii_case(EVENT_STREAM))
            && !pieces.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// Returns a status as clients may read it: outside development without texts that were not written for them.
async fn status_for_clients(tasks: &Tasks, id: &str) -> Result<Option<TaskStatus>, Error> {
    let Some(record) = tasks.broker().task(id).await? else { return Ok(None) };
    let shows_all = context::try_app().is_ok_and(|app| !app.production());
    let is_public = shows_all || has_declared_error(&record);
    Ok(Some(TaskStatus::of(record).for_clients(is_public)))
}

/// Returns an event for the first state and for every change, up to the last.
fn changes(
    tasks: Tasks,
    first: TaskStatus,
) -> impl Stream<Item = Result<Event, Error>> + Send + 'static {
    let start = Next::Send(first);
    futures_util::stream::unfold((tasks, start), |(tasks, next)| async move {
        let status = match next {
            Next::Send(status) => status,
            Next::After(last) => match changed(&tasks, last).await {
                Ok(Some(status)) => status,
                Ok(None) => return None,
                Err(error) => return Some((Err(error), (tasks, Next::End))),
            },
            Next::End => return None,
        };
        let event = Event::json(&status);
        let next = if status.state.is_final() { Next::End } else { Next::After(status) };
        Some((event, (tasks, next)))
    })
}

/// The next step of a stream.
enum Next {
    Send(TaskStatus),
    After(TaskStatus),
    End,
}

/// Waits for another status. `None` if the task is no longer known.
async fn changed(tasks: &Tasks, last: TaskStatus) -> Result<Option<TaskStatus>, Error> {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        match status_for_clients(tasks, &last.id).await? {
            Some(status) if status == last => {}
            status => return Ok(status),
        }
    }
}

/// The response of the route: a [`TaskStatus`], or a stream of them.
#[derive(Debug)]
pub struct StatusResponse(Response);

impl IntoResponse for StatusResponse {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for StatusResponse {
    fn describe(operation: &mut Operation) {
        <Json<TaskStatus> as Output>::describe(operation);
        operation.response_any(StatusCode::OK, EVENT_STREAM);
        operation.error(StatusCode::NOT_FOUND, "No such task, or its result has expired.");
    }
}
