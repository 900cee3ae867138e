//! Chains, groups and chords that follow a task: what is enqueued with its result, and what fails with it.

use piton_celery::{Embed, Envelope, Exception, Signature, TaskHeaders};
use serde_json::{Map, Value, json};

use super::*;
use crate::tasks::brokers::records::Batch;
use crate::tasks::follow_ups::FollowUps;

fn task(name: &str, id: &str) -> Signature {
    Signature::new(name).option("task_id", id).option("queue", "q").option("priority", 0)
}

fn echo(id: &str) -> Signature {
    task("echo", id)
}

fn group_of(ids: &[&str]) -> Signature {
    Signature::group(ids.iter().map(|id| echo(id)))
}

fn embed_of(chain: impl IntoIterator<Item = Signature>) -> Embed {
    let mut embed = Embed::default();
    embed.chain = chain.into_iter().collect();
    embed.chain.reverse();
    embed
}

/// Returns what a task of this name returns. One whose id begins with `bad` fails.
fn result_of(name: &str, args: &[Value]) -> Value {
    match name {
        "list" => json!(args),
        "sum" => args[0].as_array().unwrap().iter().filter_map(Value::as_i64).sum::<i64>().into(),
        _ => args.first().cloned().unwrap_or_default(),
    }
}

impl Fixture {
    fn follow_ups<'a>(&self, id: &'a str) -> FollowUps<'a> {
        FollowUps {
            parent_id: Some(id),
            root_id: Some("first"),
            inherited: Map::new(),
            options: &|_| None,
            now_ms: self.clock.now_ms(),
            origin: "test",
        }
    }

    /// Returns the settlement of a task as a worker makes it.
    fn end(&self, task: &ClaimedTask, name: &str, args: &[Value], embed: Embed) -> Settlement {
        let follow_ups = self.follow_ups(&task.id);
        if task.id.starts_with("bad") {
            let exception = json!(Exception::builtin("ValueError", "no")).to_string();
            let abandoned = follow_ups.abandoned(embed.chain);
            let Batch { tasks, groups } = follow_ups.of_failure(embed.errbacks).unwrap();
            let failed = self.failure(task, &exception);
            return Settlement { abandoned, follow_ups: tasks, groups, ..failed };
        }
        let result = result_of(name, args);
        let Batch { tasks, groups } = follow_ups.of_success(embed, &result).unwrap();
        let succeeded = self.success(task, &result.to_string());
        Settlement { follow_ups: tasks, groups, ..succeeded }
    }

    /// Runs what is ready until nothing is. Returns the ids in order.
    async fn run_all(&self, worker: WorkerId) -> Vec<String> {
        let mut ran = Vec::new();
        loop {
            let tasks = self.claim_some(worker, 100).await;
            if tasks.is_empty() {
                return ran;
            }
            let settlements = tasks.iter().map(|task| {
                let mut envelope =
                    Envelope::<TaskHeaders>::from_slice(task.message.as_bytes()).unwrap();
                let body = envelope.decode_body(1 << 20).unwrap();
                self.end(task, &envelope.headers.task, &body.args, body.embed)
            });
            self.settle_all(worker, settlements.collect()).await;
            ran.extend(tasks.into_iter().map(|task| task.id));
        }
    }

    /// Runs a task `first`, which returns 1, with what follows it.
    async fn run_with(&self, worker: WorkerId, embed: Embed) -> Vec<String> {
        self.send(&["first"]).await;
        let first = self.claim_one(worker).await;
        let settlement = self.end(&first, "echo", &[json!(1)], embed);
        self.settle_all(worker, vec![settlement]).await;
        self.run_all(worker).await
    }

    async fn result(&self, id: &str) -> Value {
        let task = self.broker.task(id).await.unwrap();
        let task = task.unwrap_or_else(|| panic!("{id} is not known"));
        assert!(task.state.is_final(), "{id}: {:?}", task.state);
        serde_json::from_str(&task.result.unwrap()).unwrap()
    }

    async fn exception(&self, id: &str) -> String {
        assert_eq!(self.state(id).await, Some(TaskState::Failed), "{id}");
        let exception: Exception = serde_json::from_value(self.result(id).await).unwrap();
        exception.to_string()
    }
}

