//! Variables that Kubernetes adds to every pod for each service, which are never settings.

use serde_json::Value;

/// Returns whether a variable, without the prefix, is one of those that Kubernetes adds:
/// `X_SERVICE_HOST`, `X_SERVICE_PORT`, `X_SERVICE_PORT_NAME`, `X_PORT=tcp://..`, `X_PORT_80_TCP`,
/// `X_PORT_80_TCP_ADDR`.
pub(super) fn is_kubernetes(name: &str, value: &Value) -> bool {
    let numbered = name.match_indices("_PORT_").any(|(at, found)| {
        let rest = name[at + found.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
        ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| rest.starts_with(protocol))
    });
    let address = value
        .as_str()
        .is_some_and(|value| value.starts_with("tcp://") || value.starts_with("udp://"));
    numbered
        || address
        || name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
}

/// Returns whether a variable has the name of a port setting and the value of a service's address: a
/// service named `piton-http` is `PITON_HTTP_PORT=tcp://10.0.0.1:80` in every pod.
pub(super) fn is_injected_port(variable: &str, value: &str) -> bool {
    variable.ends_with("_PORT")
        && ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}
