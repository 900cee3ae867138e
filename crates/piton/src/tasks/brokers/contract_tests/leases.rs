//! Workers that vanish, and those that come back too late.

use super::*;

on_every_broker! {
    async fn tasks_of_a_lost_worker_go_to_another_and_count_a_loss(broker) {
        broker.send(&["a", "b"]).await;
        let (lost, other) = (broker.worker().await, broker.worker().await);
        assert_eq!(broker.claim_ids(lost).await, ["a", "b"]);
        assert_eq!(broker.release_lost().await.unwrap(), 0);
        broker.clock.advance(LEASE / 2);
        assert_eq!(broker.renew(other, LEASE).await.unwrap(), Some(Vec::new()));
        broker.clock.advance(LEASE / 2 + seconds(1));
        assert_eq!(broker.release_lost().await.unwrap(), 2);
        assert_eq!(broker.release_lost().await.unwrap(), 0);
        let claimed = broker.claim_some(other, 10).await;
        let losses: Vec<_> = claimed.iter().map(|task| (task.id.as_str(), task.losses)).collect();
        assert_eq!(losses, [("a", 1), ("b", 1)]);
        assert_eq!(claimed[0].retries, 0);
    }

    async fn a_renewed_lease_keeps_its_tasks(broker) {
        broker.send(&["a"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        for _ in 0..3 {
            broker.clock.advance(LEASE - seconds(1));
            assert_eq!(broker.renew(worker, LEASE).await.unwrap(), Some(Vec::new()));
            assert_eq!(broker.release_lost().await.unwrap(), 0);
        }
        broker.settle_all(worker, vec![broker.success(&task, "1")]).await;
    }

    async fn what_a_lost_worker_settles_is_refused_with_all_its_effects(broker) {
        broker.send(&["a", "b"]).await;
        let (lost, other) = (broker.worker().await, broker.worker().await);
        let task = broker.claim_one(lost).await;
        broker.clock.advance(LEASE + seconds(1));
        broker.renew(other, LEASE).await.unwrap();
        broker.release_lost().await.unwrap();
        let mut late = broker.success(&task, "\"late\"");
        late.follow_ups.push(broker.new_task("follow-up"));
        assert_eq!(broker.settle(lost, vec![late.clone()]).await.unwrap().fenced, [task.key]);
        assert_eq!(broker.state("a").await, Some(TaskState::Queued));
        // Neither does it disturb the worker that has the task now.
        let again = broker.claim_one(other).await;
        assert_eq!((again.id.as_str(), again.losses), ("a", 1));
        assert_eq!(broker.settle(lost, vec![late]).await.unwrap().fenced, [task.key]);
        broker.report_progress(lost, &[(again.key, "1".into())]).await.unwrap();
        broker.settle_all(other, vec![broker.success(&again, "\"in time\"")]).await;
        let stored = broker.broker.task("a").await.unwrap().unwrap();
        assert_eq!((stored.result.as_deref(), stored.progress), (Some("\"in time\""), None));
        assert_eq!(broker.state("follow-up").await, None);
    }

    async fn a_lost_worker_claims_nothing_and_learns_that_it_was_lost(broker) {
        let lost = broker.worker().await;
        broker.clock.advance(LEASE + seconds(1));
        broker.release_lost().await.unwrap();
        broker.send(&["a"]).await;
        assert_eq!(broker.claim_ids(lost).await, [""; 0]);
        assert_eq!(broker.renew(lost, LEASE).await.unwrap(), None);
        let new = broker.worker().await;
        assert_ne!(new, lost);
        assert_eq!(broker.claim_ids(new).await, ["a"]);
    }

    async fn an_expired_lease_that_nobody_took_can_be_renewed(broker) {
        broker.send(&["a"]).await;
        let worker = broker.worker().await;
        let task = broker.claim_one(worker).await;
        broker.clock.advance(LEASE * 2);
        assert_eq!(broker.renew(worker, LEASE).await.unwrap(), Some(Vec::new()));
        assert_eq!(broker.release_lost().await.unwrap(), 0);
        broker.settle_all(worker, vec![broker.success(&task, "1")]).await;
    }

    async fn a_worker_that_unregisters_gives_its_tasks_back_without_a_loss(broker) {
        broker.send(&["a"]).await;
        let (first, second) = (broker.worker().await, broker.worker().await);
        broker.claim_one(first).await;
        broker.unregister(first).await.unwrap();
        broker.unregister(first).await.unwrap();
        assert_eq!(broker.renew(first, LEASE).await.unwrap(), None);
        let task = broker.claim_one(second).await;
        assert_eq!((task.id.as_str(), task.losses), ("a", 0));
    }

    async fn workers_are_listed_until_their_lease_expires(broker) {
        let worker = broker.worker().await;
        let listed = broker.workers().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].name.as_str(), listed[0].concurrency), ("shop@host:1", 10));
        assert_eq!(listed[0].queues, ["q"]);
        broker.clock.advance(LEASE + seconds(1));
        assert_eq!(broker.workers().await.unwrap(), []);
        broker.renew(worker, LEASE).await.unwrap();
        assert_eq!(broker.workers().await.unwrap().len(), 1);
        broker.unregister(worker).await.unwrap();
        assert_eq!(broker.workers().await.unwrap(), []);
    }
}
