//! The outbox on both databases, relayed to a Redis server.

use std::any::Any;

use test_support::redis::Redis;

use super::*;
use crate::db::DbSettings;
use crate::tasks::brokers::OpenBroker;
use crate::tasks::brokers::records::GroupMember;
use crate::tasks::settings::{TaskBroker, TasksSettings};

/// Defines a test for each database.
macro_rules! on_both_databases {
    ($(async fn $name:ident($fixture:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($fixture: Fixture) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(Fixture::on_sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                check(Fixture::on_postgres().await).await;
            }
        }
    )*};
}

/// A database, a Redis server, and one process with an outbox.
struct Fixture {
    redis: Redis,
    db: Db,
    settings: TasksSettings,
    outbox: OutboxBroker<RedisBroker>,
    _storage: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::for_test(&DbSettings::default(), folder.path()).await.unwrap();
        Self::of(db, Box::new(folder)).await
    }

    async fn on_postgres() -> Self {
        let url = serde_json::Value::from(test_support::postgres::database());
        let url = crate::config::Setting::parse(&url).unwrap();
        let settings = DbSettings { url: Some(url), ..Default::default() };
        let db = Db::for_test(&settings, std::path::Path::new("")).await.unwrap();
        Self::of(db, Box::new(())).await
    }

    async fn of(db: Db, storage: Box<dyn Any + Send + Sync>) -> Self {
        let redis = Redis::start();
        let mut settings = TasksSettings { broker: TaskBroker::Redis, ..TasksSettings::default() };
        settings.redis.url = crate::config::Setting::parse(&redis.url().into()).ok();
        let outbox = process(&db, &settings);
        outbox.prepare().await.unwrap();
        Self { redis, db, settings, outbox, _storage: storage }
    }

    /// Returns the outbox of another process.
    fn another(&self) -> OutboxBroker<RedisBroker> {
        process(&self.db, &self.settings)
    }

    /// Sends tasks in one transaction.
    async fn send(&self, ids: &[&str]) {
        self.send_tasks(ids.iter().map(|id| task(id))).await;
    }

    async fn send_tasks(&self, tasks: impl IntoIterator<Item = NewTask>) {
        let mut tx = self.db.begin().await.unwrap();
        for task in tasks {
            self.outbox.enqueue_in(&mut tx, &[task], None).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Returns the ids of the messages in a queue, in the order in which they were sent.
    fn queued(&self, queue: &str) -> Vec<String> {
        let texts = self.redis.command(&["LRANGE", queue, "0", "-1"]);
        let mut ids: Vec<String> = texts.lines().map(str::to_owned).collect();
        ids.retain(|id| !id.is_empty());
        ids.reverse();
        ids
    }

    async fn waiting(&self) -> u64 {
        self.outbox.stats().await.unwrap().waiting
    }
}

fn process(db: &Db, settings: &TasksSettings) -> OutboxBroker<RedisBroker> {
    let (clock, state, metrics) = (Clock::default(), Arc::default(), TaskMetrics::default());
    let broker = RedisBroker::new(settings, &[], &clock).ok().unwrap();
    OutboxBroker::new(broker, db.clone(), &settings.outbox, &clock, &state, &metrics)
}

/// Returns a task whose message is its id.
fn task(id: &str) -> NewTask {
    NewTask {
        id: id.into(),
        name: "shop.pack".into(),
        queue: "q".into(),
        priority: 0,
        created_at_ms: 0,
        due_at_ms: None,
        expires_at_ms: None,
        retries: 0,
        parent_id: None,
        group: None,
        ignore_result: false,
        message: id.into(),
    }
}

fn ids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("t{number}")).collect()
}

