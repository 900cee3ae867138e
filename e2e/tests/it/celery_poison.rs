//! Messages that are damaged in every way: each runs, fails as its task, or is put aside with the reason, and the worker goes on.

use std::collections::HashSet;

use serde_json::{Value, json};
use test_support::redis::Redis;
use test_support::service::{self, Service};
use test_support::{free_port, wait_for};

use crate::celery_peers::PROGRAM;

/// The end of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// The task has run: the message has all that is needed.
    Ran,
    /// The task has failed with this exception, which its caller gets and `tasks dead` shows.
    Failed(String),
    /// The message is in the list of those that cannot be read, with a reason.
    PutAside,
    /// Stores nothing.
    Nothing,
}

/// A Redis server, and a service that runs tasks.
struct Fixture {
    redis: Redis,
    _service: Service,
}

impl Fixture {
    async fn start() -> Self {
        let redis = Redis::start();
        let url = format!("tasks.redis.url={}", redis.url());
        let arguments = ["--set", url.as_str(), "--set", "tasks.worker=on"];
        let service = Service::start(PROGRAM, free_port(), &arguments).await;
        Self { redis, _service: service }
    }

    /// Sends messages, and a valid one after them. Waits until all have ended.
    async fn run(&self, messages: &[Vec<u8>]) {
        let valid = message("valid").to_string().into_bytes();
        let mut sent = Vec::new();
        for message in messages.iter().chain([&valid]) {
            sent.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            sent.extend_from_slice(message);
        }
        let push = "local at = 1 while at <= #ARGV[1] do local message \
                    message, at = struct.unpack('>I4c0', ARGV[1], at) redis.call('LPUSH', 'rust', message) end";
        self.redis.command_with(&["EVAL", push, "0"], &sent);
        let left = "return redis.call('LLEN', 'rust') + redis.call('HLEN', 'unacked')";
        wait_for("all messages to end", || {
            std::future::ready(self.redis.command(&["EVAL", left, "0"]) == "0")
        })
        .await;
        assert_eq!(self.ends(&["valid".to_owned()], &[valid]), [End::Ran]);
    }

    /// Returns the ends of messages, by the ids that their tasks have if they can be read.
    fn ends(&self, ids: &[String], messages: &[Vec<u8>]) -> Vec<End> {
        let put_aside = self.put_aside();
        let keys = ids.iter().map(|id| format!("celery-task-meta-{id}"));
        let command: Vec<String> = std::iter::once("MGET".to_owned()).chain(keys).collect();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let records = self.redis.command(&command);
        let mut records = records.lines();
        let end = |message: &Vec<u8>| {
            let record = records.next().unwrap_or_default();
            let record: Value = serde_json::from_str(record).unwrap_or_default();
            match record["status"].as_str() {
                Some("SUCCESS") if record["result"] == 5 => End::Ran,
                Some("FAILURE") => {
                    End::Failed(record["result"]["exc_type"].as_str().unwrap().into())
                }
                None if put_aside.contains(&*String::from_utf8_lossy(message)) => End::PutAside,
                None => End::Nothing,
                _ => panic!("{record}"),
            }
        };
        messages.iter().map(end).collect()
    }

    /// Returns the messages that are put aside, each with a reason.
    fn put_aside(&self) -> HashSet<String> {
        let letters = self.redis.command(&["LRANGE", "rust.dead", "0", "-1"]);
        let letters = letters.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        letters
            .map(|letter| {
                assert!(!letter["reason"].as_str().unwrap().is_empty(), "{letter}");
                letter["message"].as_str().unwrap().to_owned()
            })
            .collect()
    }
}

/// Returns a message of Celery with all fields, which adds 2 and 3.
fn message(id: &str) -> Value {
    let embed = json!({"callbacks": null, "errbacks": null, "chain": null, "chord": null});
    json!({
        "body": json!([[2, 3], {}, embed]).to_string(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py", "task": "rs.add", "id": id, "shadow": null, "eta": null, "expires": null, "group": null,
            "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": id, "parent_id": null,
            "argsrepr": "(2, 3)", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": false,
            "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {}, "compression": null, "redelivered": false,
        },
        "properties": {
            "correlation_id": id, "reply_to": "a", "delivery_mode": 2, "priority": 0, "body_encoding": "utf-8",
            "delivery_info": {"exchange": "", "routing_key": "rust", "redelivered": false}, "delivery_tag": "tag",
            "expiration": "100000",
        },
    })
}

/// Returns the paths of all members, as JSON pointers.
fn paths(value: &Value, prefix: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, it)| (at.to_string(), it)).collect()
        }
        _ => return,
    };
    for (name, member) in members {
        let path = format!("{prefix}/{name}");
        found.push(path.clone());
        paths(member, &path, found);
    }
}

fn remove(value: &mut Value, path: &str) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        _ => unreachable!("only these have members"),
    }
}

