//! Named keys, through the doors that programs and people use, on each database.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use secrecy::ExposeSecret;

use super::key_format::parse;
use super::*;
use crate::auth::api_key::{ApiKey, ApiKeys};
use crate::http::get;
use crate::prelude::App;
use crate::testing::TestApp;

/// Makes of each function a test on SQLite and one on PostgreSQL. `$db` is the setting that names an
/// empty database, and what it is set to.
macro_rules! on_both {
    ($(async fn $name:ident($db:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($db: (&'static str, String)) $body

            #[cfg(feature = "sqlite")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let folder = tempfile::tempdir().unwrap();
                check(("db.path", file(folder.path()))).await;
            }

            #[cfg(feature = "postgres")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                check(("db.url", test_support::postgres::database())).await;
            }
        }
    )*};
}

#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "a server has no file"))]
fn file(folder: &Path) -> String {
    folder.join("keys.db").to_string_lossy().into_owned()
}

async fn strict(key: ApiKey) -> crate::Result<String> {
    key.require_scope("read")?;
    Ok(format!("{} {}", key.name().unwrap_or("-"), key.id().unwrap_or("-").len()))
}

fn app(db: &(&'static str, String)) -> App {
    let app = App::new("keys").blueprints(["none"]).set("log.level", "critical");
    app.set(db.0, db.1.clone()).enable::<ApiKeys>().route(get("/", strict))
}

fn scopes(scopes: &[&str]) -> Vec<String> {
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

async fn get_with(app: &TestApp, key: &NewKey) -> (u16, String) {
    let answer = app.get("/").header("x-api-key", key.key.expose_secret()).await;
    (answer.status().as_u16(), answer.text())
}

const DAY: Duration = Duration::from_secs(86_400);

on_both! {
    async fn a_key_is_valid_from_creation_until_revocation(db) {
        let app = TestApp::new(app(&db)).await;
        let keys = app.handle().api_keys();
        let key = keys.create("billing", &scopes(&["read", "write"]), None).await.unwrap();
        assert_eq!(get_with(&app, &key).await, (200, "billing 12".into()));
        for scheme in ["Bearer", "ApiKey", "bearer"] {
            let value = format!("{scheme} {}", key.key.expose_secret());
            assert_eq!(app.get("/").header("authorization", &value).await.status(), 200);
        }
        assert_eq!(keys.revoke("billing").await.unwrap(), 1);
        let (status, text) = get_with(&app, &key).await;
        assert_eq!(status, 401);
        assert!(text.contains("invalid API key") && !text.contains("revoked"), "{text}");
        assert_eq!(keys.revoke("billing").await.unwrap_err().kind(), KeyErrorKind::Unknown);
        assert_eq!(keys.list().await.unwrap()[0].state, KeyState::Revoked);
    }

    async fn the_database_has_only_the_digest_of_a_key(db) {
        let app = TestApp::new(app(&db)).await;
        let key = app.handle().api_keys().create("a", &[], None).await.unwrap();
        let (id, secret) = parse(key.key.expose_secret().as_bytes()).unwrap();
        let row: Option<(String, String)> = app
            .handle()
            .db()
            .one("SELECT secret_sha256, scopes FROM piton_api_keys WHERE id = $1", (id,))
            .await
            .unwrap();
        let (kept, scopes) = row.unwrap();
        assert_eq!((kept.len(), &*scopes), (64, "[]"));
        assert!(!kept.contains(secret) && !format!("{key:?}").contains(secret));
        let (status, text) = get_with(&app, &key).await;
        assert_eq!(status, 403);
        assert!(text.contains("lacks the scope `read`"), "{text}");
    }

    async fn a_leaked_key_is_revoked_by_its_text_which_is_not_logged(db) {
        let app = TestApp::new(app(&db)).await;
        let keys = app.handle().api_keys();
        let key = keys.create("a", &scopes(&["read"]), None).await.unwrap();
        let text = key.key.expose_secret();
        assert_eq!(keys.revoke(text).await.unwrap(), 1);
        assert_eq!(get_with(&app, &key).await.0, 401);
        for error in [keys.revoke(text).await.unwrap_err(), keys.revoke(&text[..40]).await.unwrap_err()] {
            assert_eq!(error.kind(), KeyErrorKind::Unknown);
            assert!(!error.to_string().contains(&text[20..40]), "{error}");
        }
    }

    async fn changed_keys_are_refused(db) {
        let app = TestApp::new(app(&db)).await;
        let key = app.handle().api_keys().create("a", &scopes(&["*"]), None).await.unwrap();
        let text = key.key.expose_secret();
        let (head, last) = text.split_at(text.len() - 1);
        let other = if last == "A" { "B" } else { "A" };
        let unknown = format!("piton_{}_{}", "a".repeat(12), "A".repeat(43));
        let nobody = format!("piton_{}_{}", key.id, "A".repeat(43));
        let longer = format!("{text}A");
        let upper = text.replacen(&key.id, &key.id.to_uppercase(), 1);
        let wrong = [
            &*format!("{head}{other}"), head, &unknown, &nobody, &longer, &upper, "piton_", "piton__", "x",
            "' OR 1 = 1 --", &"p".repeat(5000),
        ];
        for wrong in wrong {
            let answer = app.get("/").header("x-api-key", wrong).await;
            assert_eq!(answer.status(), 401, "{wrong}");
            assert!(answer.text().contains("invalid API key"));
        }
        assert_eq!(get_with(&app, &key).await.0, 200);
    }

    async fn a_name_is_in_use_as_long_as_its_key_is_valid(db) {
        let app = TestApp::new(app(&db)).await;
        let keys = app.handle().api_keys();
        let short = keys.create("a", &scopes(&["read"]), Some(Duration::ZERO)).await.unwrap();
        assert_eq!(get_with(&app, &short).await.0, 401, "its time is over");
        assert_eq!(keys.list().await.unwrap()[0].state, KeyState::Expired);
        keys.create("a", &[], Some(DAY)).await.unwrap();
        let error = keys.create("a", &[], None).await.unwrap_err();
        assert_eq!(error.kind(), KeyErrorKind::NameTaken);
        assert!(error.to_string().contains("`a` is in use"), "{error}");
        keys.create("b", &[], None).await.unwrap();
        keys.revoke("a").await.unwrap();
        keys.create("a", &[], None).await.unwrap();
        for (name, scope) in [("", "x"), ("a b", "x"), ("-a", "x"), ("piton_a", "x"), (&*"x".repeat(65), "x"), ("c", ""), ("c", "a,b"), ("c", "a b")] {
            let error = keys.create(name, &scopes(&[scope]), None).await.unwrap_err();
            assert_eq!(error.kind(), KeyErrorKind::Invalid, "{name} {scope}");
        }
        let century = keys.create("c", &[], Some(DAY * 365 * 101)).await.unwrap_err();
        assert_eq!(century.kind(), KeyErrorKind::Invalid);
    }

    async fn a_rotated_key_remains_valid_for_its_grace(db) {
        let app = TestApp::new(app(&db)).await;
        let keys = app.handle().api_keys();
        let first = keys.create("a", &scopes(&["read"]), Some(DAY * 90)).await.unwrap();
        let second = keys.rotate("a", DAY, None).await.unwrap();
        assert_eq!(second.scopes, ["read"]);
        for key in [&first, &second] {
            assert_eq!(get_with(&app, key).await.0, 200);
        }
        let list = keys.list().await.unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].state, list[1].state), (KeyState::Replaced, KeyState::Active));
        let left = list[0].expires_at.unwrap() - Utc::now();
        assert!(left <= TimeDelta::days(1) && left > TimeDelta::hours(23), "{left}");
        let long = second.expires_at.unwrap() - Utc::now();
        assert!(long > TimeDelta::days(89), "as long as the old one was: {long}");

        let third = keys.rotate("a", Duration::ZERO, None).await.unwrap();
        assert_eq!(get_with(&app, &second).await.0, 401);
        assert_eq!(get_with(&app, &third).await.0, 200);
        assert_eq!(keys.revoke(&third.id).await.unwrap(), 1, "by its id");
        assert_eq!(get_with(&app, &first).await.0, 200, "the others are not touched");
        let error = keys.rotate("a", DAY, None).await.unwrap_err();
        assert_eq!(error.kind(), KeyErrorKind::Unknown);
        assert_eq!(keys.revoke("a").await.unwrap(), 1, "all of the name");
        assert_eq!(get_with(&app, &first).await.0, 401);
    }

    async fn the_last_use_of_a_key_is_recorded_in_the_background(db) {
        let app = TestApp::new(app(&db)).await;
        let keys = app.handle().api_keys();
        let key = keys.create("a", &scopes(&["read"]), None).await.unwrap();
        assert_eq!(keys.list().await.unwrap()[0].last_used_at, None);
        for _ in 0..5 {
            assert_eq!(get_with(&app, &key).await.0, 200);
        }
        let first = wait_for_use(&keys).await;
        assert!(Utc::now() - first < TimeDelta::seconds(30), "{first}");
        for _ in 0..5 {
            assert_eq!(get_with(&app, &key).await.0, 200);
        }
        app.handle().db().run("UPDATE piton_api_keys SET last_used_at = NULL", ()).await.unwrap();
        assert_eq!(get_with(&app, &key).await.0, 200);
        assert_eq!(keys.list().await.unwrap()[0].last_used_at, None, "once a minute is enough");
    }

    async fn ten_replicas_create_the_table_at_the_same_time(db) {
        let apps = join_all((0..10).map(|_| TestApp::new(app(&db)))).await;
        test_support::wait_for("all to connect", || async {
            apps.iter().all(|app| app.handle().try_part::<ApiKeys>().is_ok())
        })
        .await;
        let name = |index: usize| format!("key-{index}");
        let made = apps.iter().enumerate().map(|(index, app)| async move {
            app.handle().api_keys().create(&name(index), &scopes(&["read"]), None).await.unwrap()
        });
        let made = join_all(made).await;
        for (key, app) in made.iter().zip(apps.iter().rev()) {
            assert_eq!(get_with(app, key).await.0, 200);
        }
        let same = apps.iter().map(|app| async { app.handle().api_keys().create("same", &[], None).await });
        let same = join_all(same).await;
        assert_eq!(same.iter().filter(|made| made.is_ok()).count(), 1, "{same:?}");
        for refused in same.into_iter().filter_map(Result::err) {
            assert_eq!(refused.kind(), KeyErrorKind::NameTaken, "{refused}");
        }
    }

    async fn the_single_key_needs_no_database_and_stored_keys_do(db) {
        let simple = "simple-key-of-24-letters";
        let app = TestApp::new(app(&db).set("api_key.key", simple)).await;
        let key = app.handle().api_keys().create("a", &scopes(&["read"]), None).await.unwrap();
        crate::part::Part::stop(&app.handle().db()).await;
        let answer = app.get("/").header("x-api-key", key.key.expose_secret()).await;
        assert_eq!((answer.status().as_u16(), answer.header("retry-after")), (503, "1"));
        assert_eq!(app.get("/").header("x-api-key", simple).await.status(), 200);
        assert_eq!(app.get("/").header("x-api-key", "something else").await.status(), 401);
    }
}

async fn wait_for_use(keys: &ApiKeys) -> DateTime<Utc> {
    test_support::wait_for("the use", || async {
        keys.list().await.unwrap()[0].last_used_at.is_some()
    })
    .await;
    keys.list().await.unwrap()[0].last_used_at.unwrap()
}
