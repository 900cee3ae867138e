//! What a service may go without on a developer's machine, and nowhere else.

use super::{Config, Problem};

/// Something that must be configured outside of the environment `local`. Rooms make them
/// (`piton::db::postgres_required()`), a service gives them to
/// [`App::outside_local`](crate::App::outside_local), or to
/// [`App::in_production`](crate::App::in_production).
#[derive(Clone, Copy)]
pub struct Requirement {
    key: &'static str,
    why: &'static str,
    fix: &'static str,
    met: fn(&Config) -> bool,
    /// Whether verbs go without.
    only_to_serve: bool,
}

impl Requirement {
    /// The setting `key` is needed: `why` it is refused to go without (a lower-case fragment), what to
    /// do (`fix`), and whether all is well.
    ///
    /// `met` should say yes where a value is given and wrong: that is reported by itself.
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

    /// No verb asks for it.
    #[must_use]
    pub const fn to_serve(self) -> Self {
        Self { only_to_serve: true, ..self }
    }

    /// Whether a verb that reads the sections of these names asks for it.
    pub(crate) fn asked_by_verb<'a>(&self, mut sections: impl Iterator<Item = &'a str>) -> bool {
        !self.only_to_serve && sections.any(|name| name == self.section())
    }

    /// The section that it is about.
    fn section(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// What to say if it is not met, and in the next line why it is asked for.
    pub(crate) fn problem(&self, config: &Config, because: &str) -> Option<Problem> {
        if (self.met)(config) {
            return None;
        }
        Some(Problem::new(self.key, format!("{}\n({because})", self.why), self.fix))
    }
}
