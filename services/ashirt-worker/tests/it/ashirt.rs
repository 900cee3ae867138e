//! An ASHIRT for tests: it hands out the media that it was given, and counts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use piton::axum::body::Body;
use piton::axum::response::{IntoResponse, Response};
use piton::bytes::Bytes;
use piton::http::{get, put};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestServer;
use piton::tokio::sync::Semaphore;

/// Response of the stub to a request for media.
#[derive(Clone)]
pub enum Media {
    Whole(Vec<u8>),
    Failing(u16),
    /// Sent only when the test releases it.
    Held(Vec<u8>),
    /// The connection breaks after these bytes.
    Broken(Vec<u8>),
}

/// The ASHIRT.
#[derive(Clone)]
pub struct Ashirt(Arc<Inner>);

struct Inner {
    media: Mutex<HashMap<String, Media>>,
    /// A place for each answer that is held back.
    pub released: Semaphore,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    knows_keys: std::sync::atomic::AtomicBool,
    /// Status of the responses to everything, if it is down.
    down: Mutex<Option<StatusCode>>,
    /// Status of the responses to metadata, if it is refused.
    refuses: Mutex<Option<StatusCode>>,
    metadata: Mutex<Vec<StoredMetadata>>,
    metadata_requests: AtomicUsize,
}

/// Metadata that the ASHIRT has stored, and the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMetadata {
    pub uuid: String,
    pub metadata: Value,
}

impl Ashirt {
    pub async fn start() -> (Self, TestServer) {
        let ashirt = Self(Arc::new(Inner {
            media: Mutex::default(),
            released: Semaphore::new(0),
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            knows_keys: true.into(),
            down: Mutex::default(),
            refuses: Mutex::default(),
            metadata: Mutex::default(),
            metadata_requests: AtomicUsize::new(0),
        }));
        let app = App::new("ashirt")
            .blueprints(["none"])
            .set("log.level", "critical")
            .set("http.timeout", "10m")
            .state(ashirt.clone())
            .route(get("/api/checkconnection", check))
            .route(get("/api/operations/{slug}/evidence/{uuid}/media", media))
            .route(put("/api/operations/{slug}/evidence/{uuid}/metadata", store_metadata));
        (ashirt, TestServer::start(app).await)
    }

    /// Evidence of that name has this media.
    pub fn has(&self, uuid: &str, media: Media) {
        self.0.media.lock().unwrap().insert(uuid.into(), media);
    }

    /// Returns how often media was requested.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    pub fn at_once(&self) -> usize {
        self.0.at_once.load(Ordering::SeqCst)
    }

    pub fn most_at_once(&self) -> usize {
        self.0.most_at_once.load(Ordering::SeqCst)
    }

    /// Lets so many go on that are held.
    pub fn release(&self, count: usize) {
        self.0.released.add_permits(count);
    }

    /// Responds with this status to everything, until it is `None`.
    pub fn set_down(&self, status: Option<u16>) {
        *self.0.down.lock().unwrap() = status.map(|status| StatusCode::from_u16(status).unwrap());
    }

    /// Responds with this status to metadata.
    pub fn refuse_metadata(&self, status: u16) {
        *self.0.refuses.lock().unwrap() = Some(StatusCode::from_u16(status).unwrap());
    }

    /// Returns the stored metadata in its order.
    pub fn metadata(&self) -> Vec<StoredMetadata> {
        self.0.metadata.lock().unwrap().clone()
    }

    /// Returns how often metadata was sent.
    pub fn metadata_requests(&self) -> usize {
        self.0.metadata_requests.load(Ordering::SeqCst)
    }

    pub fn know_keys(&self) {
        self.0.knows_keys.store(true, Ordering::SeqCst);
    }

    pub fn forget_keys(&self) {
        self.0.knows_keys.store(false, Ordering::SeqCst);
    }
}

async fn check(State(ashirt): State<Ashirt>) -> Response {
    if ashirt.0.knows_keys.load(Ordering::SeqCst) {
        return Json(json!({ "ok": true })).into_response();
    }
    (StatusCode::UNAUTHORIZED, Json(json!({ "error": "Unauthorized" }))).into_response()
}

async fn store_metadata(
    State(ashirt): State<Ashirt>,
    Path((_, uuid)): Path<(String, String)>,
    Json(metadata): Json<Value>,
) -> Response {
    let inner = &*ashirt.0;
    inner.metadata_requests.fetch_add(1, Ordering::SeqCst);
    let refused = inner.down.lock().unwrap().or(*inner.refuses.lock().unwrap());
    if let Some(status) = refused {
        return (status, Json(json!({ "error": "Unauthorized" }))).into_response();
    }
    inner.metadata.lock().unwrap().push(StoredMetadata { uuid, metadata });
    Json(Value::Null).into_response()
}

async fn media(State(ashirt): State<Ashirt>, Path((_, uuid)): Path<(String, String)>) -> Response {
    let inner = &*ashirt.0;
    inner.asked.fetch_add(1, Ordering::SeqCst);
    let now = inner.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    inner.most_at_once.fetch_max(now, Ordering::SeqCst);
    let down = inner.down.lock().unwrap().map(|status| Media::Failing(status.as_u16()));
    let media = down.or_else(|| inner.media.lock().unwrap().get(&uuid).cloned());
    let answer = match media {
        None => (StatusCode::NOT_FOUND, Json(json!({ "error": "Not Found" }))).into_response(),
        Some(Media::Whole(media)) => media.into_response(),
        Some(Media::Failing(status)) => {
            let why = json!({ "error": "An unknown error occurred" });
            (StatusCode::from_u16(status).unwrap(), Json(why)).into_response()
        }
        Some(Media::Held(media)) => {
            inner.released.acquire().await.unwrap().forget();
            media.into_response()
        }
        Some(Media::Broken(media)) => {
            let pieces = [Ok(Bytes::from(media)), Err(std::io::Error::other("broken"))];
            Body::from_stream(futures_util::stream::iter(pieces)).into_response()
        }
    };
    inner.at_once.fetch_sub(1, Ordering::SeqCst);
    answer
}
