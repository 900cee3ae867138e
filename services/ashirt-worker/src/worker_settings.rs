//! Settings of the section `[worker]`.

use std::borrow::Cow;
use std::time::Duration;

use piton::axum::http::HeaderName;
use piton::config::{Config, Problems, Reader, Requirement, Setting};
use piton::prelude::*;
use piton::secrecy::{ExposeSecret, SecretString};
use piton::serde_json::{Value, json};

use crate::ashirt;
use crate::defer_setting::DeferSetting;
use crate::protocol::process_url;

/// Settings of processing, and of the callers' authentication.
#[derive(Clone, Settings)]
#[setting(check = Self::check)]
pub struct WorkerSettings {
    /// Enables the development routes (`GET /`, `POST /test`). `true` in any letter case enables
    /// them. **Default: `false`.**
    #[setting(alias = "ENABLE_DEV")]
    pub enable_dev: DevRoutesSetting,
    /// Secret that callers have to send in `worker.shared_secret_header`. `ashirt-worker
    /// config-json` prints it in ASHIRT's format. **Default: none, and anyone may call.**
    pub shared_secret: SharedSecretSetting,
    /// Header with the shared secret. **Default: `X-Shared-Secret`.**
    pub shared_secret_header: String,
    /// URL at which ASHIRT reaches the worker, such as `http://ashirt-worker:5000`: for
    /// `config-json`. **Default: none.**
    pub url: Option<String>,
    /// Maximum number of pieces of evidence that are processed at once; all others wait. Each takes
    /// some MiB of memory. **Default: `16`.**
    #[setting(min = 1, max = 1024)]
    pub at_once: usize,
    /// Maximum duration of processing a piece of evidence, without its time in the queue.
    /// **Default: `2m`.**
    #[setting(max = "1day")]
    pub timeout: Duration,
    /// Defers evidence: stores it as a task, responds that the result follows, and reports it later as
    /// metadata under the name `worker.source`. Such evidence is not lost if the worker is stopped or
    /// killed. `always` defers all evidence, a duration such as `30s` what has not been processed by
    /// then, and what waits when the worker has to stop. Tasks are in a SQLite file in the data folder
    /// (`[db]`, `[tasks]`). **Default: `off`, and ASHIRT waits for every result.**
    pub defer: DeferSetting,
    /// Name that an administrator gave this worker in ASHIRT (Admin, Service Workers), under which
    /// deferred results are stored. **Default: none; required if `worker.defer` is not `off`.**
    pub source: Option<String>,
    /// Delay after which deferred evidence is processed and reported. ASHIRT must have recorded the
    /// response by then, because it would overwrite the result with it: raise it if evidence stays
    /// "queued". **Default: `5s`.**
    #[setting(max = "1h")]
    pub report_delay: Duration,
    /// Makes the button "Test" of ASHIRT's page also check that the worker reaches ASHIRT and its
    /// keys are accepted. **Default: `false`: a reachable worker is enough.**
    pub test_asks_ashirt: bool,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            enable_dev: DevRoutesSetting(false),
            shared_secret: SharedSecretSetting::default(),
            shared_secret_header: "X-Shared-Secret".into(),
            url: None,
            at_once: 16,
            timeout: Duration::from_secs(120),
            defer: DeferSetting::Off,
            source: None,
            report_delay: Duration::from_secs(5),
            test_asks_ashirt: false,
        }
    }
}

impl WorkerSettings {
    fn check(&self, reader: &mut Reader<'_>) {
        if self.header().is_none() {
            let why = "not a header name that ASHIRT can send";
            reader.refuse(
                "shared_secret_header",
                why,
                "shared_secret_header = \"X-Shared-Secret\"",
            );
        }
        if let Some(Err(why)) = self.url.as_deref().map(process_url) {
            reader.refuse("url", why, "url = \"http://ashirt-worker:5000\"");
        }
        if self.timeout.is_zero() {
            reader.refuse("timeout", "it must be greater than zero", "timeout = \"2m\"");
        }
        if let Some(why) = self.source_problem() {
            let fix = "set it to the name that this worker has in ASHIRT: Admin, Service Workers";
            reader.refuse("source", why, fix);
        }
    }

