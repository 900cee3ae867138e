//! The result of the search for a request's token.

use std::borrow::Cow;

use super::refusal::Refusal;
use super::setting_types::TokenLocation;

/// The token of a request, with its location.
pub(super) struct FoundToken<'a> {
    pub token: Cow<'a, str>,
    pub location: TokenLocation,
    /// The value that the claim `csrf` must have.
    pub csrf: Option<Cow<'a, str>>,
}

/// The reason why no token was found.
pub(super) enum NotFound {
    /// Absence of a token for this service. Optional guards let the request pass.
    Absent(Refusal),
    /// A token was sent in a form that is not accepted.
    Refused(Refusal),
    /// The body has to be read first.
    InBody,
}
