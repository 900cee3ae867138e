//! [`PeerDirectory`]: finds the address of a peer by its name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use reqwest::Url;

use super::peer_address::PeerAddress;
use crate::client::error::{Error, Kind, Target};
use crate::client::service_variables::service_variable;
use crate::config::{Config, Origin};
use crate::parse_address::AddressError;

/// The addresses of the peers.
pub struct PeerDirectory {
    pub(super) config: Config,
    pub(super) production: bool,
    /// The peers of the settings, by their name as in a variable (`OFF_PISTE`).
    listed: BTreeMap<String, ResolvedPeer>,
    /// The peers resolved so far, by the same name.
    resolved: RwLock<HashMap<String, Arc<ResolvedPeer>>>,
}

/// A peer with its address.
pub struct ResolvedPeer {
    pub(in crate::client) name: Arc<str>,
    address: PeerAddress,
    origin: Origin,
}

impl ResolvedPeer {
    /// Returns the URL of a path on this peer.
    pub fn url(&self, path: &str) -> Result<Url, Error> {
        let target = Target::Peer(self.name.clone());
        self.address.join(path).map_err(|why| Error::new(Kind::Invalid, Some(target), why))
    }
}

impl PeerDirectory {
    pub fn new(config: Config, production: bool, peers: BTreeMap<String, PeerAddress>) -> Self {
        let mut origins = config.entries("client.peers");
        let mut listed: BTreeMap<String, ResolvedPeer> = BTreeMap::new();
        for (name, address) in peers {
            let origin = origins.remove(&name).map_or(Origin::Default, |(_, origin)| origin);
            let key = variable_name(&name);
            // The stronger layer wins, because `off-piste` and `off_piste` are the same peer.
            if listed.get(&key).is_none_or(|before| origin.outranks(&before.origin)) {
                listed.insert(key, ResolvedPeer { name: name.into(), address, origin });
            }
        }
        Self { config, production, listed, resolved: RwLock::default() }
    }

    /// Returns the peer with this name.
    ///
    /// # Errors
    /// [`Kind::UnknownPeer`] if its address is not configured, or is malformed in a variable.
    pub fn resolve(&self, name: &str) -> Result<Arc<ResolvedPeer>, Error> {
        let key = variable_name(name);
        if let Some(resolved) = self.resolved.read().get(&key) {
            return Ok(resolved.clone());
        }
        let resolved = Arc::new(self.look_up(name, &key)?);
        let mut all = self.resolved.write();
        // Bounded, because a name without a setting or a variable is an error and is not inserted.
        Ok(all.entry(key).or_insert(resolved).clone())
    }

    fn look_up(&self, name: &str, key: &str) -> Result<ResolvedPeer, Error> {
        let listed = self.listed.get(key);
        let variable = self.strongest(key, "PORT");
        match (listed, variable) {
            (Some(listed), Some((_, origin))) if origin.outranks(&listed.origin) => {}
            (Some(ResolvedPeer { name, address, origin }), _) => {
                let (name, address) = (name.clone(), address.clone());
                return Ok(ResolvedPeer { name, address, origin: origin.clone() });
            }
            (None, None) => return Err(self.unknown(name, key)),
            (None, Some(_)) => {}
        }
        let (text, origin) = variable.expect("both arms without it have returned");
        let address = self.read(key, text).map_err(|why| {
            let has_host = self.strongest(key, "HOST").is_some();
            malformed(name, origin, text, has_host, why)
        })?;
        Ok(ResolvedPeer { name: name.into(), address, origin: origin.clone() })
    }

    /// Parses a variable: an address, or a port whose host is in another variable.
    pub(super) fn read(&self, key: &str, text: &str) -> Result<PeerAddress, AddressError> {
        match self.strongest(key, "HOST") {
            Some((host, _)) if is_port(text) => {
                PeerAddress::read_text(&with_port(host.trim(), text.trim()))
            }
            _ => PeerAddress::read_text(text),
        }
    }

    /// Returns `<SERVICE>_SERVICE_<what>` of the strongest layer, and there of the first prefix.
    pub(super) fn strongest(&self, key: &str, what: &str) -> Option<(&str, &Origin)> {
        let names = self.stems(key).map(|stem| format!("{stem}_{what}"));
        let mut strongest: Option<(&str, &Origin)> = None;
        for variable in names {
            let Some(found) = service_variable(&self.config, &variable) else { continue };
            if strongest.is_none_or(|(_, before)| found.1.outranks(before)) {
                strongest = Some(found);
            }
        }
        strongest
    }

    /// Returns the beginnings of the variables: in development those with the prefixes, then the one that
    /// Kubernetes sets.
    fn stems<'a>(&'a self, key: &'a str) -> impl Iterator<Item = String> + 'a {
        let prefixes = self.config.prefixes().filter(|it| !self.production && !it.is_empty());
        let own = prefixes.map(move |prefix| format!("{prefix}_{key}_SERVICE"));
        own.chain([format!("{key}_SERVICE")])
    }

    fn unknown(&self, name: &str, key: &str) -> Error {
        let stem = self.stems(key).next().unwrap_or_default();
        let why = format!(
            "its address is not configured: set {stem}_PORT=host:port, or the setting \
             `client.peers.{name}`"
        );
        Error::new(Kind::UnknownPeer, Some(Target::Peer(name.into())), why)
    }

