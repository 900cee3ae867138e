//! Groups whose summary runs after the last member.

use piton_celery::{Envelope, Exception, Properties, TaskBody, TaskHeaders};

use super::records::{GroupMember, NewGroup};
use super::*;

fn summary(broker: &Fixture, id: &str) -> NewTask {
    let headers = TaskHeaders::new("shop.sum", id);
    let message = Envelope::task(headers, Properties::new("q", id), &TaskBody::default()).unwrap();
    let message = String::from_utf8(message.to_vec().unwrap()).unwrap();
    NewTask { message, name: "shop.sum".into(), ..broker.new_task(id) }
}

/// Enqueues a group of so many members, which are called `<id>0`, `<id>1`, .. and whose summary is `sum-<id>`.
async fn send_group(broker: &Fixture, id: &str, size: u32) {
    let member = |index| NewTask {
        group: Some(GroupMember { id: id.into(), index }),
        ..broker.new_task(format!("{id}{index}"))
    };
    let members: Vec<_> = (0..size).map(member).collect();
    let group = NewGroup {
        id: id.into(),
        size,
        summary: summary(broker, &format!("sum-{id}")),
        body: None,
        shape: None,
    };
    broker.enqueue(&members, Some(&group)).await.unwrap();
}

fn arguments(task: &ClaimedTask) -> String {
    let mut envelope: Envelope = Envelope::from_slice(task.message.as_bytes()).unwrap();
    serde_json::Value::from(envelope.decode_body(1 << 20).unwrap().args).to_string()
}

async fn chord_error(broker: &Fixture, id: &str) -> String {
    let task = broker.broker.task(id).await.unwrap().unwrap();
    assert_eq!(task.state, TaskState::Failed);
    let exception: Exception = serde_json::from_str(&task.result.unwrap()).unwrap();
    assert_eq!(exception.exc_type, "ChordError");
    exception.to_string()
}

