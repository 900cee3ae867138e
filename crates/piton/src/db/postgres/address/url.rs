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
    // Without credentials, an `@` in the query shows that a `?` in the password ended the authority.
    // Every other fault is replaced then, because its message would quote a part of the password.
    let is_password_cut = credentials.is_none() && query.contains('@');
    let explained = |fault: AddressFault| if is_password_cut { unescaped('?') } else { fault };
    let mut address = ServerAddress::default();
    if !listed.is_empty() {
        address.hosts = hosts(listed, HostForm::Url).map_err(explained)?;
    }
    if let Some(credentials) = credentials {
        set_credentials(&mut address, credentials)?;
    }
    set_database(&mut address, path.strip_prefix('/').unwrap_or(path))?;
    set_parameters(&mut address, query).map_err(explained)?;
    address.check_ports()?;
    Ok(address)
}

fn set_credentials(address: &mut ServerAddress, credentials: &str) -> Result<(), AddressFault> {
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
    Ok(())
}

fn set_database(address: &mut ServerAddress, database: &str) -> Result<(), AddressFault> {
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
    Ok(())
}

/// Sets the parameters of the query.
fn set_parameters(address: &mut ServerAddress, query: &str) -> Result<(), AddressFault> {
    let mut seen: Vec<String> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| without_value(pair))?;
        let (name, value) = (decode(name, "a parameter")?, decode(value, "a parameter")?);
        let is_set = match name.as_str() {
            "user" => address.user.is_some(),
            "password" => address.password.is_some(),
            "dbname" => address.database.is_some(),
            _ => seen.contains(&name),
        };
        if is_set {
            return Err(written_twice(&name));
        }
        // Accepted, because `options[name]` is sqlx's own spelling of one option.
        match name.strip_prefix("options[").and_then(|name| name.strip_suffix(']')) {
            Some(option) => address.options.push((option.to_owned(), value)),
            None => address.set(&name, value)?,
        }
        seen.push(name);
    }
    Ok(())
}

/// Returns the fault of a parameter without a `=`.
fn without_value(name: &str) -> AddressFault {
    if PARAMETERS.contains(&name) {
        return AddressFault::new(
            format!("`{name}` has no value"),
            format!("write `{name}=` and its value, or remove it"),
        );
    }
    unknown_parameter(name)
}
