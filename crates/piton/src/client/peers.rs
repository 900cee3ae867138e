//! Where the services beside this one are: by the settings, by what Kubernetes tells every pod, and
//! in development by variables of the same form under the service's prefix.

mod check;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use reqwest::Url;
use serde_json::{Value, json};

use super::error::{Error, Kind, Who};
use super::service_variables::service_variable;
use crate::address::{AddressError, host_port};
use crate::config::{Config, Origin, Setting, expected_because, trimmed_text};

/// Where a service is: `127.0.0.1:9402`, `tcp://10.0.0.1:80`, `https://billing.example.com:443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress(Url);

impl PeerAddress {
    /// Parses `host:port`, optionally after `tcp://`, `http://` or `https://`. Only `https` has a
    /// meaning, and with it and `http` the port may be left out.
    fn read(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.trim().split_once("://").unwrap_or(("", text.trim()));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let scheme = scheme.to_ascii_lowercase();
        if !["", "tcp", "http", "https"].contains(&&*scheme) {
            return Err(AddressError::UnknownScheme);
        }
        if rest.contains('@') {
            return Err(AddressError::Credentials);
        }
        if rest.contains('/') {
            return Err(AddressError::Path);
        }
        let (_, port) = host_port(rest)?;
        if port.is_none() && !matches!(&*scheme, "http" | "https") {
            return Err(AddressError::NoPort);
        }
        let scheme = if scheme == "https" { "https" } else { "http" };
        Url::parse(&format!("{scheme}://{rest}/")).map(Self).map_err(|_| AddressError::Host)
    }

    /// `host:port`.
    fn show(&self) -> String {
        let at = format!("{}:{}", self.0.host_str().unwrap_or_default(), port(&self.0));
        if self.0.scheme() == "https" { format!("https://{at}") } else { at }
    }

    /// The URL of a path, perhaps with a query. The path can change nothing before it.
    fn join(&self, path: &str) -> Result<Url, &'static str> {
        let (bare, _) = path.split_once(['?', '#']).unwrap_or((path, ""));
        if bare.split(['/', '\\']).any(is_dots) {
            return Err("the path holds `..`");
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let url = Url::parse(&format!("{}{path}", self.0)).map_err(|_| "the path is none")?;
        if url.origin() == self.0.origin() && url.username().is_empty() && url.password().is_none()
        {
            Ok(url)
        } else {
            Err("the path is none")
        }
    }
}

/// `.` and `..`, also as `%2e`: they would lead out of what the caller wrote before them.
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    // What a URL's parser leaves out unseen.
    matches!(plain.replace(['\t', '\n', '\r'], "").trim(), "." | "..")
}

pub(super) fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}

impl Setting for PeerAddress {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "an address with its port, such as `127.0.0.1:9402`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        Self::read(trimmed_text::<Self>(value)?).map_err(expected_because::<Self>)
    }

    fn show(&self) -> Value {
        Value::from(self.show())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["127.0.0.1:9402"] })
    }
}

/// What is known of where peers are.
pub(super) struct Book {
    config: Config,
    production: bool,
    /// By the name as it stands in a variable.
    listed: BTreeMap<String, Found>,
    /// What has been found in the environment, by the same.
    found: RwLock<HashMap<String, Arc<Found>>>,
}

/// A peer that is known.
pub(super) struct Found {
    pub name: Arc<str>,
    address: PeerAddress,
    origin: Origin,
}

impl Found {
    pub fn url(&self, path: &str) -> Result<Url, Error> {
        let who = Who::Peer(self.name.clone());
        self.address.join(path).map_err(|why| Error::new(Kind::Invalid, Some(who), why))
    }
}

impl Book {
    pub fn new(config: Config, production: bool, peers: BTreeMap<String, PeerAddress>) -> Self {
        let mut origins = config.entries("client.peers");
        let mut listed: BTreeMap<String, Found> = BTreeMap::new();
        for (name, address) in peers {
            let origin = origins.remove(&name).map_or(Origin::Default, |(_, origin)| origin);
            let key = in_capitals(&name);
            // `off-piste` and `off_piste` are one.
            if listed.get(&key).is_none_or(|before| origin.outranks(&before.origin)) {
                listed.insert(key, Found { name: name.into(), address, origin });
            }
        }
        Self { config, production, listed, found: RwLock::default() }
    }

