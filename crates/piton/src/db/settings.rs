//! The section `[db]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::database_url::DbUrl;
use super::setting_enums::{AcceptNewer, PgBouncer, SessionTarget, Synchronous, Tls};
use crate::config::ByteSize;

/// The database: a SQLite file, or PostgreSQL if `url` or `host` names a server.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct DbSettings {
    /// The address of a PostgreSQL database, `postgres://user:password@host:5432/database`, or
    /// `sqlite:data/service.db` (relative) or `sqlite:/var/lib/service.db`. The settings below
    /// replace the parts of the address that they name. **Default: none.**
    #[setting(alias = "DATABASE_URL", from_file)]
    pub url: Option<DbUrl>,

    /// The PostgreSQL server: a host name or an IP address, either with `:port`, or the folder of its
    /// socket (`/run/postgresql`). Several are listed without spaces, `one:5432,two:5432`. libpq's
    /// `name=value` parameters may follow, such as `db port=6432 sslmode=require`. **Default: none,
    /// which means SQLite.**
    #[setting(alias = "{prefix}_PG_ENDPOINT")]
    #[setting(alias = "POSTGRESQL_HOST")]
    pub host: Option<String>,

    /// The server's port, or that of all hosts. **Default: the port of the address, else `5432`.**
    #[setting(alias = "POSTGRESQL_PORT")]
    #[setting(min = 1)]
    pub port: Option<u16>,

    /// The user who connects to the server. **Default: none.**
    #[setting(alias = "{prefix}_PG_USERNAME")]
    #[setting(alias = "POSTGRESQL_USER")]
    pub user: Option<String>,

    /// The user's password. **Default: none.**
    #[setting(alias = "{prefix}_PG_PASSWORD")]
    #[setting(alias = "POSTGRESQL_PASSWORD")]
    pub password: Option<SecretString>,

    /// The name of the database on the server. **Default: none.**
    #[setting(alias = "{prefix}_PG_DATABASE")]
    #[setting(alias = "POSTGRESQL_DATABASE")]
    pub database: Option<String>,

    /// The encryption of the connection, as libpq's `sslmode`: `disable`, `prefer` (encrypted if the
    /// server can), `require`, `verify-ca` (and the server's certificate is signed by `tls_ca`),
    /// `verify-full` (and it is for this host). **Default: that of the address, else `prefer`.**
    pub tls: Option<Tls>,

    /// The file with the certificates (PEM) of the authorities that may sign the server's
    /// certificate. **Default: the authorities that browsers trust.**
    pub tls_ca: Option<PathBuf>,

    /// The required role of the server, as in libpq: `any`, `read-write`, `read-only`, `primary`,
    /// `standby`, `prefer-standby`. With one host and no value, any server is used, and `/readyz` is
    /// 503 while it is read-only: set `any` for a service that only reads. **Default: that of the
    /// address, else `read-write` if there are several hosts.**
    pub target_session_attrs: Option<SessionTarget>,

    /// The mode of PgBouncer, or of another pooler in front of the server: `auto` detects one and
    /// treats it as `transaction`; `off`, `session`, `transaction`. In the mode `transaction` each
    /// statement is a transaction of its own, which costs four more messages to the pooler.
    /// **Default: `auto`.**
    pub pgbouncer: PgBouncer,

    /// The name under which the server lists this service. **Default: the name of the app.**
    pub application_name: Option<String>,

    /// The time in which the server must accept a connection before it counts as unreachable.
    /// **Default: `5s`.**
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// The time after which PostgreSQL cancels a statement and the response is 503; `0s` means no
    /// limit. Keep it below `http.timeout`, otherwise the client receives the response for a
    /// timed-out request instead. **Default: `20s`, or two thirds of `http.timeout` if that is
    /// less.**
    #[setting(max = "24days")]
    pub statement_timeout: Duration,

    /// The SQLite file. While the service runs, SQLite keeps two more files next to it (`-wal` and
    /// `-shm`), which belong together. Set it if the data has a disk of its own. The disk must be a
    /// local one, because SQLite's locks do not work over a network.
    /// **Default: `<name of the app>.db` in the data folder.**
    pub path: Option<PathBuf>,

    /// The maximum number of connections. In SQLite each can read, at the cost of a thread and up to
    /// 2 MiB of cache, and one at a time can write. A PostgreSQL server has a limit for all replicas
    /// together (100 unless changed). Raise it if requests wait for connections while the database
    /// is idle. **Default: `8`.**
    #[setting(max = 10_000)]
    pub max_connections: u32,

    /// The time that a request waits for a free connection, or for earlier writes to SQLite, before
    /// the response is 503. Keep it below `http.timeout`. **Default: `5s`, or half of `http.timeout`
    /// if that is less.**
    #[setting(max = "1day")]
    pub acquire_timeout: Duration,

    /// The time that a statement waits for another *process* that writes to the same SQLite file,
    /// before the response is 503. Raise it if a backup or a second service locks the file for
    /// longer. **Default: `5s`.**
    #[setting(max = "1h")]
    pub busy_timeout: Duration,

    /// The time after which an idle connection to the server is closed. **Default: `10m`.**
    #[setting(max = "365days")]
    pub idle_timeout: Duration,

    /// The age at which a connection to the server is replaced. **Default: `30m`.**
    #[setting(max = "365days")]
    pub max_lifetime: Duration,

    /// Runs pending migrations when the service connects. If `false`, the service is not ready until
    /// they have been run with the command `migrate up`. **Default: `true`.**
    pub migrate: bool,

    /// Accepts migrations in the database that are newer than this program, as after a rollback or
    /// during a deploy: `compatible` accepts those marked `-- backward-compatible` in the first lines
    /// of their file, `any` accepts all, `none` accepts none. Set `any` to run an older program that
    /// is known to work with the newer schema. **Default: `compatible`.**
    pub accept_newer: AcceptNewer,

    /// The moment at which SQLite waits for the disk. With `normal` a crash of the service loses no
    /// data, and a power cut may lose the last transactions but never damages the file; `full` waits
    /// for the disk at each commit and keeps them; `extra` also waits for the folder. Use `full` if an
    /// acknowledged write must survive a power cut. **Default: `normal`.**
    pub synchronous: Synchronous,

    /// The maximum size of the rows of one page of a list (`Db::page`). A larger page is cut, and its
    /// link `next` continues from there. Each request that reads a list may use about five times as
    /// much memory. **Default: `1MiB`.**
    #[setting(min = "1KiB", max = "1GiB")]
    pub max_page_size: ByteSize,

    /// The duration from which a statement is logged as slow, without its parameters; in development
    /// with the database's plan. **Default: `500ms`.**
    #[setting(max = "365days")]
    pub slow: Duration,
}

impl Default for DbSettings {
    fn default() -> Self {
        Self {
            url: None,
            host: None,
            port: None,
            user: None,
            password: None,
            database: None,
            tls: None,
            tls_ca: None,
            target_session_attrs: None,
            pgbouncer: PgBouncer::Auto,
            application_name: None,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(20),
            path: None,
            max_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            migrate: true,
            accept_newer: AcceptNewer::default(),
            synchronous: Synchronous::default(),
            max_page_size: ByteSize::mib(1),
            slow: Duration::from_millis(500),
        }
    }
}

impl DbSettings {
    /// Returns whether the database is PostgreSQL.
    pub(super) fn is_postgres(&self) -> bool {
        let by_url = self.url.as_ref().is_some_and(|url| url.sqlite_file().is_none());
        by_url || self.host.is_some()
    }
}
