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

fn nested(levels: usize, wrap: impl Fn(Signature) -> Signature) -> Signature {
    (0..levels).fold(Signature::new("a").option("task_id", "a"), |inner, _| wrap(inner))
}

#[test]
fn a_thousand_levels_are_refused_and_overflow_no_stack() {
    let chain = |inner| Signature::chain([Signature::new("b"), inner]);
    let chord = |inner| Signature::chord([Signature::new("b")], inner);
    let header = |inner| Signature::chord([inner], Signature::new("b"));
    let group = |inner| Signature::group([inner]);
    for wrap in [chain, chord, header, group] as [fn(Signature) -> Signature; 4] {
        // Of a chain or a chord that begins with a task, the rest waits.
        let _ = expand(nested(1_000, wrap));
        let _ = follow_ups().abandoned(vec![nested(1_000, wrap)]);
    }
    for wrap in [header, group] as [fn(Signature) -> Signature; 2] {
        let refused = expand(nested(1_000, wrap)).unwrap_err();
        assert!(refused.contains("nested"), "{refused}");
    }
    let first = |inner| Signature::chain([inner, Signature::new("b")]);
    assert!(expand(nested(1_000, first)).is_err());
    assert_eq!(expand(nested(60, first)).unwrap().tasks.len(), 1);
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
