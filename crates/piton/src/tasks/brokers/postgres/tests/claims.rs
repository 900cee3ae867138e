//! Claims, settlements and enqueuing, as only PostgreSQL does them.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_several_queues_are_claimed_by_priority_and_then_in_order() {
    let broker = fixture().await;
    let worker = register(&broker).await;
    let in_queue = |queue: &str, priority| NewTask { queue: queue.into(), priority, ..task() };
    let all = [
        in_queue("a", 9),
        in_queue("b", 0),
        in_queue("a", 0),
        in_queue("c", 0),
        in_queue("b", 0),
        in_queue("b", 4),
    ];
    broker.enqueue(&all, None).await.unwrap();
    let queues = ["a".to_owned(), "b".to_owned()];
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.extend(broker.claim(worker, &queues, 2).await.unwrap().tasks);
    }
    let ids: Vec<&str> = claimed.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, [1, 2, 4, 5, 0].map(|place: usize| all[place].id.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_with_a_priority_that_no_claim_reads_is_refused() {
    let broker = fixture().await;
    for (id, priority) in [("low", -1), ("high", 10)] {
        let insert = "INSERT INTO piton_tasks (id, name, queue, priority, state, created_at_ms, message) \
            VALUES ($1, 'name', 'q', $2, 0, 0, '{}')";
        let error = broker.db.run(insert, (id, priority)).await.unwrap_err();
        assert_eq!(error.constraint(), Some("piton_tasks_priority_is_from_0_to_9"), "{error}");
    }
    let last = NewTask { priority: 9, ..task() };
    broker.enqueue(&[task(), last], None).await.unwrap();
    let worker = register(&broker).await;
    assert_eq!(broker.claim(worker, &queue(), 10).await.unwrap().tasks.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_a_transaction_are_enqueued_by_its_commit_only() {
    let broker = fixture().await;
    let worker = register(&broker).await;
    broker.db.run("CREATE TABLE orders (id bigint)", ()).await.unwrap();
    for is_committed in [false, true] {
        let mut tx = broker.db.begin().await.unwrap();
        tx.run("INSERT INTO orders VALUES (1)", ()).await.unwrap();
        broker.enqueue_in(&mut tx, &tasks(2), None).await.unwrap();
        assert!(broker.claim(worker, &queue(), 10).await.unwrap().tasks.is_empty());
        match is_committed {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await.unwrap(),
        }
        let claimed = broker.claim(worker, &queue(), 10).await.unwrap().tasks;
        assert_eq!(claimed.len(), if is_committed { 2 } else { 0 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_commits_late_is_not_passed_over() {
    let broker = fixture().await;
    let worker = register(&broker).await;
    let mut tx = broker.db.begin().await.unwrap();
    broker.enqueue_in(&mut tx, &tasks(1), None).await.unwrap();
    broker.enqueue(&tasks(5), None).await.unwrap();
    assert_eq!(broker.claim(worker, &queue(), 5).await.unwrap().tasks.len(), 5);
    tx.commit().await.unwrap();
    let started = Instant::now();
    while broker.claim(worker, &queue(), 1).await.unwrap().tasks.is_empty() {
        broker.woken(&queue()).await;
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_with_a_result_is_refused_whether_it_contains_a_time_or_not() {
    let broker = fixture().await;
    let worker = register(&broker).await;
    let known = [task(), NewTask { id: "mine".into(), ..task() }];
    broker.enqueue(&known, None).await.unwrap();
    let claimed = broker.claim(worker, &queue(), 10).await.unwrap().tasks;
    broker.settle(worker, claimed.iter().map(succeeded).collect()).await.unwrap();
    for again in known {
        let error = broker.enqueue(&[task(), again], None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Duplicate, "{error}");
    }
    assert_eq!(count(&broker.db, "tasks").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_nobody_waited_for_is_released() {
    let broker = fixture().await;
    let worker = register(&broker).await;
    broker.enqueue(&tasks(200), None).await.unwrap();
    let queues = queue();
    let mut claimed = 0;
    for us in 0..100 {
        let claim = broker.claim(worker, &queues, 1);
        let limit = Duration::from_micros(us * 30);
        if let Ok(batch) = tokio::time::timeout(limit, claim).await {
            claimed += batch.unwrap().tasks.len();
        }
    }
    wait(async || {
        claimed += broker.claim(worker, &queue(), 200).await.unwrap().tasks.len();
        claimed == 200
    })
    .await;
    let running: i64 =
        broker.db.scalar("SELECT count(*) FROM piton_tasks WHERE state = 2", ()).await.unwrap();
    assert_eq!(running, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_stay_fast_next_to_a_snapshot_that_keeps_dead_rows() {
    let broker = fixture().await;
    let worker = register(&broker).await;
    let mut snapshot = broker.db.begin().await.unwrap();
    snapshot.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", ()).await.unwrap();
    snapshot.scalar::<i64>("SELECT count(*) FROM piton_tasks", ()).await.unwrap();
    for _ in 0..50 {
        broker.enqueue(&tasks(1000), None).await.unwrap();
        let claimed = broker.claim(worker, &queue(), 1000).await.unwrap().tasks;
        broker.settle(worker, claimed.iter().map(succeeded).collect()).await.unwrap();
    }
    // With statistics that take the table for empty, too, as autovacuum stores them.
    for has_statistics in [false, true] {
        if has_statistics {
            broker.db.run("ANALYZE piton_tasks", ()).await.unwrap();
        }
        for (tasks_per_claim, max) in [(1, 8), (20, 30)] {
            let mut times = Vec::new();
            for _ in 0..50 {
                broker.enqueue(&tasks(tasks_per_claim), None).await.unwrap();
                let started = Instant::now();
                let claimed = broker.claim(worker, &queue(), tasks_per_claim).await.unwrap().tasks;
                times.push(started.elapsed());
                assert_eq!(claimed.len(), tasks_per_claim);
            }
            times.sort();
            // Reading past 50,000 dead entries takes about 20 ms, each time.
            assert!(times[25] < Duration::from_millis(max), "{has_statistics}: {times:?}");
        }
    }
    snapshot.rollback().await.unwrap();
}
