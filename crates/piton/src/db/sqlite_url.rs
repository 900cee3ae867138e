//! Parses addresses of SQLite files: each has one meaning, or is refused with the fix.
//!
//! Libraries disagree about these addresses: `sqlite:///x.db` is a relative path to SQLAlchemy and an absolute
//! one to sqlx. A wrong guess opens a new, empty file, and the data seems to be lost.
//!
//! | address | file |
//! |---|---|
//! | `sqlite:data/x.db`, `sqlite://data/x.db` | `data/x.db`, from the working directory |
//! | `sqlite:/var/lib/x.db`, `sqlite:////var/lib/x.db` | `/var/lib/x.db` |
//! | `?mode=rwc` (the default), `?mode=rw` | the file is created if missing, or has to exist |
//! | `%20` | decoded, as in every URL |

use std::path::{Path, PathBuf};

use super::address_fault::AddressFault;
use super::percent_decoding::{PercentFault, percent_decode};

/// A SQLite file, as an address or a path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SqliteFile {
    /// The file, as the operating system names it.
    pub path: PathBuf,
    /// Set if a missing file is created, which is the default; not set with `mode=rw`.
    pub create: bool,
}

const EXAMPLE: &str = "write `sqlite:data/service.db`";

/// Returns the part of `text` after the scheme, if the scheme is SQLite's.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("sqlite").then_some(rest)
}

/// Explains why `text` is not a SQLite address, if it resembles one in an unsupported form.
pub(super) fn explain_other_form(text: &str) -> Option<String> {
    let (scheme, _) = text.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "file" {
        return Some(format!("`file:` addresses are not read: {EXAMPLE}"));
    }
    if scheme == "sqlite3" || scheme.starts_with("sqlite+") {
        return Some(format!("the scheme of SQLite is `sqlite:`, without a driver: {EXAMPLE}"));
    }
    None
}

/// Parses the part after `sqlite:`.
///
/// # Errors
/// The reason of the refusal, and the fix.
pub(super) fn parse(rest: &str) -> Result<SqliteFile, String> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if let Some((why, fix)) = spelling_fault(path) {
        return Err(format!("{why}: {fix}"));
    }
    if rest.contains('#') {
        return Err("a fragment (`#`) means nothing in the address of a file: leave it out, or spell it `%23` in the name".into());
    }
    let create = mode(query)?;
    let path = decode(without_slashes(path)?)?;
    match path_form_fault(&path) {
        Some((why, fix)) => Err(format!("{why}: {fix}")),
        None => Ok(SqliteFile { path: path.into(), create }),
    }
}

/// Removes the slashes of an authority, which a file does not have.
fn without_slashes(path: &str) -> Result<&str, String> {
    let slashes = path.bytes().take_while(|byte| *byte == b'/').count();
    let name = &path[slashes..];
    if slashes > 1 && (name.is_empty() || name == ":memory:") {
        return Ok(name);
    }
    match slashes {
        0 | 1 => Ok(path),
        2 if has_host(name) => {
            Err(format!("a file has no host, user or port, so two slashes start a path: {EXAMPLE}"))
        }
        2 => Ok(name),
        3 => Err(format!(
            "three slashes are ambiguous (SQLAlchemy reads a relative path, sqlx an absolute one): for the \
             relative path write `sqlite:{name}`, for the absolute one write `sqlite:/{name}`"
        )),
        _ => Ok(&path[slashes - 1..]),
    }
}

/// Returns whether the text after `//` starts like the authority of a URL. Other names are relative
/// paths, as in sqlx.
fn has_host(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    first.eq_ignore_ascii_case("localhost")
        || first.contains(['@', ':', '['])
        || first.parse::<std::net::IpAddr>().is_ok()
}