    /// The peer that is called so.
    pub fn find(&self, name: &str) -> Result<Arc<Found>, Error> {
        let key = in_capitals(name);
        if let Some(found) = self.found.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(found.clone());
        }
        let found = Arc::new(self.look(name, &key)?);
        let mut all = self.found.write().unwrap_or_else(PoisonError::into_inner);
        // Bounded: what is not listed stands in the environment under this key.
        Ok(all.entry(key).or_insert(found).clone())
    }

    fn look(&self, name: &str, key: &str) -> Result<Found, Error> {
        let listed = self.listed.get(key);
        let variable = self.strongest(key, "PORT");
        match (listed, variable) {
            (Some(listed), Some((_, origin))) if origin.outranks(&listed.origin) => {}
            (Some(Found { name, address, origin }), _) => {
                let (name, address) = (name.clone(), address.clone());
                return Ok(Found { name, address, origin: origin.clone() });
            }
            (None, None) => return Err(self.unknown(name, key)),
            (None, Some(_)) => {}
        }
        let (text, origin) = variable.expect("both arms without it have returned");
        let address = self.read(key, text).map_err(|why| {
            let has_host = self.strongest(key, "HOST").is_some();
            wrong(name, origin, text, has_host, why)
        })?;
        Ok(Found { name: name.into(), address, origin: origin.clone() })
    }

    /// What a variable says: an address, or a port that has its host elsewhere.
    fn read(&self, key: &str, text: &str) -> Result<PeerAddress, AddressError> {
        match self.strongest(key, "HOST") {
            Some((host, _)) if is_port(text) => {
                PeerAddress::read(&with_port(host.trim(), text.trim()))
            }
            _ => PeerAddress::read(text),
        }
    }

    /// `<SERVICE>_SERVICE_PORT` of the layer that is the strongest, and of the first prefix there.
    fn strongest(&self, key: &str, what: &str) -> Option<(&str, &Origin)> {
        let names = self.stems(key).map(|stem| format!("{stem}_{what}"));
        let mut strongest: Option<(&str, &Origin)> = None;
        for variable in names {
            let Some(given) = service_variable(&self.config, &variable) else { continue };
            if strongest.is_none_or(|(_, before)| given.1.outranks(before)) {
                strongest = Some(given);
            }
        }
        strongest
    }

    /// In development those with the prefixes, then the one that Kubernetes knows.
    fn stems<'a>(&'a self, key: &'a str) -> impl Iterator<Item = String> + 'a {
        let prefixes = self.config.prefixes().filter(|it| !self.production && !it.is_empty());
        let own = prefixes.map(move |prefix| format!("{prefix}_{key}_SERVICE"));
        own.chain([format!("{key}_SERVICE")])
    }

    fn unknown(&self, name: &str, key: &str) -> Error {
        let stem = self.stems(key).next().unwrap_or_default();
        let why = format!(
            "nobody has said where it is: set {stem}_PORT=host:port, or the setting \
             `client.peers.{name}`"
        );
        Error::new(Kind::Unknown, Some(Who::Peer(name.into())), why)
    }

    /// The peers known by now, with their addresses.
    pub fn known(&self) -> BTreeMap<Arc<str>, String> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let known = self.listed.values().chain(found.values().map(|found| &**found));
        known.map(|found| (found.name.clone(), found.address.show())).collect()
    }
}

