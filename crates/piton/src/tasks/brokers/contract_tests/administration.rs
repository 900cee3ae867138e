//! The changes that operators make to tasks.

use super::records::QueueStats;
use super::*;

async fn listed(broker: &Fixture, filter: TaskFilter) -> Vec<String> {
    broker.list(&filter).await.unwrap().into_iter().map(|task| task.id).collect()
}

on_every_broker! {
    async fn an_unknown_task_is_none(broker) {
        assert!(broker.broker.task("a").await.unwrap().is_none());
        assert_eq!(listed(&broker, TaskFilter::default()).await, [""; 0]);
    }

    async fn lists_are_filtered_and_the_newest_comes_first(broker) {
        let at = |ms: i64| broker.clock.now_ms() + ms;
        let tasks = [
            NewTask { created_at_ms: at(1), ..broker.new_task("a") },
            NewTask { created_at_ms: at(2), name: "shop.bill".into(), ..broker.new_task("b") },
            NewTask { created_at_ms: at(3), queue: "other".into(), ..broker.new_task("c") },
            NewTask {
                created_at_ms: at(4),
                due_at_ms: Some(at(60_000)),
                parent_id: Some("a".into()),
                ..broker.new_task("d")
            },
        ];
        broker.enqueue(&tasks, None).await.unwrap();
        let all = TaskFilter::default();
        assert_eq!(listed(&broker, all.clone()).await, ["d", "c", "b", "a"]);
        assert_eq!(listed(&broker, TaskFilter { limit: 2, ..all.clone() }).await, ["d", "c"]);
        assert_eq!(listed(&broker, ids(&["a", "d", "x"])).await, ["d", "a"]);
        assert_eq!(listed(&broker, in_state(TaskState::Scheduled)).await, ["d"]);
        let names = TaskFilter { names: queues(&["shop.bill", "x"]), ..all.clone() };
        assert_eq!(listed(&broker, names).await, ["b"]);
        let of_queue = TaskFilter { queues: queues(&["other"]), ..all.clone() };
        assert_eq!(listed(&broker, of_queue).await, ["c"]);
        let children = TaskFilter { parent_id: Some("a".into()), ..all.clone() };
        assert_eq!(listed(&broker, children).await, ["d"]);
        let before = TaskFilter { created_before_ms: Some(tasks[2].created_at_ms), ..all.clone() };
        assert_eq!(listed(&broker, before).await, ["b", "a"]);
        let none = TaskFilter { states: vec![TaskState::Scheduled], ..ids(&["a"]) };
        assert_eq!(listed(&broker, none).await, [""; 0]);
        assert!(broker.list(&all).await.unwrap().iter().all(|task| task.message.is_none()));
    }

    async fn every_state_can_be_listed(broker) {
        broker.enqueue(&broker.tasks(0..7), None).await.unwrap();
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 6).await;
        let due_at_ms = broker.clock.now_ms() + 60_000;
        let revoked = broker.finished(FinalState::Revoked, "{}");
        let settlements = vec![
            settlement(&tasks[0], Outcome::Rescheduled { due_at_ms, retries: 0, error: None }),
            settlement(&tasks[1], Outcome::Rescheduled { due_at_ms, retries: 1, error: Some("{}".into()) }),
            broker.success(&tasks[3], "1"),
            broker.failure(&tasks[4], "{}"),
            settlement(&tasks[5], Outcome::Finished(Some(revoked))),
        ];
        broker.settle_all(worker, settlements).await;
        let expected = ["t6", "t0", "t1", "t2", "t3", "t4", "t5"];
        for (state, id) in TaskState::ALL.into_iter().zip(expected) {
            assert_eq!(listed(&broker, in_state(state)).await, [id], "{state:?}");
        }
        let two = TaskFilter {
            states: vec![TaskState::Retrying, TaskState::Running],
            ..TaskFilter::default()
        };
        assert_eq!(listed(&broker, two).await.into_iter().collect::<BTreeSet<_>>().len(), 2);
        assert_eq!(listed(&broker, TaskFilter::default()).await.len(), 7);
    }

    async fn a_revoked_task_that_waits_never_runs(broker) {
        let due_at_ms = Some(broker.clock.now_ms() + 1000);
        let later = NewTask { due_at_ms, ..broker.new_task("later") };
        broker.send(&["a", "b"]).await;
        broker.enqueue(&[later], None).await.unwrap();
        assert_eq!(broker.revoke(&ids(&["a", "later", "unknown"])).await.unwrap(), 2);
        assert_eq!(broker.revoke(&ids(&["a"])).await.unwrap(), 0);
        broker.clock.advance(seconds(2));
        let worker = broker.worker().await;
        assert_eq!(broker.claim_ids(worker).await, ["b"]);
        let stored = broker.broker.task("a").await.unwrap().unwrap();
        assert_eq!(stored.state, TaskState::Revoked);
        assert!(stored.result.unwrap().contains("TaskRevokedError"));
        assert!(stored.finished_at_ms.is_some() && stored.message.is_some());
    }

    async fn a_revoked_task_that_runs_is_reported_to_its_worker(broker) {
        broker.send(&["a", "b"]).await;
        let (worker, other) = (broker.worker().await, broker.worker().await);
        let task = broker.claim_one(worker).await;
        broker.claim_one(other).await;
        assert_eq!(broker.revoke(&ids(&["a"])).await.unwrap(), 1);
        assert_eq!(broker.state("a").await, Some(TaskState::Running));
        assert_eq!(broker.renew(worker, LEASE).await.unwrap(), Some(vec![task.key]));
        assert_eq!(broker.renew(other, LEASE).await.unwrap(), Some(Vec::new()));
        let revoked = Outcome::Finished(Some(broker.finished(FinalState::Revoked, "{}")));
        broker.settle_all(worker, vec![settlement(&task, revoked)]).await;
        assert_eq!(broker.state("a").await, Some(TaskState::Revoked));
    }

    async fn a_revoked_task_that_is_given_back_does_not_run_again(broker) {
        broker.enqueue(&broker.tasks(0..4), None).await.unwrap();
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 10).await;
        assert_eq!(broker.revoke(&in_state(TaskState::Running)).await.unwrap(), 4);
        let due_at_ms = broker.clock.now_ms();
        let retry = Outcome::Rescheduled { due_at_ms, retries: 1, error: Some("{}".into()) };
        let settlements = vec![settlement(&tasks[0], Outcome::Released), settlement(&tasks[1], retry)];
        broker.settle_all(worker, settlements).await;
        broker.clock.advance(LEASE + seconds(1));
        broker.release_lost().await.unwrap();
        let worker = broker.worker().await;
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
        assert_eq!(listed(&broker, in_state(TaskState::Revoked)).await.len(), 4);
    }

    async fn failed_tasks_can_be_retried_with_all_attempts(broker) {
        broker.send(&["a", "b", "c"]).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 10).await;
        let settlements = vec![
            broker.failure(&tasks[0], "{}"),
            broker.success(&tasks[1], "1"),
            broker.failure(&tasks[2], "{}"),
        ];
        broker.settle_all(worker, settlements).await;
        assert_eq!(broker.retry(&ids(&["a", "b"])).await.unwrap(), 1);
        assert_eq!(broker.state("a").await, Some(TaskState::Queued));
        let again = broker.claim_one(worker).await;
        assert_eq!((again.id.as_str(), again.retries, again.losses), ("a", 0, 0));
        assert_eq!(id_of(&again.message), "a");
        broker.settle_all(worker, vec![broker.success(&again, "2")]).await;
        assert_eq!(broker.state("a").await, Some(TaskState::Succeeded));
        assert_eq!(broker.retry(&TaskFilter::default()).await.unwrap(), 1);
        assert_eq!(broker.claim_ids(worker).await, ["c"]);
    }

    async fn purged_tasks_leave_no_trace_and_running_ones_stay(broker) {
        broker.enqueue(&broker.tasks(0..4), None).await.unwrap();
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 2).await;
        broker.settle_all(worker, vec![broker.failure(&tasks[0], "{}")]).await;
        assert_eq!(broker.purge(&ids(&["t1"])).await.unwrap(), 0);
        assert_eq!(broker.purge(&in_state(TaskState::Failed)).await.unwrap(), 1);
        assert_eq!(broker.state("t0").await, None);
        let of_queue = TaskFilter { queues: queues(&["q"]), ..TaskFilter::default() };
        assert_eq!(broker.purge(&TaskFilter { limit: 1, ..of_queue.clone() }).await.unwrap(), 1);
        assert_eq!(broker.purge(&of_queue).await.unwrap(), 1);
        assert_eq!(listed(&broker, TaskFilter::default()).await, ["t1"]);
        // The ids are free again.
        broker.send(&["t0", "t2"]).await;
    }

    async fn queues_count_their_tasks(broker) {
        assert_eq!(broker.queues().await.unwrap(), []);
        let start = broker.clock.now_ms();
        let at = |queue: &str, id: &str, due: Option<i64>| NewTask {
            queue: queue.into(),
            created_at_ms: start,
            due_at_ms: due.map(|due| start + due),
            ..broker.new_task(id)
        };
        let tasks = [at("b", "1", None), at("b", "2", None), at("b", "3", Some(90_000)), at("a", "4", Some(40_000))];
        broker.enqueue(&tasks, None).await.unwrap();
        let worker = broker.worker().await;
        broker.claim(worker, &queues(&["b"]), 1).await.unwrap();
        broker.pause("paused", true).await.unwrap();
        broker.clock.advance(seconds(60));
        let stats = broker.queues().await.unwrap();
        let names: Vec<_> = stats.iter().map(|stats| stats.queue.as_str()).collect();
        assert_eq!(names, ["a", "b", "paused"]);
        // A task whose time has come counts as ready, also if no worker has asked for it.
        assert_eq!((stats[0].queued, stats[0].scheduled), (1, 0));
        assert!((20_000..30_000).contains(&stats[0].oldest_ms.unwrap()), "{stats:?}");
        let QueueStats { queued, scheduled, running, is_paused, .. } = stats[1];
        assert_eq!((queued, scheduled, running, is_paused), (1, 1, 1, false));
        assert!((60_000..70_000).contains(&stats[1].oldest_ms.unwrap()), "{stats:?}");
        assert!(stats[2].is_paused && stats[2].oldest_ms.is_none());
    }
}
