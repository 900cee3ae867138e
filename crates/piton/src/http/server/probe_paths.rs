//! The paths that machines request every few seconds, which the stack treats apart.

/// Paths of probes and metrics. The app fills it, so that the server names no module that serves them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExemptPaths {
    /// Never shed under overload: an orchestrator would restart a busy service otherwise.
    pub probes: &'static [&'static str],
    /// Logged at `DEBUG` unless they fail, and sent even if `http.memory_budget` is used up.
    pub quiet: &'static [&'static str],
}

impl ExemptPaths {
    /// Returns whether `path` is a probe's.
    pub fn is_probe(&self, path: &str) -> bool {
        self.probes.contains(&path)
    }

    /// Returns whether requests for `path` are logged at `DEBUG` only.
    pub fn is_quiet(&self, path: &str) -> bool {
        self.quiet.contains(&path)
    }
}
