//! The parts of a PostgreSQL address, and how two addresses are combined.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::host::Host;
use crate::db::address_fault::AddressFault;
use crate::db::setting_enums::{SessionTarget, Tls};

/// The parts of an address that a text contains.
#[derive(Clone, Debug, Default)]
pub(in crate::db::postgres) struct ServerAddress {
    /// The hosts, each with the port that is written next to it.
    pub hosts: Vec<(Host, Option<u16>)>,
    /// The ports written apart from the hosts: one for all, or one for each.
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

impl ServerAddress {
    /// Fills in the parts that this address lacks from `base`.
    pub fn over(self, base: Self) -> Self {
        let (hosts, ports) = match (self.hosts.is_empty(), self.ports.is_empty()) {
            // Only a common port of `base` is taken over, because ports next to its hosts belong to
            // those hosts.
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
    pub fn check_ports(&self) -> Result<(), AddressFault> {
        let (hosts, ports) = (self.hosts.len(), self.ports.len());
        if hosts > 0 && ports > 1 && ports != hosts {
            return Err(AddressFault::new(
                format!("{hosts} hosts, but {ports} ports"),
                "name one port for all hosts, or one for each",
            ));
        }
        if ports > 0 && self.hosts.iter().any(|(_, port)| port.is_some()) {
            return Err(AddressFault::new(
                "a port stands next to a host and in `port` as well",
                "write the port once",
            ));
        }
        Ok(())
    }
}

fn without_ports(hosts: Vec<(Host, Option<u16>)>) -> Vec<(Host, Option<u16>)> {
    hosts.into_iter().map(|(host, _)| (host, None)).collect()
}
