//! Workers and clients of Celery 5.7 on the same Redis server: tasks go in both directions, with all that belongs to them.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::http_client;
use test_support::node;
use test_support::python::PythonServer;
use test_support::wait_for;

use crate::celery_peers::Peers;

#[tokio::test]
async fn tasks_go_from_celery_to_rust_with_all_that_belongs_to_them() {
    tasks_reach_rust(&mut Peers::start().await).await;
}

pub(crate) async fn tasks_reach_rust(peers: &mut Peers) {
    let rust = |call: &str| format!("app.send_task({call}).get(timeout=15)");
    peers.expect(&rust("'rs.add', [2, 3]"), json!(5));
    peers.expect(&rust("'rs.add', kwargs={'x': 2, 'y': 40}"), json!(42));
    peers.expect(&rust("'rs.echo', ['ü €😀']"), json!("ü €😀"));
    peers.expect(&rust("'rs.echo', [{'a': [1, None, True]}]"), json!({"a": [1, null, true]}));
    // Numbers that JSON of Rust lacks.
    peers.expect("app.send_task('rs.echo', [2**70]).get(timeout=15) == 2**70", json!(true));
    peers.expect("str(app.send_task('rs.echo', [float('nan')]).get(timeout=15))", json!("nan"));
    let nan =
        "str(chord([sig('rs.echo', float('nan')), add.s(1, 1)], sig('rs.echo'))().get(timeout=15))";
    peers.expect(nan, json!("[nan, 2]"));
    // A failure is the exception of its class, with its arguments.
    let failure = json!({"exception": "ValueError", "args": ["no", 42]});
    peers.expect(&rust("'rs.fail', ['no']"), failure);
    // A wrong call is Python's own error.
    let wrong = peers.python(&rust("'rs.add', [1]"));
    assert_eq!(wrong["exception"], "TypeError", "{wrong}");
    let unknown = peers.python(&rust("'rs.unknown', [1]"));
    assert_eq!(unknown["exception"], "NotRegistered", "{unknown}");
    // Bodies that are compressed, and all priorities.
    peers.expect(&rust("'rs.echo', ['z' * 5000], compression='gzip'"), json!("z".repeat(5000)));
    for priority in 0..=9 {
        peers.expect(
            &rust(&format!("'rs.add', [{priority}, 1], priority={priority}")),
            json!(priority + 1),
        );
    }
    // Times.
    let waited = "(lambda begin: (app.send_task('rs.add', [1, 1], countdown=1).get(timeout=15), time.time() - begin >= 1))(time.time())";
    peers.expect(waited, json!([2, true]));
    let eta = "app.send_task('rs.add', [1, 2], eta=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)).get(timeout=15)";
    peers.expect(eta, json!(3));
    let expired =
        peers.python("app.send_task('rs.add', [1, 1], countdown=1.5, expires=0.5).get(timeout=15)");
    assert_eq!(expired["exception"], "TaskRevokedError", "{expired}");
    peers.expect(&rust("'rs.retry', [2]"), json!(2));
    peers.expect(&rust("'rs.headers', ['x-own'], headers={'x-own': 'v'}"), json!("v"));
    // Values that JSON lacks.
    peers.expect(
        &rust("'rs.echo', [datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)]"),
        json!("datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)"),
    );
    peers.expect(&rust("'rs.echo', [decimal.Decimal('1.50')]"), json!("Decimal('1.50')"));
    // What no one reads is refused by a failure that says what to do.
    let pickled = peers.python(&rust("'rs.echo', [1], serializer='pickle'"));
    assert!(pickled.to_string().contains("task_serializer"), "{pickled}");
}

#[tokio::test]
async fn progress_is_seen_from_python_and_an_ignored_result_is_not_stored() {
    progress_is_seen(&mut Peers::start().await).await;
}

