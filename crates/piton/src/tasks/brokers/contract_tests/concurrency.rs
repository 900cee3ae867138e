//! Many workers at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

on_every_broker! {
    async fn of_many_workers_none_gets_a_task_of_another(broker) {
        const TASKS: u32 = 2000;
        let broker = Arc::new(broker);
        broker.enqueue(&broker.tasks(0..TASKS / 2), None).await.unwrap();
        let other = broker.another().await;
        let brokers = [Arc::clone(&broker.broker), other];
        let left = Arc::new(AtomicUsize::new(TASKS as usize));
        let mut workers = Vec::new();
        for index in 0..8 {
            let (fixture, broker) = (Arc::clone(&broker), Arc::clone(&brokers[index % 2]));
            let (worker, left) = (fixture.worker().await, Arc::clone(&left));
            workers.push(tokio::spawn(async move {
                let mut done = Vec::new();
                while left.load(Ordering::Relaxed) > 0 {
                    let tasks = broker.claim(worker, &queues(&["q"]), 7).await.unwrap().tasks;
                    left.fetch_sub(tasks.len(), Ordering::Relaxed);
                    let settlements = tasks.iter().map(|task| fixture.success(task, "1")).collect();
                    let settled = broker.settle(worker, settlements).await.unwrap();
                    assert!(settled.fenced.is_empty());
                    done.extend(tasks.into_iter().map(|task| task.id));
                }
                done
            }));
        }
        for some in broker.tasks(TASKS / 2..TASKS).chunks(100) {
            broker.enqueue(some, None).await.unwrap();
        }
        let mut done = Vec::new();
        for worker in workers {
            done.extend(worker.await.unwrap());
        }
        // The workers of a fast broker may have found nothing for a moment; the rest is then still there.
        let worker = broker.worker().await;
        while let rest @ [_, ..] = &*broker.work_off(worker).await {
            done.extend_from_slice(rest);
        }
        assert_eq!(done.len(), TASKS as usize);
        assert_eq!(done.into_iter().collect::<BTreeSet<_>>().len(), TASKS as usize);
        assert_eq!(broker.list(&in_state(TaskState::Succeeded)).await.unwrap().len(), TASKS as usize);
    }

    async fn of_callers_that_send_at_once_only_those_with_a_known_id_are_refused(broker) {
        let broker = Arc::new(broker);
        let calls = (0..200_u32).map(|call| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                // Every id is sent twice.
                let task = broker.new_task(format!("t{}", call / 2));
                broker.enqueue(&[task], None).await.map_err(|error| error.kind())
            })
        });
        let mut refused = 0;
        for call in calls.collect::<Vec<_>>() {
            match call.await.unwrap() {
                Ok(()) => {}
                Err(kind) => {
                    assert_eq!(kind, Kind::Duplicate);
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 100);
        let worker = broker.worker().await;
        assert_eq!(broker.work_off(worker).await.len(), 100);
    }
}
