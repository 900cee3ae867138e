//! [`RedisFailure`]: the reason why a command was not executed.

use std::fmt;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::redis_server::SettingNames;

/// The reason why a command was not executed.
#[derive(Debug)]
pub(crate) enum RedisFailure {
    /// There is no connection.
    NotConnected,
    /// No reply within this time.
    Timeout(Duration),
    Server(RedisError),
    /// The server requires another password, or one at all.
    Password {
        is_missing: bool,
        names: &'static SettingNames,
    },
    /// The sentinels know no master of this name.
    UnknownMaster(String),
    /// The server belongs to a Redis Cluster.
    Cluster(&'static SettingNames),
    /// A connection could not be opened, or made ready.
    Connect(Box<Self>),
    /// The server is too old: its version, and the least one.
    Version {
        found: String,
        least: &'static str,
    },
}

impl From<RedisError> for RedisFailure {
    fn from(error: RedisError) -> Self {
        Self::Server(error)
    }
}

impl RedisFailure {
    /// Returns the failure with the names of the settings that mend it, where there are any.
    pub fn naming(self, names: &'static SettingNames) -> Self {
        let Self::Server(error) = &self else { return self };
        let reply = error.to_string();
        let says = |text| reply.contains(text);
        if is_cluster_reply(&reply) {
            Self::Cluster(names)
        } else if says("NOAUTH") || says("WRONGPASS") {
            Self::Password { is_missing: says("NOAUTH"), names }
        } else {
            self
        }
    }

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
            ErrorKind::Extension => {
                !["NOAUTH", "MISCONF", "LOADING", "MASTERDOWN", "BUSY", "NOREPLICAS", "TRYAGAIN"]
                    .contains(&error.code().unwrap_or(""))
            }
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
            Self::Connect(failure) => failure.fmt(f),
            Self::Timeout(limit) => {
                write!(f, "no reply within {}", humantime::format_duration(*limit))
            }
            Self::Server(error) => write!(f, "{error}"),
            Self::Password { is_missing: true, names } => {
                write!(f, "the server requires a password, and none is set ({})", names.password)
            }
            Self::Password { is_missing: false, names } => {
                write!(f, "the server refuses the password ({})", names.password)
            }
            Self::UnknownMaster(name) => write!(f, "the sentinels know no master `{name}`"),
            Self::Cluster(SettingNames { section, server, .. }) => write!(
                f,
                "the server belongs to a Redis Cluster, which is not supported: name a standalone server in {server}, or its \
                 Sentinels in {section}.sentinel"
            ),
            Self::Version { found, least } => {
                write!(f, "the server is Redis {found}: version {least} or newer is needed")
            }
        }
    }
}
