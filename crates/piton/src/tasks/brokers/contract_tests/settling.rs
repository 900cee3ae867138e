//! The outcomes of claimed tasks.

use super::*;

fn rescheduled(due_at_ms: i64, retries: u32, error: Option<&str>) -> Outcome {
    Outcome::Rescheduled { due_at_ms, retries, error: error.map(Into::into) }
}

on_every_broker! {
    async fn a_result_is_stored_with_all_that_is_known(broker) {
        let parent_id = Some("parent".to_owned());
        let sent = NewTask { parent_id: parent_id.clone(), priority: 4, ..broker.new_task("a") };
        broker.enqueue(&[sent], None).await.unwrap();
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        let running = broker.broker.task("a").await.unwrap().unwrap();
        assert_eq!(running.state, TaskState::Running);
        assert_eq!(running.worker.as_deref(), Some("shop@host:1"));
        // A broker may not find the message of a task that is running.
        assert!(running.message.is_none_or(|message| id_of(&message) == "a"));
        let mut failed = broker.finished(FinalState::Failure, "{\"exc_type\": \"E\"}");
        failed.traceback = Some("line 1\nline 2".into());
        let expected = failed.clone();
        broker.settle_all(worker, vec![settlement(&task, Outcome::Finished(Some(failed)))]).await;
        let stored = broker.broker.task("a").await.unwrap().unwrap();
        assert_eq!((stored.name.as_str(), stored.queue.as_str()), ("shop.pack", "q"));
        assert_eq!((stored.state, stored.priority), (TaskState::Failed, 4));
        assert_eq!(stored.result, Some(expected.result));
        assert_eq!(stored.traceback, expected.traceback);
        assert_eq!(stored.started_at_ms, expected.started_at_ms);
        assert_eq!(stored.finished_at_ms, Some(expected.finished_at_ms));
        assert_eq!((stored.created_at_ms, stored.parent_id), (task.created_at_ms, parent_id));
        assert_eq!(stored.worker.as_deref(), Some("shop@host:1"));
        assert_eq!(id_of(&stored.message.unwrap()), "a");
    }

    async fn a_success_keeps_no_message_and_an_ignored_result_leaves_no_trace(broker) {
        broker.send(&["a", "b"]).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 2).await;
        let settlements =
            vec![broker.success(&tasks[0], "[1]"), settlement(&tasks[1], Outcome::Finished(None))];
        broker.settle_all(worker, settlements).await;
        let stored = broker.broker.task("a").await.unwrap().unwrap();
        assert_eq!((stored.state, stored.message), (TaskState::Succeeded, None));
        assert_eq!(stored.result.as_deref(), Some("[1]"));
        assert_eq!(broker.state("b").await, None);
        assert_eq!(broker.queues().await.unwrap(), []);
    }

    async fn a_retry_waits_for_its_time_and_shows_the_last_error(broker) {
        broker.send(&["a"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        let due = broker.clock.now_ms() + 10_000;
        let outcome = rescheduled(due, 1, Some("{\"exc_type\": \"E\"}"));
        broker.settle_all(worker, vec![settlement(&task, outcome)]).await;
        let waiting = broker.broker.task("a").await.unwrap().unwrap();
        assert_eq!((waiting.state, waiting.retries), (TaskState::Retrying, 1));
        assert_eq!(waiting.result.as_deref(), Some("{\"exc_type\": \"E\"}"));
        assert_eq!((waiting.due_at_ms, waiting.worker), (Some(due), None));
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
        broker.clock.advance(seconds(11));
        let task = broker.claim_one(worker).await;
        assert_eq!((task.retries, task.losses), (1, 0));
        broker.settle_all(worker, vec![broker.success(&task, "2")]).await;
        let stored = broker.broker.task("a").await.unwrap().unwrap();
        assert_eq!((stored.retries, stored.result.as_deref()), (1, Some("2")));
    }

    async fn a_snooze_counts_no_attempt(broker) {
        broker.send(&["a"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        let due = broker.clock.now_ms() + 10_000;
        broker.settle_all(worker, vec![settlement(&task, rescheduled(due, 0, None))]).await;
        assert_eq!(broker.state("a").await, Some(TaskState::Scheduled));
        broker.clock.advance(seconds(11));
        assert_eq!(broker.claim_one(worker).await.retries, 0);
    }

    async fn a_released_task_goes_back_to_the_head_of_its_queue(broker) {
        broker.send(&["a", "b"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        broker.settle_all(worker, vec![settlement(&task, Outcome::Released)]).await;
        let again = broker.claim_some(worker, 10).await;
        assert_eq!((again[0].id.as_str(), again[0].losses, again[0].retries), ("a", 0, 0));
        assert_eq!(again[1].id, "b");
    }

    async fn follow_ups_are_enqueued_with_the_settlement(broker) {
        broker.send(&["a"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        let mut done = broker.success(&task, "1");
        let parent_id = Some("a".to_owned());
        done.follow_ups = vec![
            NewTask { parent_id, ..broker.new_task("next") },
            NewTask { due_at_ms: Some(broker.clock.now_ms() + 60_000), ..broker.new_task("later") },
        ];
        broker.settle_all(worker, vec![done]).await;
        assert_eq!(broker.claim_ids(worker).await, ["next"]);
        assert_eq!(broker.state("later").await, Some(TaskState::Scheduled));
        let children = TaskFilter { parent_id: Some("a".into()), ..TaskFilter::default() };
        assert_eq!(broker.list(&children).await.unwrap()[0].id, "next");
    }

    async fn a_follow_up_that_was_sent_before_does_not_spoil_the_settlement(broker) {
        broker.send(&["a", "next"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        let mut done = broker.success(&task, "1");
        done.follow_ups = vec![broker.new_task("next"), broker.new_task("new")];
        broker.settle_all(worker, vec![done]).await;
        assert_eq!(broker.claim_ids(worker).await, ["next", "new"]);
    }

    async fn what_would_have_followed_a_task_that_failed_fails_with_it(broker) {
        broker.send(&["a"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        let mut failed = broker.failure(&task, "{\"exc_type\": \"E\"}");
        failed.abandoned = vec![broker.new_task("next"), broker.new_task("last")];
        broker.settle_all(worker, vec![failed.clone()]).await;
        for id in ["next", "last"] {
            let task = broker.broker.task(id).await.unwrap().unwrap();
            assert_eq!((task.state, task.name.as_str()), (TaskState::Failed, "shop.pack"));
            assert_eq!(task.result.as_deref(), Some("{\"exc_type\": \"E\"}"));
        }
        assert_eq!(broker.settle(worker, vec![failed.clone()]).await.unwrap().fenced, [task.key]);
        // Run again, it may fail again.
        assert_eq!(broker.retry(&ids(&["a"])).await.unwrap(), 1);
        let task = broker.claim_one(worker).await;
        failed.key = task.key;
        broker.settle_all(worker, vec![failed]).await;
        assert_eq!(broker.state("last").await, Some(TaskState::Failed));
    }

    async fn of_two_settlements_of_a_task_the_second_is_fenced(broker) {
        broker.send(&["a", "b"]).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 2).await;
        let settlements = vec![
            broker.success(&tasks[0], "1"),
            broker.success(&tasks[1], "1"),
            broker.failure(&tasks[0], "2"),
        ];
        assert_eq!(broker.settle(worker, settlements.clone()).await.unwrap().fenced, [tasks[0].key]);
        let fenced = broker.settle(worker, settlements).await.unwrap().fenced;
        assert_eq!(fenced, [tasks[0].key, tasks[1].key, tasks[0].key]);
        assert_eq!(broker.state("a").await, Some(TaskState::Succeeded));
        assert_eq!(broker.settle(worker, Vec::new()).await.unwrap().fenced, [] as [i64; 0]);
    }

    async fn progress_is_shown_while_the_task_runs_and_afterwards(broker) {
        broker.send(&["a", "b"]).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 2).await;
        let report = [(tasks[0].key, "{\"done\": 1}".to_owned()), (tasks[1].key, "\"x\"".to_owned())];
        broker.report_progress(worker, &report).await.unwrap();
        broker.report_progress(worker, &[(tasks[1].key, "[2]".into())]).await.unwrap();
        let progress = |task: TaskRecord| task.progress;
        assert_eq!(broker.broker.task("a").await.unwrap().and_then(progress).as_deref(), Some("{\"done\": 1}"));
        broker.settle_all(worker, vec![broker.success(&tasks[1], "1")]).await;
        assert_eq!(broker.broker.task("b").await.unwrap().and_then(progress).as_deref(), Some("[2]"));
    }

    async fn one_call_settles_all_kinds(broker) {
        broker.enqueue(&broker.tasks(0..5), None).await.unwrap();
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 4).await;
        let settlements = vec![
            broker.success(&tasks[0], "1"),
            broker.failure(&tasks[1], "{}"),
            settlement(&tasks[2], rescheduled(broker.clock.now_ms() + 1000, 1, Some("{}"))),
            settlement(&tasks[3], Outcome::Released),
        ];
        broker.settle_all(worker, settlements).await;
        let mut states = Vec::new();
        for id in ["t0", "t1", "t2", "t3", "t4"] {
            states.push(broker.state(id).await.unwrap());
        }
        use TaskState::*;
        assert_eq!(states, [Succeeded, Failed, Retrying, Queued, Queued]);
    }
}
