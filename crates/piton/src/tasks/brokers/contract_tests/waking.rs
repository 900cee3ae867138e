//! The wake-ups of waiting workers.

use super::*;

/// The time in which a worker must be woken: longer than any broker takes on a busy machine, and shorter than a
/// worker would wait.
const BOUND: Duration = Duration::from_secs(5);

/// Looks for tasks and waits to be woken, until there is one.
async fn next_task(broker: &dyn Broker, worker: WorkerId) -> String {
    loop {
        if let Some(task) = broker.claim(worker, &queues(&["q"]), 1).await.unwrap().tasks.pop() {
            return task.id;
        }
        broker.woken(&queues(&["q"])).await;
    }
}

async fn in_time(wait: impl Future<Output = String>) -> String {
    tokio::time::timeout(BOUND, wait).await.expect("woken in time")
}

on_every_broker! {
    async fn a_waiting_worker_is_woken_by_a_new_task(broker) {
        let worker = broker.worker().await;
        for round in 0..20 {
            let id = format!("t{round}");
            let send = async {
                if round % 2 == 0 {
                    tokio::task::yield_now().await;
                }
                broker.send(&[&id]).await;
            };
            let (found, ()) = tokio::join!(in_time(next_task(&*broker, worker)), send);
            assert_eq!(found, id);
        }
    }

    async fn a_task_that_comes_between_the_look_and_the_wait_is_not_missed(broker) {
        let worker = broker.worker().await;
        assert_eq!(broker.claim_ids(worker).await, [""; 0]);
        broker.send(&["a"]).await;
        tokio::time::timeout(BOUND, broker.woken(&queues(&["q"]))).await.expect("woken");
    }

    async fn a_worker_of_another_process_is_woken(broker) {
        let other = broker.another().await;
        let worker = broker.worker().await;
        for round in 0..10 {
            let id = format!("t{round}");
            let sent = [id.as_str()];
            let wait = in_time(next_task(&*other, worker));
            let (found, ()) = tokio::join!(wait, broker.send(&sent));
            assert_eq!(found, id);
        }
    }

    async fn a_worker_is_woken_by_what_is_given_back(broker) {
        broker.send(&["a"]).await;
        let (first, second) = (broker.worker().await, broker.worker().await);
        let task = broker.claim_one(first).await;
        let release = async {
            broker.settle_all(first, vec![settlement(&task, Outcome::Released)]).await;
        };
        let (found, ()) = tokio::join!(in_time(next_task(&*broker, second)), release);
        assert_eq!(found, "a");
        let (found, ended) =
            tokio::join!(in_time(next_task(&*broker, first)), broker.unregister(second));
        ended.unwrap();
        assert_eq!(found, "a");
    }
}
