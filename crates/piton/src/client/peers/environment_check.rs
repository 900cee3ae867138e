//! Checks at launch the variables with addresses of peers.

use tracing::warn;

use super::directory::{PeerDirectory, explain};
use crate::client::service_variables::service_ports;
use crate::config::Problems;
use crate::part::Problem;

impl PeerDirectory {
    /// Returns the malformed variables that are meant for this service: in development, those with its own
    /// prefix. Only warns about the others, because they may be meant for another program.
    pub fn check_environment(&self) -> Problems {
        let mut own = Problems::new();
        for (is_own, problem) in self.malformed_variables() {
            if is_own {
                own.push(problem);
            } else {
                warn!("{} {}: {}", problem.key, problem.why, problem.fix);
            }
        }
        own
    }

    /// Returns the malformed variables, each with whether it has the service's own prefix. The messages do
    /// not repeat the value, because it may hold anything.
    fn malformed_variables(&self) -> Vec<(bool, Problem)> {
        let mut malformed = Vec::new();
        for (variable, text, origin) in service_ports(&self.config) {
            let (is_own, key) = self.service_of(variable);
            if let Err(why) = self.read(key, text) {
                let has_host = self.strongest(key, "HOST").is_some();
                let (why, fix) = explain(variable, text, has_host, why);
                malformed.push((is_own, Problem::new(variable, why, fix).at(origin.clone())));
            }
        }
        malformed
    }

    /// Returns whether the variable has the service's own prefix, and the peer it is about.
    fn service_of<'a>(&self, variable: &'a str) -> (bool, &'a str) {
        let stem = variable.strip_suffix("_SERVICE_PORT").unwrap_or(variable);
        let prefixes = self.config.prefixes().enumerate().filter(|_| !self.production);
        let mut prefixed = prefixes.filter_map(|(at, prefix)| {
            let key = stem.strip_prefix(prefix)?.strip_prefix('_')?;
            (!prefix.is_empty() && !key.is_empty()).then_some((at == 0, key))
        });
        prefixed.next().unwrap_or((false, stem))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Config;

    const VARS: [(&str, &str); 11] = [
        ("PITON_A_SERVICE_PORT", "nonsense:hunter2"),
        ("PITON_B_SERVICE_PORT", "9402"),
        ("PITON_C_SERVICE_PORT", "127.0.0.1:9402"),
        ("PITON_D_SERVICE_PORT", "9402"),
        ("PITON_D_SERVICE_HOST", "localhost"),
        ("PITON_E_SERVICE_PORT", ""),
        ("GNAR_F_SERVICE_PORT", "9402"),
        ("G_SERVICE_PORT", "user:hunter2@host:80"),
        ("H_SERVICE_PORT", "80"),
        ("H_SERVICE_HOST", "10.0.0.1"),
        ("I_SERVICE_PORT", "tcp://10.0.0.2:80"),
    ];

    fn directory(production: bool) -> PeerDirectory {
        let loader = Config::loader("PITON").also_prefix("GNAR").env(VARS);
        let client = crate::config::Section::of::<crate::client::ClientSettings>("client");
        PeerDirectory::new(loader.load(&[&client]).0, production, BTreeMap::new())
    }

    fn names(directory: &PeerDirectory) -> Vec<(bool, String)> {
        let malformed = directory.malformed_variables().into_iter();
        malformed.map(|(is_own, problem)| (is_own, problem.key)).collect()
    }

    #[test]
    fn in_development_only_a_malformed_variable_with_the_own_prefix_is_a_problem() {
        let directory = directory(false);
        let expected = [
            (false, "GNAR_F_SERVICE_PORT"),
            (false, "G_SERVICE_PORT"),
            (true, "PITON_A_SERVICE_PORT"),
            (true, "PITON_B_SERVICE_PORT"),
        ];
        assert_eq!(names(&directory), expected.map(|(ours, name)| (ours, name.to_owned())));
        let own: Vec<String> =
            directory.check_environment().into_iter().map(|problem| problem.key).collect();
        assert_eq!(own, ["PITON_A_SERVICE_PORT", "PITON_B_SERVICE_PORT"]);
        let all = format!("{:?}", directory.malformed_variables());
        assert!(!all.contains("hunter2"), "{all}");
        assert!(all.contains("write `host:port`, or set PITON_B_SERVICE_HOST too"), "{all}");
    }

    #[test]
    fn in_production_a_malformed_variable_does_not_prevent_the_launch() {
        let directory = directory(true);
        assert_eq!(names(&directory).len(), 4);
        assert!(directory.check_environment().is_empty());
    }

    #[test]
    fn a_setting_with_such_a_name_is_not_checked() {
        use crate::config::{Section, Settings};

        /// Settings of the service.
        #[derive(Settings, Default)]
        struct Mine {
            /// A port. **Default: `0`.**
            service_port: u16,
        }
        static MINE: Section = Section::of::<Mine>("mine");
        let loader = Config::loader("PITON").env([("PITON_MINE_SERVICE_PORT", "80")]);
        let directory = PeerDirectory::new(loader.load(&[&MINE]).0, false, BTreeMap::new());
        assert_eq!(names(&directory), []);
    }
}
