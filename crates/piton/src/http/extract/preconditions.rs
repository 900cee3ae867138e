//! Preconditions of requests: `If-Match` and `If-None-Match` (RFC 9110, section 13).
//!
//! Of two clients that read the same version and change it, the second would undo the change of the first
//! without a word. With `If-Match` it is refused instead, and can look at what has changed.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, StatusCode, header};

use crate::error::handler_error::{Error, Result};
use crate::http::extract::etag::{ETag, TagList};
use crate::http::routing::operation::{Input, Operation};

/// The conditions of a request.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::{ETag, Preconditions, Tagged};
///
/// #[derive(Deserialize, Serialize, JsonSchema, FromRow)]
/// struct Note { text: String, revision: i64 }
///
/// #[put("/notes/{id}")]
/// async fn write(
///     db: Db,
///     Path(id): Path<i64>,
///     preconditions: Preconditions,
///     Json(text): Json<String>,
/// ) -> Result<Tagged<Json<Note>>> {
///     // The row stays locked until the commit: no other request changes it after the check.
///     let mut tx = db.begin().await?;
///     let lock = "UPDATE notes SET revision = revision WHERE id = $1 RETURNING text, revision";
///     let old = tx.one::<Note>(lock, (id,)).await?.ok_or_else(|| Error::not_found("no such note"))?;
///     preconditions.check(Some(&ETag::strong(old.revision)))?;
///     let new = Note { text, revision: old.revision + 1 };
///     tx.run("UPDATE notes SET text = $2, revision = $3 WHERE id = $1", (id, &new.text, new.revision))
///         .await?;
///     tx.commit().await?;
///     Ok(Tagged::new(ETag::strong(new.revision), Json(new)))
/// }
/// # fn main() {}
/// ```
///
/// # Errors
/// 400 if a header is not a list of entity tags. Ignoring it would lose the update that it is to protect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<TagList>,
    if_none_match: Option<TagList>,
}

impl Preconditions {
    /// Compares the conditions with the current state of the resource: its tag, or `None` if there is no
    /// such resource. Call it after everything else that may refuse the request, inside the transaction that
    /// changes the resource.
    ///
    /// `If-Match` needs a strong tag that is the same; `If-None-Match: *` needs that the resource does not exist.
    ///
    /// # Errors
    /// 412, with the current `ETag` if there is one.
    #[track_caller]
    pub fn check(&self, current: Option<&ETag>) -> Result<()> {
        if let Some(list) = &self.if_match
            && !current.is_some_and(|tag| list.matches_strongly(tag.as_str()))
        {
            return Err(failed(current, if_match_failed(list, current)));
        }
        if let (Some(list), Some(tag)) = (&self.if_none_match, current)
            && list.matches_weakly(tag.as_str())
        {
            let detail = match list {
                TagList::Any => {
                    "it exists already, and `If-None-Match: *` asks that it does not".to_owned()
                }
                TagList::Listed(_) => {
                    format!("its entity tag is {tag}, which `If-None-Match` excludes")
                }
            };
            return Err(failed(current, detail));
        }
        Ok(())
    }

    /// Refuses a request without `If-Match`, for resources that nobody may change without having read them.
    ///
    /// # Errors
    /// 428 (RFC 6585, section 3).
    #[track_caller]
    pub fn require_if_match(&self) -> Result<&Self> {
        if self.if_match.is_some() {
            return Ok(self);
        }
        let detail = "get the resource first, and send its `ETag` as `If-Match`";
        Err(Error::new(StatusCode::PRECONDITION_REQUIRED, detail))
    }

    /// Returns whether the client has the representation with this tag, by its `If-None-Match`.
    #[must_use]
    pub fn client_has(&self, tag: &ETag) -> bool {
        self.if_none_match.as_ref().is_some_and(|list| list.matches_weakly(tag.as_str()))
    }

    fn read(head: &Parts, name: &HeaderName) -> Result<Option<TagList>> {
        TagList::read(&head.headers, name).map_err(|wrong| {
            let header = if *name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
            let wrong: String = wrong.chars().take(100).collect();
            let detail = match &*wrong {
                "*" => format!("`{header}` is either `*` or a list of entity tags, not both"),
                _ => format!(
                    "`{wrong}` in `{header}` is not an entity tag: send the `ETag` of a response as it \
                     is, quotes included"
                ),
            };
            Error::bad_request(detail)
        })
    }
}