pub(crate) async fn progress_is_seen(peers: &mut Peers) {
    peers.python("setattr(sys, 'r', app.send_task('rs.sleep', [30])) or sys.r.id");
    wait_for("the progress of the task", || {
        let state = peers.python("[sys.r.state, sys.r.info]");
        std::future::ready(state == json!(["PROGRESS", {"done": 1}]))
    })
    .await;
    let id = peers.python("sys.r.id");
    let status = peers.get(&format!("/status/{}", id.as_str().unwrap())).await;
    assert_eq!(status["state"], "running", "{status}");
    peers.expect("app.send_task('rs.echo', [1], ignore_result=True).id is not None", json!(true));
    // A result that was ignored is not stored.
    let ignored = "(lambda r: (app.send_task('rs.add', [1, 1]).get(timeout=15), r.state))(app.send_task('rs.echo', [1], ignore_result=True))";
    peers.expect(ignored, json!([2, "PENDING"]));
}

#[tokio::test]
async fn tasks_go_from_rust_to_celery_with_all_that_belongs_to_them() {
    tasks_reach_python(&Peers::start().await).await;
}

pub(crate) async fn tasks_reach_python(peers: &Peers) {
    assert_eq!(peers.call(json!({"task": "py.add", "args": [2, 3]})).await, json!({"returned": 5}));
    let named = json!({"task": "py.add", "kwargs": {"x": "a", "y": "ü"}});
    assert_eq!(peers.call(named).await, json!({"returned": "aü"}));
    let failed = peers.call(json!({"task": "py.fail", "args": ["no"]})).await;
    assert_eq!(failed["failed"]["exc_type"], "ValueError", "{failed}");
    assert_eq!(failed["failed"]["exc_message"], json!(["no", 42]));
    for priority in [0, 4, 9] {
        let request = json!({"task": "py.echo", "args": [priority], "priority": priority});
        assert_eq!(peers.call(request).await, json!({"returned": priority}));
    }
    let begin = std::time::Instant::now();
    let later = json!({"task": "py.echo", "args": ["later"], "countdown_ms": 1500});
    assert_eq!(peers.call(later).await, json!({"returned": "later"}));
    assert!(begin.elapsed() >= Duration::from_millis(1500));
    // From the time of its start on, so it has to wait for a worker for longer: both are busy.
    let busy = [json!({"task": "py.sleep", "args": [2]}), json!({"task": "py.sleep", "args": [2]})];
    for task in busy {
        peers.send(task).await;
    }
    let expired = json!({"task": "py.echo", "args": ["ran"], "expires_ms": 500});
    assert_eq!(peers.call(expired).await, json!({"revoked": true}));
    assert_eq!(peers.call(json!({"task": "py.retry", "args": [2]})).await, json!({"returned": 2}));
    let unknown = peers.call(json!({"task": "py.unknown"})).await;
    assert_eq!(unknown["failed"]["exc_type"], "NotRegistered", "{unknown}");
    // The service knows of the task from the moment it is sent.
    let id = peers.send(json!({"task": "py.sleep", "args": [0.5]})).await;
    let status = peers.get(&format!("/status/{id}")).await;
    assert!(["queued", "running"].contains(&status["state"].as_str().unwrap()), "{status}");
    assert_eq!(peers.get(&format!("/result/{id}")).await, json!({"returned": 0.5}));
}

#[tokio::test]
async fn chains_groups_and_chords_cross_the_languages() {
    workflows_cross_the_languages(&mut Peers::start().await).await;
}

