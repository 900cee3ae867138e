//! Parts that start only if the settings ask for them.

use std::any::TypeId;

use super::App;
use super::load_settings::load_settings;
use super::settings_sources::LaunchSources;
use crate::config::Config;
use crate::part::Part;

/// A part, and the condition under which the app enables it.
#[derive(Clone, Copy)]
pub(super) struct PartCondition {
    id: TypeId,
    is_met: fn(&Config) -> bool,
}

impl App {
    /// Enables the part `P` only if the settings meet `condition`, also where an attribute such as `#[task]` enables
    /// it. A part that is not enabled takes no memory, opens no file, and its settings are not checked. Routes and
    /// parts that take `P` as an argument need it in any case, and so do commands. The last call for a part counts.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// # use piton::HttpSettings;
    /// use piton::config::{Config, Problems};
    ///
    /// # #[derive(Clone)]
    /// # struct Crawler;
    /// # impl piton::part::Part for Crawler {
    /// #     const NAME: &'static str = "crawler";
    /// #     type Settings = ();
    /// #     async fn start(_: (), _: &piton::part::Launch) -> Result<Self, piton::part::Error> { Ok(Self) }
    /// # }
    /// fn has_port(config: &Config) -> bool {
    ///     config.read::<HttpSettings>("http", &mut Problems::new()).port > 0
    /// }
    ///
    /// let app = App::new("my_service").enable_if::<Crawler>(has_port);
    /// ```
    #[must_use]
    pub fn enable_if<P: Part>(mut self, condition: fn(&Config) -> bool) -> Self {
        let id = TypeId::of::<P>();
        self.part_conditions.retain(|other| other.id != id);
        self.part_conditions.push(PartCondition { id, is_met: condition });
        self.enable::<P>()
    }

    /// Disables the parts whose condition is not met. A command keeps all, because it names those that it needs.
    pub(super) fn apply_part_conditions(&mut self, sources: &LaunchSources) {
        if self.part_conditions.is_empty() || self.for_command {
            return;
        }
        // Without its problems, which are reported when the settings are read for good. They are read twice because the
        // sections to check depend on the conditions.
        let (config, _) = load_settings(self, sources, &[]);
        for condition in std::mem::take(&mut self.part_conditions) {
            if !(condition.is_met)(&config) {
                self.enabled.0.retain(|part| part.id != condition.id);
            }
        }
    }
}
