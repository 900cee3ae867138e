//! The variables with the addresses of services that Kubernetes adds to every pod:
//! `BILLING_SERVICE_PORT`, `BILLING_SERVICE_HOST`.
//!
//! These are not settings, because the services are not known beforehand. The section `[client]`
//! declares that it uses them, so that the settings' loader remembers them.

use crate::config::{Config, Origin};

const PORT_SUFFIX: &str = "_SERVICE_PORT";
const SUFFIXES: [&str; 2] = [PORT_SUFFIX, "_SERVICE_HOST"];

/// Returns whether a variable has the address of a service.
pub(super) fn is_service_variable(name: &str) -> bool {
    SUFFIXES.iter().any(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

/// Returns a variable with the address of a service, from the environment or else from `.env`. Empty
/// text counts as absent.
pub(super) fn service_variable<'a>(
    config: &'a Config,
    name: &str,
) -> Option<(&'a str, &'a Origin)> {
    config.used_variable(name).filter(|_| is_service_variable(name))
}

/// Returns the variables whose names end with `_SERVICE_PORT`, by name, each with its text, without
/// those that settings are read from.
pub(super) fn service_ports(config: &Config) -> Vec<(&str, &str, &Origin)> {
    let names = config.other_variables().into_iter().filter(|name| name.ends_with(PORT_SUFFIX));
    let named = |name| service_variable(config, name).map(|(text, origin)| (name, text, origin));
    names.filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientSettings;
    use crate::config::Section;

    static CLIENT: Section = Section::of::<ClientSettings>("client");

    #[test]
    fn addresses_of_services_are_remembered_with_any_prefix_and_the_environment_outranks_dotenv() {
        let dotenv = tempfile::NamedTempFile::new().unwrap();
        let text = "BILLING_SERVICE_PORT=1\nPISTE_SERVICE_HOST=h\nOTHER=x\n";
        std::fs::write(dotenv.path(), text).unwrap();
        let env = [("BILLING_SERVICE_PORT", "2"), ("SHOP_SERVICE_PORT", "tcp://10.0.0.1:80")];
        let loader = Config::loader("PITON").also_prefix("GNAR").env_file(dotenv.path()).env(env);
        let (config, mut problems) = loader.load(&[&CLIENT]);
        problems.extend(config.check(&[&CLIENT], &[&CLIENT]));
        assert!(problems.is_empty(), "{problems}");
        let value = |name| service_variable(&config, name).map(|(value, _)| value);
        assert_eq!(value("BILLING_SERVICE_PORT"), Some("2"));
        assert_eq!(value("PISTE_SERVICE_HOST"), Some("h"));
        assert_eq!(value("SHOP_SERVICE_PORT"), Some("tcp://10.0.0.1:80"));
        assert_eq!((value("OTHER"), value("X_SERVICE_PORT")), (None, None));
        assert_eq!(config.prefixes().collect::<Vec<_>>(), ["PITON", "GNAR"]);
        assert_eq!(config.unknown_variables(&[&CLIENT]), [""; 0]);
    }
}
