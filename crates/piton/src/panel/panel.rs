//! [`Panel`]: the variables to show, and how.

use std::borrow::Cow;

use super::group::Group;
use super::mask::Mask;
use super::snapshot::PanelSnapshot;
use super::variable_sources::{VariableSources, file_variable};

/// The variables to show, and the texts above them. Cheap enough to create for each request.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    title: Cow<'static, str>,
    about: Option<Cow<'static, str>>,
    warning: Option<Cow<'static, str>>,
    alarm: Option<Cow<'static, str>>,
    json_at: Option<Cow<'static, str>>,
    groups: Vec<Group>,
    mask: Mask,
}

impl Panel {
    /// Creates a panel without variables, which hides secrets.
    #[must_use]
    pub fn new(title: impl Into<Cow<'static, str>>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Sets the description, in a sentence or two.
    #[must_use]
    pub fn about(self, about: impl Into<Cow<'static, str>>) -> Self {
        Self { about: Some(about.into()), ..self }
    }

    /// Sets a warning to all readers, in red.
    #[must_use]
    pub fn warning(self, warning: impl Into<Cow<'static, str>>) -> Self {
        Self { warning: Some(warning.into()), ..self }
    }

    /// Sets an alarm about the current state, across the page, on red.
    #[must_use]
    pub fn alarm(self, alarm: impl Into<Cow<'static, str>>) -> Self {
        Self { alarm: Some(alarm.into()), ..self }
    }

    /// Sets the path of the same as JSON, relative to the page, which links to it.
    #[must_use]
    pub fn json_at(self, path: impl Into<Cow<'static, str>>) -> Self {
        Self { json_at: Some(path.into()), ..self }
    }

    /// Adds a group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds groups, such as those of a setting.
    #[must_use]
    pub fn groups(mut self, groups: impl IntoIterator<Item = Group>) -> Self {
        self.groups.extend(groups);
        self
    }

    /// Sets which values are hidden. **Default: [`Mask::Secrets`].**
    #[must_use]
    pub fn mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    /// Returns the variables to expose with [`App::expose_env`](crate::App::expose_env): each name, and
    /// `<NAME>_FILE`, which may name a file with the value.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let names = self.groups.iter().flat_map(Group::variables);
        names.flat_map(|name| [name.to_owned(), file_variable(name)]).collect()
    }

    /// Reads every variable from its sources, and hides the values that the mask covers. Files are read at
    /// each call, because an orchestrator changes them under a running service, on a thread that may block.
    pub async fn read(&self, sources: &VariableSources) -> PanelSnapshot {
        let (panel, sources) = (self.clone(), sources.clone());
        let snapshot = tokio::task::spawn_blocking(move || panel.read_blocking(&sources));
        snapshot.await.expect("reading does not panic, and is not aborted")
    }

    pub(super) fn read_blocking(&self, sources: &VariableSources) -> PanelSnapshot {
        let text = |text: &Option<Cow<'static, str>>| text.as_deref().map(str::to_owned);
        PanelSnapshot {
            title: self.title.clone().into_owned(),
            about: text(&self.about),
            warning: text(&self.warning),
            alarm: text(&self.alarm),
            mask: self.mask,
            groups: self.groups.iter().map(|group| group.read(sources, self.mask)).collect(),
            json_at: text(&self.json_at),
        }
    }
}