/// Parses the query: returns whether a missing file is created.
fn mode(query: &str) -> Result<bool, String> {
    let mut create = None;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let read = match (name, value) {
            ("mode", "rwc") => true,
            ("mode", "rw") => false,
            ("mode", "ro") => {
                return Err("`mode=ro` cannot work, as the service keeps its migrations in the file: use `mode=rw`".into());
            }
            ("mode", "memory") => return Err(in_memory()),
            ("mode", _) => return Err("`mode` is `rwc` (the default) or `rw`".into()),
            ("timeout" | "busy_timeout", _) => {
                return Err("how long to wait for a lock is the setting `db.busy_timeout`: leave the parameter out".into());
            }
            (name, _) => {
                return Err(format!(
                    "`{}` is not a parameter of a SQLite address; the only one is `mode`: leave it out",
                    name.escape_debug()
                ));
            }
        };
        if create.replace(read).is_some() {
            return Err("`mode` is given twice: leave one out".into());
        }
    }
    Ok(create.unwrap_or(true))
}

fn in_memory() -> String {
    format!(
        "each connection would have an in-memory database of its own, which is lost with it: {EXAMPLE}"
    )
}

/// Decodes percent-encoded characters.
fn decode(path: &str) -> Result<String, String> {
    percent_decode(path).map_err(|fault| match fault {
        PercentFault::Malformed => {
            "`%` introduces two hexadecimal digits in an address: a percent sign in the name is spelled `%25`".to_owned()
        }
        PercentFault::NotUtf8 => "the path is not UTF-8 when decoded".to_owned(),
    })
}

/// Explains why a plain path, such as that of `db.path`, cannot be that of a database.
pub(super) fn path_fault(path: &Path) -> Option<AddressFault> {
    explain_path(path).map(|(why, fix)| AddressFault::new(why, fix))
}

fn explain_path(path: &Path) -> Option<(&'static str, &'static str)> {
    let Some(text) = path.to_str() else {
        return Some(("the path is not UTF-8", "data/service.db"));
    };
    if strip_scheme(text).is_some() {
        return Some(("an address, not a path", "remove the `sqlite:`, or use db.url"));
    }
    if let Some(fault) = spelling_fault(text) {
        return Some(fault);
    }
    if text.contains('?') {
        let fix = "db.url = \"sqlite:data/service.db?mode=rw\", or spell it `%3F` there";
        return Some(("parameters belong into an address, not into a path", fix));
    }
    path_form_fault(text)
}

/// Explains why the text of a path or an address, before it is decoded, means something else than a
/// file. Does not repeat the text: it may be the address of a server, with a password.
fn spelling_fault(text: &str) -> Option<(&'static str, &'static str)> {
    const TO_URL: &str =
        "write the address of a server as db.url, and here a file such as `data/service.db`";
    let is_server = |name: &str| {
        ["postgres", "postgresql", "mysql", "mariadb"]
            .iter()
            .any(|scheme| name.eq_ignore_ascii_case(scheme))
    };
    let (scheme, _) = text.split_once(':').unwrap_or_default();
    let first = text.split('/').next().unwrap_or_default();
    let has_user = first.split_once('@').is_some_and(|(user, _)| user.contains(':'));
    let is_word =
        |word: &str| ["host=", "password=", "dbname="].iter().any(|name| word.starts_with(name));
    let has_words = text.split_whitespace().any(is_word);
    if text.contains("://") || is_server(scheme) || has_user || has_words {
        return Some(("the address of a server, not a file", TO_URL));
    }
    if strip_scheme(text).is_some() || explain_other_form(text).is_some() {
        // `file:` is left to `path_form_fault`, because its message is more exact.
        return (scheme != "file").then_some((
            "an address within an address, or of another library",
            "write `sqlite:` once as db.url, or only the file as db.path",
        ));
    }
    if text.trim() != text && !text.trim().is_empty() {
        let fix = "remove the whitespace, or spell it `%20` in db.url";
        return Some(("whitespace before or after the name", fix));
    }
    if text.starts_with(['"', '\'', '`']) || text.ends_with(['"', '\'', '`']) {
        let fix = "remove the quotes: they are for shells, and belong to the name here";
        return Some(("quotes stand around the name", fix));
    }
    if text.contains("${") || text.contains("$(") {
        let fix = "write the whole path";
        return Some(("`~` and variables are expanded by shells, and not here", fix));
    }
    if text.split(['&', ';']).skip(1).any(|parameter| parameter.contains('=')) {
        let fix = "write `sqlite:data/service.db?mode=rw` as db.url";
        return Some(("parameters of an address start with `?`", fix));
    }
    None
}

