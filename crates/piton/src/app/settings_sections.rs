//! The sections of settings that an app has: those of every app, of its parts, and its own.

use std::any::Any;
use std::panic::Location;

use super::AppSettings;
use crate::Settings;
use crate::admin::AdminSettings;
use crate::config::{Config, Problem, Problems, Section};
use crate::http::HttpSettings;
use crate::logging;
use crate::part::PartDescriptor;

/// A section that the service declared with `App::settings`.
pub(crate) struct OwnSection {
    pub section: Section,
    pub location: &'static Location<'static>,
    /// The settings as the state that handlers take.
    read: fn(&Config, &str) -> Box<dyn Any + Send + Sync>,
}

impl OwnSection {
    pub fn new<S>(name: &'static str, location: &'static Location<'static>) -> Self
    where
        S: Settings + Clone + Send + Sync,
    {
        Self {
            section: Section::of::<S>(name),
            location,
            read: |config, name| Box::new(config.read::<S>(name, &mut Problems::new())),
        }
    }

    /// Returns the section as a state for handlers. Call it after the settings have been checked.
    pub fn state(&self, config: &Config) -> Box<dyn Any + Send + Sync> {
        (self.read)(config, self.section.name())
    }

    pub fn problem(&self, why: impl Into<String>, fix: &str) -> Problem {
        let origin = crate::config::Origin::Code(self.location.to_string());
        Problem::new(self.section.name(), why, fix).at(origin)
    }
}

/// An environment variable that the service's code gives to a setting.
pub(crate) struct EnvAlias {
    pub variable: String,
    pub key: String,
    pub location: &'static Location<'static>,
}

/// Returns the sections of every app.
pub(crate) fn core_sections() -> [Section; 4] {
    let app = Section::of::<AppSettings>("");
    [app, HttpSettings::SECTION, logging::SECTION, AdminSettings::SECTION]
}

/// Returns the sections of every part in this build, started or not, because all of them may be in a file, and
/// the service's own.
pub(crate) fn all_sections(own: &[OwnSection]) -> Vec<Section> {
    core_sections()
        .into_iter()
        .chain(inventory::iter::<PartDescriptor>().map(|entry| entry.section))
        .chain(own.iter().map(|own| own.section))
        .collect()
}