pub(crate) async fn workflows_cross_the_languages(peers: &mut Peers) {
    let get = |call: &str| format!("({call})().get(timeout=20)");
    peers.expect(&get("chain(add.s(1, 2), sig('rs.add', 10), add.s(100))"), json!(113));
    peers.expect(&get("chain(sig('rs.add', 1, 2), add.s(10), sig('rs.add', 100))"), json!(113));
    peers.expect(&get("group(add.s(1, 1), sig('rs.add', 2, 2), add.s(3, 3))"), json!([2, 4, 6]));
    for round in 0..5 {
        let header =
            format!("[add.s({round}, 1), sig('rs.add', 2, 2), sig('rs.add', 3, 3), add.s(4, 4)]");
        let sum = json!(round + 1 + 4 + 6 + 8);
        peers.expect(&get(&format!("chord({header}, sig('rs.sum'))")), sum.clone());
        peers.expect(&get(&format!("chord({header}, total.s())")), sum);
    }
    let failing = "chord([add.s(1, 1), sig('rs.fail', 'no')], total.s())().get(timeout=20)";
    let failed = peers.python(failing);
    assert!(
        ["ValueError", "ChordError"].contains(&failed["exception"].as_str().unwrap()),
        "{failed}"
    );
    let failing = "chord([sig('rs.add', 1, 1), fail.s('no')], sig('rs.sum'))().get(timeout=20)";
    let failed = peers.python(failing);
    assert!(
        ["ValueError", "ChordError"].contains(&failed["exception"].as_str().unwrap()),
        "{failed}"
    );
    let in_chain = "chain(add.s(1, 2), sig('rs.fail', 'no', immutable=True), add.s(1))";
    let failed = peers.python(&get(in_chain));
    assert_eq!(failed["exception"], "ValueError", "{failed}");
    // Those who wait for a task that is never sent, because an earlier one has failed, are told so.
    for (first, second) in
        [("sig('rs.fail', 'no')", "add.s(1)"), ("fail.s('no')", "sig('rs.add', 1)")]
    {
        let failed = peers.python(&get(&format!("chain({first}, {second}, add.s(1))")));
        assert_eq!(failed["exception"], "ValueError", "{first}: {failed}");
    }
    let linked = "(lambda r: (r.get(timeout=15), r.children[0].get(timeout=15)))(sig('rs.add', 1, 1).set(link=[add.s(5)]).delay())";
    peers.expect(linked, json!([2, 7]));
    let errback =
        "chain(sig('rs.fail', 'no').set(link_error=[echo.s().set(task_id='errback')])).delay().id";
    let failed = peers.python(errback);
    peers.expect("AsyncResult('errback').get(timeout=15)", failed);
}

#[tokio::test]
async fn the_remote_control_of_celery_reaches_the_worker() {
    remote_control_reaches_the_worker(&mut Peers::start().await).await;
}