on_both_databases! {
    async fn what_is_committed_is_sent_in_its_order_and_what_is_rolled_back_never_is(fixture) {
        for id in ids(0..30) {
            let mut tx = fixture.db.begin().await.unwrap();
            let rolled_back = task(&format!("{id}-rolled-back"));
            fixture.outbox.enqueue_in(&mut tx, &[rolled_back], None).await.unwrap();
            tx.rollback().await.unwrap();
            fixture.send(&[&id]).await;
        }
        assert_eq!(fixture.queued("q"), Vec::<String>::new());
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ids(0..30));
        assert_eq!(fixture.outbox.stats().await.unwrap(), OutboxStats::default());
        assert_eq!(fixture.outbox.shared.metrics.relayed.get(), 30);
    }

    async fn more_than_one_batch_is_sent_and_its_lease_ends(fixture) {
        let all = ids(0..1200);
        fixture.send(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), all);
        // Another process need not wait for it.
        fixture.send(&["next"]).await;
        let another = fixture.another();
        let relayed = tokio::time::timeout(Duration::from_secs(10), another.flush());
        relayed.await.unwrap().unwrap();
        assert_eq!(fixture.queued("q").len(), 1201);
    }

    async fn an_entry_that_was_sent_and_not_removed_is_not_sent_again(fixture) {
        let mut ignored = task("ignored");
        ignored.ignore_result = true;
        fixture.send_tasks([task("a"), ignored, task("b")]).await;
        // A process sends them, and is killed.
        let gone = fixture.another();
        let outbox = gone.shared.store.lease("gone").await.unwrap().unwrap();
        let batch = gone.shared.store.next_batch(0).await.unwrap();
        assert_eq!(gone.broker.relay(&outbox, &batch.entries).await.unwrap(), []);
        assert_eq!(fixture.queued("q"), ["a", "ignored", "b"]);
        fixture.db.run("UPDATE piton_task_outbox_relay SET until_ms = 1", ()).await.unwrap();
        fixture.send(&["c"]).await;
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["a", "ignored", "b", "c"]);
        assert_eq!(fixture.waiting().await, 0);
    }

    async fn one_process_relays_at_a_time(fixture) {
        let store = &fixture.outbox.shared.store;
        let takes = async |process| store.lease(process).await.unwrap().is_some();
        assert!(takes("first").await);
        assert!(!takes("second").await);
        assert!(takes("first").await, "it is renewed");
        // After it has expired.
        fixture.db.run("UPDATE piton_task_outbox_relay SET until_ms = 1", ()).await.unwrap();
        assert!(takes("second").await);
        // After the clock was set back by an hour.
        let ahead = "UPDATE piton_task_outbox_relay SET until_ms = until_ms + 3600000";
        fixture.db.run(ahead, ()).await.unwrap();
        assert!(takes("first").await);
        // After it was released.
        store.release("first").await.unwrap();
        assert!(takes("second").await);
        // After its row was lost.
        fixture.db.run("DELETE FROM piton_task_outbox_relay", ()).await.unwrap();
        assert!(store.lease("second").await.unwrap_err().lacks_tables());
        fixture.outbox.prepare().await.unwrap();
        assert!(takes("second").await);
    }

    async fn ids_that_are_given_again_are_those_of_other_entries(fixture) {
        fixture.send(&["a", "b"]).await;
        fixture.outbox.flush().await.unwrap();
        // The database is restored from a backup of the time before.
        let restore = if fixture.db.is_postgres() {
            "ALTER SEQUENCE piton_task_outbox_id_seq RESTART WITH 1"
        } else {
            "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'piton_task_outbox'"
        };
        fixture.db.run(restore, ()).await.unwrap();
        fixture.send(&["c", "d"]).await;
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["a", "b", "c", "d"]);
    }

    async fn a_countdown_of_ages_is_sent(fixture) {
        let mut late = task("late");
        late.due_at_ms = Some(i64::MAX);
        fixture.send_tasks([late]).await;
        fixture.send(&["next"]).await;
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["late", "next"]);
    }

    async fn a_queue_that_the_user_may_not_write_stops_no_other(fixture) {
        let _ = fixture.redis.command(&["ACL", "SETUSER", "default", "resetkeys", "~q*", "~piton:*", "~celery*"]);
        let mut forbidden = task("forbidden");
        forbidden.queue = "forbidden".into();
        fixture.send_tasks([task("a"), forbidden, task("b")]).await;
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["a", "b"]);
        assert_eq!(fixture.outbox.refused(10).await.unwrap()[0].id, "forbidden");
    }

    async fn a_task_whose_id_is_stored_already_is_refused(fixture) {
        fixture.outbox.enqueue(&[task("a")], None).await.unwrap();
        fixture.send(&["a", "b"]).await;
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["a", "b"]);
        let refused = fixture.outbox.refused(10).await.unwrap();
        assert!(refused[0].reason.contains("stored already"), "{refused:?}");
    }

    async fn with_results_elsewhere_a_refused_task_has_failed(fixture) {
        let mut fixture = fixture;
        let results = Redis::start();
        fixture.settings.redis.result_url =
            crate::config::Setting::parse(&results.url().into()).ok();
        fixture.outbox = fixture.another();
        fixture.outbox.prepare().await.unwrap();
        let _ = fixture.redis.command(&["SET", "q", "x"]);
        fixture.send(&["a"]).await;
        fixture.outbox.flush().await.unwrap();
        let record = fixture.outbox.task("a").await.unwrap().unwrap();
        assert_eq!(record.state, TaskState::Failed);
        let _ = fixture.redis.command(&["DEL", "q"]);
        OutboxAdmin::retry(&fixture.outbox, None).await.unwrap();
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["a"]);
        let record = fixture.outbox.task("a").await.unwrap().unwrap();
        assert_eq!(record.state, TaskState::Queued);
    }

    async fn without_tables_only_what_is_sent_in_transactions_is_refused(fixture) {
        // A database whose tables are of a later version.
        fixture.db.run("UPDATE piton_task_outbox_relay SET version = 99", ()).await.unwrap();
        let another = fixture.another();
        another.prepare().await.unwrap();
        another.enqueue(&[task("a")], None).await.unwrap();
        assert_eq!(fixture.queued("q"), ["a"]);
        assert!(another.task("unknown").await.unwrap().is_none());
        let mut tx = fixture.db.begin().await.unwrap();
        let error = another.enqueue_in(&mut tx, &[task("b")], None).await.unwrap_err();
        assert!(error.to_string().contains("tables of the outbox"), "{error}");
    }

    async fn processes_that_send_at_the_same_time_send_each_task_once(fixture) {
        let senders = (0..4).map(|sender: u32| {
            let (db, outbox) = (fixture.db.clone(), fixture.another());
            tokio::spawn(async move {
                outbox.prepare().await.unwrap();
                for number in 0..50 {
                    let mut tx = db.begin().await.unwrap();
                    let task = task(&format!("{sender}-{number}"));
                    outbox.enqueue_in(&mut tx, &[task], None).await.unwrap();
                    tx.commit().await.unwrap();
                    outbox.flush().await.unwrap();
                }
            })
        });
        for sender in senders.collect::<Vec<_>>() {
            sender.await.unwrap();
        }
        let sent = fixture.queued("q");
        assert_eq!(sent.len(), 200);
        for sender in 0..4 {
            let own: Vec<&String> =
                sent.iter().filter(|id| id.starts_with(&format!("{sender}-"))).collect();
            let expected: Vec<String> = (0..50).map(|number| format!("{sender}-{number}")).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>(), "in the order of its sender");
        }
    }

    async fn an_entry_that_redis_refuses_is_put_aside_and_can_be_sent_again(fixture) {
        let _ = fixture.redis.command(&["SET", "broken", "x"]);
        let mut refused = task("refused");
        refused.queue = "broken".into();
        fixture.send_tasks([task("a"), refused, task("b")]).await;
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["a", "b"]);
        let listed = fixture.outbox.refused(10).await.unwrap();
        assert_eq!((listed[0].id.as_str(), listed[0].queue.as_str()), ("refused", "broken"));
        assert!(listed[0].reason.contains("WRONGTYPE"), "{listed:?}");
        let record = fixture.outbox.task("refused").await.unwrap().unwrap();
        assert_eq!(record.state, TaskState::Failed);
        assert!(record.result.unwrap().contains("WRONGTYPE"));
        fixture.outbox.shared.measure().await;
        let health = format!("{:?}", fixture.outbox.shared.state.health(Duration::ZERO));
        assert!(health.contains("Redis refused entries of the outbox: 1;"), "{health}");

        let _ = fixture.redis.command(&["DEL", "broken"]);
        assert_eq!(OutboxAdmin::retry(&fixture.outbox, Some("other")).await.unwrap(), 0);
        assert_eq!(OutboxAdmin::retry(&fixture.outbox, Some("refused")).await.unwrap(), 1);
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("broken"), ["refused"]);
        assert_eq!(fixture.outbox.stats().await.unwrap(), OutboxStats::default());
    }

    async fn an_entry_that_cannot_be_read_is_put_aside(fixture) {
        fixture.send(&["a", "b"]).await;
        let damage = "UPDATE piton_task_outbox SET entry = '{}' WHERE task_id = 'a'";
        fixture.db.run(damage, ()).await.unwrap();
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["b"]);
        assert_eq!(fixture.outbox.stats().await.unwrap().refused, 1);
        assert_eq!(OutboxAdmin::purge(&fixture.outbox, None).await.unwrap(), 1);
        assert_eq!(fixture.outbox.stats().await.unwrap().refused, 0);
    }

    async fn a_task_is_known_and_can_be_revoked_before_it_is_sent(fixture) {
        fixture.send(&["a"]).await;
        let record = fixture.outbox.task("a").await.unwrap().unwrap();
        assert_eq!((record.state, record.queue.as_str()), (TaskState::Queued, "q"));
        let filter = TaskFilter { ids: vec!["a".into()], ..TaskFilter::default() };
        assert_eq!(fixture.outbox.revoke(&filter).await.unwrap(), 1);
        let record = fixture.outbox.task("a").await.unwrap().unwrap();
        assert_eq!(record.state, TaskState::Revoked);
        assert!(fixture.outbox.task("b").await.unwrap().is_none());
    }

    async fn a_full_outbox_refuses_entries_until_it_is_relayed(fixture) {
        let mut fixture = fixture;
        fixture.settings.outbox.max_entries = 2;
        fixture.outbox = fixture.another();
        fixture.outbox.prepare().await.unwrap();
        fixture.send(&["a", "b", "c"]).await;
        fixture.outbox.shared.measure().await;
        let mut tx = fixture.db.begin().await.unwrap();
        let error = fixture.outbox.enqueue_in(&mut tx, &[task("d")], None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("tasks.outbox.max_entries"), "{error}");
        tx.rollback().await.unwrap();
        let health = format!("{:?}", fixture.outbox.shared.state.health(Duration::ZERO));
        assert!(health.contains("more than 2 entries wait"), "{health}");
        fixture.outbox.flush().await.unwrap();
        fixture.outbox.shared.measure().await;
        fixture.send(&["d"]).await;
    }

    async fn an_outage_of_redis_is_survived_and_ends_by_itself(fixture) {
        let mut fixture = fixture;
        fixture.redis.stop();
        let (trigger, stop) = Stop::new();
        let outbox = fixture.outbox.clone();
        let running = tokio::spawn(async move { outbox.run_background(stop).await });
        // A service that starts now begins to serve.
        fixture.another().prepare().await.unwrap();
        fixture.send(&["a", "b"]).await;
        let state = fixture.outbox.shared.state.clone();
        test_support::wait_for("the fault is known", || {
            std::future::ready(state.snapshot()["outbox"]["fault"].is_string())
        })
        .await;
        assert_eq!(fixture.waiting().await, 2);
        fixture.redis.start_again();
        test_support::wait_for("all are sent", || {
            std::future::ready(fixture.queued("q") == ["a", "b"])
        })
        .await;
        trigger.stop();
        running.await.unwrap();
    }

    async fn groups_are_sent_in_their_place(fixture) {
        let (members, group) = group_of_two();
        let mut tx = fixture.db.begin().await.unwrap();
        fixture.outbox.enqueue_in(&mut tx, &[task("a")], None).await.unwrap();
        fixture.outbox.enqueue_in(&mut tx, &members, Some(&group)).await.unwrap();
        fixture.outbox.enqueue_in(&mut tx, &[task("b")], None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(fixture.outbox.task("s").await.unwrap().unwrap().state, TaskState::Scheduled);
        let batch = fixture.outbox.shared.store.next_batch(0).await.unwrap();
        for _ in 0..2 {
            let relayed = fixture.outbox.broker.relay("outbox", &batch.entries).await;
            assert_eq!(relayed.unwrap(), []);
        }
        let queued = fixture.queued("q");
        assert_eq!(queued.len(), 4, "{queued:?}");
        assert!(queued[0] == "a" && queued[1].contains("m0") && queued[3] == "b", "{queued:?}");
    }

    async fn a_group_that_was_refused_can_be_sent_again(fixture) {
        let _ = fixture.redis.command(&["SET", "q", "x"]);
        let (members, group) = group_of_two();
        let mut tx = fixture.db.begin().await.unwrap();
        fixture.outbox.enqueue_in(&mut tx, &members, Some(&group)).await.unwrap();
        tx.commit().await.unwrap();
        fixture.outbox.flush().await.unwrap();
        let record = fixture.outbox.task("s").await.unwrap().unwrap();
        assert_eq!(record.state, TaskState::Failed);
        let _ = fixture.redis.command(&["DEL", "q"]);
        assert_eq!(OutboxAdmin::retry(&fixture.outbox, Some("s")).await.unwrap(), 1);
        fixture.outbox.flush().await.unwrap();
        assert_eq!(fixture.queued("q").len(), 2);
        assert_eq!(fixture.outbox.stats().await.unwrap(), OutboxStats::default());
    }

    async fn tables_that_are_lost_are_created_again(fixture) {
        let OpenBroker { broker, in_transactions, .. } = database::both(fixture.another());
        broker.prepare().await.unwrap();
        for drop in ["DROP TABLE piton_task_outbox", "DROP TABLE piton_task_outbox_relay",
            "DROP TABLE piton_task_outbox_refused"]
        {
            fixture.db.run(drop, ()).await.unwrap();
        }
        let in_transactions = in_transactions.unwrap();
        let sent = async {
            loop {
                let mut tx = fixture.db.begin().await.unwrap();
                let sent = in_transactions.enqueue_in(&mut tx, &[task("a")], None).await;
                match sent {
                    Ok(()) => return tx.commit().await.unwrap(),
                    Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "{error}"),
                }
                tx.rollback().await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), sent).await.unwrap();
        broker.flush().await.unwrap();
        assert_eq!(fixture.queued("q"), ["a"]);
    }
}

