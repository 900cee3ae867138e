//! Celery 5.6 in the place of 5.7: the same tests, of which the gate has a short form.

use serde_json::json;
use test_support::python::PythonProgram;

use crate::celery;
use crate::celery_peers::{CELERY_5_6, CELERY_5_7, Peers};

async fn start(settings: &[&str]) -> Peers {
    let mut peers = Peers::start_version(CELERY_5_6, settings, "{}").await;
    peers.expect("celery.__version__", "5.6.2".into());
    peers
}

#[tokio::test]
async fn tasks_go_in_both_directions_with_celery_5_6() {
    let mut peers = start(&[]).await;
    peers.expect("app.send_task('rs.add', [2, 3]).get(timeout=15)", json!(5));
    let failure = json!({"exception": "ValueError", "args": ["no", 42]});
    peers.expect("app.send_task('rs.fail', ['no']).get(timeout=15)", failure);
    assert_eq!(peers.call(json!({"task": "py.add", "args": [2, 3]})).await, json!({"returned": 5}));
    let failed = peers.call(json!({"task": "py.fail", "args": ["no"]})).await;
    assert_eq!(failed["failed"]["exc_message"], json!(["no", 42]), "{failed}");
    let chord = "chord([add.s(1, 1), sig('rs.add', 2, 2)], sig('rs.sum'))().get(timeout=20)";
    peers.expect(chord, json!(6));
    peers
        .expect("chord([add.s(1, 1), sig('rs.add', 2, 2)], total.s())().get(timeout=20)", json!(6));
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_go_from_celery_5_6_to_rust() {
    celery::tasks_reach_rust(&mut start(&[]).await).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_go_from_rust_to_celery_5_6() {
    celery::tasks_reach_python(&start(&[]).await).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn progress_is_seen_from_celery_5_6() {
    celery::progress_is_seen(&mut start(&[]).await).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn chains_groups_and_chords_cross_to_celery_5_6() {
    celery::workflows_cross_the_languages(&mut start(&[]).await).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn the_remote_control_of_celery_5_6_reaches_the_worker() {
    celery::remote_control_reaches_the_worker(&mut start(&[]).await).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn events_reach_monitors_of_celery_5_6() {
    celery::events_reach_monitors(&mut start(&["tasks.redis.events=true"]).await).await;
}

/// Workers of both versions take the members of one chord, as in the midst of an upgrade of Celery.
#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn chords_cross_between_both_versions_and_rust() {
    let mut peers = start(&[]).await;
    let url = peers.redis.url();
    let variables = [("CELERY_BROKER_URL", url.as_str()), ("CELERY_RESULT_BACKEND", url.as_str())];
    let arguments = ["--pool=prefork", "--concurrency=2", "--queues=celery", "--hostname=new@test"];
    let _newer = PythonProgram::start(CELERY_5_7, "../celery/worker.py", &arguments, &variables);
    celery::workflows_cross_the_languages(&mut peers).await;
}
