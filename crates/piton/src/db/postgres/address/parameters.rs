//! Parameters of a PostgreSQL address, by libpq's names.

use std::path::PathBuf;
use std::time::Duration;

use super::host::{HostForm, hosts, port};
use super::options::parse_options;
use super::server_address::ServerAddress;
use crate::config::suggest;
use crate::db::address_fault::AddressFault;
use crate::db::setting_enums::Tls;

/// The supported parameters, by libpq's names.
pub(super) const PARAMETERS: [&str; 15] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "fallback_application_name",
    "connect_timeout",
    "target_session_attrs",
    "client_encoding",
];

impl ServerAddress {
    /// Sets the parameter that libpq calls `name`.
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<(), AddressFault> {
        let path = || Some(PathBuf::from(&value));
        if value.is_empty() && !["password", "options"].contains(&name) {
            return Err(AddressFault::new(
                format!("`{name}` has no value"),
                format!("give it one, or remove `{name}`"),
            ));
        }
        match name {
            "host" | "hostaddr" if !self.hosts.is_empty() => {
                return Err(AddressFault::new(
                    "the host is named twice",
                    "name it once, as `host` or `hostaddr`, or before the database",
                ));
            }
            "host" | "hostaddr" => self.hosts = hosts(&value, HostForm::Parameter)?,
            "port" => self.ports = value.split(',').map(port).collect::<Result<_, _>>()?,
            "dbname" => {
                check_database(&value)?;
                self.database = Some(value);
            }
            "user" => self.user = Some(value),
            "password" => self.password = Some(value.into()),
            "sslmode" => self.tls = Some(tls(&value)?),
            // Kept apart from a file, because libpq's `system` (the authorities of the system) is safe
            // only with full verification.
            "sslrootcert" if value == "system" => self.tls_of_system = true,
            "sslrootcert" => self.tls_ca = path(),
            "sslcert" => self.tls_cert = path(),
            "sslkey" => self.tls_key = path(),
            "application_name" => self.application_name = Some(value),
            "fallback_application_name" => {
                self.application_name.get_or_insert(value);
            }
            "connect_timeout" => self.connect_timeout = Some(seconds(&value)?),
            "target_session_attrs" => {
                let target = value.parse();
                self.target = Some(target.map_err(|why: String| {
                    AddressFault::new(
                        format!("`target_session_attrs`: {why}"),
                        "target_session_attrs=read-write",
                    )
                })?);
            }
            "client_encoding" if ["utf8", "utf-8", "auto"].contains(&&*value.to_lowercase()) => {}
            "client_encoding" => {
                return Err(AddressFault::new(
                    "`client_encoding` is always UTF8 here",
                    "remove it",
                ));
            }
            "options" => self.options.extend(parse_options(&value)?),
            _ => return Err(unknown_parameter(name)),
        }
        Ok(())
    }
}

/// Returns the fault of a parameter that is not supported.
pub(super) fn unknown_parameter(name: &str) -> AddressFault {
    let plain = name.len() <= 40
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ['_', '-', '.', '[', ']'].contains(&c));
    if !plain || name.is_empty() {
        return AddressFault::new(
            "a parameter is not written `name=value`",
            "a value with special characters is quoted: percent-encoded in a URL, in single quotes among keywords",
        );
    }
    let fix = match name {
        "ssl" | "tls" | "ssl-mode" | "sslMode" => "write `sslmode=require`".to_owned(),
        "pgbouncer" => "remove it: PgBouncer is detected, or set db.pgbouncer".to_owned(),
        "ssl-root-cert" | "ssl-ca" => "write `sslrootcert=`".to_owned(),
        "schema" | "currentSchema" | "search_path" => {
            format!("write `options=-c%20search_path%3D..` in the place of `{name}`")
        }
        "pool_size" | "max_connections" | "connection_limit" => {
            "remove it, and set db.max_connections".to_owned()
        }
        "statement-cache-capacity" => "remove it".to_owned(),
        "statement_timeout" => "remove it, and set db.statement_timeout".to_owned(),
        _ => match suggest(name, PARAMETERS) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("remove `{name}`; known are {}, options", PARAMETERS.join(", ")),
        },
    };
    AddressFault::new(format!("the parameter `{name}` is not known"), fix)
}

fn tls(value: &str) -> Result<Tls, AddressFault> {
    if value == "allow" {
        // Refused, because libpq encrypts such a connection only if the server refuses it otherwise.
        let why = "`sslmode=allow` would begin without encryption";
        return Err(AddressFault::new(why, "write `prefer`, or `disable`"));
    }
    value.parse().map_err(|why| AddressFault::new(format!("`sslmode`: {why}"), "sslmode=require"))
}

fn seconds(value: &str) -> Result<Duration, AddressFault> {
    match value.parse::<u32>() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(AddressFault::new(
            "`connect_timeout` is not a whole number of seconds from 1 to 3600",
            "write `connect_timeout=5`, or set db.connect_timeout",
        )),
    }
}

/// Refuses a URL, or a part of one, in the place of a database's name.
pub(in crate::db::postgres) fn check_database(name: &str) -> Result<(), AddressFault> {
    if name.contains([';', '?', '/']) {
        return Err(AddressFault::new(
            "`;`, `?` or `/` in the name of the database",
            "write the name alone; parameters stand in db.url behind one `?`, separated by `&`",
        ));
    }
    Ok(())
}

/// Returns the fault of a parameter that is written more than once.
pub(super) fn written_twice(name: &str) -> AddressFault {
    AddressFault::new(format!("`{name}` is written twice"), "write it once")
}
