//! No key on a developer's machine: everybody may call, and the log says so.

use super::settings::SET_ONE;
use crate::app::App;
use crate::config::Problem;
use crate::part::Launch;

/// Attached by [`App::open_in_local`].
#[derive(Clone, Copy, Debug)]
pub struct OpenInLocal;

impl App {
    /// Lets everybody call what asks for an API key, as long as there is none: no `API_KEY`, no named
    /// key ever made, and the environment is `local`. The log says so at the start. In production,
    /// and in every other environment, the app does not start without `API_KEY`.
    #[must_use]
    pub fn open_in_local(self) -> Self {
        self.attach(OpenInLocal)
    }
}

/// Whether the service is open.
pub(super) fn start(has_key: bool, launch: &Launch) -> Result<bool, Box<Problem>> {
    if has_key || !launch.serves() || launch.attached::<OpenInLocal>().next().is_none() {
        return Ok(false);
    }
    let environment = launch.environment();
    if launch.production() || !environment.is_local() {
        let why = format!(
            "no API key is set, and only a developer's machine goes without \
             (environment `{environment}`, production: {})",
            launch.production()
        );
        return Err(Problem::new("api_key.key", why, SET_ONE).into());
    }
    Ok(true)
}
