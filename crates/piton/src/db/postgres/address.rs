//! Parses every form in which people write the address of a PostgreSQL server: a URL, libpq's
//! `name=value` words, and an endpoint with or without a port. An address is understood as a whole
//! or refused with the fix; no part of it is silently ignored.
//!
//! Messages never repeat text that may be a part of a password: they name known parameters and
//! characters only.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use crate::config::nearest;
use crate::db::settings::{SessionTarget, Tls};

/// Maximum number of hosts in one address.
const MAX_HOSTS: usize = 32;

/// The supported parameters, by libpq's names.
const KNOWN: [&str; 15] = [
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

/// The reason why an address is refused, and the fix.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::db) struct Fault {
    pub why: String,
    pub fix: String,
}

impl Fault {
    pub fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}

/// The place where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::db) enum Host {
    /// A host name, or an IP address without brackets.
    Name(String),
    /// The folder of a Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) if name.contains(':') => write!(f, "[{name}]"),
            Self::Name(name) => f.write_str(name),
            Self::Socket(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// The parts of an address that a text contains.
#[derive(Clone, Debug, Default)]
pub(in crate::db) struct Address {
    /// The hosts, each with the port that is written next to it.
    pub hosts: Vec<(Host, Option<u16>)>,
    /// Ports written apart from the hosts: one for all, or one for each.
    pub ports: Vec<u16>,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub database: Option<String>,
    pub tls: Option<Tls>,
    pub tls_ca: Option<PathBuf>,
    /// Set by `sslrootcert=system`.
    pub tls_of_system: bool,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub application_name: Option<String>,
    pub connect_timeout: Option<Duration>,
    /// Settings of the session, written as `-c name=value`.
    pub options: Vec<(String, String)>,
    pub target: Option<SessionTarget>,
}

impl Address {
    /// Reads the value of `db.url`: a URL, or libpq's words.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        for scheme in ["postgres://", "postgresql://"] {
            if let Some(rest) = text.strip_prefix(scheme) {
                return of_url(rest);
            }
        }
        of_words(text)
    }

    /// Reads the value of `db.host`: hosts with or without ports, optionally followed by libpq's
    /// words, as in services that insert the value into `host=<endpoint>`.
    pub fn of_endpoint(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.contains("://") {
            return Err(Fault::new(
                "a URL stands where the name of a host is expected",
                "write the URL as db.url (DATABASE_URL), or the host alone, such as `db.internal:5432`",
            ));
        }
        let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if is_words(text) {
            return of_words(text);
        }
        if first.contains('@') {
            return Err(Fault::new(
                "a user stands before the host",
                "write the user as db.user and the password as db.password, and here the host alone",
            ));
        }
        let named = hosts(first, HostForm::Plain)?;
        let mut address = of_words_after(rest, 1)?;
        if !address.hosts.is_empty() {
            return Err(Fault::new("the host is named twice", "remove the word `host=`"));
        }
        address.hosts = named;
        address.check_ports()?;
        Ok(address)
    }

    /// Fills in the parts that this address lacks from `base`.
    pub fn over(self, base: Self) -> Self {
        let (hosts, ports) = match (self.hosts.is_empty(), self.ports.is_empty()) {
            // Ports next to the hosts of `base` belonged to those hosts, so only a common port is
            // kept.
            (false, _) if self.named_ports().is_empty() => (self.hosts, base.common_port()),
            (false, _) => (self.hosts, self.ports),
            (true, false) => (without_ports(base.hosts), self.ports),
            (true, true) => (base.hosts, base.ports),
        };
        let options = base.options.into_iter().chain(self.options).collect();
        Self {
            hosts,
            ports,
            user: self.user.or(base.user),
            password: self.password.or(base.password),
            database: self.database.or(base.database),
            tls: self.tls.or(base.tls),
            tls_of_system: self.tls_of_system || (base.tls_of_system && self.tls_ca.is_none()),
            tls_ca: self.tls_ca.or(base.tls_ca),
            tls_cert: self.tls_cert.or(base.tls_cert),
            tls_key: self.tls_key.or(base.tls_key),
            application_name: self.application_name.or(base.application_name),
            connect_timeout: self.connect_timeout.or(base.connect_timeout),
            options,
            target: self.target.or(base.target),
        }
    }

    /// Returns every written port, next to a host or apart from them.
    pub fn named_ports(&self) -> Vec<u16> {
        self.hosts.iter().filter_map(|(_, port)| *port).chain(self.ports.iter().copied()).collect()
    }

    /// Returns the one port of all hosts, if there is one.
    fn common_port(&self) -> Vec<u16> {
        let ports = self.named_ports();
        match ports.split_first() {
            Some((first, rest)) if rest.iter().all(|port| port == first) => vec![*first],
            _ => Vec::new(),
        }
    }

    /// Returns the hosts, each with its port.
    pub fn endpoints(&self) -> Vec<(Host, u16)> {
        let port_of = |index: usize| match self.ports.as_slice() {
            [one] => Some(*one),
            ports => ports.get(index).copied(),
        };
        let each = self.hosts.iter().enumerate();
        each.map(|(index, (host, port))| {
            (host.clone(), port.or_else(|| port_of(index)).unwrap_or(5432))
        })
        .collect()
    }

    /// Refuses ports that cannot be assigned to hosts.
    pub fn check_ports(&self) -> Result<(), Fault> {
        let (hosts, ports) = (self.hosts.len(), self.ports.len());
        if hosts > 0 && ports > 1 && ports != hosts {
            return Err(Fault::new(
                format!("{hosts} hosts, but {ports} ports"),
                "name one port for all hosts, or one for each",
            ));
        }
        if ports > 0 && self.hosts.iter().any(|(_, port)| port.is_some()) {
            return Err(Fault::new(
                "a port stands next to a host and in `port` as well",
                "write the port once",
            ));
        }
        Ok(())
    }

    /// Sets the parameter that libpq calls `name`.
    fn set(&mut self, name: &str, value: String) -> Result<(), Fault> {
        let path = || Some(PathBuf::from(&value));
        if value.is_empty() && !["password", "options"].contains(&name) {
            return Err(Fault::new(
                format!("`{name}` has no value"),
                format!("give it one, or remove `{name}`"),
            ));
        }
        match name {
            "host" | "hostaddr" if !self.hosts.is_empty() => {
                return Err(Fault::new(
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
            // `system` is libpq's name for the authorities of the system, which is only safe with
            // full verification.
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
                    Fault::new(
                        format!("`target_session_attrs`: {why}"),
                        "target_session_attrs=read-write",
                    )
                })?);
            }
            "client_encoding" if ["utf8", "utf-8", "auto"].contains(&&*value.to_lowercase()) => {}
            "client_encoding" => {
                return Err(Fault::new("`client_encoding` is always UTF8 here", "remove it"));
            }
            "options" => self.options.extend(options(&value)?),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

fn without_ports(hosts: Vec<(Host, Option<u16>)>) -> Vec<(Host, Option<u16>)> {
    hosts.into_iter().map(|(host, _)| (host, None)).collect()
}

/// Returns whether `text` begins like libpq's words: `name=`, with optional spaces around the `=`.
pub(in crate::db) fn is_words(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    let name = name.trim_end();
    text.contains('=')
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn unknown(name: &str) -> Fault {
    let plain = name.len() <= 40
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ['_', '-', '.', '[', ']'].contains(&c));
    if !plain || name.is_empty() {
        return Fault::new(
            "a parameter is not written `name=value`",
            "a value with special characters is quoted: percent-encoded in a URL, in single quotes in words",
        );
    }
    let fix = match name {
        "ssl" | "tls" | "ssl-mode" | "sslMode" => "write `sslmode=require`".to_owned(),
        "pgbouncer" => "remove it: PgBouncer is recognised, or set db.pgbouncer".to_owned(),
        "ssl-root-cert" | "ssl-ca" => "write `sslrootcert=`".to_owned(),
        "schema" | "currentSchema" | "search_path" => {
            format!("write `options=-c%20search_path%3D..` in the place of `{name}`")
        }
        "pool_size" | "max_connections" | "connection_limit" => {
            "remove it, and set db.max_connections".to_owned()
        }
        "statement-cache-capacity" => "remove it".to_owned(),
        "statement_timeout" => "remove it, and set db.statement_timeout".to_owned(),
        _ => match nearest(name, KNOWN) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("remove `{name}`; known are {}, options", KNOWN.join(", ")),
        },
    };
    Fault::new(format!("the parameter `{name}` is not known"), fix)
}