on_every_broker! {
    async fn a_chain_goes_on_after_a_group_and_after_two(broker) {
        let worker = broker.worker().await;
        let chord = Signature::chord([echo("a"), echo("b").arg(5)], task("sum", "sum"));
        let two = Signature::chord([echo("c")], Signature::chord([echo("d"), echo("e")], task("list", "end")));
        let ran = broker.run_with(worker, embed_of([chord, echo("between"), two, echo("last")])).await;
        assert_eq!(ran.len(), 9, "{ran:?}");
        assert_eq!(broker.result("sum").await, json!(2));
        assert_eq!(broker.result("between").await, json!(2));
        assert_eq!(broker.result("d").await, json!([2]));
        assert_eq!(broker.result("last").await, json!([[[2], [2]]]));
    }

    async fn a_group_in_a_chain_becomes_a_chord(broker) {
        let worker = broker.worker().await;
        let chain = [group_of(&["a", "b"]), group_of(&["c", "d"]), task("list", "last").immutable().arg(7)];
        broker.run_with(worker, embed_of(chain)).await;
        assert_eq!(broker.result("d").await, json!([1, 1]));
        assert_eq!(broker.result("last").await, json!([7]));
    }

    async fn a_callback_may_be_a_chord_whose_ids_are_not_fixed(broker) {
        let worker = broker.worker().await;
        let mut embed = Embed::default();
        let member = || Signature::new("echo").option("queue", "q");
        let body = Signature::chain([Signature::new("sum").option("queue", "q"), echo("last")]);
        embed.callbacks = vec![Signature::chord([member(), member(), member()], body)];
        assert_eq!(broker.run_with(worker, embed).await.len(), 5);
        assert_eq!(broker.result("last").await, json!(3));
    }

    async fn groups_in_a_header_have_the_shape_that_celery_gives_their_results(broker) {
        let worker = broker.worker().await;
        let part = |id: &str, number: u32| echo(id).immutable().arg(number);
        let header = [
            part("a", 1),
            // Flat, and in reverse order.
            Signature::group([part("b", 2), part("c", 3)]),
            // At the end of a chain: a list of its own.
            Signature::chain([echo("d"), Signature::group([part("e", 4), part("f", 5)])]),
            Signature::chord([part("g", 6), part("h", 7)], task("list", "i")),
            Signature::chain([]),
        ];
        broker.run_with(worker, embed_of([Signature::chord(header, echo("last"))])).await;
        assert_eq!(broker.result("last").await, json!([1, 3, 2, [4, 5], [[6, 7]]]));
    }

    async fn a_chord_without_members_is_its_body(broker) {
        let worker = broker.worker().await;
        let chord = Signature::chord([Signature::group([])], task("list", "body"));
        assert_eq!(broker.run_with(worker, embed_of([chord, echo("last")])).await, ["body", "last"]);
        assert_eq!(broker.result("last").await, json!([[]]));
    }

    async fn a_member_that_fails_fails_the_body_and_the_rest_of_the_chain(broker) {
        let worker = broker.worker().await;
        let body = task("sum", "sum").option("link_error", json!([echo("errback")]));
        let chord = Signature::chord([echo("a"), echo("bad")], body);
        let chain = [chord, echo("next"), Signature::chord([echo("never")], echo("last"))];
        let ran = broker.run_with(worker, embed_of(chain)).await;
        assert_eq!(ran, ["a", "bad", "errback"]);
        for id in ["sum", "next", "last"] {
            let exception = broker.exception(id).await;
            assert!(exception.contains("Dependency bad raised ValueError('no')"), "{id}: {exception}");
        }
        assert_eq!(broker.result("errback").await, json!("sum"));
        assert_eq!(broker.state("never").await, None);
    }

    async fn a_group_after_a_group_that_failed_fails_what_follows_both(broker) {
        let worker = broker.worker().await;
        let chain = [group_of(&["bad", "a"]), group_of(&["never"]), echo("next"), echo("last")];
        broker.run_with(worker, embed_of(chain)).await;
        for id in ["next", "last"] {
            assert!(broker.exception(id).await.contains("ChordError"), "{id}");
        }
        assert_eq!(broker.state("never").await, None);
    }

    async fn a_failure_within_a_member_ends_the_outer_chord(broker) {
        let worker = broker.worker().await;
        let inner = Signature::chord([echo("bad"), echo("a")], echo("inner"));
        let header = [
            Signature::chain([echo("b"), inner, echo("after-inner")]),
            Signature::chain([echo("bad-first"), echo("c"), Signature::group([echo("d"), echo("e")])]),
            echo("f"),
        ];
        let chord = Signature::chord(header, echo("outer"));
        broker.run_with(worker, embed_of([chord, echo("last")])).await;
        for id in ["inner", "after-inner", "c", "d", "e", "outer", "last"] {
            broker.exception(id).await;
        }
        assert!(broker.exception("last").await.contains("ChordError"));
        assert_eq!(broker.state("f").await, Some(TaskState::Succeeded));
    }

    async fn a_settlement_that_is_refused_opens_no_group(broker) {
        broker.send(&["first"]).await;
        let (lost, worker) = (broker.worker().await, broker.worker().await);
        let first = broker.claim_one(lost).await;
        broker.clock.advance(LEASE + seconds(1));
        broker.renew(worker, LEASE).await.unwrap();
        broker.release_lost().await.unwrap();
        let embed = || embed_of([Signature::chord([echo("a"), echo("b")], task("list", "last"))]);
        let late = broker.end(&first, "echo", &[json!(9)], embed());
        assert_eq!(broker.settle(lost, vec![late]).await.unwrap().fenced, [first.key]);
        let again = broker.claim_one(worker).await;
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
        broker.settle_all(worker, vec![broker.end(&again, "echo", &[json!(1)], embed())]).await;
        assert_eq!(broker.run_all(worker).await, ["a", "b", "last"]);
        assert_eq!(broker.result("last").await, json!([[1, 1]]));
    }

    async fn a_group_that_is_sent_twice_runs_once(broker) {
        broker.send(&["first", "second"]).await;
        let worker = broker.worker().await;
        let embed = || embed_of([Signature::chord([echo("a"), echo("b")], task("list", "last"))]);
        for _ in 0..2 {
            let task = broker.claim_one(worker).await;
            broker.settle_all(worker, vec![broker.end(&task, "echo", &[json!(1)], embed())]).await;
            if task.id == "first" {
                let ready = broker.claim_some(worker, 1).await;
                assert_eq!(ready[0].id, "second");
                let back = settlement(&ready[0], Outcome::Released);
                broker.settle_all(worker, vec![back]).await;
            }
        }
        assert_eq!(broker.run_all(worker).await, ["a", "b", "last"]);
    }

    async fn a_summary_that_is_revoked_ends_the_rest_of_its_chain(broker) {
        broker.send(&["first"]).await;
        let worker = broker.worker().await;
        let first = broker.claim_one(worker).await;
        let mut chord = Signature::chord([echo("a"), echo("b")], task("list", "sum"));
        chord.kwargs["header"]["options"]["task_id"] = json!("sum");
        let settlement = broker.end(&first, "echo", &[json!(1)], embed_of([chord, echo("last")]));
        broker.settle_all(worker, vec![settlement]).await;
        assert_eq!(broker.state("sum").await, Some(TaskState::Scheduled));
        assert_eq!(broker.revoke(&ids(&["sum"])).await.unwrap(), 1);
        assert_eq!(broker.run_all(worker).await, ["a", "b"]);
        assert_eq!(broker.state("sum").await, Some(TaskState::Revoked));
        broker.exception("last").await;
    }
}
