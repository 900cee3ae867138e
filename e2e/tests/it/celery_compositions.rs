//! Chains, groups and chords with tasks of both languages, started and built in either.

use serde_json::{Value, json};

use crate::celery_peers::Peers;

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
