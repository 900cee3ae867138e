//! Workers and clients of Celery 5.7 on the same Redis server: tasks go in both directions, with all that belongs to them.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::http_client;
use test_support::node;
use test_support::python::{Dialogue, PythonProgram, PythonServer};
use test_support::redis::Redis;
use test_support::service::Service;
use test_support::{free_port, wait_for};

const PROGRAM: &str = "examples/celery";

/// A Redis server, a worker and a client of Celery, and a service of ours that serves requests and runs tasks.
struct Peers {
    redis: Redis,
    client: Dialogue,
    service: Service,
    _worker: PythonProgram,
}

impl Peers {
    async fn start() -> Self {
        Self::start_with(&[], "{}").await
    }

    /// Starts them. The settings are the service's, the options Celery's.
    async fn start_with(settings: &[&str], options: &str) -> Self {
        let redis = Redis::start();
        let (broker, results) = (redis.url(), redis.url());
        let variables = [
            ("CELERY_BROKER_URL", broker.as_str()),
            ("CELERY_RESULT_BACKEND", results.as_str()),
            ("CELERY_OPTIONS", options),
        ];
        let arguments =
            ["--pool=prefork", "--concurrency=2", "--queues=celery", "--hostname=py@test"];
        let worker = PythonProgram::start("celery", "worker.py", &arguments, &variables);
        let client = Dialogue::start("celery", "client.py", &[], &variables);
        let url = format!("tasks.redis.url={broker}");
        let own = [url.as_str(), "tasks.lease=3s", "tasks.worker=on"];
        let arguments: Vec<&str> =
            own.iter().chain(settings).flat_map(|setting| ["--set", setting]).collect();
        let service = Service::start(PROGRAM, free_port(), &arguments).await;
        Self { redis, client, service, _worker: worker }
    }

    /// Evaluates an expression in the Python client.
    fn python(&mut self, expression: &str) -> Value {
        let answer = self.client.ask(expression);
        serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{expression}: {error}: {answer}"))
    }

    /// Asserts the value of an expression.
    fn expect(&mut self, expression: &str, expected: Value) {
        assert_eq!(self.python(expression), expected, "{expression}");
    }

    /// Sends a task from the service. Returns its id.
    async fn send(&self, request: Value) -> String {
        let mut connection = http_client::Connection::open(self.service.port).await.unwrap();
        let response = connection.request("POST", "/send", &request.to_string()).await.unwrap();
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        assert_eq!(response.status, 200, "{text}");
        text
    }

    /// Sends a chain that the service builds. Returns the id of its last task.
    async fn send_chain(&self, steps: Value) -> String {
        let mut connection = http_client::Connection::open(self.service.port).await.unwrap();
        let response = connection.request("POST", "/chain", &steps.to_string()).await.unwrap();
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        assert_eq!(response.status, 200, "{text}");
        text
    }

    /// Sends a chain that the service builds, and returns its end as the service sees it.
    async fn chain(&self, steps: Value) -> Value {
        let id = self.send_chain(steps).await;
        self.get(&format!("/result/{id}")).await
    }