pub(crate) async fn remote_control_reaches_the_worker(peers: &mut Peers) {
    let name = peers
        .python("[w for w in app.control.inspect(timeout=3).ping() if w.startswith('celery@')][0]");
    let name = name.as_str().unwrap().to_owned();
    let inspect =
        |call: &str| format!("app.control.inspect(['{name}'], timeout=3).{call}['{name}']");
    peers.expect(&inspect("ping()"), json!({"ok": "pong"}));
    let registered = peers.python(&inspect("registered()"));
    assert!(registered.as_array().unwrap().contains(&json!("rs.add")), "{registered}");
    let queues = peers.python(&inspect("active_queues()"));
    assert_eq!(queues[0]["name"], "rust", "{queues}");
    peers.python("setattr(sys, 'r', app.send_task('rs.sleep', [60])) or sys.r.id");
    wait_for("the task to run", || {
        let active = peers.python(&inspect("active()"));
        std::future::ready(active[0]["name"] == "rs.sleep")
    })
    .await;
    let found = peers.python("list(app.control.inspect(timeout=3).query_task(sys.r.id).values())");
    assert!(found.to_string().contains("active"), "{found}");
    // Revoked without termination it runs on; terminated it ends at once.
    peers.python("app.control.revoke(sys.r.id, terminate=True)");
    let revoked = peers.python("sys.r.get(timeout=10)");
    assert_eq!(revoked["exception"], "TaskRevokedError", "{revoked}");
    // Without termination, a task that runs goes on.
    let sent = "setattr(sys, 'r', app.send_task('rs.sleep', [1.5])) or sys.r.id";
    peers.python(sent);
    wait_for("the task to run", || {
        std::future::ready(peers.python("sys.r.state") == json!("PROGRESS"))
    })
    .await;
    peers.python("sys.r.revoke()");
    // Workers of Celery 5.6 store the revocation meanwhile, whoever runs the task.
    wait_for("the task to succeed", || {
        let end = peers.python("[AsyncResult(sys.r.id).state, AsyncResult(sys.r.id).result]");
        std::future::ready(end == json!(["SUCCESS", 1.5]))
    })
    .await;
    // A task that waits is revoked by Python and never runs.
    peers.python(
        "setattr(sys, 'r', app.send_task('rs.add', [1, 1], countdown=3)) or sys.r.revoke()",
    );
    let revoked = peers.python("sys.r.get(timeout=15)");
    assert_eq!(revoked["exception"], "TaskRevokedError", "{revoked}");
    let revoked = peers.python(&inspect("revoked()"));
    assert_eq!(revoked.as_array().unwrap().len(), 3, "{revoked}");
    let stats = peers.python(&inspect("stats()"));
    assert_eq!(
        (&stats["total"]["rs.sleep"], &stats["pool"]["max-concurrency"]),
        (&2.into(), &10.into()),
        "{stats}"
    );
    let one = |call: &str| {
        format!("app.control.{call}, destination=['{name}'], reply=True, timeout=3)[0]['{name}']")
    };
    peers.expect(
        &one("time_limit('rs.sleep', soft=1, hard=2"),
        json!({"ok": "time limits set successfully"}),
    );
    let failed = peers.python("app.send_task('rs.sleep', [60]).get(timeout=15)");
    assert_eq!(failed["exception"], "TimeLimitExceeded", "{failed}");
    peers.expect(
        &one("rate_limit('rs.echo', '2/s'"),
        json!({"ok": "new rate limit set successfully"}),
    );
    let slow = "(lambda begin, all: ([r.get(timeout=15) for r in all], 1.4 < time.time() - begin < 6))(time.time(), [app.send_task('rs.echo', [n]) for n in range(4)])";
    peers.expect(slow, json!([[0, 1, 2, 3], true]));
    peers.expect(&one("rate_limit('rs.unknown', '2/s'"), json!({"error": "unknown task"}));
    peers.expect(&one("add_consumer('extra'"), json!({"ok": "add consumer extra"}));
    peers.expect("app.send_task('rs.add', [1, 2], queue='extra').get(timeout=15)", json!(3));
    peers.expect(&one("cancel_consumer('extra'"), json!({"ok": "no longer consuming from extra"}));
    let unknown = peers.python(&one("broadcast('nosuch'"));
    assert_eq!(unknown, json!({"error": "KeyError('nosuch')"}));
    let conf = peers.python(&inspect("conf()"));
    assert_eq!(conf["task_acks_late"], true, "{conf}");
}

#[tokio::test]
async fn events_of_workers_and_tasks_reach_celerys_monitors() {
    let mut peers = Peers::start_with(&["tasks.redis.events=true"], "{}").await;
    events_reach_monitors(&mut peers).await;
}

