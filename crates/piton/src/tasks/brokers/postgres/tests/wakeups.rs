//! How workers learn of new tasks.

use test_support::pgbouncer::PgBouncer;
use test_support::postgres::Postgres;

use super::*;

/// Another process on the same database.
async fn other(fixture: &Fixture) -> Fixture {
    on(fixture.settings.clone()).await
}

/// Waits until a claim finds a task, without looking more often than it is woken.
async fn first_task(broker: &PostgresBroker, worker: WorkerId) -> ClaimedTask {
    loop {
        let batch = broker.claim(worker, &queue(), 1).await.unwrap();
        if let Some(task) = batch.tasks.into_iter().next() {
            return task;
        }
        broker.woken(&queue()).await;
    }
}

async fn is_listening(broker: &PostgresBroker, is_listening: bool) {
    wait(async || {
        let _ = tokio::time::timeout(Duration::from_millis(1), broker.woken(&queue())).await;
        *broker.store.wakeups.is_listening.borrow() == is_listening
    })
    .await;
}

/// Returns the median time from enqueuing to claiming, of ten tasks.
async fn delay(sender: &PostgresBroker, receiver: &PostgresBroker) -> Duration {
    let worker = register(receiver).await;
    let mut delays = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        let enqueue = async {
            // Later than the claim that finds nothing.
            tokio::time::sleep(Duration::from_millis(20)).await;
            sender.enqueue(&[task()], None).await.unwrap();
            started.elapsed()
        };
        let (enqueued, task) = tokio::join!(enqueue, first_task(receiver, worker));
        delays.push(started.elapsed().saturating_sub(enqueued));
        receiver.settle(worker, vec![succeeded(&task)]).await.unwrap();
    }
    delays.sort();
    delays[5]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_another_process_is_woken_at_once() {
    let receiver = fixture().await;
    let sender = other(&receiver).await;
    is_listening(&receiver, true).await;
    let delay = delay(&sender, &receiver).await;
    assert!(delay < Duration::from_millis(50), "{delay:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_wakes_after_its_commit() {
    let receiver = fixture().await;
    let sender = other(&receiver).await;
    is_listening(&receiver, true).await;
    let worker = register(&receiver).await;
    let commit = async {
        let mut tx = sender.db.begin().await.unwrap();
        sender.enqueue_in(&mut tx, &tasks(1), None).await.unwrap();
        tx.commit().await.unwrap();
    };
    tokio::join!(commit, first_task(&receiver, worker));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_workers_poll() {
    let server = test_support::postgres::database();
    let pooler = PgBouncer::start(&server, "transaction", "");
    let receiver = on(settings_of(pooler.url())).await;
    let sender = other(&receiver).await;
    let delay = delay(&sender, &receiver).await;
    assert!(!*receiver.store.wakeups.is_listening.borrow());
    assert!(delay < Duration::from_millis(600), "{delay:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listening_continues_after_a_restart_of_the_server() {
    let mut server = Postgres::start();
    let receiver = on(settings_of(&server.url())).await;
    let _watch = watch(&receiver.db);
    is_listening(&receiver, true).await;
    server.stop();
    is_listening(&receiver, false).await;
    server.start_again();
    is_listening(&receiver, true).await;
    wait(async || receiver.release_lost().await.is_ok()).await;
    // Another process, because a broker wakes its own workers without the server.
    let sender = other(&receiver).await;
    let wakes = || *receiver.store.wakeups.wakes.borrow();
    let before = wakes();
    sender.enqueue(&[task()], None).await.unwrap();
    wait(async || wakes() > before).await;
}