fn tls(value: &str) -> Result<Tls, Fault> {
    if value == "allow" {
        let why = "`sslmode=allow` would begin without encryption";
        return Err(Fault::new(why, "write `prefer`, or `disable`"));
    }
    value.parse().map_err(|why| Fault::new(format!("`sslmode`: {why}"), "sslmode=require"))
}

fn seconds(value: &str) -> Result<Duration, Fault> {
    match value.parse::<u32>() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(Fault::new(
            "`connect_timeout` is not a whole number of seconds from 1 to 3600",
            "write `connect_timeout=5`, or set db.connect_timeout",
        )),
    }
}

/// Parses `-c name=value`, `-cname=value` and `--name=value`. A backslash escapes the next
/// character.
fn options(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let wrong = || {
        Fault::new(
            "`options` is not a list of `-c name=value`",
            "write `-c name=value`, such as `-c search_path=shop`; a space in a value is `\\ `",
        )
    };
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut open) = (String::new(), false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                word.push(chars.next().ok_or_else(wrong)?);
                open = true;
            }
            c if c.is_whitespace() => {
                if std::mem::take(&mut open) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    let mut found = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next().ok_or_else(wrong)?,
            Some(pair) => pair.to_owned(),
            None => return Err(wrong()),
        };
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        {
            return Err(wrong());
        }
        found.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(found)
}

