//! A client of the ASHIRT backend: signed requests, typed responses.
//!
//! Independent of the service around it, so that it can become a crate of its own.
//!
//! The usual HTTP clients are not used, because they normalize paths (`%2E%2E`, `..`): what arrives
//! is then not what was signed. Here `hyper` sends exactly the text that is signed.
//! `request_target`, `signature`, `multipart`, `metadata` and `models` are pure; `connection_pool`
//! and `retries` do the networking.
//!
//! ```no_run
//! use ashirt_worker::ashirt::{Client, Error, Metadata, ContentPart, Settings, Status};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     let client = Client::new(Settings::new(
//!         "http://backend:3000".parse()?,
//!         "gR6nVtaQmp2SvzIqLUWdedDk".parse()?,
//!         "WvtvxFaJS0mPs82nCzqamI+bOGXpq7EIQhg4UD8nxS5448XG9N0gNAceJGBLPdCA3kAzC4MdUSHnKCJ/lZD++A==".parse()?,
//!     ))?;
//!     client.check_connection().await?;
//!     for evidence in client.search_evidence("my-operation", "type:codeblock").await? {
//!         let content = client.evidence_content("my-operation", &evidence.uuid, ContentPart::Media).await?;
//!         let length = content.bytes().await?.len();
//!         let metadata = Metadata {
//!             source: "length".to_owned(),
//!             body: format!("{length} bytes"),
//!             status: Status::Completed,
//!             message: None,
//!             can_process: Some(true),
//!         };
//!         client.upsert_evidence_metadata("my-operation", &evidence.uuid, &metadata).await?;
//!     }
//!     Ok(())
//! }
//! ```

mod api_call;
mod api_keys;
mod connection_pool;
mod error;
mod evidence_content;
mod metadata;
mod models;
mod multipart;
mod request_target;
mod retries;
mod settings;
mod signature;
mod storable_text;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use api_call::ApiCall;
pub use api_keys::{AccessKey, SecretKey};
pub use error::{Error, Kind};
pub use evidence_content::{ContentPart, EvidenceContent};
pub use metadata::{Metadata, Status, is_source};
pub use models::{
    Contributor, Evidence, EvidenceChange, EvidenceCount, NewEvidence, NewOperation, NewTag,
    Operation, Operator, Tag,
};
pub use multipart::File;
pub use request_target::BaseUrl;
pub use retries::Attempt;
pub use settings::Settings;
pub(crate) use storable_text::is_invisible;
pub use storable_text::{MAX_TEXT_BYTES, storable};

/// Calls one backend as one user. Clones share their connections.
///
/// # Errors
/// Common to all methods: `Connect`, `Timeout` and `Interrupted` say how far the request came;
/// `Unauthorized`, `NotFound`, `BadRequest`, `Server` and `Redirect` report the backend's status;
/// `Decode` and `TooLarge` that the response is not one of ASHIRT's; `Invalid` that nothing was
/// sent. Reads, and writes of metadata, are retried where that may help, each time with a new
/// signature; other calls only if no connection was made.
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
    pool: connection_pool::Pool,
    hooks: ClientHooks,
}

/// Functions that the user of the client provides.
#[derive(Clone)]
struct ClientHooks {
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    headers: Option<Arc<dyn Fn() -> HeaderMap + Send + Sync>>,
    observer: Option<Arc<Observer>>,
}

