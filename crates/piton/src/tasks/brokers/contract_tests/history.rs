//! The retention of results.

use super::*;

on_every_broker! {
    async fn results_expire_by_the_retention_of_their_state(broker) {
        broker.send(&["a", "b", "c", "d"]).await;
        let worker = broker.worker().await;
        let tasks = broker.claim_some(worker, 3).await;
        let revoked = broker.finished(FinalState::Revoked, "{}");
        let settlements = vec![
            broker.success(&tasks[0], "1"),
            broker.failure(&tasks[1], "{}"),
            settlement(&tasks[2], Outcome::Finished(Some(revoked))),
        ];
        broker.settle_all(worker, settlements).await;
        let day = seconds(86_400);
        broker.expire_results(day, 7 * day).await.unwrap();
        assert_eq!(broker.state("a").await, Some(TaskState::Succeeded));
        broker.clock.advance(3 * day);
        broker.expire_results(day, 7 * day).await.unwrap();
        assert_eq!((broker.state("a").await, broker.state("c").await), (None, None));
        assert_eq!(broker.state("b").await, Some(TaskState::Failed));
        broker.clock.advance(7 * day);
        broker.expire_results(day, 7 * day).await.unwrap();
        assert_eq!(broker.state("b").await, None);
        // A task that waits does not expire.
        assert_eq!(broker.state("d").await, Some(TaskState::Queued));
    }

    async fn more_results_expire_than_one_transaction_removes(broker) {
        broker.enqueue(&broker.tasks(0..2500), None).await.unwrap();
        let worker = broker.worker().await;
        while !broker.work_off(worker).await.is_empty() {}
        // More than a day, because a broker may remove the results of whole days.
        broker.clock.advance(seconds(2 * 86_400));
        broker.expire_results(seconds(1), seconds(1)).await.unwrap();
        assert_eq!(broker.list(&in_state(TaskState::Succeeded)).await.unwrap().len(), 0);
    }
}