#[cold]
fn if_match_failed(list: &TagList, current: Option<&ETag>) -> String {
    match current {
        None => "there is no such resource, and `If-Match` asks for one".to_owned(),
        Some(tag) if list.has_weak() => format!(
            "its entity tag is {tag}; `If-Match` compares strongly, so a weak tag (`W/`) never matches"
        ),
        Some(tag) => format!(
            "it has changed: its entity tag is {tag}, which `If-Match` does not list; get it again"
        ),
    }
}

#[cold]
#[track_caller]
fn failed(current: Option<&ETag>, detail: String) -> Error {
    let error = Error::new(StatusCode::PRECONDITION_FAILED, detail);
    match current {
        Some(tag) => error.header(header::ETAG, tag.as_header().clone()),
        None => error,
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Error;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self> {
        let if_match = Self::read(head, &header::IF_MATCH)?;
        let if_none_match = match Self::read(head, &header::IF_NONE_MATCH) {
            // For a read the whole response is right in any case.
            Err(_) if head.method.is_safe() => None,
            read => read?,
        };
        Ok(Self { if_match, if_none_match })
    }
}

impl Input for Preconditions {
    fn describe(operation: &mut Operation) {
        operation.optionally(|operation| {
            operation.header_of::<TagList>(
                "If-Match",
                "The `ETag` of the version that is to be changed, or `*` for any.",
            );
            operation.header_of::<TagList>(
                "If-None-Match",
                "`*` if there must be no version yet, or the `ETag`s that it must not have.",
            );
        });
        operation.error(
            StatusCode::PRECONDITION_FAILED,
            "The resource is not in the state that `If-Match` or `If-None-Match` asks for.",
        );
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http::{HeaderMap, HeaderValue, Request};

    use super::*;

    async fn of(method: &str, headers: &[(&'static str, &'static str)]) -> Result<Preconditions> {
        let mut head = Request::builder().method(method).body(()).unwrap().into_parts().0;
        head.headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect::<HeaderMap>();
        Preconditions::from_request_parts(&mut head, &()).await
    }

    async fn status(name: &'static str, value: &'static str, current: Option<&ETag>) -> u16 {
        let checked = of("PUT", &[(name, value)]).await.and_then(|it| it.check(current));
        checked.map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[tokio::test]
    async fn conditions_are_those_of_rfc_9110() {
        let (strong, weak) = (ETag::strong(7), ETag::weak(7));
        for (name, value, current, wanted) in [
            ("if-match", "\"7\"", Some(&strong), 200),
            ("if-match", "\"6\", \"7\"", Some(&strong), 200),
            ("if-match", "*", Some(&strong), 200),
            ("if-match", "\"6\"", Some(&strong), 412),
            ("if-match", "W/\"7\"", Some(&strong), 412),
            ("if-match", "\"7\"", Some(&weak), 412),
            ("if-match", "", Some(&strong), 412),
            ("if-match", "*", None, 412),
            ("if-match", "\"7\"", None, 412),
            ("if-match", "7", Some(&strong), 400),
            ("if-none-match", "*", Some(&strong), 412),
            ("if-none-match", "*", None, 200),
            ("if-none-match", "W/\"7\"", Some(&strong), 412),
            ("if-none-match", "\"6\"", Some(&strong), 200),
            ("if-none-match", "6", Some(&strong), 400),
            ("if-none-match", "*, \"7\"", None, 400),
        ] {
            assert_eq!(status(name, value, current).await, wanted, "{name}: {value} {current:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_says_what_the_tag_is_now() {
        let preconditions = of("PATCH", &[("if-match", "\"6\"")]).await.unwrap();
        let refused = preconditions.check(Some(&ETag::strong(7))).unwrap_err();
        assert!(refused.detail().unwrap().contains("entity tag is \"7\""), "{refused:?}");
        assert_eq!(refused.into_response().headers()[header::ETAG], "\"7\"");
    }

    #[tokio::test]
    async fn a_read_ignores_a_malformed_if_none_match_only() {
        assert_eq!(of("GET", &[("if-none-match", "7")]).await.unwrap(), Preconditions::default());
        assert!(of("GET", &[("if-match", "7")]).await.is_err());
    }

    #[tokio::test]
    async fn a_version_can_be_required() {
        let without = of("PUT", &[("if-none-match", "*")]).await.unwrap();
        let refused = without.require_if_match().unwrap_err();
        assert_eq!(refused.status(), StatusCode::PRECONDITION_REQUIRED);
        assert!(of("PUT", &[("if-match", "*")]).await.unwrap().require_if_match().is_ok());
    }
}
