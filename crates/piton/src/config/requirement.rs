//! [`Requirement`]: a setting that is optional on a developer's machine and nowhere else.

use super::layers::Config;
use super::setting_problem::Problem;

/// A setting that must be configured outside of the environment `local`. Modules define them
/// (`piton::db::postgres_required()`), a service passes them to
/// [`App::require_outside_local`](crate::App::require_outside_local), or to
/// [`App::require_in_production`](crate::App::require_in_production).
#[derive(Clone, Copy)]
pub struct Requirement {
    key: &'static str,
    why: &'static str,
    fix: &'static str,
    met: fn(&Config) -> bool,
    /// True if commands do not need it.
    only_to_serve: bool,
}

impl Requirement {
    /// Requires the setting `key`: `why` the service cannot run without it (a lower-case fragment), the
    /// `fix`, and a function that returns whether the requirement is met.
    ///
    /// `met` should return true for an invalid value, because that is reported on its own.
    ///
    /// ```
    /// use piton::config::{Config, Origin, Requirement};
    ///
    /// fn mailed() -> Requirement {
    ///     let met = |config: &Config| config.origin("mail.host") != Origin::Default;
    ///     Requirement::new("mail.host", "nobody would get their mail", "set PITON_MAIL_HOST", met)
    /// }
    /// ```
    #[must_use]
    pub const fn new(
        key: &'static str,
        why: &'static str,
        fix: &'static str,
        met: fn(&Config) -> bool,
    ) -> Self {
        Self { key, why, fix, met, only_to_serve: false }
    }

    /// Limits the requirement to serving, so that commands run without it.
    #[must_use]
    pub const fn to_serve(self) -> Self {
        Self { only_to_serve: true, ..self }
    }

    /// Returns whether a command that reads the sections of these names needs it.
    pub(crate) fn needed_by_command<'a>(
        &self,
        mut sections: impl Iterator<Item = &'a str>,
    ) -> bool {
        !self.only_to_serve && sections.any(|name| name == self.section())
    }

    /// Returns the section of the setting.
    fn section(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Returns the problem if the requirement is not met, with the reason for it in the next line.
    pub(crate) fn problem(&self, config: &Config, because: &str) -> Option<Problem> {
        if (self.met)(config) {
            return None;
        }
        Some(Problem::new(self.key, format!("{}\n({because})", self.why), self.fix))
    }
}
