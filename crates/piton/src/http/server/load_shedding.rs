//! Sheds requests that the service has no capacity for: above `http.max_requests`, or beyond
//! `http.memory_budget`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tracing::warn;

use super::body_limit_errors::{body_above_limit, body_too_large, budget_exhausted};
use super::content_coding::body_coding::unsupported_coding;
use super::error_format::is_failure;
use super::in_flight::InFlightGuard;
use super::request_context::RequestContext;
use super::response_body;
use super::stack::RequestOutcome;
use super::stack_config::StackConfig;
use crate::error::Error;
use crate::request::body_state::BodyRefusal;

impl StackConfig {
    /// Returns a 503 if there are more requests in flight than `http.max_requests`. Probes are never
    /// shed.
    pub(super) fn shed_if_overloaded(
        &self,
        in_flight: &InFlightGuard<'_>,
        request: &RequestContext,
    ) -> Option<RequestOutcome> {
        if in_flight.count() <= self.max_requests || self.exempt_paths.is_probe(request.path()) {
            return None;
        }
        // Requests whose bodies are slow to arrive do no work, so that they take no capacity.
        if in_flight.count() - self.body_waits.count() <= self.max_requests {
            return None;
        }
        self.metrics.shed();
        if let Some(count) = self.shed_log.pass() {
            let limit = self.max_requests;
            warn!(count, limit, "Shed requests: more are in flight than http.max_requests allows");
        }
        let refusal = Error::unavailable("too many requests are in flight")
            .retry_after(Duration::from_secs(1));
        Some(RequestOutcome::Shed(refusal.into_response()))
    }

    /// Returns a 503 for a connection above `http.max_connections`.
    pub(super) fn shed_connection(&self) -> RequestOutcome {
        self.metrics.shed();
        let refusal =
            Error::unavailable("too many connections are open").retry_after(Duration::from_secs(1));
        RequestOutcome::Shed(refusal.into_response())
    }

    /// Returns the response to a request whose body was refused before it was read.
    #[cold]
    pub(super) fn refuse_body(&self, refusal: BodyRefusal) -> RequestOutcome {
        match refusal {
            BodyRefusal::BudgetExhausted => RequestOutcome::BudgetExhausted,
            BodyRefusal::AboveLimit(limit) => {
                RequestOutcome::Answered(body_above_limit(limit).into_response())
            }
            BodyRefusal::TooLarge => RequestOutcome::Answered(body_too_large().into_response()),
            BodyRefusal::UnsupportedCoding => {
                let refusal = unsupported_coding(self.encoded_requests);
                RequestOutcome::Answered(refusal.into_response())
            }
        }
    }

    /// Returns the response to a request that finds `http.memory_budget` used up.
    #[cold]
    pub(super) fn budget_exhausted_response(&self) -> Response {
        let budget = &self.handle.inner().memory;
        budget.refuse();
        if let Some(count) = self.memory_log.pass() {
            let limit = budget.limit();
            warn!(
                count,
                limit,
                "Refused requests: bodies, rows and responses in memory would exceed http.memory_budget"
            );
        }
        budget_exhausted().into_response()
    }

    /// Releases the memory charged while the response was made, and charges the response itself to
    /// `http.memory_budget`.
    pub(super) fn charge_response(
        &self,
        outcome: RequestOutcome,
        request: &RequestContext,
    ) -> RequestOutcome {
        let charge = request.current.memory.get();
        if let Some(charge) = charge {
            charge.clear();
        }
        match outcome {
            RequestOutcome::Answered(response)
                if response.status() == StatusCode::SERVICE_UNAVAILABLE
                    && charge.is_some_and(|charge| charge.is_refused()) =>
            {
                RequestOutcome::BudgetExhausted
            }
            RequestOutcome::Answered(response) => {
                // The result of a POST must be sent even if it exceeds the budget, because the
                // client would repeat it otherwise. Metrics must be, because they are needed most
                // when memory is short.
                let can_retry = request.method.is_safe()
                    && !is_failure(response.status())
                    && !self.exempt_paths.is_quiet(request.path());
                let charged =
                    response_body::charge(response, &self.handle.inner().memory, can_retry);
                charged.map_or(RequestOutcome::BudgetExhausted, RequestOutcome::Answered)
            }
            outcome => outcome,
        }
    }
}