/// The values that a field has instead of its own.
fn wrong_values() -> [(&'static str, Value); 6] {
    [
        ("null", Value::Null),
        ("number", json!(7)),
        ("list", json!([7])),
        ("text", json!("x")),
        ("object", json!({"x": 1})),
        ("true", json!(true)),
    ]
}

/// Returns the end of a message whose field at `path` has a value of another type. Null is no value.
fn expected(path: &str, kind: &str) -> End {
    const TEXTS: [&str; 14] = [
        "/content-encoding",
        "/headers/argsrepr",
        "/headers/group",
        "/headers/kwargsrepr",
        "/headers/lang",
        "/headers/origin",
        "/headers/parent_id",
        "/headers/root_id",
        "/headers/shadow",
        "/properties/correlation_id",
        "/properties/delivery_info/exchange",
        "/properties/delivery_info/routing_key",
        "/properties/expiration",
        "/properties/reply_to",
    ];
    const NUMBERS: [&str; 7] = [
        "/headers/group_index",
        "/headers/replaced_task_nesting",
        "/headers/retries",
        "/headers/timelimit/0",
        "/headers/timelimit/1",
        "/properties/delivery_mode",
        "/properties/priority",
    ];
    match (path, kind) {
        // Without both of them there is nobody to tell.
        ("/headers/task", "text") => End::Failed("NotRegistered".into()),
        ("/headers/id", "text") => End::Nothing,
        ("/headers" | "/headers/id" | "/headers/task", _) => End::PutAside,
        ("/body", _) => decode_error(),
        (_, "removed" | "null") => End::Ran,
        ("/properties/delivery_tag", "text") => End::Ran,
        (path, "text") if TEXTS.contains(&path) => End::Ran,
        (path, "number") if NUMBERS.contains(&path) => End::Ran,
        ("/headers/timelimit", "list") => End::Ran,
        ("/headers/stamps" | "/properties" | "/properties/delivery_info", "object") => End::Ran,
        ("/headers/redelivered" | "/properties/delivery_info/redelivered", "true") => End::Ran,
        // It runs, and its result is not wanted.
        ("/headers/ignore_result", "true") => End::Nothing,
        _ => decode_error(),
    }
}

fn decode_error() -> End {
    End::Failed("DecodeError".into())
}

#[tokio::test]
async fn each_field_may_be_missing_or_wrong() {
    let fixture = Fixture::start().await;
    let mut members = Vec::new();
    paths(&message(""), "", &mut members);
    let (mut ids, mut messages, mut expected_ends) = (Vec::new(), Vec::new(), Vec::new());
    for path in members {
        let values = wrong_values().map(|(kind, value)| (kind, Some(value)));
        for (kind, value) in std::iter::once(("removed", None)).chain(values) {
            let id = format!("{kind}{path}");
            let mut changed = message(&id);
            match value {
                Some(value) => *changed.pointer_mut(&path).unwrap() = value,
                None => remove(&mut changed, &path),
            }
            messages.push(changed.to_string().into_bytes());
            ids.push(id);
            expected_ends.push(expected(&path, kind));
        }
    }
    fixture.run(&messages).await;
    let ends = fixture.ends(&ids, &messages);
    for ((id, end), expected) in ids.iter().zip(&ends).zip(&expected_ends) {
        assert_eq!(end, expected, "{id}");
    }
    let failed = ends.iter().filter(|end| matches!(end, End::Failed(_))).count();
    // Each that has failed is a dead letter, which says why.
    let url = format!("tasks.redis.url={}", fixture.redis.url());
    let dead = ["tasks", "dead", "--json", "--limit", "10000", "--set", url.as_str()];
    let dead = service::run(PROGRAM, &dead, &[]).await.stdout;
    let dead: Vec<Value> = serde_json::from_slice(&dead).unwrap();
    assert_eq!(dead.len(), failed);
    let reason = dead.iter().find(|task| task["id"] == "list/headers/eta").unwrap().to_string();
    assert!(reason.contains("`headers.eta` has an unexpected type or value"), "{reason}");
}

#[tokio::test]
async fn each_part_of_a_body_may_be_missing_or_wrong() {
    let type_error = || End::Failed("TypeError".into());
    let embed = |name: &str, value: Value| json!([[2, 3], {}, {name: value}]);
    let bodies = [
        (json!([[2, 3], {}, {}]), End::Ran),
        (json!([[2, 3], null, null]), End::Ran),
        (json!([null, {"x": 2, "y": 3}, null]), End::Ran),
        (json!([[2, 3], {}]), decode_error()),
        (json!([[2, 3], {}, {}, {}]), decode_error()),
        (json!([]), decode_error()),
        // One of protocol 1, without arguments.
        (json!({"x": 1}), type_error()),
        (json!("text"), decode_error()),
        (json!([7, {}, {}]), decode_error()),
        (json!(["ab", {}, {}]), decode_error()),
        (json!([{"x": 2}, {}, {}]), decode_error()),
        (json!([[2, 3], 7, {}]), decode_error()),
        (json!([[2, 3], [7], {}]), decode_error()),
        (json!([[2, 3], {}, 7]), decode_error()),
        (json!([[2, 3], {}, [7]]), decode_error()),
        (json!([null, {}, {}]), type_error()),
        (json!([[2], {}, {}]), type_error()),
        (json!([[2, 3, 4], {}, {}]), type_error()),
        (json!([[2, 3], {"x": 2}, {}]), type_error()),
        (json!([[2, 3], {"z": 2}, {}]), type_error()),
        (json!([["2", 3], {}, {}]), type_error()),
        (json!([[null, 3], {}, {}]), type_error()),
        (json!([[[2], {"a": 3}], {}, {}]), type_error()),
        (embed("callbacks", json!(7)), decode_error()),
        (embed("callbacks", json!([7])), decode_error()),
        (embed("chain", json!("x")), decode_error()),
        (embed("chord", json!([7])), decode_error()),
        (embed("errbacks", json!({"task": 7})), decode_error()),
        (embed("errbacks", json!([])), End::Ran),
        (embed("unknown", json!({"x": 1})), End::Ran),
        // Nobody can be sent what has no name.
        (embed("callbacks", json!([{"x": 1}])), End::Failed("ValueError".into())),
    ];
    let fixture = Fixture::start().await;
    let ids: Vec<String> = (0..bodies.len()).map(|number| format!("case-{number}")).collect();
    let sent = |(id, (body, _)): (&String, &(Value, End))| {
        let mut sent = message(id);
        sent["body"] = body.to_string().into();
        sent.to_string().into_bytes()
    };
    let messages: Vec<_> = ids.iter().zip(&bodies).map(sent).collect();
    fixture.run(&messages).await;
    for (end, (body, expected)) in fixture.ends(&ids, &messages).iter().zip(&bodies) {
        assert_eq!(end, expected, "{body}");
    }
}

#[tokio::test]
async fn garbage_is_put_aside_byte_by_byte() {
    let valid = message("a").to_string().into_bytes();
    let at = valid.iter().position(|byte| *byte == b'2').unwrap();
    let with = |byte: u8| [&valid[..at], &[byte], &valid[at + 1..]].concat();
    let mut messages = vec![
        (0..=255).collect::<Vec<u8>>(),
        b"\x80\x04\x95\x10\x00".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        vec![0; 100],
        vec![b'['; 1 << 20],
        [&valid[..], b"}"].concat(),
        [&valid[..], &valid].concat(),
        // Within a text: not UTF-8, and a control character.
        with(0xff),
        with(0),
    ];
    messages.extend((1..8).map(|eighths| valid[..valid.len() * eighths / 8].to_vec()));
    let fixture = Fixture::start().await;
    fixture.run(&messages).await;
    let put_aside = fixture.put_aside();
    for message in &messages {
        let text = String::from_utf8_lossy(message);
        assert!(put_aside.contains(&*text), "{text}");
    }
    assert_eq!(put_aside.len(), messages.len());
}

#[tokio::test]
async fn large_and_deep_messages_stop_nothing() {
    let large = "z".repeat(10 << 20);
    let deep: Value = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let deep_text = |count: usize| "[".repeat(count) + &"]".repeat(count);
    // Built as text, because 1,000 levels are more than serde_json reads.
    let with = |id: &str, old: &str, new: &str| {
        let text = message(id).to_string();
        assert!(text.contains(old), "{text}");
        text.replacen(old, new, 1)
    };
    let arguments = json!(json!([[2, 3], {}, {"note": large}]).to_string()).to_string();
    let body = message("").pointer("/body").unwrap().to_string();
    let in_body = |count: usize| {
        json!(format!("[[2, 3], {{}}, {{\"note\": {}}}]", deep_text(count))).to_string()
    };
    let cases = [
        ("body", with("body", &body, &arguments), End::Ran),
        ("header", with("header", "\"gen1@host\"", &json!(large).to_string()), End::Ran),
        ("garbage", large.clone(), End::PutAside),
        (
            "100-levels",
            with("100-levels", "\"stamps\":{}", &format!("\"stamps\":{{\"x\":{deep}}}")),
            End::Ran,
        ),
        ("100-levels-in-body", with("100-levels-in-body", &body, &in_body(100)), End::Ran),
        ("levels-in-body", with("levels-in-body", &body, &in_body(1000)), decode_error()),
        (
            "levels-in-header",
            with("levels-in-header", "\"gen1@host\"", &deep_text(1000)),
            End::PutAside,
        ),
        ("levels", deep_text(1000), End::PutAside),
        ("objects", "{\"a\":".repeat(1000) + "1" + &"}".repeat(1000), End::PutAside),
    ];
    let messages: Vec<_> = cases.iter().map(|(_, text, _)| text.clone().into_bytes()).collect();
    let ids: Vec<_> = cases.iter().map(|(id, ..)| (*id).to_owned()).collect();
    let fixture = Fixture::start().await;
    fixture.run(&messages).await;
    for (end, (id, _, expected)) in fixture.ends(&ids, &messages).iter().zip(&cases) {
        assert_eq!(end, expected, "{id}");
    }
}
