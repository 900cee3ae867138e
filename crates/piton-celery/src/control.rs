//! Requests to workers: Celery's remote control, by which `celery inspect`, `celery control` and Flower's buttons work.
//!
//! Source: `kombu/pidbox.py`, `celery/worker/control.py` (Celery 5.7.0).

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::control_reply::ControlReply;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::glob;
use crate::lenient;
use crate::properties::Properties;
use crate::queue_binding::QueueBinding;
use crate::rate_limit::RateLimit;
use crate::task_headers::TimeLimit;

/// The exchange of requests, unless Celery's `control_exchange` names another one than `celery`.
///
/// On Redis a request is published on the channel `/<database>.celery.pidbox`.
pub const CONTROL_EXCHANGE: &str = "celery.pidbox";

/// The signal that stops a task if a request names none.
const SIGTERM: i32 = 15;

/// A request to one worker, to several, or to all.
///
/// ```
/// use piton_celery::{ControlReply, ControlRequest, Envelope};
///
/// fn respond(message: &[u8], now_seconds: f64) -> Result<(), piton_celery::Error> {
///     let request = ControlRequest::from_envelope(&Envelope::from_slice(message)?, 1 << 20)?;
///     if !request.is_for("w1@host") {
///         return Ok(());
///     }
///     let reply = match request.command() {
///         "ping" => ControlReply::ok("pong"),
///         "revoke" => match request.task_ids() {
///             Ok(ids) => ControlReply::ok(format!("{} tasks flagged as revoked", ids.len())),
///             Err(error) => ControlReply::error(error.to_string()),
///         },
///         _ => ControlReply::unknown_command(&request.method),
///     };
///     if request.is_expired(now_seconds) {
///         return Ok(());
///     }
///     if let (Some(to), Some(message)) = (&request.reply_to, request.reply("w1@host", &reply, 1, "tag")?) {
///         // SMEMBERS <bindings_key>, then LPUSH <queue> <message> to each of `to.queues(members)`.
///         let _ = (to.bindings_key(), message.to_vec()?);
///     }
///     Ok(())
/// }
/// # assert!(respond(b"{}", 0.0).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ControlRequest {
    /// The name of the command, or an older name of it: see [`command`](Self::command).
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub method: String,
    /// The arguments of the command, by name.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub arguments: Map<String, Value>,
    /// The names of the workers that are to act. Empty means all, or those of `pattern`.
    #[serde(deserialize_with = "lenient::list")]
    pub destination: Vec<String>,
    /// The pattern of the names of the workers that are to act. It counts together with `matcher` only.
    pub pattern: Option<String>,
    /// The language of `pattern`: `glob`, or `pcre`, which is not supported.
    pub matcher: Option<String>,
    /// The id of the request, by which the client tells replies apart.
    pub ticket: Option<String>,
    /// The queue for the reply. `None` if no reply is wanted.
    #[serde(deserialize_with = "reply_to")]
    pub reply_to: Option<ReplyTo>,
    /// The client's logical clock. Workers advance theirs beyond it.
    #[serde(skip)]
    pub clock: u64,
    /// The time after which the client does not wait any more, in seconds since the Unix epoch.
    #[serde(skip)]
    pub expires_seconds: Option<f64>,
}

impl ControlRequest {
    /// Reads a request from its message, with a body of at most `max_bytes`.
    ///
    /// # Errors
    /// [`Kind::Incomplete`](crate::Kind::Incomplete) without the name of the command, otherwise those of
    /// [`Envelope::decode_json`]. Drop such a message: no client can be told.
    pub fn from_envelope(
        envelope: &Envelope<Map<String, Value>>,
        max_bytes: usize,
    ) -> Result<Self, Error> {
        let mut request: Self = envelope.decode_json(max_bytes)?;
        if request.method.is_empty() {
            return Err(Error::incomplete("method"));
        }
        let header = |name: &str| envelope.headers.get(name);
        request.clock = header("clock").and_then(Value::as_u64).unwrap_or_default();
        request.expires_seconds =
            header("expires").and_then(Value::as_f64).filter(|expires| *expires != 0.0);
        Ok(request)
    }