on_every_broker! {
    async fn the_summary_gets_all_results_in_order(broker) {
        send_group(&broker, "g", 3).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 10).await;
        assert_eq!(tasks.len(), 3);
        let [a, b, c] = [&tasks[0], &tasks[1], &tasks[2]];
        let results = vec![broker.success(c, "\"c\""), broker.success(a, "1")];
        broker.settle_all(worker, results).await;
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
        assert_eq!(broker.state("sum-g").await, None);
        broker.settle_all(worker, vec![broker.success(b, "[2]")]).await;
        let sum = broker.claim_one(worker).await;
        assert_eq!((sum.id.as_str(), arguments(&sum).as_str()), ("sum-g", "[[1,[2],\"c\"]]"));
    }

    async fn a_group_may_end_in_one_call_and_need_not_store_its_results(broker) {
        send_group(&broker, "g", 2).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 10).await;
        let ignored = settlement(&tasks[0], Outcome::Finished(None));
        broker.settle_all(worker, vec![ignored, broker.success(&tasks[1], "2")]).await;
        assert_eq!(arguments(&broker.claim_one(worker).await), "[[null,2]]");
    }

    async fn a_group_without_members_ends_at_once(broker) {
        send_group(&broker, "g", 0).await;
        let worker = broker.worker().await;
        assert_eq!(arguments(&broker.claim_one(worker).await), "[[]]");
    }

    async fn a_member_that_fails_fails_the_summary_after_the_last(broker) {
        send_group(&broker, "g", 2).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 10).await;
        let exception = serde_json::to_string(&Exception::builtin("ValueError", "no")).unwrap();
        broker.settle_all(worker, vec![broker.failure(&tasks[1], &exception)]).await;
        assert_eq!(broker.state("sum-g").await, None);
        broker.settle_all(worker, vec![broker.success(&tasks[0], "1")]).await;
        let error = chord_error(&broker, "sum-g").await;
        assert!(error.contains("Dependency g1 raised ValueError('no')"), "{error}");
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
    }

    async fn a_retried_or_fenced_member_counts_once(broker) {
        send_group(&broker, "g", 2).await;
        let (lost, worker) = (broker.worker().await, broker.worker().await);
        let late = broker.claim_one(lost).await;
        broker.clock.advance(LEASE + seconds(1));
        broker.renew(worker, LEASE).await.unwrap();
        broker.release_lost().await.unwrap();
        broker.settle(lost, vec![broker.success(&late, "9")]).await.unwrap();
        let tasks = broker.claim_some(worker, 10).await;
        let due_at_ms = broker.clock.now_ms();
        let retry = Outcome::Rescheduled { due_at_ms, retries: 1, error: Some("{}".into()) };
        broker.settle_all(worker, vec![settlement(&tasks[0], retry)]).await;
        broker.settle_all(worker, vec![broker.success(&tasks[1], "2")]).await;
        assert_eq!(broker.state("sum-g").await, None);
        let again = broker.claim_one(worker).await;
        broker.settle_all(worker, vec![broker.success(&again, "1")]).await;
        assert_eq!(arguments(&broker.claim_one(worker).await), "[[1,2]]");
    }

    async fn a_summary_may_be_a_member_of_another_group(broker) {
        let outer = NewGroup { id: "outer".into(), size: 1, summary: summary(&broker, "sum-outer"), body: None, shape: None };
        let inner_summary = NewTask {
            group: Some(GroupMember { id: "outer".into(), index: 0 }),
            ..summary(&broker, "sum-inner")
        };
        let inner = NewGroup { id: "inner".into(), size: 1, summary: inner_summary, body: None, shape: None };
        let member = NewTask {
            group: Some(GroupMember { id: "inner".into(), index: 0 }),
            ..broker.new_task("member")
        };
        broker.enqueue(&[], Some(&outer)).await.unwrap();
        broker.enqueue(&[member], Some(&inner)).await.unwrap();
        let worker = broker.worker().await;
        let member = broker.claim_one(worker).await;
        broker.settle_all(worker, vec![broker.failure(&member, "{}")]).await;
        chord_error(&broker, "sum-inner").await;
        let error = chord_error(&broker, "sum-outer").await;
        assert!(error.contains("sum-inner"), "{error}");
    }

    async fn a_revoked_member_fails_the_summary(broker) {
        send_group(&broker, "g", 2).await;
        let worker = broker.worker().await;
        let first = broker.claim_one(worker).await;
        broker.settle_all(worker, vec![broker.success(&first, "1")]).await;
        assert_eq!(broker.revoke(&ids(&["g1"])).await.unwrap(), 1);
        let error = chord_error(&broker, "sum-g").await;
        assert!(error.contains("g1 raised TaskRevokedError"), "{error}");
    }

    async fn a_summary_that_waits_for_members_is_found_and_can_be_revoked(broker) {
        let members = ["m0", "m1"].map(|id| NewTask {
            group: Some(GroupMember { id: "sum".into(), index: u32::from(id == "m1") }),
            ..broker.new_task(id)
        });
        let group = NewGroup { id: "sum".into(), size: 2, summary: summary(&broker, "sum"), body: None, shape: None };
        broker.enqueue(&members, Some(&group)).await.unwrap();
        let task = broker.broker.task("sum").await.unwrap().unwrap();
        assert_eq!((task.state, task.name.as_str()), (TaskState::Scheduled, "shop.sum"));
        assert_eq!(broker.revoke(&ids(&["sum"])).await.unwrap(), 1);
        assert_eq!(broker.revoke(&ids(&["sum"])).await.unwrap(), 0);
        let worker = broker.worker().await;
        for _ in 0..2 {
            let member = broker.claim_one(worker).await;
            broker.settle_all(worker, vec![broker.success(&member, "1")]).await;
        }
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
        let task = broker.broker.task("sum").await.unwrap().unwrap();
        assert_eq!(task.state, TaskState::Revoked);
    }

    async fn a_failed_member_that_is_retried_in_time_saves_the_summary(broker) {
        send_group(&broker, "g", 2).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 10).await;
        broker.settle_all(worker, vec![broker.failure(&tasks[0], "{}")]).await;
        assert_eq!(broker.retry(&ids(&["g0"])).await.unwrap(), 1);
        broker.settle_all(worker, vec![broker.success(&tasks[1], "2")]).await;
        assert_eq!(broker.state("sum-g").await, None);
        let again = broker.claim_one(worker).await;
        broker.settle_all(worker, vec![broker.success(&again, "1")]).await;
        assert_eq!(arguments(&broker.claim_one(worker).await), "[[1,2]]");
    }

    async fn a_purged_member_fails_the_summary_instead_of_leaving_it_to_wait(broker) {
        send_group(&broker, "g", 2).await;
        assert_eq!(broker.purge(&ids(&["g1"])).await.unwrap(), 1);
        chord_error(&broker, "sum-g").await;
        let worker = broker.worker().await;
        assert_eq!(broker.work_off(worker).await, ["g0"]);
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
    }

    async fn results_of_members_are_kept_until_the_group_is_complete(broker) {
        send_group(&broker, "g", 2).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 10).await;
        broker.settle_all(worker, vec![broker.success(&tasks[0], "1")]).await;
        broker.clock.advance(seconds(100));
        broker.expire_results(seconds(1), seconds(1)).await.unwrap();
        broker.renew(worker, LEASE).await.unwrap();
        broker.settle_all(worker, vec![broker.success(&tasks[1], "2")]).await;
        assert_eq!(arguments(&broker.claim_one(worker).await), "[[1,2]]");
    }

    async fn a_group_that_is_refused_leaves_nothing(broker) {
        broker.send(&["g1"]).await;
        let member = |index| NewTask {
            group: Some(GroupMember { id: "g".into(), index }),
            ..broker.new_task(format!("g{index}"))
        };
        let group = NewGroup { id: "g".into(), size: 2, summary: summary(&broker, "sum-g"), body: None, shape: None };
        let error = broker.enqueue(&[member(0), member(1)], Some(&group)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Duplicate);
        let worker = broker.worker().await;
        assert_eq!(broker.work_off(worker).await, ["g1"]);
        // The group can be sent afterwards, under other ids of its members.
        let members = [member(0), NewTask { id: "g2".into(), ..member(1) }];
        broker.enqueue(&members, Some(&group)).await.unwrap();
        broker.work_off(worker).await;
        assert_eq!(arguments(&broker.claim_one(worker).await), "[[1,1]]");
    }
}
