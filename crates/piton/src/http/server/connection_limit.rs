//! Fits the maximum number of connections (`http.max_connections`) to the limit of open files.
//!
//! Each connection is an open file. If they took all of them, the service could open neither a connection to its
//! database nor a log file, and would not accept probes either.

use rustix::process::{Resource, getrlimit};
use tracing::warn;

use crate::http::settings::HttpSettings;
use crate::memory;

/// Maximum number of connections in the reserve. The oldest is closed for a new one.
pub(super) const MAX_RESERVE: usize = 32;

/// Minimum number of connections, however few files may be open.
const MIN_CONNECTIONS: usize = 16;

/// Returns the maximum number of open connections.
pub(crate) fn max_connections(settings: &HttpSettings) -> usize {
    let wanted = settings.max_connections(memory::limit());
    let files = getrlimit(Resource::Nofile).current;
    wanted.min(files.map_or(usize::MAX, fitting))
}

/// Logs that `http.max_connections` is lowered, if it is.
pub(super) fn warn_if_lowered(settings: &HttpSettings) {
    let lowered = max_connections(settings);
    let files = getrlimit(Resource::Nofile).current;
    if let (Some(wanted), Some(files)) = (settings.max_connections, files)
        && lowered < wanted
    {
        warn!(
            "http.max_connections={wanted} is lowered to {lowered}, because the process may open {files} \
             files: raise its limit (`ulimit -n`, systemd's LimitNOFILE), or lower the setting"
        );
    }
}

/// Returns the number of connections for which `files` suffice. A quarter is left for the rest of the process:
/// databases, clients, logs.
fn fitting(files: u64) -> usize {
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    (files - files / 4).saturating_sub(MAX_RESERVE).max(MIN_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_files_is_left_for_the_rest_of_the_process() {
        assert_eq!([fitting(8), fitting(256), fitting(1024)], [16, 160, 736]);
        assert_eq!(fitting(65_536), 49_120);
    }
}
