//! The section `[worker]`.

use std::borrow::Cow;
use std::time::Duration;

use piton::axum::http::HeaderName;
use piton::config::{Config, Problems, Reader, Requirement, Setting};
use piton::prelude::*;
use piton::secrecy::{ExposeSecret, SecretString};
use piton::serde_json::{Value, json};

use crate::protocol::process_url;

/// What the worker does with evidence, and who may send it some.
#[derive(Clone, Settings)]
#[setting(check = Self::check)]
pub struct WorkerSettings {
    /// Whether there are routes to try the worker with (`GET /`, `POST /test`): only for development.
    /// `true` says yes, in any case. **Default: `false`.**
    #[setting(alias = "ENABLE_DEV")]
    pub enable_dev: DevRoutesSetting,
    /// What callers have to show in `worker.shared_secret_header`. `ashirt-worker config-json` prints it as
    /// ASHIRT wants it. **Default: none, and everybody may call.**
    pub shared_secret: SharedSecretSetting,
    /// The header with the shared secret. **Default: `X-Shared-Secret`.**
    pub shared_secret_header: String,
    /// Where ASHIRT reaches the worker, such as `http://ashirt-worker:5000`: for `config-json`.
    /// **Default: none.**
    pub url: Option<String>,
    /// How many pieces of evidence are looked at together; all others wait. Each takes some MiB of memory.
    /// **Default: `16`.**
    #[setting(min = 1, max = 1024)]
    pub at_once: usize,
    /// How long one may take when its turn has come. **Default: `2m`.**
    #[setting(max = "1day")]
    pub timeout: Duration,
    /// Whether the button "Test" of ASHIRT's page also asks whether the worker reaches ASHIRT and its keys
    /// are taken. **Default: `false`: that the worker is there is enough.**
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
            test_asks_ashirt: false,
        }
    }
}

impl WorkerSettings {
    fn check(&self, reader: &mut Reader<'_>) {
        if self.header().is_none() {
            let why = "it is no name of a header that ASHIRT could send";
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
            reader.refuse("timeout", "nothing would ever be looked at", "timeout = \"2m\"");
        }
    }

    /// The header with the shared secret. Go sets these itself, or drops them, whatever is configured.
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

/// Routes for development are not for production.
pub(crate) fn no_dev_routes() -> Requirement {
    let met = |config: &Config| {
        let worker: WorkerSettings = config.read("worker", &mut Problems::new());
        !worker.enable_dev.0
    };
    let why = "routes for development are not for production";
    Requirement::new("worker.enable_dev", why, "take ENABLE_DEV=true away", met).to_serve()
}

/// Whether there are routes for development: the Python worker took `true` for yes, in any case, and
/// everything else for no. What others take for yes is refused here, so that nobody is surprised.
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
                // Nobody writes these who wants to say no.
                "yes" | "on" | "1" => Err("the Python worker took it for no: write `true`".into()),
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

/// What callers have to show, if anything. Empty is what `${UNSET}` comes to, and nobody should take that for a
/// guard: it is refused.
#[derive(Clone, Default)]
pub struct SharedSecretSetting(Option<SecretString>);

impl SharedSecretSetting {
    /// The secret.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_ref().map(ExposeSecret::expose_secret)
    }
}

impl Setting for SharedSecretSetting {
    const SECRET: bool = true;

    fn expects() -> Cow<'static, str> {
        "8 visible characters of ASCII or more".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let visible = |byte: u8| (0x21..=0x7e).contains(&byte);
        match value {
            Value::Null => Ok(Self(None)),
            Value::String(secret) if secret.len() >= 8 && secret.bytes().all(visible) => {
                Ok(Self(Some(secret.clone().into())))
            }
            Value::String(secret) if secret.is_empty() => {
                Err("it is empty, and everybody could call: take it away, or take one by `openssl rand -hex 24`".into())
            }
            _ => Err("it has to be 8 visible characters of ASCII or more, such as of `openssl rand -hex 24`".into()),
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
