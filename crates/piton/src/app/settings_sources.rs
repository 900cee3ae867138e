//! The sources of an app's settings other than its code: command line, file, environment.

use std::path::PathBuf;

use serde_json::Value;

/// The sources of settings other than the code.
pub(crate) struct LaunchSources {
    pub flags: Vec<FlagSetting>,
    /// The file of `--config`.
    pub file: Option<PathBuf>,
    /// True if the process's environment and the files of the working folder are read. Tests read neither, so
    /// that they do not depend on the machine.
    pub reads_process_env: bool,
}

/// A setting of the command line.
#[derive(Clone)]
pub(crate) struct FlagSetting {
    pub key: String,
    pub value: Value,
    pub flag: String,
}

impl LaunchSources {
    /// Reads the environment and the files, without a command line.
    pub fn of_process() -> Self {
        Self { flags: Vec::new(), file: None, reads_process_env: true }
    }

    /// Reads the settings of the code alone.
    pub fn for_test() -> Self {
        Self { flags: Vec::new(), file: None, reads_process_env: false }
    }
}
