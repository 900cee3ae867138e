//! The setting `http.encoded_requests`, and the header that it is about.

use http::{HeaderMap, header};

crate::setting_enum! {
    /// The treatment of requests whose body has a `Content-Encoding`.
    pub enum EncodedRequests: default Refuse {
        /// Responds with 415, because a handler would read the compressed bytes.
        Refuse = "refuse",
        /// Decodes the body before the handler reads it.
        Decode = "decode",
        /// Leaves the body to the handler, which has to look at the header.
        Forward = "forward",
    }
}

/// Returns the names in `Content-Encoding`, in the order in which the codings were applied. One that is
/// not ASCII is `?`, which is no coding.
pub(super) fn codings(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::CONTENT_ENCODING).into_iter();
    let names = lines.flat_map(|line| line.to_str().unwrap_or("?").split(','));
    names.map(str::trim).filter(|name| !name.is_empty())
}
