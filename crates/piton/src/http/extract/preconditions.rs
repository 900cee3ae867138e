//! Preconditions of requests: `If-Match` and `If-None-Match` (RFC 9110, section 13).
//!
//! If two clients read the same version of a resource and both change it, the second silently overwrites the change of
//! the first. With `If-Match` the second is rejected, and can read the new version.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, StatusCode, header};

use crate::error::handler_error::{Error, Result};
use crate::http::extract::entity_tag::{ETag, ETagList};
use crate::http::routing::operation::{Input, Operation};

/// The conditions of a request: `If-Match` and `If-None-Match`.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::{ETag, Preconditions, WithETag};
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
/// ) -> Result<WithETag<Json<Note>>> {
///     // The row stays locked until the commit: no other request changes it after the check.
///     let mut tx = db.begin().await?;
///     let lock = "UPDATE notes SET revision = revision WHERE id = $1 RETURNING text, revision";
///     let old = tx.one::<Note>(lock, (id,)).await?.ok_or_else(|| Error::not_found("no such note"))?;
///     preconditions.check(Some(&ETag::strong(old.revision)))?;
///     let new = Note { text, revision: old.revision + 1 };
///     tx.run("UPDATE notes SET text = $2, revision = $3 WHERE id = $1", (id, &new.text, new.revision))
///         .await?;
///     tx.commit().await?;
///     Ok(WithETag::new(ETag::strong(new.revision), Json(new)))
/// }
/// # fn main() {}
/// ```
///
/// # Errors
/// 400 if a header is not a list of entity tags. Ignoring it would lose the update that it is to protect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<ETagList>,
    if_none_match: Option<ETagList>,
}

impl Preconditions {
    /// Compares the conditions with the current state of the resource: its tag, or `None` if there is no
    /// such resource. Call it after everything else that may reject the request, inside the transaction that
    /// changes the resource.
    ///
    /// `If-Match` requires an equal strong tag; `If-None-Match: *` requires that the resource does not exist.
    ///
    /// # Errors
    /// 412, with the current `ETag` if there is one.
    #[track_caller]
    pub fn check(&self, current: Option<&ETag>) -> Result<()> {
        if let Some(list) = &self.if_match
            && !current.is_some_and(|tag| list.matches_strongly(tag.as_str()))
        {
            return Err(precondition_failed(current, if_match_failed(list, current)));
        }
        if let (Some(list), Some(tag)) = (&self.if_none_match, current)
            && list.matches_weakly(tag.as_str())
        {
            let detail = match list {
                ETagList::Any => {
                    "the resource exists, and `If-None-Match: *` requires that it does not"
                        .to_owned()
                }
                ETagList::Listed(_) => {
                    format!("the entity tag is {tag}, which `If-None-Match` excludes")
                }
            };
            return Err(precondition_failed(current, detail));
        }
        Ok(())
    }

    /// Rejects a request without `If-Match`, for resources that may only be changed by clients that have read them.
    ///
    /// # Errors
    /// 428 (RFC 6585, section 3).
    #[track_caller]
    pub fn require_if_match(&self) -> Result<&Self> {
        if self.if_match.is_some() {
            return Ok(self);
        }
        let detail = "`If-Match` is required: get the resource first, and send its `ETag`";
        Err(Error::new(StatusCode::PRECONDITION_REQUIRED, detail))
    }

    /// Returns whether the client has the version with this tag, by its `If-None-Match`.
    #[must_use]
    pub fn client_has(&self, tag: &ETag) -> bool {
        self.if_none_match.as_ref().is_some_and(|list| list.matches_weakly(tag.as_str()))
    }

    /// Parses one of the two headers.
    fn read(head: &Parts, name: &HeaderName) -> Result<Option<ETagList>> {
        ETagList::read(&head.headers, name).map_err(|invalid| {
            let header = if *name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
            let invalid: String = invalid.chars().take(100).collect();
            let detail = match &*invalid {
                "*" => format!("`{header}` is either `*` or a list of entity tags, not both"),
                _ => format!(
                    "`{invalid}` in `{header}` is not an entity tag: send the `ETag` of a response as it \
                     is, quotes included"
                ),
            };
            Error::bad_request(detail)
        })
    }
}

/// Returns the detail for an `If-Match` that does not match.
#[cold]
fn if_match_failed(list: &ETagList, current: Option<&ETag>) -> String {
    match current {
        None => "the resource does not exist, and `If-Match` requires one".to_owned(),
        Some(tag) if list.has_weak() => format!(
            "the entity tag is {tag}; `If-Match` compares strongly, so a weak tag (`W/`) never matches"
        ),
        Some(tag) => format!(
            "the resource has changed: its entity tag is {tag}, which `If-Match` does not list; get it again"
        ),
    }
}

/// Returns 412 with the current `ETag`.
#[cold]
#[track_caller]
fn precondition_failed(current: Option<&ETag>, detail: String) -> Error {
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
            // A malformed header is ignored for a read, because the whole response is always right.
            Err(_) if head.method.is_safe() => None,
            read => read?,
        };
        Ok(Self { if_match, if_none_match })
    }
}

impl Input for Preconditions {
    fn describe(operation: &mut Operation) {
        operation.optionally(|operation| {
            operation.header_of::<ETagList>(
                "If-Match",
                "The `ETag` of the version to change, or `*` for any version.",
            );
            operation.header_of::<ETagList>(
                "If-None-Match",
                "`*` if the resource must not exist, or the `ETag`s that it must not have.",
            );
        });
        operation.error(
            StatusCode::PRECONDITION_FAILED,
            "The resource is not in the state that `If-Match` or `If-None-Match` requires.",
        );
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http::{HeaderMap, HeaderValue, Request};

    use super::*;

    async fn preconditions(
        method: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Preconditions> {
        let mut head = Request::builder().method(method).body(()).unwrap().into_parts().0;
        head.headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect::<HeaderMap>();
        Preconditions::from_request_parts(&mut head, &()).await
    }

    async fn status(name: &'static str, value: &'static str, current: Option<&ETag>) -> u16 {
        let checked = preconditions("PUT", &[(name, value)]).await.and_then(|it| it.check(current));
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
    async fn the_412_names_the_current_tag() {
        let preconditions = preconditions("PATCH", &[("if-match", "\"6\"")]).await.unwrap();
        let error = preconditions.check(Some(&ETag::strong(7))).unwrap_err();
        assert!(error.detail().unwrap().contains("entity tag is \"7\""), "{error:?}");
        assert_eq!(error.into_response().headers()[header::ETAG], "\"7\"");
    }

    #[tokio::test]
    async fn a_read_ignores_a_malformed_if_none_match_only() {
        assert_eq!(
            preconditions("GET", &[("if-none-match", "7")]).await.unwrap(),
            Preconditions::default()
        );
        assert!(preconditions("GET", &[("if-match", "7")]).await.is_err());
    }

    #[tokio::test]
    async fn a_version_can_be_required() {
        let without = preconditions("PUT", &[("if-none-match", "*")]).await.unwrap();
        let error = without.require_if_match().unwrap_err();
        assert_eq!(error.status(), StatusCode::PRECONDITION_REQUIRED);
        assert!(
            preconditions("PUT", &[("if-match", "*")]).await.unwrap().require_if_match().is_ok()
        );
    }
}
