//! The section `[db]`.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

#[cfg(feature = "postgres")]
use super::postgres::address;
use super::sqlite_address::{self, SqliteAddress};
use crate::config::address::{text_of, with_small_scheme};
use crate::config::{ByteSize, Problems, Reader, Requirement, Setting, redact};

/// The database: a SQLite file, or PostgreSQL where `url` or `host` says so.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct DbSettings {
    /// The address of a PostgreSQL database, `postgres://user:password@host:5432/database`, or
    /// `sqlite:data/service.db` (relative) or `sqlite:/var/lib/service.db`. What is set singly below
    /// replaces that part of it. **Default: none.**
    #[setting(alias = "DATABASE_URL", from_file)]
    pub url: Option<DbUrl>,

    /// The PostgreSQL server: a name, an address, either with `:port`, or the folder of its socket
    /// (`/run/postgresql`). Several stand in a list without spaces, `one:5432,two:5432`; libpq's
    /// words may follow, such as `db port=6432 sslmode=require`. **Default: none, which means
    /// SQLite.**
    #[setting(alias = "{prefix}_PG_ENDPOINT")]
    #[setting(alias = "POSTGRESQL_HOST")]
    pub host: Option<String>,

    /// The server's port, or that of all hosts. **Default: what the address says, else `5432`.**
    #[setting(alias = "POSTGRESQL_PORT")]
    #[setting(min = 1)]
    pub port: Option<u16>,

    /// Who connects to the server. **Default: none.**
    #[setting(alias = "{prefix}_PG_USERNAME")]
    #[setting(alias = "POSTGRESQL_USER")]
    pub user: Option<String>,

    /// Their password. **Default: none.**
    #[setting(alias = "{prefix}_PG_PASSWORD")]
    #[setting(alias = "POSTGRESQL_PASSWORD")]
    pub password: Option<SecretString>,

    /// The database on the server. **Default: none.**
    #[setting(alias = "{prefix}_PG_DATABASE")]
    #[setting(alias = "POSTGRESQL_DATABASE")]
    pub database: Option<String>,

    /// Whether the way to the server is encrypted: `disable`, `prefer` (if the server can),
    /// `require`, `verify-ca` (and the server's certificate is from `tls_ca`), `verify-full` (and it
    /// is for this host). **Default: what the address says, else `prefer`.**
    pub tls: Option<Tls>,

    /// The file with the certificates (PEM) of those who may vouch for the server. **Default: those
    /// that browsers trust.**
    pub tls_ca: Option<PathBuf>,

    /// Which server is used, as in libpq: `any`, `read-write`, `read-only`, `primary`, `standby`,
    /// `prefer-standby`. With one host and nothing said, any server is used, and `/readyz` is 503 while
    /// it is read-only: say `any` where a service only reads. **Default: what the address says, else
    /// `read-write` where several hosts are named.**
    pub target_session_attrs: Option<SessionTarget>,

    /// Whether PgBouncer, or another pooler, stands before the server, and in which mode: `auto`
    /// recognises one and is as careful as `transaction`; `off`, `session`, `transaction`. In the mode
    /// `transaction` each statement is a transaction of its own, which costs four more messages to
    /// the pooler. **Default: `auto`.**
    pub pgbouncer: PgBouncer,

    /// What the server lists this service as. **Default: the name of the app.**
    pub application_name: Option<String>,

    /// How long the server may take to accept a connection before it counts as gone.
    /// **Default: `5s`.**
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// How long one statement may run before PostgreSQL ends it and the request is answered 503;
    /// `0s` is without end. Keep it below `http.timeout`, so that the client reads that answer and
    /// not the one of a request that took too long. **Default: `20s`, or two thirds of
    /// `http.timeout` where that is less.**
    #[setting(max = "24days")]
    pub statement_timeout: Duration,

    /// The file that holds the data. Beside it SQLite keeps two more while the service runs
    /// (`-wal` and `-shm`); they belong together. Set it when the data has a disk of its own; the
    /// disk must be a local one, as SQLite's locks do not work over a network.
    /// **Default: `<name of the app>.db` in the data folder.**
    pub path: Option<PathBuf>,

    /// How many connections there are at most. In SQLite each reads on its own, and costs a thread
    /// and up to 2 MiB of cache; only one at a time writes. A PostgreSQL server has a limit of its own
    /// for all replicas together (100 unless changed). Raise it when requests wait for connections
    /// while the database has nothing to do. **Default: `8`.**
    #[setting(max = 10_000)]
    pub max_connections: u32,

    /// How long a request waits for a free connection, or for its turn to write to SQLite, before it
    /// is answered 503. Keep it below `http.timeout`. **Default: `5s`, or half of `http.timeout` where
    /// that is less.**
    #[setting(max = "1day")]
    pub acquire_timeout: Duration,

    /// How long a statement waits for another *process* that is writing to the same SQLite file,
    /// before it is answered 503. Raise it when a backup or a second service holds the file for
    /// longer. **Default: `5s`.**
    #[setting(max = "1h")]
    pub busy_timeout: Duration,

    /// How long a connection to the server may lie idle before it is closed. **Default: `10m`.**
    #[setting(max = "365days")]
    pub idle_timeout: Duration,

    /// How long a connection to the server is used before another takes its place.
    /// **Default: `30m`.**
    #[setting(max = "365days")]
    pub max_lifetime: Duration,

    /// Whether migrations that have not run are run when the service connects. Otherwise it is not
    /// ready until somebody has run them with the verb `migrate up`. **Default: `true`.**
    pub migrate: bool,

    /// What to do when the database has run migrations that are newer than this program, as after a
    /// rollback or while a deploy goes on: `compatible` accepts those whose file says
    /// `-- backward-compatible` in its first lines, `any` accepts all, `none` refuses all. Set `any` to
    /// bring an older program back when you know that it works with the newer schema.
    /// **Default: `compatible`.**
    pub accept_newer: AcceptNewer,

    /// How far SQLite waits for the disk when it commits. With `normal` a crash of the service loses
    /// nothing, and a power cut may take the last transactions but never damages the file; `full`
    /// waits for the disk at each commit and keeps them; `extra` also waits for the folder. Use
    /// `full` where an acknowledged write must survive a power cut. **Default: `normal`.**
    pub synchronous: Synchronous,

    /// The most bytes that the rows of one page of a list may have (`Db::page`): a page with more is
    /// cut, and its link `next` leads on from there. Each request that reads a list may take some five
    /// times as much memory. **Default: `1MiB`.**
    #[setting(min = "1KiB", max = "1GiB")]
    pub max_page_size: ByteSize,

    /// Statements that take longer get a line in the log, without their parameters; in development
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

