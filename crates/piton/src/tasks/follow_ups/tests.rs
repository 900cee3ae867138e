//! The limits of compositions.

use piton_celery::Signature;
use serde_json::{Map, Value, json};

use super::FollowUps;
use crate::tasks::brokers::records::Batch;

fn follow_ups() -> FollowUps<'static> {
    FollowUps {
        parent_id: Some("parent"),
        root_id: Some("root"),
        inherited: Map::new(),
        options: &|_| None,
        now_ms: 1_000,
        origin: "test",
    }
}

fn expand(signature: Signature) -> Result<Batch, String> {
    let mut batch = Batch::default();
    let added = follow_ups().add(&mut batch, signature, Vec::new(), Some(&json!(1)));
    added.map(|()| batch).map_err(|exception| exception.to_string())
}

/// Returns the JSON of a composition within itself, as a message has it. `INNER` is where the next level stands.
fn nested(levels: usize, level: &str) -> String {
    let (begin, end) = level.split_once("INNER").unwrap();
    let task = r#"{"task": "a", "options": {"task_id": "a"}}"#;
    format!("{}{task}{}", begin.repeat(levels), end.repeat(levels))
}

#[test]
fn compositions_of_any_depth_are_run_or_refused_and_overflow_no_stack() {
    let levels = [
        r#"{"task": "celery.chain", "kwargs": {"tasks": [INNER, {"task": "b"}]}}"#,
        r#"{"task": "celery.chain", "kwargs": {"tasks": [{"task": "b"}, INNER]}}"#,
        r#"{"task": "celery.group", "kwargs": {"tasks": [INNER]}}"#,
        r#"{"task": "celery.chord", "kwargs": {"header": [INNER], "body": {"task": "b"}}}"#,
        r#"{"task": "celery.chord", "kwargs": {"header": [{"task": "b"}], "body": INNER}}"#,
        r#"{"task": "b", "options": {"chain": [INNER]}}"#,
    ];
    for level in levels {
        let mut deepest = 0;
        for depth in (1..60).chain([1_000]) {
            let Ok(signature) = serde_json::from_str::<Signature>(&nested(depth, level)) else {
                continue;
            };
            deepest = depth;
            assert_eq!(expand(signature.clone()).unwrap().tasks.len(), 1, "{level}: {depth}");
            assert_eq!(
                follow_ups().abandoned(vec![signature]).iter().filter(|it| it.id == "a").count(),
                usize::from(!level.contains("header\": [INNER]")),
                "{level}: {depth}"
            );
        }
        assert!((25..60).contains(&deepest), "{level}: {deepest}");
    }
}

#[test]
fn an_endless_header_is_refused() {
    let empty = || Signature::group((0..1_000).map(|_| Signature::group([])));
    let header = (0..300).map(|_| empty());
    let refused = expand(Signature::chord(header, Signature::new("b"))).unwrap_err();
    assert!(refused.contains("more than"), "{refused}");
}

#[test]
fn the_options_of_a_composition_go_to_its_parts() {
    let chain = Signature::chain([Signature::new("a"), Signature::new("b")])
        .option("link", json!([Signature::new("linked")]))
        .option("link_error", json!(Signature::new("errback")));
    let batch = expand(chain).unwrap();
    let message: Value = serde_json::from_str(&batch.tasks[0].message).unwrap();
    let body: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
    assert_eq!(body[2]["errbacks"][0]["task"], "errback");
    assert_eq!(body[2]["chain"][0]["options"]["link"][0]["task"], "linked");
    assert_eq!(body[2]["chain"][0]["options"]["link_error"][0]["task"], "errback");
}