/// The position of a list of hosts, which decides how it is escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HostForm {
    /// In the authority of a URL: percent-encoded, with ports.
    Url,
    /// In `db.host`: with ports.
    Plain,
    /// In `host=`: libpq allows no port there, but people write it.
    Parameter,
}

fn hosts(text: &str, form: HostForm) -> Result<Vec<(Host, Option<u16>)>, Fault> {
    let items: Vec<&str> = text.split(',').collect();
    if items.len() > MAX_HOSTS {
        return Err(Fault::new(format!("more than {MAX_HOSTS} hosts"), "name fewer"));
    }
    items.into_iter().map(|item| host(item, form)).collect()
}

fn host(text: &str, form: HostForm) -> Result<(Host, Option<u16>), Fault> {
    let decoded;
    let mut rest = text;
    if form == HostForm::Url && !text.starts_with('[') {
        decoded = decode(text, "the host")?;
        rest = &decoded;
    }
    if rest.is_empty() {
        return Err(Fault::new(
            "a host is missing",
            "name it, such as `db.internal:5432`; a list is `one:5432,two:5432`, without spaces",
        ));
    }
    if let Some(inside) = rest.strip_prefix('[') {
        let (address, behind) = inside.split_once(']').ok_or_else(|| {
            Fault::new("`[` without `]`", "write an IPv6 address as `[::1]:5432`")
        })?;
        let address = address.replacen("%25", "%", 1);
        let port = match behind.strip_prefix(':') {
            Some(text) => Some(port(text)?),
            None if behind.is_empty() => None,
            None => {
                return Err(Fault::new(
                    "something other than a port stands behind `]`",
                    "write an IPv6 address as `[::1]:5432`",
                ));
            }
        };
        return Ok((ipv6(&address)?, port));
    }
    if rest.starts_with('/') {
        return socket(rest);
    }
    if rest.starts_with('@') {
        let why = "an abstract socket is not supported";
        return Err(Fault::new(why, "name the folder of the socket, such as `/run/postgresql`"));
    }
    // Several colons without brackets can only be an IPv6 address without a port.
    if rest.matches(':').count() > 1 {
        if form == HostForm::Url {
            return Err(Fault::new(
                "an IPv6 address without brackets, or a `:` too many",
                "write an IPv6 address as `[::1]:5432`; a `:` in a user's name is `%3A`",
            ));
        }
        let (before, last) = rest.rsplit_once(':').unwrap_or((rest, ""));
        if last.len() >= 4 && port(last).is_ok() && ipv6(before).is_ok() {
            return Err(Fault::new(
                "an IPv6 address without brackets, whose end may be a port",
                "write it in brackets, with the port behind them: `[::1]:7601`, or `[::1:7601]` without a port",
            ));
        }
        return Ok((ipv6(rest)?, None));
    }
    let (name, port) = match rest.split_once(':') {
        Some((name, text)) => (name, Some(port(text)?)),
        None => (rest, None),
    };
    Ok((name_of(name)?, port))
}