fn with_port(host: &str, port: &str) -> String {
    let bare_v6 = host.contains(':') && !host.starts_with('[');
    if bare_v6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn is_port(text: &str) -> bool {
    text.trim().bytes().all(|byte| byte.is_ascii_digit())
}

fn wrong(name: &str, origin: &Origin, text: &str, has_host: bool, why: AddressError) -> Error {
    let variable = origin.variable().unwrap_or_default();
    let (why, fix) = flaw(variable, text, has_host, why);
    Error::new(Kind::Unknown, Some(Who::Peer(name.into())), format!("{variable} {why}: {fix}"))
}

/// Why what a variable holds is no address, and what to do.
fn flaw(variable: &str, text: &str, has_host: bool, why: AddressError) -> (String, String) {
    let host = variable.replace("_SERVICE_PORT", "_SERVICE_HOST");
    if is_port(text) && !has_host {
        ("holds a port alone".into(), format!("write `host:port`, or set {host} too"))
    } else if is_port(text) {
        (
            format!("makes no address with {host}: {why}"),
            format!("correct the host in {host}, or the port"),
        )
    } else {
        (format!("holds no address: {why}"), "write `host:port`".to_owned())
    }
}

/// Returns what is wrong with the names of the configured peers, and the fix: a name that is empty, and
/// two names of one peer in places of which neither outranks the other.
pub(super) fn name_faults(config: &Config) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut before: BTreeMap<String, (String, Origin)> = BTreeMap::new();
    for (name, (_, origin)) in config.entries("client.peers") {
        if name.trim().is_empty() {
            faults.push(("a peer has no name".into(), "write `name=host:port`".into()));
            continue;
        }
        let key = in_capitals(&name);
        match before.get(&key) {
            Some((other, there)) if !origin.outranks(there) && !there.outranks(&origin) => {
                let why = format!("`{other}` and `{name}` are the same peer");
                faults.push((why, format!("remove `{other}` or `{name}`")));
            }
            _ => drop(before.insert(key, (name, origin))),
        }
    }
    faults
}

