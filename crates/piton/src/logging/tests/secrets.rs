//! Secrets in messages, fields and settings.

use super::*;

#[test]
fn fields_with_secret_names_are_hidden() {
    let work = || {
        info!(
            password = "hunter2",
            user_token = %"hunter2",
            headers.authorization = ?Some("hunter2"),
            url = "postgres://me:hunter2@db/x",
            token_count = 3,
            "Connects to {}", "redis://:hunter2@cache"
        );
    };
    let value = json(work);
    assert!(!value.to_string().contains("hunter2"), "{value}");
    assert_eq!((&value["password"], &value["token_count"]), (&json!("***"), &json!(3)));
    assert_eq!(value["url"], "postgres://***@db/x");
    assert_eq!(value["message"], "Connects to redis://***@cache");
    let line = human(work);
    assert!(!line.contains("hunter2") && line.contains("password=***"), "{line}");
}

#[test]
fn a_secret_is_hidden_by_its_type() {
    let secret = secrecy::SecretString::from("hunter22");
    let value = json(|| info!(?secret, wrapped = ?Some(&secret), "Has {secret:?}"));
    assert!(!value.to_string().contains("hunter22"), "{value}");
    assert!(value["message"].as_str().is_some_and(|said| said.contains("[REDACTED]")), "{value}");
    assert!(value["wrapped"].as_str().is_some_and(|said| said.contains("[REDACTED]")), "{value}");
}

#[test]
fn headers_and_tokens_are_masked_in_messages_and_fields() {
    let mut headers = ::http::HeaderMap::new();
    headers.insert("authorization", "Bearer hunter22".parse().expect("a header's value"));
    headers.insert("host", "example.org".parse().expect("a header's value"));
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJpZGVudGl0eSI6MX0.hunter22";
    let work = || info!(?headers, given = token, "Sent Basic aHVudGVyMjI= and {token}");
    for line in [json(work).to_string(), human(work)] {
        let secrets = ["hunter22", "aHVudGVyMjI", "eyJ"];
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
        assert!(line.contains("example.org") && line.contains("Sent Basic *** and ***"), "{line}");
    }
}

#[test]
fn a_known_secret_is_hidden_in_messages_and_fields() {
    remember_secret(&secrecy::SecretString::from("known to the log"));
    let work = || info!(note = "it is known to the log!", list = ?["known to the log"], "known to the log");
    for line in [json(work).to_string(), human(work)] {
        assert!(!line.contains("known") && line.contains("it is ***!"), "{line}");
    }
}

#[test]
fn a_secret_at_the_cut_of_a_long_text_is_hidden_whole() {
    remember_secret(&secrecy::SecretString::from("0123456789-0123456789"));
    for length in (MAX_LINE_BYTES - 512..MAX_LINE_BYTES + 4608).step_by(19) {
        let text = "x".repeat(length) + "0123456789-0123456789" + &"y".repeat(9000);
        let line = fixed(LineStyle::Human, None, || info!("{text}"));
        assert!(!line.contains("x0"), "{length}");
    }
}

/// A part with a secret in its settings.
#[derive(Clone)]
struct Vault(secrecy::SecretString);

#[derive(Settings, Default)]
struct VaultSettings {
    /// The key of the vault.
    key: secrecy::SecretString,
}

impl crate::part::Part for Vault {
    const NAME: &'static str = "test-vault";
    type Settings = VaultSettings;

    async fn start(
        settings: VaultSettings,
        _: &crate::part::Launch,
    ) -> Result<Self, crate::part::Error> {
        Ok(Self(settings.key))
    }
}

crate::part!(Vault);

#[test]
fn a_secret_setting_is_hidden_in_the_log_and_in_problems() {
    async fn fails(vault: Vault) -> crate::Result<&'static str> {
        let key = vault.0.expose_secret().to_owned();
        warn!(note = key, "The key is {key}, sent to http://vault/?key={key}");
        Err(crate::Error::internal(format!("the vault refused `{key}`: {:?}", [&key])))
    }
    let app = App::new("secrets")
        .blueprints(["none"])
        .set("test-vault.key", "open sesame, please")
        .route(get("/fails", fails));
    let lines = lines_of(LogLevel::Trace, app, async |app| {
        let answer = app.get("/fails").await;
        assert_eq!(answer.status(), 500);
        assert!(answer.text().contains("the vault refused `***`"), "{}", answer.text());
        assert!(!answer.text().contains("sesame"), "{}", answer.text());
    });
    let all: String = lines.iter().map(Value::to_string).collect();
    assert!(!all.contains("sesame"), "{all}");
    assert_eq!(said(&lines, "The key is ***, sent to http://vault/?key=***").len(), 1, "{all}");
    let failure = "GET /fails failed: the vault refused `***`: [\"***\"]";
    assert_eq!(said(&lines, failure).len(), 1, "{all}");
}