crate::setting_enum! {
    /// How the way to a PostgreSQL server is protected, as libpq's `sslmode`.
    pub enum Tls: default Prefer {
        /// Not at all.
        Disable = "disable",
        /// Encrypted, if the server can.
        Prefer = "prefer",
        /// Encrypted, whoever the server is.
        Require = "require",
        /// Encrypted, and the server's certificate is vouched for.
        VerifyCa = "verify-ca",
        /// Encrypted, and the server is the one that is meant.
        VerifyFull = "verify-full",
    }
}

crate::setting_enum! {
    /// Which migrations that are newer than the program it accepts in a database.
    pub enum AcceptNewer: default Compatible {
        /// Those marked `-- backward-compatible`.
        Compatible = "compatible",
        /// All of them.
        Any = "any",
        /// None.
        None = "none",
    }
}

crate::setting_enum! {
    /// Which PostgreSQL server a service uses, as libpq's `target_session_attrs`.
    pub enum SessionTarget: default Any {
        /// The first that accepts a connection.
        Any = "any",
        /// One whose sessions can write.
        ReadWrite = "read-write",
        /// One whose sessions cannot write.
        ReadOnly = "read-only",
        /// One that is not a standby.
        Primary = "primary",
        /// A standby.
        Standby = "standby",
        /// A standby, or any if there is none.
        PreferStandby = "prefer-standby",
    }
}

crate::setting_enum! {
    /// When SQLite waits for the disk, as its `PRAGMA synchronous`.
    pub enum Synchronous: default Normal {
        /// At checkpoints.
        Normal = "normal",
        /// At each commit.
        Full = "full",
        /// At each commit, and for the folder's entries.
        Extra = "extra",
    }
}

