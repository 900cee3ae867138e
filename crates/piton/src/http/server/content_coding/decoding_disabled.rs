//! The module `decoding` of a build without the feature `compression`.

use http::Request;

use crate::request::body_state::BodyRefusal;

/// The codings that are decoded, as the value of `Accept-Encoding`.
pub(super) const DECODED: &str = "identity";

/// Refuses the request: the setting is refused at launch.
pub(super) fn decode<B>(_: Request<B>, _: usize) -> Result<Request<B>, BodyRefusal> {
    Err(BodyRefusal::UnsupportedCoding)
}
