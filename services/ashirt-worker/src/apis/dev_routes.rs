//! Routes for development, which exist only with `ENABLE_DEV=true`.

use piton::config::Problems;
use piton::http::{get, post};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::{Setup, StepResult};

use crate::worker_settings::WorkerSettings;

/// Adds the routes before the router is built.
pub(crate) async fn add(setup: Setup) -> impl StepResult {
    let handle = setup.handle();
    let settings: WorkerSettings = handle.config().read("worker", &mut Problems::new());
    if settings.enable_dev.0 {
        info!("Adding dev routes");
        setup.route(get("/", root));
        setup.route(post("/test", test));
    }
}

async fn root() -> Json<Value> {
    Json(json!({ "msg": "GET /" }))
}

/// Responds without reading the body.
async fn test() -> Json<Value> {
    Json(json!({ "Done": "you bet!" }))
}
