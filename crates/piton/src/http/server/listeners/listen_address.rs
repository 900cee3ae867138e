//! An entry of the setting `http.listen`.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::config::Setting;

/// Mode of a Unix socket for which none is written: its owner and its group may connect.
const DEFAULT_MODE: u32 = 0o660;

/// An address to listen on: `127.0.0.1:5000`, `[::1]:5000`, `unix:/run/app.sock`, or `fd:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address of this machine and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(UnixAddress),
    /// A socket that the service manager has handed over: its name in `LISTEN_FDNAMES`, or its file
    /// descriptor, of which the first is 3.
    Inherited(String),
}

/// The path of a Unix socket, and who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixAddress {
    /// The path of the socket's file.
    pub path: PathBuf,
    /// The file's mode, such as `0o660`.
    pub mode: u32,
    /// The name or number of the file's owner, if it is not the process's user.
    pub owner: Option<String>,
    /// The name or number of the file's group, if it is not the process's.
    pub group: Option<String>,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("unix:") {
            return UnixAddress::parse(rest).map(Self::Unix);
        }
        if let Some(name) = text.strip_prefix("fd:").filter(|name| !name.is_empty()) {
            return Ok(Self::Inherited(name.to_owned()));
        }
        text.parse().map(Self::Tcp).map_err(|_| format!("expected {}", Self::expects()))
    }
}

impl UnixAddress {
    /// Parses `/run/app.sock?mode=660&owner=www-data&group=www-data`.
    fn parse(text: &str) -> Result<Self, String> {
        let (path, options) = text.split_once('?').unwrap_or((text, ""));
        if !path.starts_with('/') {
            return Err(format!("expected a whole path after `unix:`, not `{path}`"));
        }
        let mut address =
            Self { path: PathBuf::from(path), mode: DEFAULT_MODE, owner: None, group: None };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            address.set(option)?;
        }
        Ok(address)
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        let unknown =
            || format!("expected `mode=660`, `owner=NAME` or `group=NAME`, not `{option}`");
        let (name, value) =
            option.split_once('=').filter(|(_, value)| !value.is_empty()).ok_or_else(unknown)?;
        match name {
            "mode" => {
                let mode = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777);
                self.mode = mode.ok_or_else(|| {
                    format!("expected a mode in octal digits, such as `660`, not `{value}`")
                })?;
            }
            "owner" => self.owner = Some(value.to_owned()),
            "group" => self.group = Some(value.to_owned()),
            _ => return Err(unknown()),
        }
        Ok(())
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(address) => address.fmt(f),
            Self::Inherited(name) => write!(f, "fd:{name}"),
        }
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", self.path.display())?;
        let mode = (self.mode != DEFAULT_MODE).then(|| format!("mode={:o}", self.mode));
        let owner = self.owner.as_ref().map(|owner| format!("owner={owner}"));
        let group = self.group.as_ref().map(|group| format!("group={group}"));
        let mut mark = '?';
        for option in [mode, owner, group].into_iter().flatten() {
            write!(f, "{mark}{option}")?;
            mark = '&';
        }
        Ok(())
    }
}

impl Setting for ListenAddress {
    fn expects() -> Cow<'static, str> {
        "an address with its port, such as `127.0.0.1:5000` or `[::1]:5000`, or `unix:/run/app.sock`, or \
         `fd:NAME`"
            .into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| format!("expected {}", Self::expects()))?.parse()
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["127.0.0.1:5000", "[::1]:5000", "unix:/run/app.sock"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ListenAddress, String> {
        text.parse()
    }

    #[test]
    fn addresses_are_shown_as_they_were_written() {
        for text in [
            "127.0.0.1:5000",
            "[::1]:5000",
            "unix:/run/app.sock",
            "unix:/run/app.sock?mode=600&owner=www-data&group=33",
            "fd:web",
            "fd:3",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse("unix:/x?mode=660").unwrap().to_string(), "unix:/x");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("5000", "expected an address with its port"),
            ("localhost:5000", "expected an address with its port"),
            ("unix:run/app.sock", "expected a whole path"),
            ("unix:/x?mode=999", "in octal digits"),
            ("unix:/x?mode=", "expected `mode=660`"),
            ("unix:/x?user=me", "not `user=me`"),
            ("fd:", "expected an address with its port"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(reason), "{text}: {why}");
        }
    }
}
