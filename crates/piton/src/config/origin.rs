//! [`Origin`]: the place where the value of a setting was written.

use std::fmt;
use std::path::PathBuf;

/// The place where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No place: the value is the default of the framework.
    Default,
    /// A configuration file.
    File {
        /// The path as it was given.
        path: PathBuf,
        /// The line, counted from 1. `None` if the format does not tell.
        line: Option<usize>,
    },
    /// A `.env` file.
    DotEnv {
        /// The path as it was given.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The variable, such as `PITON_HTTP_PORT`.
        variable: String,
    },
    /// The environment of the process.
    Environment {
        /// The variable, such as `PITON_HTTP_PORT`.
        variable: String,
    },
    /// A file that a variable named: `PITON_DB_PASSWORD_FILE=/run/secrets/db`.
    ValueFile {
        /// The file that holds the value.
        path: PathBuf,
        /// The variable that names it: [`Origin::Environment`] or [`Origin::DotEnv`].
        named_by: Box<Origin>,
    },
    /// A default that the service's own code sets, and its place, such as `src/lib.rs:12`.
    ServiceDefault(String),
    /// The service's own code, such as `App::port at src/main.rs:4`.
    Code(String),
    /// A flag of the command line, such as `--port`.
    Flag(String),
}

impl Origin {
    /// Returns the variable, if the value comes from one.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Environment { variable } | Self::DotEnv { variable, .. } => Some(variable),
            Self::ValueFile { named_by, .. } => named_by.variable(),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::DotEnv { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::ValueFile { path, named_by } => match &**named_by {
                Self::DotEnv { variable, .. } => {
                    write!(f, "{} ({variable} at {named_by})", path.display())
                }
                named_by => write!(f, "{} ({named_by})", path.display()),
            },
            Self::ServiceDefault(place) => write!(f, "the service's default at {place}"),
            Self::Code(place) => f.write_str(place),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Returns the strength of the layer: the larger one wins.
pub(super) fn rank(origin: &Origin) -> u8 {
    match origin {
        Origin::Default => 0,
        Origin::ServiceDefault(_) => 1,
        Origin::File { .. } => 2,
        Origin::DotEnv { .. } => 3,
        Origin::Environment { .. } => 4,
        Origin::ValueFile { named_by, .. } => rank(named_by),
        Origin::Code(_) => 5,
        Origin::Flag(_) => 6,
    }
}

impl Origin {
    /// Returns whether a value written here outranks one that is written at `other`.
    #[must_use]
    pub fn outranks(&self, other: &Self) -> bool {
        rank(self) > rank(other)
    }
}