    async fn get(&self, path: &str) -> Value {
        let response = http_client::get(self.service.port, path).await.unwrap();
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends a task from the service, and returns its end as the service sees it.
    async fn call(&self, request: Value) -> Value {
        let id = self.send(request).await;
        self.get(&format!("/result/{id}")).await
    }
}

#[tokio::test]
async fn tasks_go_from_celery_to_rust_with_all_that_belongs_to_them() {
    let mut peers = Peers::start().await;
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
    let mut peers = Peers::start().await;
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
    let peers = Peers::start().await;
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
    let mut peers = Peers::start().await;
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

/// Runs compositions of Python's in which tasks of both languages start groups and end them.
fn python_compositions(peers: &mut Peers, rounds: u32) {
    for round in 0..rounds {
        for (first, other) in [("rs.add", "py.add"), ("py.add", "rs.add")] {
            let (sum, other_sum) =
                if first == "rs.add" { ("rs.sum", "py.sum") } else { ("py.sum", "rs.sum") };
            let one = |number: u32| format!("sig('{first}', {number})");
            let two = |number: u32| format!("sig('{other}', {number})");
            let start = format!("sig('{first}', {round}, 1)");
            let get = |call: &str| format!("({call})().get(timeout=30)");
            // A group inside a chain is a chord, which the first task starts.
            let chain = format!(
                "chain({start}, group({}, {}), sig('{sum}'), {})",
                one(1),
                two(2),
                two(100)
            );
            peers.expect(&get(&chain), json!(2 * round + 105));
            // Two groups in a row: the body of the first is a chord.
            let list = |sum: &str| format!("sig('{sum}')");
            let chain = format!(
                "chain({start}, group({}, {}), group({}, {}), sig('rs.echo'), {})",
                one(1),
                two(2),
                list(sum),
                list(other_sum),
                list(other_sum),
            );
            peers.expect(&get(&chain), json!(4 * round + 10));
            // A chord within a chain whose body is a chain, and one within a header.
            let inner = format!("chord([{}, {}], sig('{sum}'))", one(1), two(1));
            let chain = format!(
                "chain({start}, chord([{}, chain({}, {inner}, {})], chain(sig('{other_sum}'), {})))",
                one(3),
                one(4),
                two(5),
                one(6),
            );
            peers.expect(&get(&chain), json!(3 * round + 27));
        }
    }
}

#[tokio::test]
async fn a_task_of_either_language_starts_groups_and_chords_in_a_chain() {
    let mut peers = Peers::start().await;
    python_compositions(&mut peers, 1);
    let get = |call: &str| format!("({call})().get(timeout=30)");
    // Results of nested groups have the shape that Celery gives them, whoever starts the chord and whoever ends it.
    let header = "sig('rs.echo', 1, immutable=True), group(sig('rs.echo', 2, immutable=True), echo.si(3)), \
                  chain(sig('rs.echo', 4, immutable=True), group(echo.si(5), sig('rs.echo', 6, immutable=True)))";
    for (first, body) in [
        ("sig('rs.echo', 0)", "sig('rs.echo')"),
        ("echo.s(0)", "echo.s()"),
        ("sig('rs.echo', 0)", "echo.s()"),
        ("echo.s(0)", "sig('rs.echo')"),
    ] {
        let chain = format!("chain({first}, chord([{header}], {body}))");
        peers.expect(&get(&chain), json!([1, 3, 2, [5, 6]]));
    }
    // A callback that is a chord, whose ids nobody has fixed.
    let linked = "sig('rs.add', 1, 1).set(link=[chord([sig('rs.add', 1), add.s(2)], sig('rs.sum').set(task_id='linked'))]).delay().id";
    peers.python(linked);
    peers.expect("AsyncResult('linked').get(timeout=30)", json!(7));
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn fifty_rounds_of_compositions_across_the_languages_all_end() {
    let mut peers = Peers::start().await;
    python_compositions(&mut peers, 50);
    for round in 0..50 {
        rust_compositions(&peers, round).await;
    }
}

#[tokio::test]
async fn a_member_that_fails_fails_the_rest_of_the_chain_in_both_languages() {
    let mut peers = Peers::start().await;
    for (first, failing, body, next) in [
        ("sig('rs.echo', 'no')", "fail.s()", "total.s()", "add.s(1)"),
        ("sig('rs.echo', 'no')", "sig('rs.fail')", "sig('rs.sum')", "sig('rs.add', 1)"),
        ("echo.s('no')", "sig('rs.fail')", "total.s()", "sig('rs.add', 1)"),
        ("sig('rs.echo', 'no')", "sig('rs.fail')", "total.s()", "add.s(1)"),
    ] {
        let body = format!("{body}.set(link_error=[sig('rs.echo').set(task_id='errback')])");
        let chain = format!("chain({first}, chord([echo.s(), {failing}], {body}), {next})");
        let sent = format!("setattr(sys, 'r', ({chain})()) or sys.r.id");
        peers.python(&sent);
        let failed = peers.python("sys.r.get(timeout=30)");
        assert!(
            ["ValueError", "ChordError"].contains(&failed["exception"].as_str().unwrap()),
            "{chain}: {failed}"
        );
        // By their ids, because Python looks at the members first.
        for id in ["sys.r.id", "sys.r.parent.id"] {
            let failed = peers.python(&format!("AsyncResult({id}).get(timeout=30)"));
            assert_eq!(failed["exception"], "ChordError", "{chain}: {id}: {failed}");
        }
        let body_id = peers.python("sys.r.parent.id");
        peers.expect("AsyncResult('errback').get(timeout=30)", body_id);
        peers.python("AsyncResult('errback').forget()");
    }
}

/// Runs compositions that the service builds, with tasks of both languages.
async fn rust_compositions(peers: &Peers, round: u32) {
    let call = |task: &str, args: Value| json!({"call": {"task": task, "args": args}});
    let add = |task: &str, number: u32| call(task, json!([number]));
    for (one, two) in [("rs", "py"), ("py", "rs")] {
        let [add_one, add_two] = [one, two].map(|language| format!("{language}.add"));
        let [sum_one, sum_two] = [one, two].map(|language| format!("{language}.sum"));
        let first = call(&add_one, json!([round, 2]));
        let chain = json!([first, add(&add_two, 3), add(&add_one, 4)]);
        assert_eq!(peers.chain(chain).await, json!({"returned": round + 9}));
        let sum = |task: &str| json!({"task": task});
        let members = json!([[add(&add_one, 1)], [add(&add_two, 2), add(&add_one, 3)]]);
        let group = json!({"group": [members, sum(&sum_two)]});
        let chain = json!([first, group, add(&add_one, 10)]);
        assert_eq!(peers.chain(chain).await, json!({"returned": 2 * round + 20}));
        // A group first, a group directly after another one, and one within another one.
        let members = json!([[call(&add_one, json!([1, 1]))], [call(&add_two, json!([2, 2]))]]);
        let begin = json!({"group": [members, sum(&sum_one)]});
        let inner = json!({"group": [[[add(&add_one, 1)], [add(&add_two, 1)]], sum(&sum_one)]});
        let outer =
            json!({"group": [[[add(&add_two, 0), inner], [add(&add_one, 0)]], sum(&sum_two)]});
        assert_eq!(peers.chain(json!([begin, outer])).await, json!({"returned": 20}));
    }
}

#[tokio::test]
async fn compositions_that_are_built_here_run_in_both_languages() {
    let mut peers = Peers::start().await;
    rust_compositions(&peers, 5).await;
    // Python sees the same results.
    let id = peers.send_chain(json!([{"call": {"task": "py.add", "args": [1, 2]}}, {"call": {"task": "rs.add", "args": [3]}}])).await;
    peers.expect(&format!("AsyncResult('{id}').get(timeout=15)"), json!(6));
    let callbacks = json!([{"call": {
        "task": "py.add",
        "args": [1, 1],
        "on_success": [{"task": "rs.add", "args": [5], "id": "success"}],
        "on_failure": [{"task": "rs.echo", "id": "none"}],
    }}]);
    assert_eq!(peers.chain(callbacks).await, json!({"returned": 2}));
    peers.expect("AsyncResult('success').get(timeout=15)", json!(7));
    let immutable = json!([
        {"call": {"task": "rs.add", "args": [1, 1]}},
        {"call": {"task": "py.echo", "args": ["own"], "immutable": true}},
    ]);
    assert_eq!(peers.chain(immutable).await, json!({"returned": "own"}));
    for failing in ["rs.fail", "py.fail"] {
        let errback = json!({"task": "rs.echo", "id": format!("after-{failing}")});
        let last = json!({"call": {"task": "rs.echo"}});
        let step = json!({"call": {"task": failing, "args": ["no"], "on_failure": [errback]}});
        let failed = peers.chain(json!([step, last, last])).await;
        assert_eq!(failed["failed"]["exc_type"], "ValueError", "{failed}");
        let errback = peers.python(&format!("AsyncResult('after-{failing}').get(timeout=15)"));
        assert!(errback.is_string(), "{errback}");
        let members = json!([[{"call": {"task": "py.echo", "args": [1]}}], [step]]);
        let group = json!({"group": [members, {"task": "py.sum", "on_failure": [{"task": "rs.echo", "id": format!("sum-{failing}")}]}]});
        let failed =
            peers.chain(json!([{"call": {"task": "rs.echo", "args": [0]}}, group, last])).await;
        assert_eq!(failed["failed"]["exc_type"], "ChordError", "{failed}");
        let errback = peers.python(&format!("AsyncResult('sum-{failing}').get(timeout=15)"));
        assert!(errback.is_string(), "{errback}");
    }
}

#[tokio::test]
async fn the_remote_control_of_celery_reaches_the_worker() {
    let mut peers = Peers::start().await;
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
    peers.expect("sys.r.get(timeout=15)", json!(1.5));
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