fn ipv6(text: &str) -> Result<Host, Fault> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-~".contains(c);
    let zone_is_valid = zone.is_none_or(|zone| !zone.is_empty() && zone.chars().all(plain));
    if address.parse::<Ipv6Addr>().is_err() || !zone_is_valid {
        return Err(Fault::new(
            "not a valid IPv6 address",
            "write it as `[2001:db8::1]:5432`, with the zone as `[fe80::1%eth0]:5432`",
        ));
    }
    Ok(Host::Name(text.to_owned()))
}

fn socket(text: &str) -> Result<(Host, Option<u16>), Fault> {
    if text.starts_with("//") {
        return Err(Fault::new(
            "`//` without the scheme of a URL",
            "write the host alone, such as `db.internal:5432`, or a socket's folder with one `/`",
        ));
    }
    // A folder may have a `:` in its name, such as `/cloudsql/project:region:instance`.
    let (folder, port) = match text.rsplit_once(':') {
        Some((folder, text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            (folder, Some(port(text)?))
        }
        _ => (text, None),
    };
    let name = Path::new(folder).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(number) = name.strip_prefix(".s.PGSQL.") {
        return Err(Fault::new(
            "the file of a socket stands where its folder is expected",
            format!("write the folder of that file, and the port ({number}) apart"),
        ));
    }
    if folder.contains(['?', '#', '=']) || folder.chars().any(|c| c.is_control() || c == ' ') {
        return Err(Fault::new("not the folder of a socket", "write it as `/run/postgresql`"));
    }
    Ok((Host::Socket(folder.into()), port))
}

fn name_of(name: &str) -> Result<Host, Fault> {
    let wrong = |why: &str| {
        Err(Fault::new(
            why,
            "name a host or an address, with or without a port: `db.internal:5432`",
        ))
    };
    if name.is_empty() {
        return wrong("a port without a host");
    }
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '.';
    if let Some(odd) = name.chars().find(|c| !plain(*c)) {
        return wrong(&format!("`{odd}` cannot stand in the name of a host"));
    }
    let labels = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 || labels.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return wrong("not a valid name of a host");
    }
    // As in the URL standard, a name that ends in a number can only be an IP address.
    let number = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    if labels.rsplit('.').next().is_some_and(number) && labels.parse::<Ipv4Addr>().is_err() {
        return wrong("not a valid IPv4 address");
    }
    Ok(Host::Name(name.to_owned()))
}

fn port(text: &str) -> Result<u16, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ => Err(Fault::new(
            if text.is_empty() {
                "the port is missing behind `:`"
            } else {
                "the port is not a number from 1 to 65535"
            },
            "write the port as a number, such as 5432, or leave it out with its `:`",
        )),
    }
}

