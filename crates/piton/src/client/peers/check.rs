//! Looks at the variables that say where services are before anybody calls one.

use tracing::warn;

use super::{Book, flaw};
use crate::client::service_variables::service_ports;
use crate::config::Problems;
use crate::part::Problem;

impl Book {
    /// Returns the variables that hold no address and are meant for this service: in development,
    /// those with its own prefix. Warns of the others, as they may be meant for another program.
    pub fn check(&self) -> Problems {
        let mut of_ours = Problems::new();
        for (ours, problem) in self.wrong_variables() {
            if ours {
                of_ours.push(problem);
            } else {
                warn!("{} {}: {}", problem.key, problem.why, problem.fix);
            }
        }
        of_ours
    }

    /// Each with whether it has the service's own prefix. What it holds is not repeated: it may be
    /// anything.
    fn wrong_variables(&self) -> Vec<(bool, Problem)> {
        let mut wrong = Vec::new();
        for (variable, text, origin) in service_ports(&self.config) {
            let (ours, key) = self.service_of(variable);
            if let Err(why) = self.read(key, text) {
                let has_host = self.strongest(key, "HOST").is_some();
                let (why, fix) = flaw(variable, text, has_host, why);
                wrong.push((ours, Problem::new(variable, why, fix).at(origin.clone())));
            }
        }
        wrong
    }

    /// Which service the variable is about, and whether it has our own prefix.
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

    fn book(production: bool) -> Book {
        let loader = Config::loader("PITON").also_prefix("GNAR").env(VARS);
        let client = crate::config::Section::of::<crate::client::ClientSettings>("client");
        Book::new(loader.load(&[&client]).0, production, BTreeMap::new())
    }

    fn names(book: &Book) -> Vec<(bool, String)> {
        let wrong = book.wrong_variables().into_iter();
        wrong.map(|(ours, problem)| (ours, problem.key)).collect()
    }

    #[test]
    fn in_development_a_wrong_variable_with_our_prefix_is_a_problem_and_another_is_not() {
        let book = book(false);
        let expected = [
            (false, "GNAR_F_SERVICE_PORT"),
            (false, "G_SERVICE_PORT"),
            (true, "PITON_A_SERVICE_PORT"),
            (true, "PITON_B_SERVICE_PORT"),
        ];
        assert_eq!(names(&book), expected.map(|(ours, name)| (ours, name.to_owned())));
        let of_ours: Vec<String> = book.check().into_iter().map(|problem| problem.key).collect();
        assert_eq!(of_ours, ["PITON_A_SERVICE_PORT", "PITON_B_SERVICE_PORT"]);
        let all = format!("{:?}", book.wrong_variables());
        assert!(!all.contains("hunter2"), "{all}");
        assert!(all.contains("write `host:port`, or set PITON_B_SERVICE_HOST too"), "{all}");
    }

    #[test]
    fn in_production_none_keeps_the_service_from_starting() {
        let book = book(true);
        assert_eq!(names(&book).len(), 4);
        assert!(book.check().is_empty());
    }

    #[test]
    fn a_setting_whose_name_ends_so_is_no_address() {
        use crate::config::{Section, Settings};

        /// Of somebody else.
        #[derive(Settings, Default)]
        struct Mine {
            /// A port. **Default: `0`.**
            service_port: u16,
        }
        static MINE: Section = Section::of::<Mine>("mine");
        let loader = Config::loader("PITON").env([("PITON_MINE_SERVICE_PORT", "80")]);
        let book = Book::new(loader.load(&[&MINE]).0, false, BTreeMap::new());
        assert_eq!(names(&book), []);
    }
}
