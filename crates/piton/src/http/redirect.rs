//! Redirects (RFC 9110, section 15.4), with the status in the type, so that the OpenAPI document knows it.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::error::{Error, Result};
use crate::http::routing::operation::{Operation, Output};

/// Characters that a URL cannot hold (RFC 3986, section 2). `%` is left, because a location may be encoded already.
const NOT_IN_URLS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Sends the client to another URL. The type has the status: `Redirect` is `Redirect<303>`.
///
/// | call | status | the client's next request |
/// |---|---|---|
/// | [`Redirect::found`] | 302 | mostly `GET`, by custom |
/// | [`Redirect::see_other`] | 303 | `GET`: after a form |
/// | [`Redirect::temporary`] | 307 | the same method and body |
/// | [`Redirect::permanent`] | 308 | the same method and body, from now on at once |
///
/// Whatever a URL cannot hold is percent-encoded, so that a value of the client cannot add a header or end the
/// response. It can still name another host: a location that the client has sent (`?next=`) passes
/// [`Redirect::local`] first, or else the service's good name leads to a phishing page ("open redirect", CWE-601).
///
/// ```
/// use piton::http::Redirect;
/// use piton::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Login { next: String }
///
/// async fn login(Query(login): Query<Login>) -> Result<Redirect> {
///     Redirect::see_other(login.next).local()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect<const STATUS: u16 = 303> {
    location: String,
}

/// Defines the constructor of each status.
macro_rules! redirects {
    ($($(#[$doc:meta])* $name:ident $status:literal)*) => {$(
        impl Redirect<$status> {
            $(#[$doc])*
            #[must_use]
            pub fn $name(location: impl Into<String>) -> Self {
                Self { location: location.into() }
            }
        }

        impl Output for Redirect<$status> {
            fn describe(operation: &mut Operation) {
                let status = StatusCode::from_u16($status).expect("the status is a valid one");
                operation.response_empty(status);
                operation.response_header(status, "Location", "The URL to go to.");
            }
        }

        impl IntoResponse for Redirect<$status> {
            fn into_response(self) -> Response {
                respond($status, &self.location)
            }
        }
    )*};
}

redirects! {
    /// Redirects with 302. Browsers go on with `GET`; other clients may repeat the method, so that 303 or 307 says
    /// more.
    found 302
    /// Redirects with 303: the client gets the other URL with `GET`, such as after a form has been sent.
    see_other 303
    /// Redirects with 307: the client repeats the request, with its method and body, at the other URL.
    temporary 307
    /// Redirects with 308: as 307, and the client may remember it. Browsers do so for long, so an error is hard to
    /// take back.
    permanent 308
}

impl<const STATUS: u16> Redirect<STATUS> {
    /// Accepts a path of this service only: for a location that the client has sent.
    ///
    /// # Errors
    /// 400 if it could lead to another host: it is not a path, or begins with `//` or `/\`, or holds a control
    /// character, which browsers drop.
    #[track_caller]
    pub fn local(self) -> Result<Self> {
        if is_local(&self.location) {
            return Ok(self);
        }
        Err(Error::bad_request("the location to go to is not a path of this service"))
    }

    /// Returns the location as it was given.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }
}

/// Returns whether browsers resolve `location` to the host that it came from.
fn is_local(location: &str) -> bool {
    let mut letters = location.chars();
    // Browsers read `\` as `/`, so `/\host` is another host too.
    letters.next() == Some('/')
        && !matches!(letters.next(), Some('/' | '\\'))
        && !location.contains(|letter: char| letter.is_control())
}

fn respond(status: u16, location: &str) -> Response {
    let location = utf8_percent_encode(location, NOT_IN_URLS).to_string();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).expect("the status is a valid one");
    let location = HeaderValue::try_from(location).expect("printable ASCII is a header's value");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_redirect_has_its_status_and_its_location() {
        let of = |response: Response| {
            (response.status().as_u16(), response.headers()["location"].clone())
        };
        assert_eq!(
            of(Redirect::found("/a").into_response()),
            (302, HeaderValue::from_static("/a"))
        );
        assert_eq!(of(Redirect::see_other("/a?b=%20").into_response()).1, "/a?b=%20");
        assert_eq!(of(Redirect::temporary("https://x.example/").into_response()).0, 307);
        assert_eq!(
            of(Redirect::permanent("/ä").into_response()),
            (308, HeaderValue::from_static("/%C3%A4"))
        );
    }

    #[test]
    fn a_location_cannot_add_a_header_or_end_the_head() {
        let response = Redirect::found("/a\r\nset-cookie: b=c\r\n\r\n<script>").into_response();
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(location, "/a%0D%0Aset-cookie:%20b=c%0D%0A%0D%0A%3Cscript%3E");
        assert_eq!(response.headers().len(), 1);
    }

    #[test]
    fn a_location_of_the_client_stays_on_this_host() {
        for local in ["/", "/a/b?c=//d", "/:x"] {
            assert!(Redirect::see_other(local).local().is_ok(), "{local}");
        }
        for other in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "\\/evil",
            "https://evil.example",
            "/\t/evil",
            "javascript:x",
        ] {
            let error = Redirect::see_other(other).local().unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{other}");
        }
    }
}