/// Parses the part after the scheme of a URL.
fn of_url(rest: &str) -> Result<Address, Fault> {
    if let Some(odd) = rest.chars().find(|c| c.is_whitespace() || c.is_control()) {
        let what = if odd == ' ' { "a space" } else { "a control character" };
        return Err(Fault::new(
            format!("{what} stands in the URL"),
            "percent-encode it: a space is `%20`",
        ));
    }
    if rest.contains('#') {
        return Err(unescaped('#'));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    let (credentials, listed) = match authority.rsplit_once('@') {
        Some((credentials, listed)) => (Some(credentials), listed),
        None => (None, authority),
    };
    if credentials.is_some_and(|credentials| credentials.contains('@')) {
        return Err(unescaped('@'));
    }
    // An `@` after the end of the authority shows that the password contained an unescaped `/`.
    if path.contains('@') {
        return Err(unescaped('/'));
    }
    let split_password = credentials.is_none() && query.contains('@');
    let explained = |fault: Fault| if split_password { unescaped('?') } else { fault };
    let mut address = Address::default();
    if !listed.is_empty() {
        address.hosts = hosts(listed, HostForm::Url).map_err(explained)?;
    }
    if let Some(credentials) = credentials {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        if !user.is_empty() {
            address.user = Some(decode(user, "the user")?);
        }
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            address.password = Some(decode(password, "the password")?.into());
        }
    }
    let database = path.strip_prefix('/').unwrap_or(path);
    if database.contains('/') {
        return Err(Fault::new(
            "more than the name of a database stands behind the host",
            "write `/database` and nothing behind it; a `/` in the name is `%2F`",
        ));
    }
    if database.contains(';') {
        check_database(database)?;
    }
    if !database.is_empty() {
        address.database = Some(decode(database, "the database")?);
    }
    let mut seen: Vec<String> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            if !split_password && KNOWN.contains(&pair) {
                return Err(Fault::new(
                    format!("`{pair}` has no value"),
                    format!("write `{pair}=` and its value, or remove it"),
                ));
            }
            return Err(explained(unknown(if split_password { "" } else { pair })));
        };
        let name = decode(name, "a parameter").map_err(explained)?;
        let value = decode(value, "a parameter").map_err(explained)?;
        let already = match name.as_str() {
            "user" => address.user.is_some(),
            "password" => address.password.is_some(),
            "dbname" => address.database.is_some(),
            _ => seen.contains(&name),
        };
        if already {
            return Err(explained(twice(&name)));
        }
        // `options[name]` is sqlx's own spelling of one option.
        match name.strip_prefix("options[").and_then(|name| name.strip_suffix(']')) {
            Some(option) => address.options.push((option.to_owned(), value)),
            None => address.set(&name, value).map_err(explained)?,
        }
        seen.push(name);
    }
    address.check_ports()?;
    Ok(address)
}

/// Refuses a URL, or a part of one, in the place of a database's name.
pub(super) fn check_database(name: &str) -> Result<(), Fault> {
    if name.contains([';', '?', '/']) {
        return Err(Fault::new(
            "`;`, `?` or `/` in the name of the database",
            "write the name alone; parameters stand in db.url behind one `?`, separated by `&`",
        ));
    }
    Ok(())
}

fn twice(name: &str) -> Fault {
    Fault::new(format!("`{name}` is written twice"), "write it once")
}

fn unescaped(c: char) -> Fault {
    let code = match c {
        '#' => "`#` is `%23`",
        '@' => "`@` is `%40`",
        '?' => "`?` is `%3F`",
        _ => "`/` is `%2F`",
    };
    Fault::new(
        format!("an unescaped `{c}` ends the part of the URL in which it stands"),
        format!(
            "percent-encode it in the password (or user, or name): {code}; or set db.password apart from the URL"
        ),
    )
}

fn decode(text: &str, part: &str) -> Result<String, Fault> {
    let wrong = |why: &str| {
        Err(Fault::new(
            format!("{part}: {why}"),
            "percent-encode special characters: `%` itself is `%25`",
        ))
    };
    // The crate leaves a `%` without digits as it is; a typing error in an address has to be found.
    for escape in text.split('%').skip(1) {
        match escape.as_bytes() {
            [b'0', b'0', ..] => return wrong("`%00` cannot stand there"),
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
            _ => return wrong("`%` is not followed by two hexadecimal digits"),
        }
    }
    let decoded = percent_decode_str(text).decode_utf8().map(Cow::into_owned);
    decoded.or_else(|_| wrong("what is percent-encoded is not UTF-8"))
}

/// Parses libpq's `name=value` words. Values with spaces stand in single quotes, and a backslash
/// escapes the next character.
fn of_words(text: &str) -> Result<Address, Fault> {
    of_words_after(text, 0)
}

