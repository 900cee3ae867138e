//! Hosts of a PostgreSQL address: names, IP addresses and sockets, with their ports.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::escaping::decode;
use crate::db::address_fault::AddressFault;

/// Maximum number of hosts in one address.
const MAX_HOSTS: usize = 32;

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

/// The position of a list of hosts, which decides how it is escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HostForm {
    /// In the authority of a URL: percent-encoded, with ports.
    Url,
    /// In `db.host`: with ports.
    Plain,
    /// In `host=`, with ports: libpq allows none there, but they are a common mistake.
    Parameter,
}

/// Parses a list of hosts.
pub(super) fn hosts(text: &str, form: HostForm) -> Result<Vec<(Host, Option<u16>)>, AddressFault> {
    let items: Vec<&str> = text.split(',').collect();
    if items.len() > MAX_HOSTS {
        return Err(AddressFault::new(format!("more than {MAX_HOSTS} hosts"), "name fewer"));
    }
    items.into_iter().map(|item| host(item, form)).collect()
}

/// Parses one host, with or without a port.
fn host(text: &str, form: HostForm) -> Result<(Host, Option<u16>), AddressFault> {
    let decoded;
    let mut rest = text;
    if form == HostForm::Url && !text.starts_with('[') {
        decoded = decode(text, "the host")?;
        rest = &decoded;
    }
    if rest.is_empty() {
        return Err(AddressFault::new(
            "a host is missing",
            "name it, such as `db.internal:5432`; a list is `one:5432,two:5432`, without spaces",
        ));
    }
    if let Some(inside) = rest.strip_prefix('[') {
        return bracketed(inside);
    }
    if rest.starts_with('/') {
        return socket_folder(rest);
    }
    if rest.starts_with('@') {
        let why = "an abstract socket is not supported";
        return Err(AddressFault::new(
            why,
            "name the folder of the socket, such as `/run/postgresql`",
        ));
    }
    // A port is not split off after several colons, because without brackets they can only be an
    // IPv6 address.
    if rest.matches(':').count() > 1 {
        return unbracketed_ipv6(rest, form);
    }
    let (name, port) = match rest.split_once(':') {
        Some((name, text)) => (name, Some(port(text)?)),
        None => (rest, None),
    };
    Ok((host_name(name)?, port))
}

/// Parses the text after `[`: an IPv6 address, with or without a port.
fn bracketed(inside: &str) -> Result<(Host, Option<u16>), AddressFault> {
    const FIX: &str = "write an IPv6 address as `[::1]:5432`";
    let (address, behind) =
        inside.split_once(']').ok_or_else(|| AddressFault::new("`[` without `]`", FIX))?;
    let address = address.replacen("%25", "%", 1);
    let port = match behind.strip_prefix(':') {
        Some(text) => Some(port(text)?),
        None if behind.is_empty() => None,
        None => {
            return Err(AddressFault::new("something other than a port stands behind `]`", FIX));
        }
    };
    Ok((ipv6(&address)?, port))
}

/// Parses an IPv6 address without brackets. Refuses one whose end may be a port.
fn unbracketed_ipv6(text: &str, form: HostForm) -> Result<(Host, Option<u16>), AddressFault> {
    if form == HostForm::Url {
        return Err(AddressFault::new(
            "an IPv6 address without brackets, or a `:` too many",
            "write an IPv6 address as `[::1]:5432`; a `:` in a user name is `%3A`",
        ));
    }
    let (before, last) = text.rsplit_once(':').unwrap_or((text, ""));
    if last.len() >= 4 && port(last).is_ok() && ipv6(before).is_ok() {
        return Err(AddressFault::new(
            "an IPv6 address without brackets, whose end may be a port",
            "write it in brackets, with the port behind them: `[::1]:7601`, or `[::1:7601]` without a port",
        ));
    }
    Ok((ipv6(text)?, None))
}

fn ipv6(text: &str) -> Result<Host, AddressFault> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-~".contains(c);
    let zone_is_valid = zone.is_none_or(|zone| !zone.is_empty() && zone.chars().all(plain));
    if address.parse::<Ipv6Addr>().is_err() || !zone_is_valid {
        return Err(AddressFault::new(
            "not a valid IPv6 address",
            "write it as `[2001:db8::1]:5432`, with the zone as `[fe80::1%eth0]:5432`",
        ));
    }
    Ok(Host::Name(text.to_owned()))
}

fn socket_folder(text: &str) -> Result<(Host, Option<u16>), AddressFault> {
    if text.starts_with("//") {
        return Err(AddressFault::new(
            "`//` without the scheme of a URL",
            "write the host alone, such as `db.internal:5432`, or a socket's folder with one `/`",
        ));
    }
    // Only digits count as a port, because a folder may have a `:` in its name, such as `/cloudsql/project:region:instance`.
    let (folder, port) = match text.rsplit_once(':') {
        Some((folder, text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            (folder, Some(port(text)?))
        }
        _ => (text, None),
    };
    let name = Path::new(folder).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(number) = name.strip_prefix(".s.PGSQL.") {
        return Err(AddressFault::new(
            "the file of a socket stands where its folder is expected",
            format!("write the folder of that file, and the port ({number}) apart"),
        ));
    }
    if folder.contains(['?', '#', '=']) || folder.chars().any(|c| c.is_control() || c == ' ') {
        return Err(AddressFault::new(
            "not the folder of a socket",
            "write it as `/run/postgresql`",
        ));
    }
    Ok((Host::Socket(folder.into()), port))
}

fn host_name(name: &str) -> Result<Host, AddressFault> {
    let wrong = |why: &str| {
        Err(AddressFault::new(
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
    // A name that ends in a number must be an IP address, because the URL standard and resolvers read
    // it as one.
    let number = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    if labels.rsplit('.').next().is_some_and(number) && labels.parse::<Ipv4Addr>().is_err() {
        return wrong("not a valid IPv4 address");
    }
    Ok(Host::Name(name.to_owned()))
}

pub(super) fn port(text: &str) -> Result<u16, AddressFault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ => Err(AddressFault::new(
            if text.is_empty() {
                "the port is missing behind `:`"
            } else {
                "the port is not a number from 1 to 65535"
            },
            "write the port as a number, such as 5432, or leave it out with its `:`",
        )),
    }
}
