//! [`Link`]: the connection to one Redis server, opened again by the call that finds it lost.

use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisResult, Value};
use tokio::time::timeout;
use tracing::{info, warn};

use super::scripts::Script;
use crate::redis_client::{RedisFailure, RedisServer};
use crate::secrets::redact_text;
use crate::tasks::error::{BrokerError, Kind};

/// The oldest server that has all commands that are used, such as `RPOP` with a count.
const MIN_VERSION: (u32, u32) = (6, 2);
const MIN_VERSION_TEXT: &str = "6.2";

/// The connection to one server. Commands of concurrent callers share it.
///
/// It neither waits nor retries by itself: its callers do, each in its own way. A failure or a missing reply closes
/// it, and the next command opens a new one.
pub(super) struct Link {
    pub server: RedisServer,
    timeout: Duration,
    live: Mutex<Option<Live>>,
    /// Locked while connecting, so that one attempt serves all callers.
    connecting: tokio::sync::Mutex<()>,
    last_error: Mutex<Option<String>>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// Tells this connection from its successors.
    number: u64,
}

/// The result of a command.
pub(super) type Reply<T> = Result<T, BrokerError>;

impl Link {
    pub fn new(server: RedisServer, timeout: Duration) -> Self {
        Self {
            server,
            timeout,
            live: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            last_error: Mutex::default(),
        }
    }

    /// Connects, unless that is done already.
    pub async fn connect(&self) -> Reply<()> {
        self.open().await.map(|_| ()).map_err(|failure| broker_error(&failure))
    }

    /// Executes a command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Reply<T> {
        let executed = self.execute(async |connection| command.query_async(connection).await);
        typed(executed.await)
    }

    /// Executes commands one after the other, not atomically. Fails with the first that fails.
    pub async fn pipe<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Reply<T> {
        if pipeline.is_empty() {
            return typed(Ok(Value::Nil));
        }
        let executed = self.execute(async |connection| pipeline.query_async(connection).await);
        typed(executed.await)
    }

    /// Executes a script. One that the server has forgotten, because someone has flushed its scripts, is sent whole.
    pub async fn run<T: FromRedisValue>(&self, script: Script, arguments: &Arguments) -> Reply<T> {
        let call = |name, text: &str| {
            let mut command = redis::cmd(name);
            command.arg(text).arg(0).arg(&arguments.0);
            command
        };
        let short = call("EVALSHA", script.sha());
        let executed = self.execute(async |connection| short.query_async(connection).await).await;
        match executed {
            Err(RedisFailure::Server(error)) if error.code() == Some("NOSCRIPT") => {
                self.query(&call("EVAL", script.source())).await
            }
            executed => typed(executed),
        }
    }

    async fn execute(
        &self,
        work: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<Value>,
    ) -> Result<Value, RedisFailure> {
        // Whatever the server says while connecting, another attempt may find otherwise.
        let live = self.open().await.map_err(|failure| RedisFailure::Connect(failure.into()))?;
        let mut connection = live.connection.clone();
        let executed = match timeout(self.timeout, work(&mut connection)).await {
            Ok(executed) => executed.map_err(RedisFailure::from),
            Err(_) => Err(RedisFailure::Timeout(self.timeout)),
        };
        executed.map_err(|failure| {
            let failure = failure.naming(self.server.names());
            // A script that the server has forgotten is sent again, on the same connection.
            let is_unknown_script =
                matches!(&failure, RedisFailure::Server(error) if error.code() == Some("NOSCRIPT"));
            if !failure.is_refusal() && !is_unknown_script {
                self.close(live.number, &failure);
            }
            failure
        })
    }

    fn live(&self) -> Option<Live> {
        self.live.lock().clone()
    }

    async fn open(&self) -> Result<Live, RedisFailure> {
        if let Some(live) = self.live() {
            return Ok(live);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(live) = self.live() {
            return Ok(live);
        }
        let connection = self.server.connect(async |connection| make_ready(connection).await).await;
        let connection = connection.inspect_err(|failure| self.log_lost(failure))?;
        let live = Live { connection, number: fastrand::u64(..) };
        *self.live.lock() = Some(live.clone());
        if self.last_error.lock().take().is_some() {
            info!("Connected to Redis at {} again", self.server.address());
        }
        Ok(live)
    }

    /// Closes the connection, unless another one has replaced it.
    fn close(&self, number: u64, failure: &RedisFailure) {
        let mut live = self.live.lock();
        if live.as_ref().is_some_and(|live| live.number == number) {
            *live = None;
            drop(live);
            self.log_lost(failure);
        }
    }

    /// Logs a reason if it is new, so that a server that is unavailable for an hour is one line.
    fn log_lost(&self, failure: &RedisFailure) {
        let reason = redact_text(&failure.to_string()).into_owned();
        let mut last_error = self.last_error.lock();
        if last_error.as_ref() != Some(&reason) {
            warn!("Redis at {} is unavailable to the tasks: {reason}", self.server.address());
            *last_error = Some(reason);
        }
    }
}