    /// Returns the name of the command. Older names, such as `dump_active`, are replaced by those of today.
    #[must_use]
    pub fn command(&self) -> &str {
        match self.method.as_str() {
            "dump_active" => "active",
            "dump_conf" => "conf",
            "dump_reserved" => "reserved",
            "dump_revoked" => "revoked",
            "dump_schedule" => "scheduled",
            "dump_tasks" => "registered",
            method => method,
        }
    }

    /// Returns whether the worker of this name is to act.
    ///
    /// A request with a pattern of another matcher than `glob` is for no worker: it is better not carried out than
    /// carried out by all.
    #[must_use]
    pub fn is_for(&self, node_name: &str) -> bool {
        if !self.destination.is_empty() {
            return self.destination.iter().any(|name| name == node_name);
        }
        match (text_of(&self.pattern), text_of(&self.matcher)) {
            (Some(pattern), Some("glob")) => glob::matches(pattern, node_name),
            (Some(_), Some(_)) => false,
            _ => true,
        }
    }

    /// Returns whether the client has stopped waiting for replies.
    ///
    /// Carry out the command nevertheless, as Celery's workers do, and save the reply: clients give one second to every
    /// request, also to a `revoke` that wants no reply, and the clocks of two hosts may differ by as much.
    #[must_use]
    pub fn is_expired(&self, now_seconds: f64) -> bool {
        self.expires_seconds.is_some_and(|expires| now_seconds > expires)
    }

    /// Returns the message of the reply of a worker, for each queue of [`ReplyTo::queues`], or `None` if no reply is
    /// wanted. `clock` is the worker's logical clock, and `delivery_tag` is unique.
    ///
    /// # Errors
    /// Those of [`Envelope::new`], which no reply meets.
    pub fn reply(
        &self,
        node_name: &str,
        reply: &ControlReply,
        clock: u64,
        delivery_tag: impl Into<String>,
    ) -> Result<Option<Envelope<Map<String, Value>>>, Error> {
        let Some(to) = &self.reply_to else { return Ok(None) };
        let headers = [("ticket", json!(self.ticket)), ("clock", json!(clock))];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let properties = Properties::transient(&to.exchange, &to.routing_key, delivery_tag);
        let body = Map::from_iter([(node_name.to_owned(), json!(reply))]);
        Envelope::new(headers, properties, &body).map(Some)
    }
}

/// The arguments of commands. Where one has the wrong type, reply with the text of the error: it names the argument,
/// and does not quote it.
impl ControlRequest {
    /// Returns the ids of `revoke` and `terminate`: one or several in `task_id`.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if an id is not text. Without `task_id` there are none.
    pub fn task_ids(&self) -> Result<Vec<&str>, Error> {
        self.texts("task_id")
    }

    /// Returns the ids of `query_task`.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if an id is not text. Without `ids` there are none.
    pub fn ids(&self) -> Result<Vec<&str>, Error> {
        self.texts("ids")
    }

    /// Returns whether `revoke` and `revoke_by_stamped_headers` are to stop running tasks as well. The command
    /// `terminate` always does.
    #[must_use]
    pub fn terminate(&self) -> bool {
        self.method == "terminate" || self.arguments.get("terminate").is_some_and(is_truthy)
    }

    /// Returns the number of the `signal` that stops running tasks, on Linux. It is that of SIGTERM if none is named.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is neither a number nor the name of a signal that ends or
    /// interrupts a process, in upper case, with `SIG` or without.
    pub fn signal_number(&self) -> Result<i32, Error> {
        let number = match self.arguments.get("signal").filter(|signal| is_truthy(signal)) {
            None => Some(SIGTERM),
            Some(Value::String(name)) => signal_number(name),
            Some(signal) => signal.as_i64().and_then(|number| i32::try_from(number).ok()),
        };
        number.ok_or_else(|| not_valid("signal", "the name of a signal"))
    }

    /// Returns the name of the task of `rate_limit` and `time_limit`.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is missing, empty or not text.
    pub fn task_name(&self) -> Result<&str, Error> {
        self.text("task_name")
    }