crate::setting_enum! {
    /// What stands between a service and its PostgreSQL server.
    pub enum PgBouncer: default Auto {
        /// Recognised when the service connects.
        Auto = "auto",
        /// Nothing.
        Off = "off",
        /// A pooler that keeps a connection of the server's for each client.
        Session = "session",
        /// A pooler that gives one for each transaction.
        Transaction = "transaction",
    }
}

/// The address of a database. It may hold a password, so what is shown of it has none.
#[derive(Clone)]
pub struct DbUrl(SecretString);

impl DbUrl {
    /// The whole address.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the file, if the address is that of a SQLite database.
    fn sqlite(&self) -> Option<SqliteAddress> {
        sqlite_address::parse(sqlite_address::strip_scheme(self.expose())?).ok()
    }
}

impl fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.show(), f)
    }
}

impl Setting for DbUrl {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "an address such as `postgres://user:password@host:5432/database` or `sqlite:data/service.db`"
            .into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = text_of::<Self>(value)?;
        if let Some(rest) = sqlite_address::strip_scheme(text) {
            return sqlite_address::parse(rest).map(|_| Self(text.into()));
        }
        if let Some(why) = sqlite_address::explain_other_form(text) {
            return Err(why);
        }
        let schemes = ["postgres://", "postgresql://"];
        let text = &*with_small_scheme(text);
        if schemes.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self(text.into()));
        }
        #[cfg(feature = "postgres")]
        if address::is_words(text) {
            return Ok(Self(text.into()));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            if ["postgres", "postgresql"].contains(&scheme.split('+').next().unwrap_or_default()) {
                return Err(
                    "the scheme is written in lower case and names no driver: write `postgres://`"
                        .into(),
                );
            }
        }
        // Not a word of the value: there may be a password anywhere in it.
        Err(format!("expected {}", Self::expects()))
    }

    fn show(&self) -> Value {
        redact::shown(false, &Value::from(self.expose()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(postgres(ql)?://|sqlite:|[a-z_]+ *=)" })
    }
}

impl DbSettings {
    fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems() {
            from.refuse(name, why, fix);
        }
        if let Some((why, fix)) = self.path.as_deref().and_then(sqlite_address::path_fault) {
            from.refuse("path", why, fix);
        }
        #[cfg(feature = "postgres")]
        for (name, fault) in self.server().err().unwrap_or_default() {
            from.refuse(name, fault.why, fault.fix);
        }
    }

    /// What parses but cannot work: the setting, why, and what to write.
    fn problems(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        const LONGEST: Duration = Duration::from_secs(3600);
        let mut problems = Vec::new();
        if self.max_connections == 0 {
            problems.push(("max_connections", "without a connection nothing can be read", "8"));
        }
        if self.max_page_size < ByteSize::kib(1) {
            problems.push(("max_page_size", "a page of less than 1KiB shows nothing", "1MiB"));
        }
        if self.acquire_timeout.is_zero() {
            problems.push(("acquire_timeout", "no request could ever get a connection", "5s"));
        }
        if self.connect_timeout.is_zero() {
            problems.push(("connect_timeout", "no server is as fast as that", "5s"));
        }
        if self.busy_timeout > LONGEST {
            problems.push(("busy_timeout", "longer than an hour", "5s"));
        }
        self.choice(&mut problems);
        problems
    }

    /// Which database is meant, and whether enough is said of it.
    fn choice(&self, problems: &mut Vec<(&'static str, &'static str, &'static str)>) {
        let postgres = self.is_postgres();
        if postgres && cfg!(not(feature = "postgres")) {
            let name = if self.host.is_some() { "host" } else { "url" };
            let fix = "give piton the feature `postgres` in Cargo.toml, or use SQLite";
            problems.push((name, "this build of piton does not know PostgreSQL", fix));
        }
        if !postgres && cfg!(not(feature = "sqlite")) {
            let fix = "set db.url or db.host, or give piton the feature `sqlite` in Cargo.toml";
            problems.push(("host", "no database is named, and this build has no SQLite", fix));
        }
        if postgres && self.path.is_some() {
            let fix = "remove it, or db.host and db.url";
            problems.push(("path", "SQLite's file beside a PostgreSQL server", fix));
        }
        if self.host.is_some() && self.url.as_ref().is_some_and(|url| url.sqlite().is_some()) {
            let fix = "remove db.host, or the SQLite address in db.url";
            problems.push(("url", "the address of a SQLite file beside a PostgreSQL server", fix));
        }
        let named = [
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("database", self.database.is_some()),
            ("port", self.port.is_some()),
        ];
        if !postgres {
            for (name, _) in named.iter().filter(|(_, given)| *given) {
                let fix = "set db.host or db.url too, or remove it";
                problems.push((name, "of a PostgreSQL server that is not named", fix));
            }
        }
    }

    /// Whether the database is a PostgreSQL server's.
    pub(super) fn is_postgres(&self) -> bool {
        let by_url = self.url.as_ref().is_some_and(|url| url.sqlite().is_none());
        by_url || self.host.is_some()
    }

    /// The file that holds the data.
    #[cfg(feature = "sqlite")]
    pub(super) fn file(&self, app: &str, data_dir: &std::path::Path) -> SqliteAddress {
        let by_url = self.url.as_ref().and_then(DbUrl::sqlite);
        let path = match (&self.path, by_url) {
            (Some(path), _) => path.clone(),
            (None, Some(address)) => return address,
            (None, None) => data_dir.join(format!("{}.db", app.replace(['/', '\\'], "_"))),
        };
        SqliteAddress { path, create: true }
    }
}

/// What a service asks for that keeps its data in PostgreSQL everywhere but on a developer's machine:
/// for [`App::outside_local`](crate::App::outside_local).
#[must_use]
pub const fn postgres_required() -> Requirement {
    const WHY: &str =
        "no PostgreSQL server is named, and the data would be kept in a file of this machine";
    const FIX: &str = "set POSTGRESQL_HOST, POSTGRESQL_USER, POSTGRESQL_PASSWORD and POSTGRESQL_DATABASE, or DATABASE_URL";
    Requirement::new("db.host", WHY, FIX, |config| {
        let mut problems = Problems::new();
        let settings: DbSettings = config.read("db", &mut problems);
        // What is wrong is reported by itself.
        settings.is_postgres() || !problems.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_file_is_named_after_the_app() {
        let file = |app| DbSettings::default().file(app, Path::new("data")).path;
        assert_eq!(file("registry"), Path::new("data/registry.db"));
        assert_eq!(file("../a"), Path::new("data/.._a.db"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_all_at_once() {
        assert!(DbSettings::default().problems().is_empty());
        let wrong = DbSettings {
            max_connections: 0,
            acquire_timeout: Duration::ZERO,
            busy_timeout: Duration::MAX,
            ..DbSettings::default()
        };
        let names: Vec<_> = wrong.problems().iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["max_connections", "acquire_timeout", "busy_timeout"]);
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url = DbUrl::parse(&json!("postgres://me:hunter2@db/x")).unwrap();
        assert_eq!(url.show(), json!("postgres://***@db/x"));
        assert!(!format!("{url:?}").contains("hunter2"));
        let error = DbUrl::parse(&json!("postgrs://me:hunter2@db/x")).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        for scheme in ["postgresql+asyncpg", "postgresql+psycopg2"] {
            let url = json!(format!("{scheme}://me:hunter2@db/x"));
            let error = DbUrl::parse(&url).unwrap_err();
            assert!(error.contains("`postgres://`") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_said_of_a_server_must_be_enough_and_of_one_database() {
        let names = |settings: DbSettings| -> Vec<&'static str> {
            settings.problems().iter().map(|(name, ..)| *name).collect()
        };
        let none = DbSettings::default;
        assert_eq!(names(DbSettings { user: Some("me".into()), ..none() }), ["user"]);
        let url = DbUrl::parse(&json!("sqlite:data/x.db")).ok();
        let settings = DbSettings { url, ..none() };
        assert_eq!(settings.file("app", Path::new("d")).path, Path::new("data/x.db"));
        assert!(!settings.is_postgres());
        let host = || Some("db".to_owned());
        let both = DbSettings { host: host(), path: Some("a.db".into()), ..none() };
        assert!(names(both).contains(&"path"));
    }
}
