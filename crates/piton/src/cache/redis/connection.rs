//! A connection to Redis after its handshake: only then are the values that it returns valid.

use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use super::scripts::{HANDSHAKE, Script};

pub(super) struct RedisConnection(MultiplexedConnection);

/// The first command on a connection; see `handshake.lua`.
pub(super) struct Handshake<'a> {
    pub prefix: &'a str,
    /// The server that was last connected if something was invalidated there; otherwise empty.
    pub server: String,
    /// True if an invalidation could not be delivered.
    pub ends_epoch: bool,
}

/// The server's reply to a [`Handshake`].
pub(super) struct HandshakeReply {
    pub server: String,
    pub ended_epoch: bool,
}

/// The reason why a command was not executed.
#[derive(Debug)]
pub(super) enum RedisFailure {
    /// There is no connection.
    NotConnected,
    /// No reply within this time.
    Timeout(Duration),
    Server(RedisError),
    /// The sentinels know no master of this name.
    UnknownMaster(String),
    /// The server belongs to a Redis Cluster.
    Cluster,
}

impl From<RedisError> for RedisFailure {
    fn from(error: RedisError) -> Self {
        Self::Server(error)
    }
}

impl RedisConnection {
    /// Loads the scripts into the server, then executes the handshake.
    pub async fn handshake(
        mut connection: MultiplexedConnection,
        handshake: &Handshake<'_>,
    ) -> Result<(Self, HandshakeReply), RedisFailure> {
        // A cluster node refuses some keys and not others, so this is checked at once instead of failing
        // on the first wrong key. The error is ignored, because the handshake below reports a user
        // without the necessary rights.
        let info: Result<String, RedisError> =
            redis::cmd("INFO").arg("cluster").query_async(&mut connection).await;
        if info.is_ok_and(|info| info.contains("cluster_enabled:1")) {
            return Err(RedisFailure::Cluster);
        }
        let mut pipe = redis::pipe();
        Script::all().for_each(|(_, source)| {
            pipe.cmd("SCRIPT").arg("LOAD").arg(source);
        });
        let shas: Vec<String> = pipe.query_async(&mut connection).await?;
        Script::all().zip(shas).for_each(|((script, _), sha)| script.set_sha(sha));
        let mut command = redis::cmd("EVAL");
        command.arg(HANDSHAKE).arg(0).arg(handshake.prefix).arg(&handshake.server);
        command.arg(u8::from(handshake.ends_epoch));
        let (server, ended): (String, u8) = command.query_async(&mut connection).await?;
        Ok((Self(connection), HandshakeReply { server, ended_epoch: ended == 1 }))
    }

    pub async fn query(&self, command: Cmd, timeout: Duration) -> Result<Value, RedisFailure> {
        let mut connection = self.0.clone();
        let reply = connection.req_packed_command(&command);
        match tokio::time::timeout(timeout, reply).await {
            Err(_) => Err(RedisFailure::Timeout(timeout)),
            Ok(Err(error)) => Err(RedisFailure::Server(error)),
            Ok(Ok(Value::ServerError(error))) => Err(RedisFailure::Server(error.into())),
            Ok(Ok(value)) => Ok(value),
        }
    }
}

impl RedisFailure {
    /// Returns whether the server refused this one command, for example because its memory is full.
    /// Every other failure concerns the connection. So does an unknown script: a restarted server knows
    /// none of them, and needs a new handshake.
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

    /// Returns whether the server would refuse every other value too.
    pub fn concerns_all_values(&self) -> bool {
        let reply = self.to_string();
        ["OOM", "NOPERM", "READONLY"].iter().any(|code| reply.contains(code))
    }
}

/// Returns whether only a cluster node sends this reply.
fn is_cluster_reply(reply: &str) -> bool {
    let codes = ["MOVED", "CROSSSLOT", "CLUSTERDOWN", "cluster mode"];
    codes.iter().any(|code| reply.contains(code))
}

impl fmt::Display for RedisFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not connected"),
            Self::Timeout(limit) => {
                write!(f, "no reply within {}", humantime::format_duration(*limit))
            }
            Self::Server(error) => match error.to_string() {
                reply if reply.contains("NOAUTH") => f.write_str(
                    "the server requires a password, and none is set (cache.password, REDIS_PASSWORD)",
                ),
                reply if is_cluster_reply(&reply) => write!(f, "{}", Self::Cluster),
                reply if reply.contains("WRONGPASS") => {
                    f.write_str("the server refuses the password (cache.password, REDIS_PASSWORD)")
                }
                reply => f.write_str(&reply),
            },
            Self::UnknownMaster(name) => write!(f, "the sentinels know no master `{name}`"),
            Self::Cluster => f.write_str(
                "the server belongs to a Redis Cluster, which is not supported: name a standalone server in \
                 cache.host (REDIS_HOST) or cache.url (REDIS_URL), or its Sentinels in cache.sentinel",
            ),
        }
    }
}
