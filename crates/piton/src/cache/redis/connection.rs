//! A connection to Redis after its handshake: only then are the values that it returns valid.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Value};

use super::scripts::{HANDSHAKE, Script};
use crate::redis_client::RedisFailure;

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

impl RedisConnection {
    /// Loads the scripts into the server, then executes the handshake.
    pub async fn handshake(
        mut connection: MultiplexedConnection,
        handshake: &Handshake<'_>,
    ) -> Result<(Self, HandshakeReply), RedisFailure> {
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
