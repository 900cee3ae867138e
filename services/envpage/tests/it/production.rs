//! Production: refused, and what is different where it was forced.

use piton::App;
use piton::serde_json::Value;
use piton::testing::TestApp;

use test_support::cli::{output, temporary_folder};

use crate::config::envpage;

const REFUSAL: &str = "a page of secrets must not run in production";
const FIX: &str = "fix: run it elsewhere, or set PITON_PAGE_FORCE_PRODUCTION=true to confirm";

#[test]
fn it_does_not_start_in_production_however_that_is_said() {
    for (variables, arguments, because) in [
        (&[("ENVIRONMENT", "production")][..], &[][..], "the environment is `production`, from"),
        (&[("PITON_ENVIRONMENT", "staging")], &[], "the environment is `staging`, from"),
        (
            &[("ENVIRONMENT", "production"), ("PITON_PRODUCTION", "false")],
            &[],
            "is `production`, from",
        ),
        (&[("PITON_PRODUCTION", "true")], &[], "says environment variable PITON_PRODUCTION"),
        (&[], &["--production"], "it runs in production, says flag --production"),
    ] {
        let folder = temporary_folder();
        let refused = output(envpage(folder.path(), arguments).envs(variables.iter().copied()));
        assert_eq!(refused.code, Some(2), "{variables:?}");
        for said in [REFUSAL, FIX, because] {
            assert!(refused.err.contains(said), "{said}: {}", refused.err);
        }
    }
}

#[test]
fn the_refusal_comes_with_everything_else_that_is_wrong() {
    let folder = temporary_folder();
    let file = "[page]\ntitle = ''\nmask = 'some'\n[[page.groups]]\nname = ''\nvars = ['../x']\n";
    std::fs::write(folder.path().join("config.toml"), file).unwrap();
    let refused = output(&mut envpage(folder.path(), &["--production", "--port", "x"]));
    assert_eq!(refused.code, Some(2));
    for said in [
        "5 settings are wrong",
        "from config.toml:4\n    group 1: a group has no name\n    group 1: the variable `../x`",
        "page.mask = \"some\"",
        "page.title = \"\"",
        "http.port",
        REFUSAL,
    ] {
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
    }
}

#[test]
fn a_verb_that_serves_nothing_runs_in_production() {
    let folder = temporary_folder();
    let routes = output(envpage(folder.path(), &["routes"]).env("ENVIRONMENT", "production"));
    assert_eq!(routes.code, Some(0), "{}", routes.err);
    assert!(routes.out.contains("/variables.json"));
}

/// In production by force, with `folder` for secrets.
fn forced() -> App {
    envpage::app()
        .production(true)
        .set("page.force_production", true)
        .set("page.secret_folders", Vec::<String>::new())
        .env_for_test("POSTGRES_PASSWORD", "hunter2")
        .env_for_test("POSTGRES_HOST", "db")
}

#[piton::test]
async fn forced_into_production_it_says_so_hides_secrets_and_answers_to_any_name() {
    let app = TestApp::new(forced()).await;
    let page = app.get("/").header("host", "lab.example.org").await;
    assert_eq!(page.status(), 200);
    let text = page.text();
    assert!(text.contains("<p class=\"alarm\"><strong>This is production"));
    assert!(text.contains("Do not use this in any production context."));
    assert!(!text.contains("hunter2") && text.contains("set, hidden") && text.contains(">db<"));
    let json: Value = app.get("/variables.json").await.json();
    assert_eq!(json["mask"], "secrets");
    assert!(json["alarm"].as_str().unwrap().starts_with("This is production"));
}

#[piton::test]
async fn in_development_nothing_is_alarming() {
    let app = envpage::app().set("page.secret_folders", Vec::<String>::new());
    let app = TestApp::new(app).await;
    assert!(!app.get("/").await.text().contains("class=\"alarm\""));
}
