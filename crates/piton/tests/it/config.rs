//! The service's own settings, and the variables and files it reads them from.

use piton::http::get as get_by_hand;
use piton::prelude::*;
use piton::testing::TestApp;
use piton::{LaunchError, Stop};
use tokio::net::TcpListener;

/// What we charge.
#[derive(Clone, Debug, Settings)]
struct Billing {
    /// Whole cents a call. **Default: `3`.**
    price: u32,
    /// Signs the bills.
    key: Option<piton::secrecy::SecretString>,
}

impl Default for Billing {
    fn default() -> Self {
        Self { price: 3, key: None }
    }
}

/// Another section.
#[derive(Clone, Debug, Default, Settings)]
struct Other {
    /// A word.
    word: String,
}

async fn price(State(billing): State<Billing>) -> String {
    billing.price.to_string()
}

fn app() -> App {
    App::new("shop").blueprints(["none"]).set("log.level", "critical")
}

fn billing() -> App {
    app().settings::<Billing>("billing").route(get_by_hand("/", price))
}

/// The message with which `app` refuses to start.
async fn refusal(app: App) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (trigger, stop) = Stop::new();
    trigger.stop();
    let error: LaunchError = app.serve(listener, stop).await.expect_err("the app is wrong");
    error.report("shop")
}

#[piton::test]
async fn a_section_of_the_service_is_a_state_of_its_handlers_and_of_the_handle() {
    let app = TestApp::new(billing()).await;
    assert_eq!(app.get("/").await.text(), "3");
    let app = TestApp::new(billing().set("billing.price", 5)).await;
    assert_eq!(app.get("/").await.text(), "5");
    assert_eq!(app.handle().state::<Billing>().map(|billing| billing.price), Some(5));
}

mod scanned {
    use super::*;

    #[get("/scanned/price")]
    async fn scanned_price(State(billing): State<Billing>) -> String {
        billing.price.to_string()
    }
}

#[piton::test]
async fn a_scanned_route_takes_a_section_as_its_state() {
    let app = App::new("it").blueprints(["config::scanned"]).set("log.level", "critical");
    let app = TestApp::new(app.settings::<Billing>("billing")).await;
    assert_eq!(app.get("/scanned/price").await.text(), "3");
}

#[piton::test]
async fn a_section_of_the_service_is_checked_with_all_others() {
    let app = billing().set("billing.price", "x").set("billing.prise", 1).set("http.port", "x");
    let report = refusal(app).await;
    assert!(report.contains("3 settings are wrong"), "{report}");
    assert!(report.contains("billing.price = \"x\"") && report.contains("pass 3"), "{report}");
    assert!(report.contains("did you mean `billing.price`?"), "{report}");
}

#[piton::test]
async fn a_section_whose_name_or_type_is_taken_is_refused_with_its_line() {
    for (app, why) in [
        (app().settings::<Other>("http"), "the section `http` belongs to the framework"),
        (app().settings::<Other>("production"), "`production` is a setting of the framework"),
        (app().settings::<Other>("Billing"), "not a valid name of a section"),
        (app().settings::<Other>(""), "not a valid name of a section"),
        (app().settings::<Other>("a.b"), "not a valid name of a section"),
        (billing().settings::<Other>("billing"), "declared at"),
        (billing().settings::<Billing>("again"), "another state or section has the same type"),
        (
            app().state(Other::default()).settings::<Other>("a"),
            "another state or section has the same type",
        ),
    ] {
        let report = refusal(app).await;
        assert!(report.contains("1 setting is wrong"), "{report}");
        assert!(report.contains(why), "{report}");
        assert!(report.contains("config.rs:"), "{report}");
    }
}

#[piton::test]
async fn two_settings_with_one_variable_are_refused() {
    #[derive(Clone, Debug, Default, Settings)]
    struct Greedy {
        #[setting(alias = "PORT")]
        port: u16,
    }
    let report = refusal(app().settings::<Greedy>("greedy")).await;
    assert!(report.contains("`http.port` is read from the variable PORT too"), "{report}");
}

