//! One connection to Redis that has been greeted: whatever is read by it is valid.

use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use super::scripts::{HELLO, Script};

pub(super) struct Link(MultiplexedConnection);

/// What is said first on a connection; see `hello.lua`.
pub(super) struct Greeting<'a> {
    pub prefix: &'a str,
    /// The server that was told of an invalidation, or nothing.
    pub server: String,
    /// Whether something could not be invalidated.
    pub ends_epoch: bool,
}

/// What the server answers.
pub(super) struct Greeted {
    pub server: String,
    pub ended_epoch: bool,
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection.
    Away,
    /// No answer within this time.
    Late(Duration),
    Server(RedisError),
    /// The sentinels know no master of this name.
    UnknownMaster(String),
    /// The server belongs to a Redis Cluster.
    Cluster,
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Server(error)
    }
}

impl Link {
    /// Greets the server and tells it the scripts.
    pub async fn greet(
        mut connection: MultiplexedConnection,
        greeting: &Greeting<'_>,
    ) -> Result<(Self, Greeted), Failure> {
        // A cluster node refuses some keys and not others, so we ask at once instead of failing on
        // the first wrong key. A user without the right to ask gets that reported by the handshake
        // below.
        let info: Result<String, RedisError> =
            redis::cmd("INFO").arg("cluster").query_async(&mut connection).await;
        if info.is_ok_and(|info| info.contains("cluster_enabled:1")) {
            return Err(Failure::Cluster);
        }
        let mut pipe = redis::pipe();
        Script::all().for_each(|(_, source)| {
            pipe.cmd("SCRIPT").arg("LOAD").arg(source);
        });
        let names: Vec<String> = pipe.query_async(&mut connection).await?;
        Script::all().zip(names).for_each(|((script, _), name)| script.is_called(name));
        let mut hello = redis::cmd("EVAL");
        hello.arg(HELLO).arg(0).arg(greeting.prefix).arg(&greeting.server);
        hello.arg(u8::from(greeting.ends_epoch));
        let (server, ended): (String, u8) = hello.query_async(&mut connection).await?;
        Ok((Self(connection), Greeted { server, ended_epoch: ended == 1 }))
    }

    pub async fn ask(&self, command: Cmd, timeout: Duration) -> Result<Value, Failure> {
        let mut connection = self.0.clone();
        let answer = connection.req_packed_command(&command);
        match tokio::time::timeout(timeout, answer).await {
            Err(_) => Err(Failure::Late(timeout)),
            Ok(Err(error)) => Err(Failure::Server(error)),
            Ok(Ok(Value::ServerError(error))) => Err(Failure::Server(error.into())),
            Ok(Ok(value)) => Ok(value),
        }
    }
}

impl Failure {
    /// Whether the server is there and has refused this one thing, for want of memory say. Everything
    /// else is about the connection; so are scripts that it does not know, as a server that was
    /// restarted does not know them, and it is to be greeted.
    pub fn is_refusal(&self) -> bool {
        let Self::Server(error) = self else { return false };
        match error.kind() {
            ErrorKind::Server(kind) => matches!(
                kind,
                ServerErrorKind::ResponseError
                    | ServerErrorKind::ExecAbort
                    | ServerErrorKind::NoPerm
            ),
            ErrorKind::Extension => !["NOAUTH", "MISCONF", "LOADING", "MASTERDOWN"]
                .contains(&error.code().unwrap_or("")),
            _ => false,
        }
    }
}

impl Failure {
    /// Whether a refusal would be said to any other value, too.
    pub fn is_of_all_values(&self) -> bool {
        let said = self.to_string();
        ["OOM", "NOPERM", "READONLY"].iter().any(|code| said.contains(code))
    }
}

/// Returns whether only a cluster node sends this reply.
fn of_cluster(said: &str) -> bool {
    let codes = ["MOVED", "CROSSSLOT", "CLUSTERDOWN", "cluster mode"];
    codes.iter().any(|code| said.contains(code))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away => f.write_str("there is no connection"),
            Self::Late(limit) => {
                write!(f, "no answer within {}", humantime::format_duration(*limit))
            }
            Self::Server(error) => match error.to_string() {
                said if said.contains("NOAUTH") => f.write_str(
                    "it asks for a password, and none is set (cache.password, REDIS_PASSWORD)",
                ),
                said if of_cluster(&said) => write!(f, "{}", Self::Cluster),
                said if said.contains("WRONGPASS") => {
                    f.write_str("it refuses the password (cache.password, REDIS_PASSWORD)")
                }
                said => f.write_str(&said),
            },
            Self::UnknownMaster(name) => write!(f, "the sentinels know no master `{name}`"),
            Self::Cluster => f.write_str(
                "it belongs to a Redis Cluster, which is not supported: name a server of its own in \
                 cache.host (REDIS_HOST) or cache.url (REDIS_URL), or its Sentinels in cache.sentinel",
            ),
        }
    }
}
