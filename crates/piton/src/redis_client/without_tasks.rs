//! Items that only tasks use. They are named here because they would be dead code in a build without them.

use redis::PushInfo;
use tokio::sync::mpsc::UnboundedSender;

use super::redis_failure::RedisFailure;
use super::redis_server::RedisServer;

const _: fn(&RedisServer, UnboundedSender<PushInfo>) = |server, pushes| {
    let found = server.db().to_string();
    let old = RedisFailure::Connect(RedisFailure::Version { found, least: "" }.into());
    drop(server.connect_for_pushes(pushes, async |_| Err::<(), _>(old)));
};
