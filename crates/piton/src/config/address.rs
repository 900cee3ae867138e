//! The host of a server, and the port that may be written with it.

/// `host`, `host:port`, `[::1]:port`, an IPv6 address alone, or a path: the host without brackets, and
/// the text behind the colon.
pub(crate) fn host_and_port(text: &str) -> (&str, Option<&str>) {
    let text = text.trim();
    let (host, port) = match text.rsplit_once(':') {
        // More than one colon, and no brackets: an IPv6 address.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    (host.trim_matches(['[', ']']), port)
}
