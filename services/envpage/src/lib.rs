//! The environment page: shows which variables and secrets have reached a container, and their values.
//!
//! It runs in place of a service while the deployment of that is being built. Because it shows secrets, it
//! refuses to start in production unless `page.force_production` is set.

mod settings;

use piton::HttpSettings;
use piton::axum::http::HeaderMap;
use piton::axum::response::Response;
use piton::config::{Config, Problems, Requirement};
use piton::panel::{AllowedHosts, Mask, Panel, PanelSnapshot, VariableSources};
use piton::prelude::*;

pub use settings::PageSettings;

const ABOUT: &str = "It runs in place of a server, to show which variables and secrets have reached \
                     its container.";
const WARNING: &str = "Do not use this in any production context.";
const ALARM: &str = "This is production: everyone who reaches this page sees the values below.";

/// The service: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    piton::new_app!()
        .env_alias("ENVIRONMENT", "environment")
        // No origins, because in development CORS is open to all pages otherwise, and this page shows secrets.
        .set("http.cors.origins", Vec::<String>::new())
        .settings::<PageSettings>("page")
        .expose_env(|config| panel(&read(config), false).variables())
        .require_outside_local(forced())
        .require_in_production(forced())
        .after(Step::ConfigureLogger, |setup| async move {
            if is_production(&setup.handle()) {
                warn!(
                    "Showing the environment in production, because `page.force_production` is set"
                );
            }
        })
}

/// Requires `page.force_production` in production and outside of the environment `local`.
fn forced() -> Requirement {
    Requirement::new(
        "page.force_production",
        "a page of secrets must not run in production",
        "run it elsewhere, or set PITON_PAGE_FORCE_PRODUCTION=true to confirm",
        |config| read(config).force_production,
    )
    .to_serve()
}

/// The variables as a page, or as JSON if the request prefers that.
#[get("/")]
async fn page(State(settings): State<PageSettings>, headers: HeaderMap) -> Result<Response> {
    Ok(snapshot(&settings, &headers).await?.respond(&headers))
}

/// The variables as JSON.
#[get("/variables.json")]
async fn variables(State(settings): State<PageSettings>, headers: HeaderMap) -> Result<Response> {
    Ok(snapshot(&settings, &headers).await?.json_response())
}

/// Reads the variables. If the page listens on this machine alone, it refuses requests for other host names,
/// because it shows secrets, and a page of another site in a browser must not read them. Otherwise the
/// operator has opened it to others, under names that are not known here.
async fn snapshot(settings: &PageSettings, headers: &HeaderMap) -> Result<PanelSnapshot> {
    let app = piton::app();
    if is_for_this_machine(&app) {
        let hosts = AllowedHosts::of_this_machine().and(&settings.hosts);
        hosts.setting_name("PITON_PAGE_HOSTS").check(headers)?;
    }
    let sources = VariableSources::of(&app).folders(&settings.secret_folders);
    Ok(panel(settings, is_production(&app)).read(&sources).await)
}

/// Returns whether the service is in production, or in another environment than `local`: `production = false`
/// does not make `staging` a developer's machine.
fn is_production(app: &Handle) -> bool {
    app.production() || !app.environment().is_local()
}

fn is_for_this_machine(app: &Handle) -> bool {
    let http: HttpSettings = app.config().read("http", &mut Problems::new());
    !is_production(app) && http.host.is_none_or(|host| host.is_loopback())
}

/// Returns the panel. Values are visible in development, because that is the purpose of the page; in
/// production secrets are hidden.
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

/// Reads the settings without their problems, which the launch reports.
fn read(config: &Config) -> PageSettings {
    config.read("page", &mut Problems::new())
}