pub(crate) async fn events_reach_monitors(peers: &mut Peers) {
    peers.python("setattr(sys, 'state', watch(4, lambda: [app.send_task('rs.add', [2, 3]), app.send_task('rs.fail', ['no']), app.send_task('rs.retry', [1])])) or 1");
    let workers = peers.python(
        "[[w.hostname.split('@')[0], w.alive, w.sw_ident] for w in sys.state.workers.values()]",
    );
    assert!(workers.to_string().contains(r#"["celery",true,"piton"]"#), "{workers}");
    let tasks = peers
        .python("sorted([t.name, t.state, t.args, t.result] for t in sys.state.tasks.values())");
    let expected = json!([
        ["rs.add", "SUCCESS", "[2, 3]", "5"],
        ["rs.fail", "FAILURE", "['no']", null],
        ["rs.retry", "SUCCESS", "[1]", "1"]
    ]);
    assert_eq!(tasks, expected);
    let failed =
        peers.python("[t.exception for t in sys.state.tasks.values() if t.name == 'rs.fail']");
    assert_eq!(failed, json!(["ValueError('no', 42)"]));
}

#[tokio::test]
async fn flower_shows_the_worker_and_its_tasks_and_terminates_one() {
    let mut peers = Peers::start_with(&["tasks.redis.events=true"], "{}").await;
    let url = peers.redis.url();
    let variables = [
        ("CELERY_BROKER_URL", url.as_str()),
        ("CELERY_RESULT_BACKEND", url.as_str()),
        ("FLOWER_UNAUTHENTICATED_API", "true"),
        ("HOME", "/tmp"),
    ];
    let flower = PythonServer::start("celery", "flower_server.py", &[], &variables);
    let base = format!("http://127.0.0.1:{}", flower.port);
    // Flower sees what happens once it listens.
    wait_for("Flower to see the worker", || async {
        let workers = http_client::get(flower.port, "/api/workers").await;
        workers.is_ok_and(|workers| String::from_utf8_lossy(&workers.body).contains("celery@"))
    })
    .await;
    let ended = "(lambda r: (r.get(timeout=15), r.id)[1])(app.send_task('rs.add', [2, 3]))";
    let ended = peers.python(ended);
    let running = peers.python("setattr(sys, 'r', app.send_task('rs.sleep', [60])) or sys.r.id");
    let names = peers.python("list(app.control.inspect(timeout=3).ping())");
    let mut names = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let worker = names.find(|name| name.starts_with("celery@")).unwrap().to_owned();
    let arguments = [base.as_str(), &worker, ended.as_str().unwrap(), running.as_str().unwrap()];
    let looked = node::script("browser", "flower.js", &arguments).await;
    assert!(looked.succeeded, "{}", looked.output);
    let seen: Value = serde_json::from_str(&looked.last_line).unwrap();
    for page in ["workers", "worker", "tasks", "ended", "running"] {
        assert_eq!(seen[page]["status"], 200, "{page}: {seen}");
    }
    assert_eq!(seen["queues"], true, "{seen}");
    let text = |page: &str| seen[page]["text"].as_str().unwrap().to_owned();
    assert!(text("workers").contains("Online"), "{}", text("workers"));
    assert!(text("tasks").contains("rs.sleep"), "{}", text("tasks"));
    for shown in ["[2, 3]", "SUCCESS", "Runtime"] {
        assert!(text("ended").contains(shown), "{shown}: {}", text("ended"));
    }
    let ended = peers.python("sys.r.get(timeout=15)");
    assert_eq!(ended["exception"], "TaskRevokedError", "{ended}");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_put_aside_and_the_worker_goes_on() {
    let mut peers = Peers::start().await;
    let nested = "[".repeat(1000);
    let poison = [
        "",
        "no json",
        "{}",
        "[]",
        "null",
        r#"{"body": 5}"#,
        r#"{"headers": {"task": "rs.add"}, "body": "W10="}"#,
        nested.as_str(),
    ];
    for message in poison {
        let _ = peers.redis.command(&["LPUSH", "rust", message]);
    }
    peers.expect("app.send_task('rs.add', [2, 3]).get(timeout=15)", json!(5));
    wait_for("the messages to be put aside", || {
        let aside = peers.redis.command(&["LLEN", "rust.dead"]);
        std::future::ready(aside.trim() == poison.len().to_string())
    })
    .await;
    let letter = peers.redis.command(&["LINDEX", "rust.dead", "0"]);
    assert!(letter.contains("reason") && letter.contains("put_aside_at_ms"), "{letter}");
    assert_eq!(peers.redis.command(&["HLEN", "unacked"]).trim(), "0");
}
