//! In which order tasks are claimed, and when.

use super::*;

on_every_broker! {
    async fn prepare_may_be_called_again(broker) {
        broker.send(&["a"]).await;
        broker.prepare().await.unwrap();
        assert_eq!(broker.state("a").await, Some(TaskState::Queued));
    }

    async fn tasks_are_claimed_in_the_order_in_which_they_were_enqueued(broker) {
        broker.send(&["c", "a"]).await;
        broker.send(&["b"]).await;
        let worker = broker.worker().await;
        assert_eq!(broker.claim_one(worker).await.id, "c");
        assert_eq!(broker.claim_ids(worker).await, ["a", "b"]);
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
    }

    async fn priority_comes_first_over_all_queues(broker) {
        let task = |id: &str, queue: &str, priority| {
            NewTask { queue: queue.into(), priority, ..broker.new_task(id) }
        };
        let tasks = [
            task("late", "q", 9),
            task("middle-1", "other", 5),
            task("middle-2", "other", 5),
            task("soon", "q", 4),
            task("first", "third", 0),
            task("not-asked-for", "fourth", 0),
        ];
        broker.enqueue(&tasks, None).await.unwrap();
        let worker = broker.worker().await;
        let asked = queues(&["q", "third", "other"]);
        let claimed = broker.claim(worker, &asked, 3).await.unwrap().tasks;
        let names: Vec<_> = claimed.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(names, ["first", "soon", "middle-1"]);
        let claimed = broker.claim(worker, &asked, 10).await.unwrap().tasks;
        let names: Vec<_> = claimed.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(names, ["middle-2", "late"]);
    }

    async fn a_claim_returns_the_task_as_it_was_enqueued(broker) {
        let sent = NewTask {
            priority: 3,
            expires_at_ms: Some(broker.clock.now_ms() + 5),
            retries: 2,
            ..broker.new_task("a")
        };
        let message = rendering::rendered(&sent).message;
        broker.enqueue(std::slice::from_ref(&sent), None).await.unwrap();
        let worker = broker.worker().await;
        broker.clock.advance(seconds(1));
        // Also after it has expired: the worker decides what that means.
        let task = broker.claim_one(worker).await;
        assert_eq!((task.id, task.queue, task.priority), (sent.id, sent.queue, sent.priority));
        assert_eq!(task.created_at_ms, sent.created_at_ms);
        assert_eq!((task.due_at_ms, task.expires_at_ms), (None, sent.expires_at_ms));
        assert_eq!((task.retries, task.losses, task.message), (2, 0, message));
    }

    async fn a_task_does_not_start_before_it_is_due(broker) {
        let due = broker.clock.now_ms() + 60_000;
        let later = NewTask { due_at_ms: Some(due), ..broker.new_task("later") };
        let much_later = NewTask { due_at_ms: Some(due + 60_000), ..broker.new_task("much-later") };
        broker.enqueue(&[much_later, later], None).await.unwrap();
        assert_eq!(broker.state("later").await, Some(TaskState::Scheduled));
        let worker = broker.worker().await;
        let batch = broker.claim(worker, &queues(&["q"]), 10).await.unwrap();
        assert!(batch.tasks.is_empty());
        assert!(batch.next_due_at_ms.is_none_or(|next| next == due));
        broker.clock.advance(seconds(60));
        assert_eq!(broker.claim_ids(worker).await, ["later"]);
        broker.clock.advance(seconds(60));
        assert_eq!(broker.claim_ids(worker).await, ["much-later"]);
    }

    async fn a_task_that_is_due_takes_its_place_by_priority(broker) {
        let due_at_ms = Some(broker.clock.now_ms() + 1000);
        let urgent = NewTask { due_at_ms, priority: 1, ..broker.new_task("urgent") };
        let usual = NewTask { priority: 5, ..broker.new_task("usual") };
        broker.enqueue(&[usual, urgent], None).await.unwrap();
        broker.clock.advance(seconds(2));
        let worker = broker.worker().await;
        assert_eq!(broker.claim_ids(worker).await, ["urgent", "usual"]);
    }

    async fn a_second_task_with_an_id_is_refused_with_all_that_came_with_it(broker) {
        broker.send(&["a"]).await;
        let error = broker.enqueue(&[broker.new_task("b"), broker.new_task("a")], None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Duplicate);
        let error = broker.enqueue(&[broker.new_task("c"), broker.new_task("c")], None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Duplicate);
        let worker = broker.worker().await;
        assert_eq!(broker.work_off(worker).await, ["a"]);
        // Also while only its result is stored.
        let error = broker.enqueue(&[broker.new_task("d"), broker.new_task("a")], None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Duplicate);
        assert_eq!(broker.state("d").await, None);
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
    }

    async fn a_paused_queue_gives_nothing_until_it_is_resumed(broker) {
        broker.pause("q", true).await.unwrap();
        broker.send(&["a"]).await;
        let other = NewTask { queue: "other".into(), ..broker.new_task("b") };
        broker.enqueue(&[other], None).await.unwrap();
        let worker = broker.worker().await;
        let claimed = broker.claim(worker, &queues(&["q", "other"]), 10).await.unwrap().tasks;
        assert_eq!(claimed.into_iter().map(|task| task.id).collect::<Vec<_>>(), ["b"]);
        broker.pause("q", true).await.unwrap();
        broker.pause("q", false).await.unwrap();
        assert_eq!(broker.claim_ids(worker).await, ["a"]);
    }

    async fn many_tasks_fit_into_one_call(broker) {
        broker.enqueue(&broker.tasks(0..1003), None).await.unwrap();
        broker.enqueue(&[], None).await.unwrap();
        let worker = broker.worker().await;
        let claimed = broker.claim_some(worker, 2000).await;
        let expected: Vec<_> = (0..1003).map(|id| format!("t{id}")).collect();
        assert_eq!(claimed.iter().map(|task| &task.id).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        let settlements = claimed.iter().map(|task| broker.success(task, "null")).collect();
        broker.settle_all(worker, settlements).await;
        assert_eq!(broker.list(&in_state(TaskState::Succeeded)).await.unwrap().len(), 1003);
    }
}
