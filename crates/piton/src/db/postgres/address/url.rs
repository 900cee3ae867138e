//! Parses PostgreSQL URLs.

use super::escaping::{decode, unescaped};
use super::host::{HostForm, hosts};
use super::parameters::{PARAMETERS, check_database, unknown_parameter, written_twice};
use super::server_address::ServerAddress;
use crate::db::address_fault::AddressFault;

/// Parses the part after the scheme of a URL.
pub(super) fn parse_url(rest: &str) -> Result<ServerAddress, AddressFault> {
    if let Some(odd) = rest.chars().find(|c| c.is_whitespace() || c.is_control()) {
        let what = if odd == ' ' { "a space" } else { "a control character" };
        return Err(AddressFault::new(
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
    // An `@` in the path is refused as an unescaped `/`, because a `/` in the password ends the
    // authority before the `@`.
    if path.contains('@') {
        return Err(unescaped('/'));
    }
    let split_password = credentials.is_none() && query.contains('@');
    let explained = |fault: AddressFault| if split_password { unescaped('?') } else { fault };
    let mut address = ServerAddress::default();
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
        return Err(AddressFault::new(
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
            if !split_password && PARAMETERS.contains(&pair) {
                return Err(AddressFault::new(
                    format!("`{pair}` has no value"),
                    format!("write `{pair}=` and its value, or remove it"),
                ));
            }
            return Err(explained(unknown_parameter(if split_password { "" } else { pair })));
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
            return Err(explained(written_twice(&name)));
        }
        // Accepted, because `options[name]` is sqlx's own spelling of one option.
        match name.strip_prefix("options[").and_then(|name| name.strip_suffix(']')) {
            Some(option) => address.options.push((option.to_owned(), value)),
            None => address.set(&name, value).map_err(explained)?,
        }
        seen.push(name);
    }
    address.check_ports()?;
    Ok(address)
}