    /// Returns the peers of the settings and those resolved so far, with their addresses.
    pub fn known(&self) -> BTreeMap<Arc<str>, String> {
        let resolved = self.resolved.read();
        let known = self.listed.values().chain(resolved.values().map(|peer| &**peer));
        known.map(|peer| (peer.name.clone(), peer.address.show_text())).collect()
    }
}

fn with_port(host: &str, port: &str) -> String {
    let bare_v6 = host.contains(':') && !host.starts_with('[');
    if bare_v6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn is_port(text: &str) -> bool {
    text.trim().bytes().all(|byte| byte.is_ascii_digit())
}

fn malformed(name: &str, origin: &Origin, text: &str, has_host: bool, why: AddressError) -> Error {
    let variable = origin.variable().unwrap_or_default();
    let (why, fix) = explain(variable, text, has_host, why);
    Error::new(
        Kind::UnknownPeer,
        Some(Target::Peer(name.into())),
        format!("{variable} {why}: {fix}"),
    )
}

/// Explains why a variable is not an address: returns the reason and the fix.
pub(super) fn explain(
    variable: &str,
    text: &str,
    has_host: bool,
    why: AddressError,
) -> (String, String) {
    let host = variable.replace("_SERVICE_PORT", "_SERVICE_HOST");
    if is_port(text) && !has_host {
        ("holds a port alone".into(), format!("write `host:port`, or set {host} too"))
    } else if is_port(text) {
        (
            format!("is not an address together with {host}: {why}"),
            format!("correct the host in {host}, or the port"),
        )
    } else {
        (format!("is not an address: {why}"), "write `host:port`".to_owned())
    }
}

/// Checks the names of the configured peers. Returns the reason and the fix for each name that is empty, and
/// for two names of one peer in layers of which neither outranks the other.
pub fn name_faults(config: &Config) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut before: BTreeMap<String, (String, Origin)> = BTreeMap::new();
    for (name, (_, origin)) in config.entries("client.peers") {
        if name.trim().is_empty() {
            faults.push(("a peer has no name".into(), "write `name=host:port`".into()));
            continue;
        }
        let key = variable_name(&name);
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

/// Returns a peer's name as in a variable: `off-piste` is `OFF_PISTE`.
fn variable_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config::Setting as _;

    #[test]
    fn two_names_of_one_peer_in_one_layer_are_refused() {
        let faults = |text: &str| {
            let loader = Config::loader("PITON").flag("client.peers", text, "--set");
            name_faults(&loader.load(&[]).0)
        };
        assert_eq!(faults("a-b=h:80,c=h:81"), []);
        assert_eq!(faults("a-b=h:80,a_b=h:81")[0].0, "`a-b` and `a_b` are the same peer");
        assert_eq!(faults("a=h:80,A=h:81").len(), 1);
    }

    fn directory(production: bool, vars: &[(&str, &str)]) -> PeerDirectory {
        let vars = vars.iter().copied();
        let loader = Config::loader("PITON").also_prefix("GNAR").env(vars);
        let client = crate::config::Section::of::<crate::client::ClientSettings>("client");
        PeerDirectory::new(loader.load(&[&client]).0, production, BTreeMap::new())
    }

    fn resolve(directory: &PeerDirectory, name: &str) -> String {
        match directory.resolve(name) {
            Ok(peer) => peer.address.show_text(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn in_production_the_variables_are_those_of_kubernetes() {
        let directory = directory(
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
        assert_eq!(resolve(&directory, "off-piste"), "10.0.0.1:80");
        assert_eq!(resolve(&directory, "a"), "10.0.0.2:80");
        assert_eq!(resolve(&directory, "b"), "10.0.0.3:8080");
        assert_eq!(resolve(&directory, "c"), "[fd00::1]:8080");
        let error = resolve(&directory, "d");
        assert!(error.contains("set D_SERVICE_HOST too"), "{error}");
        assert!(resolve(&directory, "e").contains("E_SERVICE_PORT is not an address"));
        let error = resolve(&directory, "not.there");
        assert!(error.contains("NOT_THERE_SERVICE_PORT=host:port"), "{error}");
        assert!(!error.contains("PITON") && error.contains("`client.peers.not.there`"), "{error}");
    }

    #[test]
    fn in_development_the_prefixes_take_precedence_in_their_order() {
        let directory = directory(
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
        assert_eq!(resolve(&directory, "piste"), "127.0.0.1:9401");
        assert_eq!(resolve(&directory, "a"), "127.0.0.1:1");
        assert_eq!(resolve(&directory, "b"), "10.0.0.2:80");
        assert_eq!(resolve(&directory, "c"), "localhost:9403");
        assert!(resolve(&directory, "x").contains("set PITON_X_SERVICE_PORT="));
        assert_eq!(directory.known().len(), 4);
        assert_eq!(resolve(&directory, "PISTE"), "127.0.0.1:9401");
        assert_eq!(directory.known().len(), 4, "another spelling is the same peer");
    }

    #[test]
    fn the_layers_have_their_usual_order() {
        let client = crate::config::Section::of::<crate::client::ClientSettings>("client");
        let settings = |loader: crate::config::Loader| {
            let directory = |config: Config| {
                let peers = config.entries("client.peers");
                let parse = |(name, (value, _)): (_, (Value, _))| {
                    (name, PeerAddress::parse(&value).expect("written below"))
                };
                PeerDirectory::new(config, true, peers.into_iter().map(parse).collect())
            };
            resolve(&directory(loader.load(&[&client]).0), "off-piste")
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