    /// Returns the rate of `rate_limit`, or `None` if there is to be no limit any more.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is missing, or not a rate: see [`RateLimit::from_value`].
    pub fn rate_limit(&self) -> Result<Option<RateLimit>, Error> {
        let limit = self.arguments.get("rate_limit").map(RateLimit::from_value);
        let limit = limit.and_then(Result::ok);
        limit.ok_or_else(|| not_valid("rate_limit", "a rate such as `100/m`"))
    }

    /// Returns the limits of `time_limit`. One that is missing or null is removed.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if one is not a number of seconds, or negative.
    pub fn time_limit(&self) -> Result<TimeLimit, Error> {
        Ok(TimeLimit { hard: self.limit("hard")?, soft: self.limit("soft")? })
    }

    /// Returns the name of the queue of `add_consumer` and `cancel_consumer`.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is missing, empty or not text.
    pub fn queue(&self) -> Result<&str, Error> {
        self.text("queue")
    }

    /// Returns the name of the worker that says `hello`, which every worker of Python does when it starts.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is missing, empty or not text.
    pub fn sender(&self) -> Result<&str, Error> {
        self.text("from_node")
    }

    /// Returns the ids of revoked tasks that a worker sends with `hello`. Before Celery 5.7 each has its time with it,
    /// which is that of another host's clock, and is not returned.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if an id is not text. Without `revoked` there are none.
    pub fn revoked_ids(&self) -> Result<Vec<&str>, Error> {
        match self.arguments.get("revoked") {
            Some(Value::Object(times)) => Ok(times.keys().map(String::as_str).collect()),
            _ => self.texts("revoked"),
        }
    }

    fn limit(&self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(seconds) = self.arguments.get(name).filter(|limit| !limit.is_null()) else {
            return Ok(None);
        };
        let limit = seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        limit.map(Some).ok_or_else(|| not_valid(name, "a number of seconds"))
    }

    fn text(&self, name: &str) -> Result<&str, Error> {
        let text = self.arguments.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).ok_or_else(|| not_valid(name, "text"))
    }

    /// Returns a list of text. Nothing is an empty list, and one text a list of it.
    fn texts(&self, name: &str) -> Result<Vec<&str>, Error> {
        let texts = match self.arguments.get(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
            Some(one) => one.as_str().map(|text| vec![text]),
        };
        texts.ok_or_else(|| not_valid(name, "text, or a list of it"))
    }
}

fn not_valid(name: &str, expected: &str) -> Error {
    Error::malformed(format!("`arguments.{name}` of a request is not {expected}"))
}

/// Returns what is not empty, as Python's conditions do.
fn text_of(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// Returns whether Python takes the value for true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Returns the number of a signal on Linux, of those that end or interrupt a process.
fn signal_number(name: &str) -> Option<i32> {
    Some(match name.strip_prefix("SIG").unwrap_or(name) {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ABRT" => 6,
        "KILL" => 9,
        "USR1" => 10,
        "USR2" => 12,
        "ALRM" => 14,
        "TERM" => SIGTERM,
        _ => return None,
    })
}

/// The queue of a client for replies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReplyTo {
    /// The exchange: `reply.celery.pidbox`.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub exchange: String,
    /// The routing key, which is the id of the client.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub routing_key: String,
}

impl ReplyTo {
    /// Returns the key of the set whose members are the bindings of the exchange.
    #[must_use]
    pub fn bindings_key(&self) -> String {
        format!("_kombu.binding.{}", self.exchange)
    }

    /// Returns the queue that Kombu's clients read: `<routing key>.reply.celery.pidbox`.
    ///
    /// A client deletes it when it stops waiting: let it expire, or a late reply stays indefinitely.
    #[must_use]
    pub fn queue(&self) -> String {
        format!("{}.{}", self.routing_key, self.exchange)
    }

    /// Returns the queues that are bound for this reply, of the members of [`bindings_key`](Self::bindings_key). There
    /// is none if the client has stopped waiting.
    #[must_use]
    pub fn queues<'a>(&self, members: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let bindings = members.into_iter().filter_map(QueueBinding::parse);
        let bound = bindings.filter(|binding| binding.routing_key == self.routing_key);
        bound.map(|binding| binding.queue).collect()
    }
}