/// Returns two members, and their group with the summary `s`.
fn group_of_two() -> ([NewTask; 2], NewGroup) {
    let summary = NewTask { message: valid_message("s"), ..task("s") };
    let group = NewGroup { id: "s".into(), size: 2, summary, body: None, shape: None };
    let member = |id: &str, index| {
        let group = GroupMember { id: "s".into(), index };
        NewTask { message: valid_message(id), group: Some(group), ..task(id) }
    };
    ([member("m0", 0), member("m1", 1)], group)
}

fn valid_message(id: &str) -> String {
    use piton_celery::{Envelope, Properties, TaskBody, TaskHeaders};

    let headers = TaskHeaders::new("shop.pack", id);
    let message = Envelope::task(headers, Properties::new("q", id), &TaskBody::default());
    String::from_utf8(message.unwrap().to_vec().unwrap()).unwrap()
}

/// PostgreSQL alone runs transactions at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_whose_transaction_commits_late_is_sent() {
    let fixture = Fixture::on_postgres().await;
    let mut late = fixture.db.begin().await.unwrap();
    fixture.outbox.enqueue_in(&mut late, &[task("late")], None).await.unwrap();
    fixture.send(&["early"]).await;
    fixture.outbox.flush().await.unwrap();
    late.commit().await.unwrap();
    fixture.outbox.flush().await.unwrap();
    assert_eq!(fixture.queued("q"), ["early", "late"]);
}