/// `off-piste` is `OFF_PISTE` in a variable.
fn in_capitals(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> PeerAddress {
        PeerAddress::read(text).unwrap_or_else(|why| panic!("{text} is an address: {why}"))
    }

    #[test]
    fn an_address_has_many_forms_and_always_a_port() {
        for (text, shown) in [
            ("127.0.0.1:9402", "127.0.0.1:9402"),
            ("tcp://10.0.0.1:80", "10.0.0.1:80"),
            ("tcp://10.0.0.1:80/", "10.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("tcp://[::1]:8080", "[::1]:8080"),
            ("piste.default.svc:80", "piste.default.svc:80"),
            ("https://piste:8443", "https://piste:8443"),
            ("https://piste", "https://piste:443"),
            (" http://piste ", "piste:80"),
        ] {
            assert_eq!(address(text).show(), shown);
        }
        for text in [
            "",
            "80",
            "host",
            "host:",
            "host:x",
            "host:0",
            "host:70000",
            "::1",
            "a b:80",
            "a,b:80",
            "a..b:80",
            "999.1.1.1:80",
            "tcp://",
            "http://:80",
        ] {
            assert!(PeerAddress::read(text).is_err(), "{text}");
        }
        for text in ["redis://h:80", "ftp://h:80", "://h:80 ", "udp://h:1"] {
            let is_known = text.starts_with("://");
            let refused =
                PeerAddress::read(text).is_err_and(|it| it == AddressError::UnknownScheme);
            assert_eq!(refused, !is_known, "{text}");
        }
        for text in ["user:secret@host:80", "host:80/path", "host/path:80", "host?q:80", "host#:80"]
        {
            assert!(PeerAddress::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_names_of_one_peer_in_one_place_are_refused() {
        let faults = |text: &str| {
            let loader = Config::loader("PITON").flag("client.peers", text, "--set");
            name_faults(&loader.load(&[]).0)
        };
        assert_eq!(faults("a-b=h:80,c=h:81"), []);
        assert_eq!(faults("a-b=h:80,a_b=h:81")[0].0, "`a-b` and `a_b` are the same peer");
        assert_eq!(faults("a=h:80,A=h:81").len(), 1);
    }

    #[test]
    fn a_path_changes_nothing_before_it() {
        let base = address("127.0.0.1:9402");
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("user/me", "/user/me"),
            ("/user/me?a=b&c=%20", "/user/me?a=b&c=%20"),
            ("//evil.org", "//evil.org"),
            ("///evil.org/x", "///evil.org/x"),
            ("@evil.org", "/@evil.org"),
            (":80@evil.org/", "/:80@evil.org/"),
            ("http://evil.org/", "/http://evil.org/"),
            ("\\\\evil.org", "///evil.org"),
            ("a?x=../y", "/a?x=../y"),
        ] {
            let url = base.join(path).expect(path);
            assert_eq!(url.as_str(), format!("http://127.0.0.1:9402{expected}"), "{path}");
        }
        for path in ["..", "a/../b", "a/%2E%2e/b", "./a", "a\\..\\b", ".\t./a"] {
            assert_eq!(base.join(path), Err("the path holds `..`"), "{path}");
        }
    }

    fn book(production: bool, vars: &[(&str, &str)]) -> Book {
        let vars = vars.iter().copied();
        let loader = Config::loader("PITON").also_prefix("GNAR").env(vars);
        let client = crate::config::Section::of::<crate::client::ClientSettings>("client");
        Book::new(loader.load(&[&client]).0, production, BTreeMap::new())
    }

    fn found(book: &Book, name: &str) -> String {
        match book.find(name) {
            Ok(found) => found.address.show(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn in_production_the_variable_is_that_of_kubernetes() {
        let book = book(
            true,
            &[
                ("OFF_PISTE_SERVICE_PORT", "10.0.0.1:80"),
                ("PITON_OFF_PISTE_SERVICE_PORT", "127.0.0.1:1"),
                ("A_SERVICE_PORT", "tcp://10.0.0.2:80"),
                ("B_SERVICE_PORT", "8080"),
                ("B_SERVICE_HOST", "10.0.0.3"),
                ("C_SERVICE_PORT", "8080"),
                ("C_SERVICE_HOST", "fd00::1"),
                ("D_SERVICE_PORT", "8080"),
                ("E_SERVICE_PORT", "nonsense"),
            ],
        );
        assert_eq!(found(&book, "off-piste"), "10.0.0.1:80");
        assert_eq!(found(&book, "a"), "10.0.0.2:80");
        assert_eq!(found(&book, "b"), "10.0.0.3:8080");
        assert_eq!(found(&book, "c"), "[fd00::1]:8080");
        let error = found(&book, "d");
        assert!(error.contains("set D_SERVICE_HOST too"), "{error}");
        assert!(found(&book, "e").contains("E_SERVICE_PORT holds no address"));
        let error = found(&book, "not.there");
        assert!(error.contains("NOT_THERE_SERVICE_PORT=host:port"), "{error}");
        assert!(!error.contains("PITON") && error.contains("`client.peers.not.there`"), "{error}");
    }

    #[test]
    fn in_development_the_prefixes_come_first_and_in_their_order() {
        let book = book(
            false,
            &[
                ("PISTE_SERVICE_PORT", "10.0.0.1:80"),
                ("GNAR_PISTE_SERVICE_PORT", "127.0.0.1:9401"),
                ("PITON_A_SERVICE_PORT", "127.0.0.1:1"),
                ("GNAR_A_SERVICE_PORT", "127.0.0.1:2"),
                ("B_SERVICE_PORT", "10.0.0.2:80"),
                ("GNAR_C_SERVICE_PORT", "9403"),
                ("GNAR_C_SERVICE_HOST", "localhost"),
            ],
        );
        assert_eq!(found(&book, "piste"), "127.0.0.1:9401");
        assert_eq!(found(&book, "a"), "127.0.0.1:1");
        assert_eq!(found(&book, "b"), "10.0.0.2:80");
        assert_eq!(found(&book, "c"), "localhost:9403");
        assert!(found(&book, "x").contains("set PITON_X_SERVICE_PORT="));
        assert_eq!(book.known().len(), 4);
        assert_eq!(found(&book, "PISTE"), "127.0.0.1:9401");
        assert_eq!(book.known().len(), 4, "another spelling is no other peer");
    }

    #[test]
    fn the_layers_have_their_usual_order() {
        let settings = |loader: crate::config::Loader| {
            let book = |config: Config| {
                let peers = config.entries("client.peers");
                let parse = |(name, (value, _)): (_, (Value, _))| {
                    (name, PeerAddress::parse(&value).expect("written below"))
                };
                Book::new(config, true, peers.into_iter().map(parse).collect())
            };
            let client = crate::config::Section::of::<crate::client::ClientSettings>("client");
            found(&book(loader.load(&[&client]).0), "off-piste")
        };
        let env = [("OFF_PISTE_SERVICE_PORT", "env:1")];
        let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
        std::fs::write(file.path(), "[client.peers]\noff-piste = 'file:1'\n").expect("ours");
        let loader = || Config::loader("PITON").file(file.path());
        assert_eq!(settings(loader()), "file:1");
        assert_eq!(settings(loader().env(env)), "env:1");
        let code = || loader().env(env).code("client.peers.off_piste", "code:1", "x");
        assert_eq!(settings(code()), "code:1");
        assert_eq!(settings(code().flag("client.peers.off-piste", "flag:1", "--set")), "flag:1");
    }
}