/// Parses words that stand after `words_before` others, for the number in a message.
fn of_words_after(text: &str, words_before: usize) -> Result<Address, Fault> {
    let mut address = Address::default();
    let mut seen: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = &rest[..end];
        let Some(value) = rest[end..].trim_start().strip_prefix('=') else {
            return Err(Fault::new(
                format!("word {} is not `name=value`", seen.len() + words_before + 1),
                "write `name=value`; a value with spaces stands in single quotes",
            ));
        };
        let (value, behind) = word(value.trim_start())?;
        if seen.iter().any(|known| known == name) {
            return Err(if is_words(&format!("{name}=")) { twice(name) } else { unknown("") });
        }
        // A word after an unquoted password is not repeated, because it may be the rest of the
        // password.
        let hidden = seen.last().is_some_and(|last| last == "password");
        let known = KNOWN.contains(&name) || name == "options";
        address.set(if known || !hidden { name } else { "" }, value)?;
        seen.push(name.to_owned());
        rest = behind.trim_start();
    }
    address.check_ports()?;
    Ok(address)
}

/// Returns the value at the beginning of `text`, and the text after it.
fn word(text: &str) -> Result<(String, &str), Fault> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => {
                let behind = &text[at + 1..];
                if behind.starts_with(|c: char| !c.is_whitespace()) {
                    break;
                }
                return Ok((value, behind));
            }
            c if c.is_whitespace() && !quoted => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(Fault::new(
            "a quoted value does not end where it should",
            "close it with `'`; a quote in it is `\\'`",
        ));
    }
    Ok((value, ""))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn endpoints(address: &Address) -> String {
        let shown = address.endpoints().into_iter().map(|(host, port)| format!("{host}:{port}"));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_form_of_an_endpoint_is_understood_whole() {
        for (text, wanted) in [
            ("db", "db:5432"),
            ("db.internal:6432", "db.internal:6432"),
            (" 127.0.0.1:5999 ", "127.0.0.1:5999"),
            ("127.0.0.1 port=5999", "127.0.0.1:5999"),
            ("host=127.0.0.1 port=5999", "127.0.0.1:5999"),
            ("db port = '6000' sslmode=require", "db:6000"),
            ("::1", "[::1]:5432"),
            ("[::1]:6432", "[::1]:6432"),
            ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"),
            ("fe80::1%eth0", "[fe80::1%eth0]:5432"),
            ("/run/postgresql", "/run/postgresql:5432"),
            ("/run/postgresql:6432", "/run/postgresql:6432"),
            ("/cloudsql/p:r:i", "/cloudsql/p:r:i:5432"),
            ("/cloudsql/p:r:i:6432", "/cloudsql/p:r:i:6432"),
            ("2001:db8::1", "[2001:db8::1]:5432"),
            ("[::1:7601]", "[::1:7601]:5432"),
            ("a:1,b:2", "a:1 b:2"),
            ("a,b", "a:5432 b:5432"),
            ("a,b port=6000", "a:6000 b:6000"),
            ("a,[::1],/run/x port=1,2,3", "a:1 [::1]:2 /run/x:3"),
        ] {
            let address =
                Address::of_endpoint(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            assert_eq!(endpoints(&address), wanted, "{text}");
        }
        let words = "db port=1 dbname=shop user=me password='it\\'s me' sslmode=verify-full \
            sslrootcert=/ca.pem application_name=a connect_timeout=3 target_session_attrs=standby";
        let address = Address::of_endpoint(words).unwrap();
        assert_eq!(address.database.as_deref(), Some("shop"));
        assert_eq!(address.user.as_deref(), Some("me"));
        assert_eq!(address.password.unwrap().expose_secret(), "it's me");
        assert_eq!(address.tls, Some(Tls::VerifyFull));
        assert_eq!(address.tls_ca.as_deref(), Some(Path::new("/ca.pem")));
        assert_eq!(address.connect_timeout, Some(Duration::from_secs(3)));
        assert_eq!(address.target, Some(SessionTarget::Standby));
    }

    #[test]
    fn an_endpoint_that_is_not_understood_is_refused() {
        for (text, why) in [
            ("127.0.0.1:99999", "1 to 65535"),
            ("127.0.0.1:65536", "1 to 65535"),
            ("db:0", "1 to 65535"),
            ("db:+5", "1 to 65535"),
            ("db:-1", "1 to 65535"),
            ("db:5432x", "1 to 65535"),
            ("db:", "missing"),
            (":5432", "port without a host"),
            ("", "host is missing"),
            ("a,", "host is missing"),
            (",", "host is missing"),
            ("a, b", "host is missing"),
            ("host:5999/", "1 to 65535"),
            ("host/db", "cannot stand"),
            ("host:5999 sslmod=require", "`sslmod`"),
            ("host require", "word 2"),
            ("host port=1 port=2", "twice"),
            ("host:1 port=2", "as well"),
            ("host host=b", "twice"),
            ("a,b port=1,2,3", "2 hosts, but 3 ports"),
            ("a port=1,2", "1 hosts, but 2 ports"),
            ("a port=", "no value"),
            ("a port=0", "1 to 65535"),
            ("postgres://u@h/d", "URL"),
            ("user@host:5432", "user stands before"),
            ("user:pw@host:5432", "user stands before"),
            ("@abstract", "user stands before"),
            ("127.0.0.999", "IPv4"),
            ("1.2.3", "IPv4"),
            ("[::1", "without"),
            ("[::1]5432", "behind `]`"),
            ("[::g]", "IPv6"),
            ("::1:5432:x", "IPv6"),
            ("[fe80::1%]:1", "IPv6"),
            ("a..b", "name of a host"),
            ("a b", "word 2"),
            ("::1:7601", "may be a port"),
            ("fe80::1:65535", "may be a port"),
            ("//127.0.0.1:7601", "`//`"),
            ("/run/postgresql/.s.PGSQL.5432", "file of a socket"),
            ("/run/postgresql:", "missing"),
            ("h sslmode=allow", "allow"),
            ("h sslmode=on", "sslmode"),
            ("h connect_timeout=0", "connect_timeout"),
            ("h connect_timeout=5s", "connect_timeout"),
            ("h target_session_attrs=master", "target_session_attrs"),
            ("h client_encoding=latin1", "client_encoding"),
            ("h keepalives=1", "`keepalives`"),
            ("h options='-d 5'", "options"),
            ("h password='x", "quoted value"),
        ] {
            let fault = Address::of_endpoint(text).expect_err(text);
            assert!(fault.why.contains(why), "{text}: {fault:?}");
            assert!(!fault.fix.is_empty(), "{text}");
        }
    }

    #[test]
    fn every_form_of_a_url_is_understood_whole() {
        for (text, wanted) in [
            ("postgres://me@h/d", "h:5432"),
            ("postgresql://me:p%40%2F%23@h:6000/d", "h:6000"),
            ("postgres://me@[::1]:6000/d", "[::1]:6000"),
            ("postgres://me@[fe80::1%25eth0]/d", "[fe80::1%eth0]:5432"),
            ("postgres://me@a:1,b:2/d", "a:1 b:2"),
            ("postgres://me@a,b:2/d", "a:5432 b:2"),
            ("postgres://me@a,b/d?port=7", "a:7 b:7"),
            ("postgres://me@%2Frun%2Fpostgresql/d", "/run/postgresql:5432"),
            ("postgres://me@%2Frun%2Fpostgresql:7/d", "/run/postgresql:7"),
            ("postgres:///d?user=me&host=/run/postgresql", "/run/postgresql:5432"),
            ("postgres://me@/d?host=a,b&port=1,2", "a:1 b:2"),
            ("postgres://h/d?user=me@corp", "h:5432"),
            ("host=h port=6 dbname=d user='m e'", "h:6"),
            ("postgres://a:p@/d?host=/cloudsql/p:r:i", "/cloudsql/p:r:i:5432"),
            ("postgres://a:p@%2Fcloudsql%2Fp%3Ar%3Ai/d", "/cloudsql/p:r:i:5432"),
        ] {
            let address = Address::parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            assert_eq!(endpoints(&address), wanted, "{text}");
            assert_eq!(address.database.as_deref(), Some("d"), "{text}");
            assert!(address.user.is_some(), "{text}");
        }
        let text = "postgresql://me:p%40%2F%23@h/d?sslmode=disable&application_name=a%20b\
            &connect_timeout=9&options=-c%20search_path%3Da%5C%20b%20--work_mem%3D1MB&options[x.y]=1";
        let address = Address::parse(text).unwrap();
        assert_eq!(address.password.unwrap().expose_secret(), "p@/#");
        assert_eq!(address.application_name.as_deref(), Some("a b"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            address.options,
            [pair("search_path", "a b"), pair("work_mem", "1MB"), pair("x.y", "1")]
        );
    }

    #[test]
    fn a_url_that_is_not_understood_is_refused_without_its_password() {
        for (text, why, fix) in [
            ("postgres://a:hunter2#c@h/d", "`#`", "%23"),
            ("postgres://a:hunter2@c@h/d", "`@`", "%40"),
            ("postgres://a:hunter2/c@h/d", "`/`", "%2F"),
            ("postgres://a:hunter2?c@h/d", "`?`", "%3F"),
            ("postgres://a:1?hunter2@h/d", "`?`", "%3F"),
            ("postgres://a:1?hunter2=x@h/d", "`?`", "%3F"),
            ("postgres://a:hunter2%zz@h/d", "hexadecimal", "%25"),
            ("postgres://a:hunter2%@h/d", "hexadecimal", "%25"),
            ("postgres://a:hunter2%FF@h/d", "UTF-8", "%25"),
            ("postgres://a:hunter2%00@h/d", "%00", "%25"),
            ("postgres://a:hunter2 b@h/d", "space", "%20"),
            ("postgres://a:hunter2@h:99999/d", "65535", "5432"),
            ("postgres://a:hunter2@h:/d", "missing", "5432"),
            ("postgres://a:hunter2@::1/d", "brackets", "[::1]"),
            ("postgres://a:hunter2@h/d/e", "more than", "%2F"),
            ("postgres://a:hunter2@h/d/", "more than", "/database"),
            ("postgres://a:hunter2@h1,,h2/d", "missing", "list"),
            ("postgres://a:hunter2@h/d?sslmod=require", "`sslmod`", "sslmode"),
            ("postgres://a:hunter2@h/d?keepalives=1", "`keepalives`", "remove"),
            ("postgres://a:hunter2@h/d?ssl=true", "`ssl`", "sslmode=require"),
            ("postgres://a:hunter2@h/d?sslmode", "no value", "sslmode="),
            ("postgres://a:hunter2@h/d?user=b", "twice", "once"),
            ("postgres://a:hunter2@h/d?host=b", "twice", "once"),
            ("postgres://a:hunter2@h/d?port=1&port=2", "twice", "once"),
            ("postgres://a:hunter2@h,i/d?port=1,2,3", "ports", "each"),
            ("host=h password=correct hunter2", "word 3", "quotes"),
            ("host=h password=correct hunter2=x", "not written", "quotes"),
        ] {
            let fault = Address::parse(text).expect_err(text);
            assert!(fault.why.contains(why) && fault.fix.contains(fix), "{text}: {fault:?}");
            assert!(!format!("{fault:?}").contains("hunter2"), "{text}: {fault:?}");
        }
    }

    #[test]
    fn what_is_named_apart_replaces_that_part_alone() {
        let url = || Address::parse("postgres://me:pw@h1:6000,h2:6000/d?sslmode=require").unwrap();
        let over = |text: &str| Address::of_endpoint(text).unwrap().over(url());
        assert_eq!(endpoints(&over("other")), "other:6000");
        assert_eq!(endpoints(&over("other:7")), "other:7");
        assert_eq!(endpoints(&over("other port=8 sslmode=disable")), "other:8");
        assert_eq!(over("other sslmode=disable").tls, Some(Tls::Disable));
        assert_eq!(over("other").tls, Some(Tls::Require));
        assert_eq!(over("other").user.as_deref(), Some("me"));
        let port = Address { ports: vec![9], ..Address::default() };
        assert_eq!(endpoints(&port.over(url())), "h1:9 h2:9");
    }
}