#[piton::test]
async fn an_alias_for_a_setting_that_is_not_there_is_refused() {
    let report = refusal(app().env_alias("OLD_PORT", "http.prot")).await;
    assert!(report.contains("config.rs:") && report.contains("`http.port`?"), "{report}");
    TestApp::new(app().env_alias("OLD_PORT", "http.port")).await;
}

#[test]
fn the_example_and_the_schema_hold_the_services_own_section() {
    let app = billing().env_alias("OLD_PRICE", "billing.price");
    let example = app.config_example();
    let expected = "\
# What we charge.
[billing]

# Whole cents a call. Default: `3`.
# Variable: PITON_BILLING_PRICE, also OLD_PRICE
#price = 3

# Signs the bills.
# Write a secret text, or nothing.
# Variable: PITON_BILLING_KEY; PITON_BILLING_KEY_FILE names a file with the value
#key = \"\"
";
    assert!(example.ends_with(expected), "{example}");
    let schema = app.config_schema();
    assert_eq!(schema["title"], "shop");
    assert_eq!(schema["properties"]["billing"]["properties"]["price"]["default"], 3);
}

#[test]
fn the_example_holds_only_the_rooms_that_the_app_uses() {
    let sections = |app: App| -> Vec<String> {
        let schema = app.config_schema();
        let properties = schema["properties"].as_object().expect("an object");
        properties.iter().filter(|(_, it)| it["type"] == "object").map(|it| it.0.clone()).collect()
    };
    assert_eq!(sections(app()), ["admin", "http", "log"]);
    assert_eq!(sections(billing()), ["admin", "billing", "http", "log"]);
}

/// What the app needs where it matters.
fn careful() -> App {
    billing()
        .require_outside_local(piton::config::Requirement::new(
            "billing.key",
            "nobody could trust a bill",
            "set PITON_BILLING_KEY",
            |config| config.origin("billing.key") != piton::config::Origin::Default,
        ))
        .require_outside_local(piton::config::Requirement::new(
            "billing.price",
            "the price is made up",
            "set PITON_BILLING_PRICE",
            |config| config.origin("billing.price") != piton::config::Origin::Default,
        ))
}