    /// Returns why results cannot be stored under `source`, if they are to be.
    fn source_problem(&self) -> Option<&'static str> {
        match &self.source {
            None if self.defer == DeferSetting::Off => None,
            None => Some("deferred results cannot be stored without the worker's name in ASHIRT"),
            Some(source) if ashirt::is_source(source) => None,
            Some(_) => {
                Some("not a name that ASHIRT stores: 1 to 255 visible characters up to U+FFFF")
            }
        }
    }

    /// Returns the header with the shared secret, or `None` if ASHIRT cannot send it: Go sets some
    /// headers itself, or drops them, whatever is configured.
    pub(crate) fn header(&self) -> Option<HeaderName> {
        let name: HeaderName = self.shared_secret_header.parse().ok()?;
        let taken = [
            "host",
            "content-length",
            "content-type",
            "accept-encoding",
            "transfer-encoding",
            "trailer",
            "connection",
        ];
        (!taken.contains(&name.as_str())).then_some(name)
    }
}

/// Returns whether evidence may be deferred. Only then tasks and their database are started.
pub(crate) fn defers(config: &Config) -> bool {
    let worker: WorkerSettings = config.read("worker", &mut Problems::new());
    worker.defer != DeferSetting::Off
}

/// Returns the requirement that production has no development routes.
pub(crate) fn no_dev_routes() -> Requirement {
    let met = |config: &Config| {
        let worker: WorkerSettings = config.read("worker", &mut Problems::new());
        !worker.enable_dev.0
    };
    let why = "routes for development are not for production";
    Requirement::new("worker.enable_dev", why, "remove ENABLE_DEV=true", met).to_serve()
}

/// Setting of the development routes. The Python worker took `true` in any letter case for yes, and
/// everything else for no. Other words for yes are refused here, so that nobody is surprised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevRoutesSetting(pub bool);

impl Setting for DevRoutesSetting {
    fn expects() -> Cow<'static, str> {
        "`true` or `false`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(yes) => Ok(Self(*yes)),
            Value::String(word) => match &*word.to_lowercase() {
                "true" => Ok(Self(true)),
                "false" | "no" | "off" | "0" | "" => Ok(Self(false)),
                // Refused instead of read as no, because nobody who writes these means no.
                "yes" | "on" | "1" => Err("the Python worker read this as no: write `true`".into()),
                _ => Err("expected `true` or `false`".into()),
            },
            _ => Err("expected `true` or `false`".into()),
        }
    }

    fn show(&self) -> Value {
        self.0.into()
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

/// Setting of the shared secret. Empty text is refused: it is what `${UNSET}` expands to, and would
/// leave the worker open.
#[derive(Clone, Default)]
pub struct SharedSecretSetting(Option<SecretString>);

impl SharedSecretSetting {
    /// Returns the secret.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_ref().map(ExposeSecret::expose_secret)
    }
}

impl Setting for SharedSecretSetting {
    const SECRET: bool = true;

    fn expects() -> Cow<'static, str> {
        "8 or more visible ASCII characters".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let visible = |byte: u8| (0x21..=0x7e).contains(&byte);
        match value {
            Value::Null => Ok(Self(None)),
            Value::String(secret) if secret.len() >= 8 && secret.bytes().all(visible) => {
                Ok(Self(Some(secret.clone().into())))
            }
            Value::String(secret) if secret.is_empty() => {
                Err("it is empty, so that anyone could call: remove it, or generate one with `openssl rand -hex 24`".into())
            }
            _ => Err("it must have 8 or more visible ASCII characters, for example from `openssl rand -hex 24`".into()),
        }
    }

    fn show(&self) -> Value {
        self.0.as_ref().map_or(Value::Null, |_| "***".into())
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 8 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_says_yes_and_what_was_no_for_python_is_not_yes_here() {
        for yes in ["true", "TRUE", "True"] {
            assert_eq!(DevRoutesSetting::parse(&json!(yes)), Ok(DevRoutesSetting(true)), "{yes}");
        }
        for no in ["false", "False", "no", "off", "0", ""] {
            assert_eq!(DevRoutesSetting::parse(&json!(no)), Ok(DevRoutesSetting(false)), "{no}");
        }
        for unclear in ["1", "yes", "on", " true", "true ", "enabled"] {
            assert!(DevRoutesSetting::parse(&json!(unclear)).is_err(), "{unclear}");
        }
    }
}
