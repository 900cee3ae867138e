//! The environment page: which variables and secrets have reached a container, and with what values.
//!
//! It stands in the place of a service while its deployment is being built, and must never be where
//! strangers are: it refuses to start in production unless it is forced to.

mod settings;

use piton::HttpSettings;
use piton::axum::http::HeaderMap;
use piton::axum::response::Response;
use piton::config::{Config, Problems, Requirement};
use piton::panel::{Hosts, Mask, Panel, Reading, Sources};
use piton::prelude::*;

pub use settings::PageSettings;

const ABOUT: &str = "It stands in the place of a server, to show which variables and secrets have reached \
                     its container.";
const WARNING: &str = "Do not use this in any production context.";
const ALARM: &str = "This is production: whoever reaches this page sees what is below.";

/// The service: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    piton::new_app!()
        .env_alias("ENVIRONMENT", "environment")
        // In development others' pages may read what a service answers; never what this one does.
        .set("http.cors.origins", Vec::<String>::new())
        .settings::<PageSettings>("page")
        .expose_env(|config| panel(&read(config), false).variables())
        .require_outside_local(forced())
        .require_in_production(forced())
        .after(Step::ConfigureLogger, |setup| async move {
            if is_production(&setup.handle()) {
                warn!("Showing the environment in production, as `page.force_production` says");
            }
        })
}

/// Without force it does not start in production, by whatever that is said.
fn forced() -> Requirement {
    Requirement::new(
        "page.force_production",
        "a page of secrets must not run in production",
        "run it elsewhere, or say that you know: PITON_PAGE_FORCE_PRODUCTION=true",
        |config| read(config).force_production,
    )
    .to_serve()
}

/// The page, or JSON for who prefers that.
#[get("/")]
async fn page(State(settings): State<PageSettings>, headers: HeaderMap) -> Result<Response> {
    Ok(reading(&settings, &headers).await?.answer(&headers))
}

/// The same as JSON.
#[get("/variables.json")]
async fn variables(State(settings): State<PageSettings>, headers: HeaderMap) -> Result<Response> {
    Ok(reading(&settings, &headers).await?.json_answer())
}

/// Where the page is for this machine alone, it may be asked for by a name of this machine only: it shows
/// secrets, and a stranger's page in a browser must not read it. Elsewhere somebody has let others in, by
/// whatever name.
async fn reading(settings: &PageSettings, headers: &HeaderMap) -> Result<Reading> {
    let app = piton::app();
    if is_for_this_machine(&app) {
        let hosts = Hosts::of_this_machine().and(&settings.hosts);
        hosts.told_by("PITON_PAGE_HOSTS").check(headers)?;
    }
    let sources = Sources::of(&app).folders(&settings.secret_folders);
    Ok(panel(settings, is_production(&app)).read(&sources).await)
}

/// By whatever that is said: `production = false` does not make another environment a developer's machine.
fn is_production(app: &Handle) -> bool {
    app.production() || !app.environment().is_local()
}

fn is_for_this_machine(app: &Handle) -> bool {
    let http: HttpSettings = app.config().read("http", &mut Problems::new());
    !is_production(app) && http.host.is_none_or(|host| host.is_loopback())
}

/// To see the values is what the page is for; in production it hides what it can.
fn panel(settings: &PageSettings, production: bool) -> Panel {
    let mask = if production { Mask::Secrets } else { Mask::None };
    let panel = Panel::new(settings.title.clone())
        .about(ABOUT)
        .warning(WARNING)
        .json_at("variables.json")
        .mask(settings.mask.unwrap_or(mask))
        .groups(settings.groups.0.clone());
    if production { panel.alarm(ALARM) } else { panel }
}

/// Wrong settings are told elsewhere.
fn read(config: &Config) -> PageSettings {
    config.read("page", &mut Problems::new())
}
