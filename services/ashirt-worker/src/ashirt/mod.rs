//! A client of the ASHIRT backend: signed requests, their answers as types.
//!
//! It stands alone: nothing here knows of the service around it, so that it can be taken elsewhere.
//!
//! Why not one of the usual HTTP clients: they tidy paths up (`%2E%2E`, `..`), and what arrives is then not
//! what was signed. Here the text that is signed is the text that `hyper` sends. `target`, `signature`,
//! `multipart`, `metadata` and `types` are pure; `transport` and `attempts` do the talking.
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
pub use metadata::{Metadata, Status};
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

/// Speaks to one backend as one user. Clones share their connections.
///
/// # Errors
/// What its methods have in common: `Connect`, `Timeout`, `Interrupted` say how far the request came;
/// `Unauthorized`, `NotFound`, `BadRequest`, `Server`, `Redirect` what the backend answered; `Decode` and
/// `TooLarge` that the answer is none of ASHIRT's; `Invalid` that nothing was sent. Reads, and metadata, are
/// asked again if that may help, each time with a new signature; all else only if no connection was made.
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
    pool: connection_pool::Pool,
    hooks: ClientHooks,
}

/// What is asked of whoever uses the client, and told to them.
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
    /// A client with these settings; it connects when it is first used. For `https` it reads the machine's
    /// certificates, which are files (`SSL_CERT_FILE` names others).
    ///
    /// # Errors
    /// `Invalid` if the name of the client cannot stand in a header, or no authority is trusted.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        if HeaderValue::from_str(&settings.user_agent).is_err() {
            return Err(Error::invalid("the client's name (user agent) cannot stand in a header"));
        }
        let pool = connection_pool::pool(&settings)?;
        let hooks = ClientHooks { clock: Arc::new(SystemTime::now), headers: None, observer: None };
        Ok(Self { settings: Arc::new(settings), pool, hooks })
    }

    /// Takes the time from elsewhere: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.hooks.clock = Arc::new(clock);
        self
    }

    /// Asks for more headers before each attempt, such as `traceparent`. They cannot take the place of those
    /// that are signed, or that say what the body is.
    #[must_use]
    pub fn with_headers(mut self, headers: impl Fn() -> HeaderMap + Send + Sync + 'static) -> Self {
        self.hooks.headers = Some(Arc::new(headers));
        self
    }

    /// Tells of each attempt when it is over.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&Attempt) + Send + Sync + 'static) -> Self {
        self.hooks.observer = Some(Arc::new(observer));
        self
    }

    /// Whether the backend is there, and accepts our keys and our clock.
    ///
    /// # Errors
    /// As the [`Client`] says; `Decode` also if it answers that it is not well.
    pub async fn check_connection(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Answer {
            ok: bool,
        }
        let call = ApiCall::get("check_connection", &["checkconnection"])?;
        let answer: Answer = self.one(call).await?;
        let unwell = || Error::new(Kind::Decode, "the backend says that it is not well");
        answer.ok.then_some(()).ok_or_else(|| unwell().of_call("check_connection"))
    }

    /// All operations that the user may see.
    ///
    /// # Errors
    /// As the [`Client`] says.
    pub async fn operations(&self) -> Result<Vec<Operation>, Error> {
        self.list(ApiCall::get("operations", &["operations"])?).await
    }

    /// Makes an operation, whose slug may be another than was asked for.
    ///
    /// # Errors
    /// As the [`Client`] says; `BadRequest` if there is one with that slug.
    pub async fn create_operation(&self, operation: &NewOperation) -> Result<Operation, Error> {
        self.one(ApiCall::post("create_operation", &["operations"])?.json(operation)).await
    }

    /// A piece of evidence, without its content. It is searched for: backends have no route for it since 2023.
    ///
    /// # Errors
    /// As the [`Client`] says; `NotFound` if there is no such operation, and `Invalid` for a uuid that is not
    /// made of ASCII letters, digits, `-`, `_` and `.`, because a search would read more into it.
    pub async fn evidence(&self, operation: &str, uuid: &str) -> Result<Option<Evidence>, Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if uuid.is_empty() || !uuid.bytes().all(is_plain) {
            let error = Error::invalid("a uuid that a search would not read as one");
            return Err(error.of_call("evidence"));
        }
        let call = ApiCall::get("evidence", &["operations", operation, "evidence"])?;
        let found: Vec<Evidence> = self.list(call.query(&format!("uuid:{uuid}"))).await?;
        Ok(found.into_iter().find(|evidence| evidence.uuid == uuid))
    }

    /// The evidence of an operation that a query of ASHIRT's timeline finds, newest first: `tag:"foo bar"`,
    /// `type:codeblock`, `operator:`, `range:`, `meta:`, `sort:asc`, plain words. An empty one finds all.
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

    /// The bytes of evidence. Evidence of the types `event` and `none` has none: do not ask, some stores fail.
    ///
    /// # Errors
    /// As the [`Client`] says, before the first byte; `TooLarge` if the backend announces more than
    /// `media_limit`. Then as [`Content::chunk`].
    pub async fn evidence_content(
        &self,
        operation: &str,
        uuid: &str,
        part: ContentPart,
    ) -> Result<EvidenceContent, Error> {
        let segments = ["operations", operation, "evidence", uuid, part.as_str()];
        self.media(&ApiCall::get("evidence_content", &segments)?).await
    }

    /// Makes evidence. **The backend tells all its workers about it, the one that makes it too**: a worker that
    /// makes evidence of what it is told of never ends.
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
        let form = evidence.form().map_err(|error| error.of_call("create_evidence"))?;
        self.one(call.form(form)).await
    }

    /// Changes evidence.
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
        let form = change.form().map_err(|error| error.of_call("update_evidence"))?;
        self.answer(&call.form(form)).await.map(drop)
    }

    /// Writes down what was found in evidence, in place of what the same source found before.
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
        metadata.check().map_err(|error| error.of_call(NAME))?;
        let call = ApiCall::put(NAME, &["operations", operation, "evidence", uuid, "metadata"])?;
        self.answer(&call.json(metadata).repeatable()).await.map(drop)
    }

    /// The tags of an operation.
    ///
    /// # Errors
    /// As the [`Client`] says; `NotFound` if there is no such operation.
    pub async fn operation_tags(&self, operation: &str) -> Result<Vec<Tag>, Error> {
        self.list(ApiCall::get("operation_tags", &["operations", operation, "tags"])?).await
    }

    /// Makes a tag.
    ///
    /// # Errors
    /// As the [`Client`] says.
    pub async fn create_operation_tag(&self, operation: &str, tag: &NewTag) -> Result<Tag, Error> {
        let call = ApiCall::post("create_operation_tag", &["operations", operation, "tags"])?;
        self.one(call.json(tag)).await
    }

    async fn one<T: serde::de::DeserializeOwned>(&self, call: ApiCall) -> Result<T, Error> {
        let answer = self.answer(&call).await?;
        models::read(&answer).map_err(|error| undecodable(&call, &answer, &error))
    }

    async fn list<T: serde::de::DeserializeOwned>(&self, call: ApiCall) -> Result<Vec<T>, Error> {
        let answer = self.answer(&call).await?;
        models::read_list(&answer).map_err(|error| undecodable(&call, &answer, &error))
    }
}

/// The library's own error repeats what it stumbles on, which is not for logs.
fn undecodable(call: &ApiCall, answer: &Bytes, error: &serde_json::Error) -> Error {
    let message = match error.classify() {
        _ if answer.is_empty() => "the answer is empty",
        serde_json::error::Category::Data => "the answer has another shape than ashirt's",
        _ => "the answer is no JSON: is the backend's address right?",
    };
    Error::new(Kind::Decode, message).of_call(call.name)
}
