//! Parses the values of `db.url` and `db.host`.

use super::host::{HostForm, hosts};
use super::keyword_value::{is_keyword_value, parse_keywords, parse_keywords_after};
use super::server_address::ServerAddress;
use super::url::parse_url;
use crate::db::address_fault::AddressFault;

/// Parses the value of `db.url`: a URL, or libpq's keyword/value form.
pub(in crate::db::postgres) fn parse_address(text: &str) -> Result<ServerAddress, AddressFault> {
    let text = text.trim();
    for scheme in ["postgres://", "postgresql://"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            return parse_url(rest);
        }
    }
    parse_keywords(text)
}

/// Parses the value of `db.host`: hosts with or without ports, optionally followed by libpq's
/// keywords, because older services insert the value into `host=<endpoint>`.
pub(in crate::db::postgres) fn parse_endpoint(text: &str) -> Result<ServerAddress, AddressFault> {
    let text = text.trim();
    if text.contains("://") {
        return Err(AddressFault::new(
            "a URL stands where the name of a host is expected",
            "write the URL as db.url (DATABASE_URL), or the host alone, such as `db.internal:5432`",
        ));
    }
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if is_keyword_value(text) {
        return parse_keywords(text);
    }
    if first.contains('@') {
        return Err(AddressFault::new(
            "a user stands before the host",
            "write the user as db.user and the password as db.password, and here the host alone",
        ));
    }
    let named = hosts(first, HostForm::Plain)?;
    let mut address = parse_keywords_after(rest, 1)?;
    if !address.hosts.is_empty() {
        return Err(AddressFault::new("the host is named twice", "remove the word `host=`"));
    }
    address.hosts = named;
    address.check_ports()?;
    Ok(address)
}