type Observer = dyn Fn(&Attempt) + Send + Sync;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client, which connects when first used. For `https` it reads the machine's
    /// certificates, which are files (`SSL_CERT_FILE` names others).
    ///
    /// # Errors
    /// `Invalid` if the name of the client cannot stand in a header, or no authority is trusted.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        if HeaderValue::from_str(&settings.user_agent).is_err() {
            return Err(Error::invalid("the user agent is not a valid header value"));
        }
        let pool = connection_pool::pool(&settings)?;
        let hooks = ClientHooks { clock: Arc::new(SystemTime::now), headers: None, observer: None };
        Ok(Self { settings: Arc::new(settings), pool, hooks })
    }

    /// Replaces the clock, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.hooks.clock = Arc::new(clock);
        self
    }

    /// Adds headers to each attempt, such as `traceparent`. Headers that are signed, or that
    /// describe the body, cannot be replaced.
    #[must_use]
    pub fn with_headers(mut self, headers: impl Fn() -> HeaderMap + Send + Sync + 'static) -> Self {
        self.hooks.headers = Some(Arc::new(headers));
        self
    }

    /// Reports each attempt to `observer` when it is over.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&Attempt) + Send + Sync + 'static) -> Self {
        self.hooks.observer = Some(Arc::new(observer));
        self
    }

    /// Checks that the backend is reachable, and accepts the keys and the clock.
    ///
    /// # Errors
    /// Those of the [`Client`]; `Decode` also if the backend reports that it is unhealthy.
    pub async fn check_connection(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Health {
            ok: bool,
        }
        let call = ApiCall::get("check_connection", &["checkconnection"])?;
        let response: Health = self.one(call).await?;
        let unwell = || Error::new(Kind::Decode, "the backend reports that it is unhealthy");
        response.ok.then_some(()).ok_or_else(|| unwell().with_call("check_connection"))
    }

    /// Returns all operations that the user may see.
    ///
    /// # Errors
    /// As the [`Client`] says.
    pub async fn operations(&self) -> Result<Vec<Operation>, Error> {
        self.list(ApiCall::get("operations", &["operations"])?).await
    }

    /// Creates an operation. Its slug may differ from the requested one.
    ///
    /// # Errors
    /// As the [`Client`] says; `BadRequest` if there is one with that slug.
    pub async fn create_operation(&self, operation: &NewOperation) -> Result<Operation, Error> {
        self.one(ApiCall::post("create_operation", &["operations"])?.json(operation)).await
    }

    /// Returns a piece of evidence without its content. Found by a search, because backends have
    /// had no route for it since 2023.
    ///
    /// # Errors
    /// As the [`Client`] says; `NotFound` if there is no such operation, and `Invalid` for a uuid that is not
    /// made of ASCII letters, digits, `-`, `_` and `.`, because a search would read more into it.
    pub async fn evidence(&self, operation: &str, uuid: &str) -> Result<Option<Evidence>, Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if uuid.is_empty() || !uuid.bytes().all(is_plain) {
            let error =
                Error::invalid("the uuid contains characters that a search would interpret");
            return Err(error.with_call("evidence"));
        }
        let call = ApiCall::get("evidence", &["operations", operation, "evidence"])?;
        let found: Vec<Evidence> = self.list(call.query(&format!("uuid:{uuid}"))).await?;
        Ok(found.into_iter().find(|evidence| evidence.uuid == uuid))
    }

    /// Returns the evidence of an operation that matches a query of ASHIRT's timeline, newest
    /// first: `tag:"foo bar"`, `type:codeblock`, `operator:`, `range:`, `meta:`, `sort:asc`, plain
    /// words. An empty query matches everything.
    ///
    /// # Errors
    /// As the [`Client`] says; `BadRequest` for a key that ASHIRT does not know.
    pub async fn search_evidence(
        &self,
        operation: &str,
        query: &str,
    ) -> Result<Vec<Evidence>, Error> {
        let call = ApiCall::get("search_evidence", &["operations", operation, "evidence"])?;
        self.list(call.query(query)).await
    }

    /// Returns the bytes of evidence. Do not call it for the types `event` and `none`: they have no
    /// file, and some stores fail.
    ///
    /// # Errors
    /// As the [`Client`] says, before the first byte; `TooLarge` if the backend announces more than
    /// `media_limit`. Then as [`EvidenceContent::chunk`].
    pub async fn evidence_content(
        &self,
        operation: &str,
        uuid: &str,
        part: ContentPart,
    ) -> Result<EvidenceContent, Error> {
        let segments = ["operations", operation, "evidence", uuid, part.as_str()];
        self.media(&ApiCall::get("evidence_content", &segments)?).await
    }

    /// Creates evidence. **The backend notifies all its workers, including the one that creates
    /// it**: a worker that creates evidence for each notification never ends.
    ///
    /// # Errors
    /// As the [`Client`] says; `Unauthorized` if there is no such operation; `Invalid` for a file without a
    /// name or a time that ASHIRT cannot hold. After `Timeout` and `Interrupted` it may have been made.
    pub async fn create_evidence(
        &self,
        operation: &str,
        evidence: &NewEvidence,
    ) -> Result<Evidence, Error> {
        let call = ApiCall::post("create_evidence", &["operations", operation, "evidence"])?;
        let form = evidence.form().map_err(|error| error.with_call("create_evidence"))?;
        self.one(call.form(form)).await
    }

    /// Updates evidence.
    ///
    /// # Errors
    /// As the [`Client`] says; `Unauthorized` if there is no such evidence; `BadRequest` if its type lets no
    /// file be changed; `Invalid` for a file without a name.
    pub async fn update_evidence(
        &self,
        operation: &str,
        uuid: &str,
        change: &EvidenceChange,
    ) -> Result<(), Error> {
        let call = ApiCall::put("update_evidence", &["operations", operation, "evidence", uuid])?;
        let form = change.form().map_err(|error| error.with_call("update_evidence"))?;
        self.send(&call.form(form)).await.map(drop)
    }

    /// Stores metadata of evidence, in place of the previous metadata from the same source.
    ///
    /// # Errors
    /// As the [`Client`] says; `Unauthorized` if there is no such evidence; `Invalid` for what ASHIRT would lose:
    /// no source, or a text that it cannot store ([`storable`]).
    pub async fn upsert_evidence_metadata(
        &self,
        operation: &str,
        uuid: &str,
        metadata: &Metadata,
    ) -> Result<(), Error> {
        const NAME: &str = "upsert_evidence_metadata";
        metadata.check().map_err(|error| error.with_call(NAME))?;
        let call = ApiCall::put(NAME, &["operations", operation, "evidence", uuid, "metadata"])?;
        self.send(&call.json(metadata).repeatable()).await.map(drop)
    }

    /// Returns the tags of an operation.
    ///
    /// # Errors
    /// As the [`Client`] says; `NotFound` if there is no such operation.
    pub async fn operation_tags(&self, operation: &str) -> Result<Vec<Tag>, Error> {
        self.list(ApiCall::get("operation_tags", &["operations", operation, "tags"])?).await
    }

    /// Creates a tag.
    ///
    /// # Errors
    /// As the [`Client`] says.
    pub async fn create_operation_tag(&self, operation: &str, tag: &NewTag) -> Result<Tag, Error> {
        let call = ApiCall::post("create_operation_tag", &["operations", operation, "tags"])?;
        self.one(call.json(tag)).await
    }

    async fn one<T: serde::de::DeserializeOwned>(&self, call: ApiCall) -> Result<T, Error> {
        let response = self.send(&call).await?;
        models::read(&response).map_err(|error| undecodable(&call, &response, &error))
    }

    async fn list<T: serde::de::DeserializeOwned>(&self, call: ApiCall) -> Result<Vec<T>, Error> {
        let response = self.send(&call).await?;
        models::read_list(&response).map_err(|error| undecodable(&call, &response, &error))
    }
}

/// Describes a response that cannot be decoded. The library's own error is dropped, because it
/// repeats content of the response.
fn undecodable(call: &ApiCall, response: &Bytes, error: &serde_json::Error) -> Error {
    let message = match error.classify() {
        _ if response.is_empty() => "the response is empty",
        serde_json::error::Category::Data => "the response is not in ASHIRT's format",
        _ => "the response is not JSON: check the backend's address",
    };
    Error::new(Kind::Decode, message).with_call(call.name)
}
