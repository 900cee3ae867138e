//! Determines the PostgreSQL servers from the settings.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::address::host::Host;
use super::address::parameters::check_database;
use super::address::parse::{parse_address, parse_endpoint};
use super::address::server_address::ServerAddress;
use crate::db::address_fault::AddressFault;
use crate::db::setting_enums::{PgBouncer, SessionTarget, Tls};
use crate::db::settings::DbSettings;

/// Faults of settings, each with the setting's name.
type SettingFaults = Vec<(&'static str, AddressFault)>;

/// Returns the faults of the settings that name PostgreSQL servers.
pub(in crate::db) fn faults(settings: &DbSettings) -> SettingFaults {
    ServerConfig::from_settings(settings).err().unwrap_or_default()
}

/// The parameters of a connection.
#[derive(Clone, Debug)]
pub(in crate::db) struct ServerConfig {
    pub endpoints: Vec<(Host, u16)>,
    pub user: String,
    pub database: String,
    password: SecretString,
    tls: Tls,
    tls_ca: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    application_name: Option<String>,
    pub connect_timeout: Duration,
    pub statement_timeout: Duration,
    options: Vec<(String, String)>,
    pub target: SessionTarget,
    /// Set if a server that refuses writes cannot do the service's work.
    pub expects_writes: bool,
    pub pgbouncer: PgBouncer,
}

impl ServerConfig {
    /// Returns the servers that these settings name; `Ok(None)` if they name none.
    ///
    /// # Errors
    /// Every setting that is missing or cannot be parsed, with the fix.
    pub fn from_settings(settings: &DbSettings) -> Result<Option<Self>, SettingFaults> {
        if !settings.is_postgres() {
            return Ok(None);
        }
        let mut faults = Vec::new();
        let mut read = |name, parsed: Option<Result<ServerAddress, AddressFault>>| match parsed {
            Some(Ok(address)) => address,
            Some(Err(fault)) => {
                faults.push((name, fault));
                ServerAddress::default()
            }
            None => ServerAddress::default(),
        };
        let of_url = read("url", settings.url.as_ref().map(|url| parse_address(url.expose())));
        let of_host = read("host", settings.host.as_deref().map(parse_endpoint));
        if let Some(port) = settings.port {
            let named = of_host.named_ports();
            if port == 0 {
                faults.push(("port", AddressFault::new("0 is not the port of a server", "5432")));
            } else if named.iter().any(|other| *other != port) {
                let fix = "remove it, or the port that db.host names";
                faults.push(("port", AddressFault::new("db.host names another port", fix)));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let named = ServerAddress {
            ports: settings.port.filter(|_| of_host.named_ports().is_empty()).into_iter().collect(),
            user: settings.user.clone(),
            password: settings.password.clone(),
            database: settings.database.clone(),
            tls: settings.tls,
            tls_ca: settings.tls_ca.clone(),
            application_name: settings.application_name.clone(),
            target: settings.target_session_attrs,
            ..ServerAddress::default()
        };
        complete(settings, named.over(of_host.over(of_url)))
    }

    /// Returns the options for a connection to one of the servers. Omits everything that a pooler
    /// would refuse to pass on.
    pub fn connect_options(
        &self,
        (host, port): &(Host, u16),
        app: &str,
        pooled: bool,
    ) -> PgConnectOptions {
        // libpq's variables and password file are ignored, so that every setting comes from one place.
        let mut options = PgConnectOptions::new_without_pgpass()
            .port(*port)
            .username(&self.user)
            .password(self.password.expose_secret())
            .database(&self.database)
            .ssl_mode(ssl_mode(self.tls))
            .application_name(self.application_name.as_deref().unwrap_or(app))
            .statement_cache_capacity(256);
        options = match host {
            Host::Name(name) => options.host(name),
            Host::Socket(folder) => options.host("localhost").socket(folder),
        };
        if let Some(authority) = &self.tls_ca {
            options = options.ssl_root_cert(authority);
        }
        if let Some(certificate) = &self.tls_cert {
            options = options.ssl_client_cert(certificate);
        }
        if let Some(key) = &self.tls_key {
            options = options.ssl_client_key(key);
        }
        if pooled {
            options = options.extra_float_digits(None);
        } else {
            if self.has_options() {
                options = options.options(self.options.iter().map(|(name, value)| (name, value)));
            }
            if !self.statement_timeout.is_zero() {
                options = options.options([("statement_timeout", self.statement_timeout_ms())]);
            }
        }
        // Off, because sqlx would log parameters. `StatementLog` logs without them.
        options.disable_statement_logging()
    }

    /// Returns the limit in milliseconds, as PostgreSQL reads it; `0` means none.
    pub fn statement_timeout_ms(&self) -> u128 {
        match self.statement_timeout.as_millis() {
            0 if !self.statement_timeout.is_zero() => 1,
            limit => limit,
        }
    }

    /// Returns `host:port/database`, for messages.
    pub fn place(&self, (host, port): &(Host, u16)) -> String {
        format!("{host}:{port}/{}", self.database)
    }

    /// Returns whether the address sets options of the session, which a pooler does not pass on.
    pub fn has_options(&self) -> bool {
        !self.options.is_empty()
    }
}

/// Checks the combined address, and completes it with defaults.
fn complete(
    settings: &DbSettings,
    address: ServerAddress,
) -> Result<Option<ServerConfig>, SettingFaults> {
    // The setting to name for a part of the address that has no setting of its own.
    let of_address = if settings.host.is_some() { "host" } else { "url" };
    let tls = tls_of(&address);
    let mut faults = missing_parts(&address, of_address);
    faults.extend(tls_faults(settings, &address, tls, of_address));
    if let Some(Err(fault)) = settings.database.as_deref().map(check_database) {
        faults.push(("database", fault));
    }
    faults.extend(certificate_faults(settings, &address, of_address));
    let is_pooled = matches!(settings.pgbouncer, PgBouncer::Session | PgBouncer::Transaction);
    if is_pooled && !address.options.is_empty() {
        faults.push(("pgbouncer", AddressFault::new(
            "PgBouncer does not pass on the `options` that the address names",
            "remove them there, and give them to the role: `ALTER ROLE .. SET search_path = ..`",
        )));
    }
    let (Some(user), Some(database), true) =
        (address.user.clone(), address.database.clone(), faults.is_empty())
    else {
        return Err(faults);
    };
    let several = address.hosts.len() > 1;
    let default = if several { SessionTarget::ReadWrite } else { SessionTarget::Any };
    let expects_writes = match address.target {
        None => true,
        Some(target) => matches!(target, SessionTarget::ReadWrite | SessionTarget::Primary),
    };
    let is_set = settings.connect_timeout != DbSettings::default().connect_timeout;
    let timeout_of_address = address.connect_timeout.filter(|_| !is_set);
    Ok(Some(ServerConfig {
        endpoints: address.endpoints(),
        user,
        database,
        password: address.password.unwrap_or_default(),
        tls,
        tls_ca: address.tls_ca,
        tls_cert: address.tls_cert,
        tls_key: address.tls_key,
        application_name: address.application_name,
        connect_timeout: timeout_of_address.unwrap_or(settings.connect_timeout),
        statement_timeout: settings.statement_timeout,
        options: address.options,
        target: address.target.unwrap_or(default),
        expects_writes,
        pgbouncer: settings.pgbouncer,
    }))
}

/// Returns the parts that every address needs and this one lacks.
fn missing_parts(address: &ServerAddress, of_address: &'static str) -> SettingFaults {
    let mut faults = Vec::new();
    if let Err(fault) = address.check_ports() {
        faults.push((of_address, fault));
    }
    if address.hosts.is_empty() {
        faults.push(("url", AddressFault::new(
            "no host is named",
            "write it into the URL, `postgres://user:password@host:5432/database`, as `?host=/run/postgresql` for a socket, or set db.host",
        )));
    }
    for (name, part, fix) in [
        (
            "user",
            &address.user,
            "set db.user (POSTGRESQL_USER), or name it in db.url (DATABASE_URL)",
        ),
        (
            "database",
            &address.database,
            "set db.database (POSTGRESQL_DATABASE), or name it in db.url (DATABASE_URL)",
        ),
    ] {
        if part.as_deref().is_none_or(str::is_empty) {
            let why = "missing: the address of the server does not name it";
            faults.push((name, AddressFault::new(why, fix)));
        }
    }
    faults
}

/// Returns the encryption of an address. `require` is raised to `verify-ca` if an authority is named,
/// because libpq does so.
fn tls_of(address: &ServerAddress) -> Tls {
    let default = if address.tls_of_system { Tls::VerifyFull } else { Tls::default() };
    match address.tls.unwrap_or(default) {
        Tls::Require if address.tls_ca.is_some() => Tls::VerifyCa,
        tls => tls,
    }
}

/// Returns the contradictions between the parameters of TLS.
fn tls_faults(
    settings: &DbSettings,
    address: &ServerAddress,
    tls: Tls,
    of_address: &'static str,
) -> SettingFaults {
    let mut faults = Vec::new();
    if address.tls_of_system && tls != Tls::VerifyFull {
        let name = if settings.tls.is_some() { "tls" } else { of_address };
        faults.push((name, AddressFault::new(
            "`sslrootcert=system` needs full verification: any server may have a certificate of these authorities",
            "write `sslmode=verify-full`, or leave `sslmode` out",
        )));
    }
    if address.tls_cert.is_some() != address.tls_key.is_some() {
        let (has, lacks) = match address.tls_cert {
            Some(_) => ("sslcert", "sslkey"),
            None => ("sslkey", "sslcert"),
        };
        faults.push((
            of_address,
            AddressFault::new(
                format!("`{has}` without `{lacks}`"),
                "name the client's certificate and its key, or neither",
            ),
        ));
    }
    faults
}

/// Returns the files of certificates and keys that cannot be read. They are checked here, because
/// sqlx would report them as a network fault at each connection.
fn certificate_faults(
    settings: &DbSettings,
    address: &ServerAddress,
    of_address: &'static str,
) -> SettingFaults {
    let files = [
        (settings.tls_ca.as_ref().map_or(of_address, |_| "tls_ca"), &address.tls_ca),
        (of_address, &address.tls_cert),
        (of_address, &address.tls_key),
    ];
    let mut faults = Vec::new();
    for (name, file) in files {
        let Some(file) = file else { continue };
        let opened = std::fs::File::open(file).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(std::io::ErrorKind::IsADirectory.into()),
            false => Ok(()),
        });
        if let Err(error) = opened {
            let why = format!("the file of a certificate or a key cannot be read: {error}");
            faults
                .push((name, AddressFault::new(why, "name a PEM file that this service may read")));
        }
    }
    faults
}

fn ssl_mode(tls: Tls) -> PgSslMode {
    match tls {
        Tls::Disable => PgSslMode::Disable,
        Tls::Prefer => PgSslMode::Prefer,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Setting;
    use crate::db::database_url::DbUrl;

    fn of(url: &str) -> DbSettings {
        DbSettings { url: DbUrl::parse(&json!(url)).ok(), ..DbSettings::default() }
    }

    fn names(settings: &DbSettings) -> Vec<&'static str> {
        ServerConfig::from_settings(settings).unwrap_err().iter().map(|(name, _)| *name).collect()
    }

    fn places(settings: &DbSettings) -> Vec<String> {
        let server = ServerConfig::from_settings(settings).unwrap().unwrap();
        server.endpoints.iter().map(|endpoint| server.place(endpoint)).collect()
    }

    #[test]
    fn what_is_missing_is_named_all_at_once() {
        let host = DbSettings { host: Some("db".into()), ..DbSettings::default() };
        assert_eq!(names(&host), ["user", "database"]);
        assert_eq!(names(&of("postgres://h")), ["user", "database"]);
        assert_eq!(names(&of("postgres://me@h")), ["database"]);
        assert_eq!(names(&of("postgres:///d")), ["url", "user"]);
        let both =
            DbSettings { host: Some("db:".into()), port: Some(0), ..of("postgres://a@h:0/d") };
        assert_eq!(names(&both), ["url", "host", "port"]);
        let ports =
            DbSettings { host: Some("db:1".into()), port: Some(2), ..of("postgres://a@h/d") };
        assert_eq!(names(&ports), ["port"]);
    }

    #[test]
    fn settings_replace_that_part_of_the_address() {
        let url = "postgres://me@h1:6000,h2:6001/d";
        assert_eq!(places(&of(url)), ["h1:6000/d", "h2:6001/d"]);
        let port = DbSettings { port: Some(7), ..of(url) };
        assert_eq!(places(&port), ["h1:7/d", "h2:7/d"]);
        let host = DbSettings { host: Some("x".into()), ..of("postgres://me@h1:6000/d") };
        assert_eq!(places(&host), ["x:6000/d"]);
        let database = DbSettings { database: Some("e".into()), ..of(url) };
        assert_eq!(places(&database), ["h1:6000/e", "h2:6001/e"]);
    }

    #[test]
    fn several_hosts_mean_the_one_that_can_write_unless_the_address_says_otherwise() {
        let target = |settings: &DbSettings| {
            let server = ServerConfig::from_settings(settings).unwrap().unwrap();
            (server.target, server.expects_writes)
        };
        assert_eq!(target(&of("postgres://me@a,b/d")), (SessionTarget::ReadWrite, true));
        assert_eq!(target(&of("postgres://me@a/d")), (SessionTarget::Any, true));
        let any = "postgres://me@a/d?target_session_attrs=any";
        assert_eq!(target(&of(any)), (SessionTarget::Any, false));
        let set = DbSettings { target_session_attrs: Some(SessionTarget::Primary), ..of(any) };
        assert_eq!(target(&set), (SessionTarget::Primary, true));
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_a_wrong_setting() {
        assert_eq!(names(&of("postgres://me@a/d?sslrootcert=/nowhere/ca.pem")), ["url"]);
        assert_eq!(
            names(&of("postgres://me@a/d?sslcert=/nowhere&sslkey=/nowhere")),
            ["url", "url"]
        );
        let settings = DbSettings { tls_ca: Some("/nowhere".into()), ..of("postgres://me@a/d") };
        assert_eq!(names(&settings), ["tls_ca"]);
    }

    #[test]
    fn an_authority_is_verified_with_as_in_libpq() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        let tls = |url: &str| ServerConfig::from_settings(&of(url)).unwrap().unwrap().tls;
        let url = |more: &str| format!("postgres://me@a/d?{more}");
        assert_eq!(tls(&url(&format!("sslmode=require&sslrootcert={path}"))), Tls::VerifyCa);
        assert_eq!(tls(&url(&format!("sslrootcert={path}&sslmode=verify-full"))), Tls::VerifyFull);
        assert_eq!(tls(&url("sslmode=require")), Tls::Require);
        assert_eq!(tls(&url("sslrootcert=system")), Tls::VerifyFull);
        assert_eq!(tls(&url("sslrootcert=system&sslmode=verify-full")), Tls::VerifyFull);
        for mode in ["disable", "prefer", "require", "verify-ca"] {
            assert_eq!(names(&of(&url(&format!("sslrootcert=system&sslmode={mode}")))), ["url"]);
            assert_eq!(names(&of(&url(&format!("sslmode={mode}&sslrootcert=system")))), ["url"]);
        }
        for half in ["sslcert", "sslkey"] {
            assert_eq!(names(&of(&url(&format!("{half}={path}")))), ["url"]);
        }
    }

    #[test]
    fn a_folder_is_no_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        assert_eq!(names(&of(&format!("postgres://me@a/d?sslrootcert={path}"))), ["url"]);
        let both = format!("postgres://me@a/d?sslcert={path}&sslkey={path}");
        assert_eq!(names(&of(&both)), ["url", "url"]);
    }

    #[test]
    fn parameters_do_not_become_the_name_of_a_database() {
        assert_eq!(names(&of("postgres://me@a/d;sslmode=require")), ["url"]);
        for name in ["d?sslmode=require", "/d", "postgres://me@a/d", "d;sslmode=require"] {
            let database = Some(name.to_owned());
            assert_eq!(names(&DbSettings { database, ..of("postgres://me@a/d") }), ["database"]);
        }
    }

    #[test]
    fn options_do_not_pass_a_pooler() {
        let url = "postgres://me@a/d?options=-c%20search_path%3Dx";
        let settings = DbSettings { pgbouncer: PgBouncer::Session, ..of(url) };
        assert_eq!(names(&settings), ["pgbouncer"]);
    }
}