/// Makes a new connection ready for use: checks the server, and loads the scripts.
async fn make_ready(
    mut connection: MultiplexedConnection,
) -> Result<MultiplexedConnection, RedisFailure> {
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    };
    if field("role") == "slave" {
        let why = (redis::ErrorKind::Io, "this is a replica, not the master");
        return Err(RedisFailure::Server(why.into()));
    }
    check_version(field("redis_version"))?;
    let policy = field("maxmemory_policy");
    if !matches!(policy, "" | "noeviction") {
        warn!(
            "The Redis server of the tasks may drop them when its memory is full: set its `maxmemory-policy` to \
             `noeviction`, it is `{policy}`"
        );
    }
    let mut pipeline = redis::pipe();
    for script in Script::ALL {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(script.source());
    }
    let shas: Vec<String> = pipeline.query_async(&mut connection).await?;
    Script::ALL.into_iter().zip(shas).for_each(|(script, sha)| script.set_sha(sha));
    Ok(connection)
}

/// Refuses a server that is too old. One that does not tell its version may be new enough.
fn check_version(version: &str) -> Result<(), RedisFailure> {
    let mut numbers = version.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return Ok(());
    };
    if (major, minor) >= MIN_VERSION {
        return Ok(());
    }
    Err(RedisFailure::Version { found: version.to_owned(), least: MIN_VERSION_TEXT })
}

fn typed<T: FromRedisValue>(executed: Result<Value, RedisFailure>) -> Reply<T> {
    let value = executed.map_err(|failure| broker_error(&failure))?;
    redis::from_redis_value(value).map_err(|error| {
        BrokerError::new(Kind::Other, format!("an unexpected reply of Redis: {error}"))
    })
}

/// Returns the error of a call. What another attempt may mend is [`Kind::Unavailable`].
pub(super) fn broker_error(failure: &RedisFailure) -> BrokerError {
    let is_permanent = failure.is_refusal() && !failure.concerns_all_values();
    let kind = if is_permanent { Kind::Other } else { Kind::Unavailable };
    BrokerError::new(kind, format!("Redis: {}", redact_text(&failure.to_string())))
}

/// The arguments of a script.
#[derive(Default)]
pub(super) struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    pub fn push(&mut self, argument: impl Into<Vec<u8>>) -> &mut Self {
        self.0.push(argument.into());
        self
    }

    pub fn push_number(&mut self, number: impl ToString) -> &mut Self {
        self.push(number.to_string())
    }

    pub fn push_all<T: Into<Vec<u8>>>(&mut self, arguments: impl IntoIterator<Item = T>) {
        self.0.extend(arguments.into_iter().map(Into::into));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_before_6_2_are_refused() {
        for good in ["6.2.0", "7.0.15", "10.0.1", "", "unknown"] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        for old in ["6.0.16", "5.0.7", "2.8.0"] {
            let error = check_version(old).unwrap_err().to_string();
            assert!(error.contains(old) && error.contains("6.2"), "{error}");
        }
    }
}