/// Reads null, and what has no routing key, as no queue.
fn reply_to<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReplyTo>, D::Error> {
    let to = Option::<ReplyTo>::deserialize(deserializer)?;
    Ok(to.filter(|to| !to.routing_key.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn request(body: Value) -> ControlRequest {
        read(json!({}), body).unwrap()
    }

    fn read(headers: Value, body: Value) -> Result<ControlRequest, Error> {
        let properties = Properties::transient(CONTROL_EXCHANGE, "", "tag");
        let headers = headers.as_object().unwrap().clone();
        let message = Envelope::new(headers, properties, &body).unwrap().to_vec().unwrap();
        ControlRequest::from_envelope(&Envelope::from_slice(&message).unwrap(), 1000)
    }

    fn with_arguments(method: &str, arguments: Value) -> ControlRequest {
        request(json!({"method": method, "arguments": arguments}))
    }

    fn to(selection: Value) -> ControlRequest {
        let mut body = json!({"method": "ping"});
        body.as_object_mut().unwrap().append(&mut selection.as_object().unwrap().clone());
        request(body)
    }

    #[test]
    fn a_request_without_a_selection_is_for_all() {
        for selection in [
            json!({}),
            json!({"destination": null, "pattern": null, "matcher": null}),
            json!({"destination": [], "pattern": "", "matcher": ""}),
            json!({"pattern": "other"}),
            json!({"matcher": "pcre"}),
        ] {
            assert!(to(selection).is_for("w1@vm"));
        }
    }

    #[test]
    fn a_destination_is_a_name_and_no_pattern() {
        let some = to(json!({"destination": ["w1@vm", "w2@vm"]}));
        assert!(some.is_for("w1@vm") && some.is_for("w2@vm") && !some.is_for("w3@vm"));
        let one = to(json!({"destination": "w1@vm", "pattern": "*", "matcher": "glob"}));
        assert!(one.is_for("w1@vm") && !one.is_for("w2@vm") && !one.is_for("w1"));
    }

    #[test]
    fn a_pattern_selects_by_name_and_one_that_is_not_supported_selects_no_worker() {
        let glob = to(json!({"pattern": "w[12]@*", "matcher": "glob"}));
        assert!(glob.is_for("w1@vm") && !glob.is_for("w3@vm"));
        for matcher in ["pcre", "mine"] {
            assert!(!to(json!({"pattern": "w1@vm", "matcher": matcher})).is_for("w1@vm"));
        }
    }

    #[test]
    fn a_request_expires_at_its_time_if_it_has_one() {
        let at = |expires| read(json!({"expires": expires}), json!({"method": "ping"})).unwrap();
        assert!(at(json!(10.5)).is_expired(10.6) && !at(json!(10.5)).is_expired(10.5));
        for never in [json!(0), json!(0.0), json!(null), json!("10")] {
            assert!(!at(never).is_expired(1e12));
        }
    }

    #[test]
    fn the_clock_is_read_from_the_headers_and_nothing_else() {
        let read =
            read(json!({"clock": 7}), json!({"method": "ping", "clock": 9, "expires_seconds": 1}));
        assert_eq!((read.as_ref().unwrap().clock, read.unwrap().expires_seconds), (7, None));
        assert_eq!(request(json!({"method": "ping"})).clock, 0);
    }

    #[test]
    fn a_request_without_a_command_is_incomplete() {
        for body in [json!({}), json!({"method": null}), json!({"method": ""})] {
            assert_eq!(read(json!({}), body).unwrap_err().kind(), Kind::Incomplete);
        }
        let error = read(json!({}), json!({"method": ["secret"]})).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn commands_have_the_names_of_today() {
        assert_eq!(with_arguments("dump_active", json!({})).command(), "active");
        assert_eq!(with_arguments("active", json!(null)).command(), "active");
        assert_eq!(with_arguments("dump_other", json!({})).command(), "dump_other");
    }

    #[test]
    fn ids_are_one_or_several() {
        for (task_id, expected) in [
            (json!("a"), vec!["a"]),
            (json!(["a", "b"]), vec!["a", "b"]),
            (json!([]), vec![]),
            (json!(null), vec![]),
        ] {
            let revoke = with_arguments("revoke", json!({"task_id": task_id, "ids": task_id}));
            assert_eq!(revoke.task_ids().unwrap(), expected);
            assert_eq!(revoke.ids().unwrap(), expected);
        }
        for wrong in [json!(1), json!(["a", 1]), json!({"a": 1})] {
            assert!(with_arguments("revoke", json!({"task_id": wrong})).task_ids().is_err());
        }
    }

    #[test]
    fn a_revocation_terminates_if_it_says_so() {
        let revoke = |terminate| with_arguments("revoke", json!({"terminate": terminate}));
        assert!(revoke(json!(true)).terminate() && revoke(json!(1)).terminate());
        assert!(!revoke(json!(false)).terminate() && !revoke(json!(null)).terminate());
        assert!(with_arguments("terminate", json!({})).terminate());
    }

    #[test]
    fn signals_are_those_of_linux() {
        let signal = |signal| with_arguments("revoke", json!({"signal": signal})).signal_number();
        for (name, number) in [
            (json!("SIGTERM"), 15),
            (json!("KILL"), 9),
            (json!(9), 9),
            (json!(null), 15),
            (json!(""), 15),
        ] {
            assert_eq!(signal(name).unwrap(), number);
        }
        for wrong in [json!("kill"), json!("SIGNONE"), json!(1.5), json!(u64::MAX)] {
            assert!(signal(wrong).is_err());
        }
    }

    #[test]
    fn limits_are_read_or_are_errors() {
        let rate = |rate| with_arguments("rate_limit", json!({"rate_limit": rate})).rate_limit();
        assert_eq!(rate(json!("100/m")).unwrap(), "100/m".parse().ok());
        assert_eq!(rate(json!(0)).unwrap(), None);
        assert_eq!(rate(json!(null)).unwrap(), None);
        assert!(rate(json!("secret")).is_err());
        assert!(with_arguments("rate_limit", json!({})).rate_limit().is_err());
        let time = |arguments| with_arguments("time_limit", arguments).time_limit();
        let (hard, soft) = (Some(Duration::from_secs(120)), Some(Duration::from_millis(500)));
        assert_eq!(time(json!({"hard": 120, "soft": 0.5})).unwrap(), TimeLimit { hard, soft });
        assert_eq!(time(json!({"hard": null})).unwrap(), TimeLimit::default());
        assert!(time(json!({"soft": -1})).is_err() && time(json!({"soft": "secret"})).is_err());
    }

    #[test]
    fn an_argument_that_is_missing_is_named() {
        let error = with_arguments("add_consumer", json!({})).queue().unwrap_err().to_string();
        assert_eq!(error, "`arguments.queue` of a request is not text");
        assert!(with_arguments("rate_limit", json!({"task_name": ""})).task_name().is_err());
    }

    #[test]
    fn revoked_ids_come_with_their_times_or_without() {
        for revoked in [json!(["a", "b"]), json!({"a": 1.5, "b": 2.5})] {
            let hello = with_arguments("hello", json!({"from_node": "w2@vm", "revoked": revoked}));
            assert_eq!(hello.revoked_ids().unwrap(), ["a", "b"]);
            assert_eq!(hello.sender().unwrap(), "w2@vm");
        }
        assert!(with_arguments("hello", json!({})).revoked_ids().unwrap().is_empty());
    }

    #[test]
    fn no_reply_is_written_if_none_is_wanted() {
        for reply_to in
            [json!(null), json!({}), json!({"exchange": "reply.celery.pidbox", "routing_key": ""})]
        {
            let request = request(json!({"method": "ping", "reply_to": reply_to}));
            assert_eq!(request.reply("w1@vm", &ControlReply::ok("pong"), 1, "tag").unwrap(), None);
        }
    }

    #[test]
    fn a_reply_goes_to_the_queues_that_are_bound() {
        let to = ReplyTo { exchange: "reply.celery.pidbox".into(), routing_key: "oid".into() };
        assert_eq!(to.bindings_key(), "_kombu.binding.reply.celery.pidbox");
        let own = QueueBinding::direct("oid", "oid.reply.celery.pidbox").to_string();
        let other = QueueBinding::direct("other", "other.reply.celery.pidbox").to_string();
        assert_eq!(to.queues([own.as_str(), &other, "damaged"]), [to.queue().as_str()]);
        assert!(to.queues([other.as_str()]).is_empty());
    }
}