#[piton::test]
async fn outside_of_local_all_that_is_missing_is_named_at_once_and_nothing_starts() {
    assert_eq!(TestApp::new(careful()).await.get("/").await.text(), "3");
    assert!(TestApp::new(careful().set("environment", "LOCAL")).await.get("/").await.text() == "3");
    let report = refusal(careful().set("environment", "staging")).await;
    for said in [
        "2 settings are wrong",
        "billing.key",
        "billing.price",
        "nobody could trust",
        "set PITON_BILLING_KEY",
        "`staging`",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
    let half = careful().set("environment", "staging").set("billing.price", 4);
    let report = refusal(half).await;
    assert!(report.contains("1 setting is wrong") && !report.contains("made up"), "{report}");
}

#[piton::test]
async fn outside_of_local_is_production_unless_told_otherwise() {
    let production = async |app: App| TestApp::new(app).await.handle().production();
    assert!(!production(billing()).await);
    assert!(production(billing().set("environment", "staging")).await);
    assert!(!production(billing().set("environment", "staging").production(false)).await);
    assert!(production(billing().set("environment", "local").production(true)).await);
}

#[piton::test]
async fn what_production_asks_for_is_asked_for_wherever_that_is() {
    let timid = || {
        billing().require_in_production(piton::config::Requirement::new(
            "billing.key",
            "nobody could trust a bill",
            "set PITON_BILLING_KEY",
            |config| config.origin("billing.key") != piton::config::Origin::Default,
        ))
    };
    assert_eq!(TestApp::new(timid()).await.get("/").await.text(), "3");
    let elsewhere = timid().set("environment", "staging");
    assert_eq!(TestApp::new(elsewhere.production(false)).await.get("/").await.text(), "3");
    let report = refusal(timid().production(true)).await;
    assert!(report.contains("it runs in production, says "), "{report}");
    let report = refusal(timid().set("environment", "staging")).await;
    assert!(report.contains("the environment is `staging`, from "), "{report}");
    let given = timid().production(true).env_for_test("PITON_BILLING_KEY", "x");
    assert_eq!(TestApp::new(given).await.get("/").await.text(), "3");
}

#[piton::test]
async fn a_variable_said_in_code_is_a_variable_of_the_environment() {
    let app = TestApp::new(billing().env_for_test("PITON_BILLING_PRICE", "7")).await;
    assert_eq!(app.get("/").await.text(), "7");
    let origin = app.handle().config().origin("billing.price");
    assert_eq!(origin.to_string(), "environment variable PITON_BILLING_PRICE");
    let said =
        billing().env_for_test("PITON_BILLING_PRICE", "7").env_for_test("PITON_BILLING_PRICE", "8");
    assert_eq!(TestApp::new(said).await.get("/").await.text(), "8", "the later counts");
    let report = refusal(billing().env_for_test("PITON_BILLING_PRICE", "seven")).await;
    assert!(report.contains("from environment variable PITON_BILLING_PRICE"), "{report}");
}

#[piton::test]
async fn bounds_hold_for_settings_of_the_service_from_every_layer() {
    /// What we send.
    #[derive(Clone, Debug, Settings)]
    struct Sending {
        /// How many at once. **Default: `8`.**
        #[setting(min = 1, max = 100)]
        at_once: u32,
        /// How long to wait. **Default: `1s`.**
        #[setting(min = "1ms", max = "1h")]
        wait: std::time::Duration,
        /// How long to remember.
        remember: Option<std::time::Duration>,
        /// How large. **Default: `1MiB`.**
        #[setting(max = "2MiB")]
        size: piton::config::ByteSize,
        /// How likely. **Default: `0.5`.**
        #[setting(min = 0, max = 1.0)]
        share: f64,
        /// When to try again.
        #[setting(max = "1m")]
        pauses: Vec<std::time::Duration>,
    }
    impl Default for Sending {
        fn default() -> Self {
            Self {
                at_once: 8,
                wait: std::time::Duration::from_secs(1),
                remember: None,
                size: piton::config::ByteSize::mib(1),
                share: 0.5,
                pauses: Vec::new(),
            }
        }
    }
    let sending = || app().settings::<Sending>("sending");
    TestApp::new(
        sending()
            .set("sending.at_once", 100)
            .set("sending.wait", "1h")
            .set("sending.remember", "36500days")
            .set("sending.size", "2MiB")
            .set("sending.share", 1)
            .set("sending.pauses", "1s,1m"),
    )
    .await;
    let report = refusal(
        sending()
            .set("sending.at_once", 101)
            .set("sending.wait", "0s")
            .set("sending.remember", "584542046090years")
            .set("sending.size", "3MiB")
            .set("sending.share", 1.5)
            .set("sending.pauses", "1s,2m"),
    )
    .await;
    assert!(report.contains("6 settings are wrong"), "{report}");
    for why in [
        "a whole number from 1 to 100",
        "from `1ms` to `1h`",
        "from `0s` to `36500days`",
        "from `0B` to `2MiB`",
        "a number from 0 to 1.0",
        "item 2: expected a duration",
    ] {
        assert!(report.contains(why), "{why}: {report}");
    }
    let schema = sending().config_schema();
    let of = |name: &str| schema["properties"]["sending"]["properties"][name].clone();
    assert_eq!((&of("at_once")["minimum"], &of("at_once")["maximum"]), (&1.into(), &100.into()));
    assert!(of("wait")["description"].as_str().unwrap().ends_with("From `1ms` to `1h`."));
}