/// Explains why a decoded path does not name a file.
fn path_form_fault(path: &str) -> Option<(&'static str, &'static str)> {
    const NAME_A_FILE: &str =
        "write `sqlite:data/service.db` as db.url, or `data/service.db` as db.path";
    if path.trim().is_empty() {
        return Some(("no file is named", NAME_A_FILE));
    }
    // Refused even after a folder's name, because SQLite does not treat such a name as a file.
    if path.contains(":memory:") {
        let why =
            "each connection would have an in-memory database of its own, which is lost with it";
        return Some((why, NAME_A_FILE));
    }
    if path.starts_with("file:") {
        return Some(("`file:` addresses are not read", NAME_A_FILE));
    }
    if path.starts_with(['~', '$']) {
        let fix = "write the whole path, or `./` before a name that starts so";
        return Some(("`~` and variables are expanded by shells, and not here", fix));
    }
    if path.ends_with('/') || [".", ".."].contains(&path.rsplit('/').next().unwrap_or_default()) {
        return Some(("a folder, not a file", NAME_A_FILE));
    }
    if path.contains('\\') {
        return Some(("a backslash separates nothing here", "separate folders with `/`"));
    }
    if path.contains(char::is_control) {
        return Some(("the path holds a control character", NAME_A_FILE));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(address: &str) -> Result<(String, bool), String> {
        let rest = strip_scheme(address).unwrap_or_else(|| panic!("{address} is SQLite's"));
        parse(rest).map(|it| (it.path.to_str().unwrap().to_owned(), it.create))
    }

    #[test]
    fn each_supported_form_names_one_file() {
        for (address, path, create) in [
            ("sqlite:app.db", "app.db", true),
            ("sqlite:data/app.db", "data/app.db", true),
            ("sqlite:./app.db", "./app.db", true),
            ("sqlite:../app.db", "../app.db", true),
            ("sqlite:/var/lib/app.db", "/var/lib/app.db", true),
            ("sqlite://app.db", "app.db", true),
            ("sqlite://data/app.db", "data/app.db", true),
            ("sqlite:////var/lib/app.db", "/var/lib/app.db", true),
            ("SQLite:app.db", "app.db", true),
            ("sqlite:app.db?", "app.db", true),
            ("sqlite://app.db?mode=rwc", "app.db", true),
            ("sqlite:app.db?mode=rw", "app.db", false),
            ("sqlite:my%20app.db", "my app.db", true),
            ("sqlite:my app.db", "my app.db", true),
            ("sqlite:caf%C3%A9.db", "café.db", true),
            ("sqlite:100%25.db", "100%.db", true),
            ("sqlite:what%3F%23.db", "what?#.db", true),
            ("sqlite:./~app.db", "./~app.db", true),
        ] {
            assert_eq!(opened(address), Ok((path.to_owned(), create)), "{address}");
        }
    }

    #[test]
    fn every_other_form_is_refused_with_the_fix() {
        for (address, why) in [
            ("sqlite:", "no file is named"),
            ("sqlite://", "no file is named"),
            ("sqlite:///", "no file is named"),
            ("sqlite:?mode=rwc", "no file is named"),
            ("sqlite:%20", "no file is named"),
            ("sqlite::memory:", "in-memory"),
            ("sqlite://:memory:", "in-memory"),
            ("sqlite:///:memory:", "in-memory"),
            ("sqlite:%3Amemory%3A", "in-memory"),
            ("sqlite:file::memory:?mode=memory", "in-memory"),
            ("sqlite:app.db?mode=memory", "in-memory"),
            ("sqlite:///app.db", "three slashes"),
            ("sqlite:///var/lib/app.db", "for the absolute one write `sqlite:/var/lib/app.db`"),
            ("sqlite://localhost/app.db", "no host"),
            ("sqlite://LOCALHOST/app.db", "no host"),
            ("sqlite://127.0.0.1/app.db", "no host"),
            ("sqlite://db:5432/app.db", "no host"),
            ("sqlite://me:hunter2@db/app.db", "no host"),
            ("sqlite://[::1]/app.db", "no host"),
            ("sqlite:app.db?mode=ro", "`mode=ro`"),
            ("sqlite:app.db?mode=RWC", "`mode` is"),
            ("sqlite:app.db?mode", "`mode` is"),
            ("sqlite:app.db?mode=rw&mode=rwc", "twice"),
            ("sqlite:app.db?cache=shared", "`cache`"),
            ("sqlite:app.db?timeout=5", "db.busy_timeout"),
            ("sqlite:app.db#x", "fragment"),
            ("sqlite:100%.db", "%25"),
            ("sqlite:a%zz.db", "%25"),
            ("sqlite:a%+1.db", "%25"),
            ("sqlite:a%ff.db", "not UTF-8"),
            ("sqlite:a%00.db", "control character"),
            ("sqlite:data/", "a folder"),
            ("sqlite:.", "a folder"),
            ("sqlite:data/..", "a folder"),
            ("sqlite:~/app.db", "expanded by shells"),
            ("sqlite://~/app.db", "expanded by shells"),
            ("sqlite:$HOME/app.db", "expanded by shells"),
            ("sqlite:file:app.db", "`file:`"),
            (r"sqlite:data\app.db", "backslash"),
            ("sqlite:/x/app.db&mode=rw", "start with `?`"),
            ("sqlite:/x/app.db;mode=rw", "start with `?`"),
            ("sqlite:app.db&cache=shared?mode=rw", "start with `?`"),
            ("sqlite: x/app.db", "whitespace"),
            ("sqlite:x/app.db ?mode=rw", "whitespace"),
            ("sqlite:\"x/app.db\"", "quotes"),
            ("sqlite:data/${NAME}.db", "expanded by shells"),
            ("sqlite:sqlite:app.db", "within an address"),
            ("sqlite:postgres://me:hunter2@db/app", "of a server"),
            ("sqlite:me:hunter2@db/app", "of a server"),
        ] {
            let refused = opened(address).unwrap_err();
            assert!(refused.contains(why), "{address}: {refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_path_is_used_as_it_is_and_never_as_an_address() {
        for path in [
            "data/app.db",
            "/var/lib/my app.db",
            "100%.db",
            "a%20b.db",
            "a#b.db",
            "a&b.db",
            "postgres/a.db",
            "me@home.db",
        ] {
            assert_eq!(path_fault(Path::new(path)), None, "{path}");
        }
        for path in [
            "",
            " ",
            ":memory:",
            "data/:memory:",
            "file:a.db",
            "file:a.db?mode=ro",
            "sqlite:a.db",
            "SQLITE:a.db",
            "a.db?mode=rw",
            "~/a.db",
            "$HOME/a.db",
            "data/",
            ".",
            "..",
            "a\0b.db",
            r"data\a.db",
            "postgres://a:hunter2@h/d",
            "POSTGRES:a:hunter2@h/d",
            "mysql://a:hunter2@h/d",
            "http://h/d",
            "a:hunter2@h/d",
            "host=h password=hunter2",
            "sqlite3:a.db",
            "FILE:a.db",
            " data/a.db",
            "data/a.db\t",
            "'data/a.db'",
            "\"data/a.db\"",
            "data/a.db&mode=rw",
            "data/a.db;mode=rw",
            "data/${NAME}.db",
            "data/$(hostname).db",
        ] {
            let fault = path_fault(Path::new(path)).expect(path);
            assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
        }
    }

    #[test]
    fn other_schemes_that_mean_sqlite_are_explained() {
        for address in
            ["file:app.db", "FILE:///app.db", "sqlite3:app.db", "sqlite+aiosqlite:///app.db"]
        {
            assert!(explain_other_form(address).unwrap().contains("sqlite:"), "{address}");
        }
        assert_eq!(explain_other_form("postgres://db/x"), None);
        assert_eq!(explain_other_form("data/app.db"), None);
    }
}
