//! Tests of the registry over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod config;
mod document;
mod explain;
mod keys;
mod openapi;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse};

const ONE: &str = "11222333000181";
const OTHER: &str = "12ABC34501DE35";

/// Launches the service on a SQLite file of its own.
async fn registry() -> TestApp {
    TestApp::new(registry::app().set("log.level", "critical")).await
}

/// Launches the service on a PostgreSQL database of its own.
async fn registry_on_a_server() -> TestApp {
    let url = test_support::postgres::database();
    TestApp::new(registry::app().set("log.level", "critical").set("db.url", url)).await
}

/// Defines a test on each database for each function: the same requests, the same answers.
macro_rules! on_both {
    ($(async fn $name:ident($app:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($app: TestApp) $body

            #[piton::test]
            async fn on_sqlite() {
                check(registry().await).await;
            }

            #[piton::test]
            async fn on_postgres() {
                check(registry_on_a_server().await).await;
            }
        }
    )*};
}

// Below the macro, which they use.
mod preconditions;
mod services;
mod tasks;

fn company(cnpj: &str, name: &str, state: &str) -> Value {
    json!({ "cnpj": cnpj, "name": name, "state": state })
}

async fn post(app: &TestApp, company: &Value) -> TestResponse {
    app.post("/api/companies").json(company).await
}

/// The faults of a refusal, as places.
#[track_caller]
fn places(answer: &TestResponse, status: u16) -> Vec<String> {
    assert_eq!(answer.status(), status, "{}", answer.text());
    assert!(answer.is_problem());
    let problem: Value = answer.json();
    let faults = problem["errors"].as_array().cloned().unwrap_or_default();
    let place = |fault: &Value| {
        fault
            .get("pointer")
            .or(fault.get("parameter"))
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    faults.iter().map(place).collect()
}

async fn revisions(app: &TestApp, cnpj: &str) -> Vec<i64> {
    let history: Vec<Value> = app.get(&format!("/api/companies/{cnpj}/history")).await.json();
    history.iter().filter_map(|entry| entry["revision"].as_i64()).collect()
}

on_both! {
    async fn a_company_is_registered_with_its_address_and_shown_there(app) {
        let sent = json!({ "cnpj": "11.222.333/0001-81", "name": "  Café São João ", "state": "sp",
            "partners": [{ "name": "Ana", "share": 60.0 }, { "name": "Zé" }] });
        let answer = post(&app, &sent).await;
        assert_eq!(answer.status(), 201, "{}", answer.text());
        assert_eq!(answer.header("location"), "/api/companies/11222333000181");
        let registered: Value = answer.json();
        assert_eq!(registered["name"], "Café São João");
        assert_eq!(registered["state"], "SP");
        assert_eq!(registered["partners"], json!([{ "name": "Ana", "share": 60.0 }, { "name": "Zé" }]));
        let shown: Value = app.get(answer.header("location")).await.json();
        assert_eq!(shown, registered);
        let by_punctuation: Value = app.get("/api/companies/11.222.333%2F0001-81").await.json();
        assert_eq!(by_punctuation, registered);
    }
}

on_both! {
    async fn a_cnpj_is_registered_once(app) {
        assert_eq!(post(&app, &company(ONE, "One", "SP")).await.status(), 201);
        let again = post(&app, &company("11.222.333/0001-81", "Two", "RJ")).await;
        assert_eq!(again.status(), 409);
        assert!(again.json::<Value>()["detail"].as_str().unwrap().contains(ONE));
        assert_eq!(revisions(&app, ONE).await, [1]);
    }
}

on_both! {
    async fn put_replaces_and_patch_changes(app) {
        let mut sent = company(ONE, "One", "SP");
        sent["partners"] = json!([{ "name": "Ana" }]);
        post(&app, &sent).await;
        let path = format!("/api/companies/{ONE}");

        let patched: Value = app.patch(&path).json(&json!({ "state": "RJ" })).await.json();
        assert_eq!((&patched["name"], &patched["state"]), (&json!("One"), &json!("RJ")));
        assert_eq!(patched["partners"], json!([{ "name": "Ana" }]));

        let replaced: Value =
            app.put(&path).json(&json!({ "name": "New", "state": "MG" })).await.json();
        assert_eq!((&replaced["name"], &replaced["partners"]), (&json!("New"), &Value::Null));
        assert_eq!(replaced["created_at"], patched["created_at"]);
        assert!(replaced["updated_at"].as_str() > patched["updated_at"].as_str());

        let other = json!({ "cnpj": OTHER, "name": "New", "state": "MG" });
        assert_eq!(places(&app.put(&path).json(&other).await, 409), ["#/cnpj"]);
    }
}

on_both! {
    async fn a_merge_patch_clears_partners_with_null(app) {
        let mut sent = company(ONE, "One", "SP");
        sent["partners"] = json!([{ "name": "Ana" }]);
        post(&app, &sent).await;
        let answer = app
            .patch(&format!("/api/companies/{ONE}"))
            .header("content-type", "application/merge-patch+json")
            .body(r#"{"partners":null}"#)
            .await;
        assert_eq!(answer.json::<Value>()["partners"], Value::Null);
    }
}

on_both! {
    async fn every_change_is_in_the_history_and_an_unchanged_company_is_not(app) {
        post(&app, &company(ONE, "One", "SP")).await;
        let path = format!("/api/companies/{ONE}");
        app.patch(&path).json(&json!({ "name": "Two" })).await;
        app.patch(&path).json(&json!({ "name": "Two" })).await;
        app.put(&path).json(&json!({ "name": "Three", "state": "RJ" })).await;
        let history: Vec<Value> = app.get(&format!("{path}/history")).await.json();
        let told: Vec<_> = history
            .iter()
            .map(|entry| {
                (entry["action"].as_str().unwrap(), entry["company"]["name"].as_str().unwrap())
            })
            .collect();
        assert_eq!(told, [("update", "Three"), ("update", "Two"), ("insert", "One")]);
        let now: Value = app.get(&path).await.json();
        assert_eq!(history[0]["company"], now);
    }
}

on_both! {
    async fn an_unregistered_company_is_404_everywhere(app) {
        let path = format!("/api/companies/{ONE}");
        for answer in [
            app.get(&path).await,
            app.get(&format!("{path}/history")).await,
            app.put(&path).json(&json!({ "name": "x", "state": "SP" })).await,
            app.patch(&path).json(&json!({ "name": "x" })).await,
        ] {
            assert_eq!(answer.status(), 404, "{}", answer.text());
            assert!(answer.is_problem());
        }
    }
}

on_both! {
    async fn every_fault_of_a_company_is_reported_with_its_location(app) {
        let refused = |body: Value| {
            let app = &app;
            async move { places(&post(app, &body).await, 422) }
        };
        assert_eq!(refused(company("11222333000182", "x", "SP")).await, ["#/cnpj"]);
        assert_eq!(refused(company(ONE, "x", "XX")).await, ["#/state"]);
        assert_eq!(refused(company(ONE, " ", "SP")).await, ["#/name"]);
        assert_eq!(
            refused(json!({ "cnpj": ONE, "name": "x", "state": "SP", "nmae": 1 })).await,
            ["#/nmae"]
        );
        let mut shapes = json!({ "cnpj": "1", "name": 7, "state": "XX", "nmae": 1,
            "partners": [{ "name": "x", "cpf": "52998224724", "share": "much" }] });
        let mut found = refused(shapes.take()).await;
        found.sort();
        assert_eq!(
            found,
            ["#/cnpj", "#/name", "#/nmae", "#/partners/0/cpf", "#/partners/0/share", "#/state"]
        );
        let mut two = company(ONE, "", "SP");
        two["partners"] = json!([{ "name": "x" }, { "name": "", "share": 101 }]);
        let mut found = refused(two).await;
        found.sort();
        assert_eq!(found, ["#/name", "#/partners/1/name", "#/partners/1/share"]);
        let mut many = company(ONE, "x", "SP");
        many["partners"] = Value::from(vec![json!({ "name": "x" }); 101]);
        assert_eq!(refused(many).await, ["#/partners"]);
        let total = app.get("/api/companies").await.json::<Value>()["total"].clone();
        assert_eq!(total, 0, "nothing of it was registered");
    }
}

on_both! {
    async fn companies_are_found_by_state_and_by_a_part_of_their_name(app) {
        post(&app, &company(ONE, "Café São João", "SP")).await;
        post(&app, &company(OTHER, "Pão & Cia 100%", "RJ")).await;
        post(&app, &company("33000167000101", "Sao Bento_Energia", "RJ")).await;
        let found = |query: &'static str| {
            let app = &app;
            async move {
                let page: Value = app.get(&format!("/api/companies?{query}")).await.json();
                let names = page["items"].as_array().unwrap().iter();
                names.map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            }
        };
        assert_eq!(found("").await, ["Café São João", "Pão & Cia 100%", "Sao Bento_Energia"]);
        assert_eq!(found("q=SAO").await, ["Café São João", "Sao Bento_Energia"]);
        assert_eq!(found("q=s%C3%A3o&state=rj").await, ["Sao Bento_Energia"]);
        assert_eq!(found("q=%25").await, ["Pão & Cia 100%"]);
        assert_eq!(found("q=_").await, ["Sao Bento_Energia"]);
        assert_eq!(found("q=sa%CC%83o").await, ["Café São João", "Sao Bento_Energia"]);
        assert_eq!(found("state=&q=&page=&per_page=").await.len(), 3);
        assert_eq!(found("q='%20OR%201=1%20--").await, Vec::<String>::new());
    }
}

on_both! {
    async fn pages_are_consecutive_and_end(app) {
        registry::seed::seed(&app.handle().db(), 45).await.unwrap();
        let mut seen = Vec::new();
        for number in 1..=4 {
            let page: Value = app.get(&format!("/api/companies?page={number}")).await.json();
            assert_eq!(
                (&page["total"], &page["pages"], &page["per_page"]),
                (&json!(45), &json!(3), &json!(20))
            );
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|item| item["cnpj"].as_str().unwrap().to_owned()));
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((count, seen.len()), (45, 45));
        for (query, parameter) in [
            ("page=0", "page"),
            ("per_page=101", "per_page"),
            ("page=x", "page"),
            ("page=18446744073709551615", "page"),
            ("state=ZZ", "state"),
            ("state=SP,,RJ", "state"),
            ("sort=revision", "sort"),
            ("sort=name,-name", "sort"),
            ("updated_since=2026-11-21", "updated_since"),
            ("stat=SP", "stat"),
            ("q=%00", "q"),
        ] {
            let answer = app.get(&format!("/api/companies?{query}")).await;
            assert_eq!(places(&answer, 422), [parameter], "{query}");
        }
        for query in ["state=SP&state=RJ", "updated_since=2026-11-21T00:00:00+00:00"] {
            let answer = app.get(&format!("/api/companies?{query}")).await;
            assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
        }
        let far = app.get("/api/companies?page=4294967295&per_page=100").await;
        assert_eq!(far.json::<Value>()["items"], json!([]));
    }
}

on_both! {
    async fn companies_are_sorted_as_requested(app) {
        for (cnpj, name, state) in
            [(ONE, "b", "SP"), (OTHER, "a", "RJ"), ("33000167000101", "b", "MG")]
        {
            post(&app, &company(cnpj, name, state)).await;
        }
        app.patch(&format!("/api/companies/{ONE}")).json(&json!({ "state": "RJ" })).await;
        let found = |query: &'static str| {
            let app = &app;
            async move {
                let answer = app.get(&format!("/api/companies?{query}")).await;
                assert_eq!(answer.status(), 200, "{}", answer.text());
                let page: Value = answer.json();
                let items = page["items"].as_array().unwrap().iter();
                items.map(|item| item["cnpj"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            }
        };
        const THIRD: &str = "33000167000101";
        assert_eq!(found("").await, [OTHER, ONE, THIRD]);
        assert_eq!(found("sort=-name").await, [ONE, THIRD, OTHER]);
        assert_eq!(found("sort=-name,-cnpj").await, [THIRD, ONE, OTHER]);
        assert_eq!(found("sort=created_at").await, [ONE, OTHER, THIRD]);
        assert_eq!(found("sort=-updated_at&per_page=1").await, [ONE]);
        assert_eq!(found("sort=cnpj&per_page=1&page=3").await, [THIRD]);
        assert_eq!(found("state=RJ,mg&sort=cnpj").await, [ONE, OTHER, THIRD]);
        assert_eq!(found("state=MG").await, [THIRD]);
    }
}

on_both! {
    async fn companies_are_found_by_the_time_of_their_last_change(app) {
        post(&app, &company(ONE, "One", "SP")).await;
        let other: Value = post(&app, &company(OTHER, "Other", "SP")).await.json();
        app.patch(&format!("/api/companies/{ONE}")).json(&json!({ "state": "RJ" })).await;
        let since = other["updated_at"].as_str().unwrap();
        let total = |since: String| {
            let app = &app;
            async move {
                let page = app.get(&format!("/api/companies?updated_since={since}")).await;
                page.json::<Value>()["total"].as_i64().unwrap()
            }
        };
        assert_eq!(total(since.to_owned()).await, 2);
        let one: Value = app.get(&format!("/api/companies/{ONE}")).await.json();
        assert_eq!(total(one["updated_at"].as_str().unwrap().to_owned()).await, 1);
        assert_eq!(total("2999-12-31T23:59:59.5%2B23:59".into()).await, 0);
        assert_eq!(total("0000-01-01T00:00:00Z".into()).await, 2);
    }
}

on_both! {
    async fn a_page_links_to_the_others(app) {
        registry::seed::seed(&app.handle().db(), 45).await.unwrap();
        let mut query = "per_page=10&sort=-cnpj&state=".to_owned();
        let mut seen = 0;
        loop {
            let answer = app.get(&format!("/api/companies?{query}")).await;
            seen += answer.json::<Value>()["items"].as_array().unwrap().len();
            let links = answer.header("link").to_owned();
            assert!(links.contains(r#"rel="last""#) && !links.contains("state"), "{links}");
            let next = links.split(", ").find_map(|link| link.strip_suffix(r#">; rel="next""#));
            let Some(next) = next else { break };
            query = next.trim_start_matches("<?").to_owned();
        }
        assert_eq!(seen, 45);
    }
}

on_both! {
    async fn the_history_has_pages_too(app) {
        post(&app, &company(ONE, "One", "SP")).await;
        let path = format!("/api/companies/{ONE}");
        for state in ["RJ", "MG", "BA"] {
            app.patch(&path).json(&json!({ "state": state })).await;
        }
        let answer = app.get(&format!("{path}/history?per_page=3&page=2")).await;
        assert_eq!(answer.header("x-total-count"), "4");
        let prev = "<?per_page=3&page=1>; rel=\"prev\"";
        assert!(answer.header("link").contains(prev), "{}", answer.header("link"));
        let page: Vec<Value> = answer.json();
        assert_eq!((page.len(), &page[0]["action"]), (1, &json!("insert")));
        let refused = app.get(&format!("{path}/history?sort=at&per_page=1001")).await;
        assert_eq!(places(&refused, 422), ["sort", "per_page"]);
    }
}

on_both! {
    async fn a_partner_may_have_a_cpf(app) {
        let mut sent = company(ONE, "One", "SP");
        sent["partners"] = json!([{ "name": "Ana", "cpf": "529.982.247-25" }, { "name": "Zé" }]);
        let registered: Value = post(&app, &sent).await.json();
        assert_eq!(
            registered["partners"],
            json!([{ "name": "Ana", "cpf": "52998224725" }, { "name": "Zé" }])
        );
        let shown: Value = app.get(&format!("/api/companies/{ONE}")).await.json();
        assert_eq!(shown, registered);
        sent["partners"][1]["cpf"] = json!("111.111.111-11");
        assert_eq!(places(&post(&app, &sent).await, 422), ["#/partners/1/cpf"]);
    }
}

on_both! {
    async fn no_request_path_causes_a_server_error(app) {
        let long = "9".repeat(4000);
        for segment in ["%00", "%ff", "%F0%28%8C%28", "%0a", "%E2%80%AE", "'", ";--", &*long, "..%2f"] {
            for path in [format!("/api/companies/{segment}"), format!("/api/companies/{segment}/history")] {
                let answer = app.get(&path).await;
                assert!([400, 404, 422].contains(&answer.status().as_u16()), "{path}: {}", answer.text());
                assert!(answer.is_problem());
            }
            for name in ["q", "state", "sort", "page", "updated_since", segment] {
                let path = format!("/api/companies?{name}={segment}");
                let answer = app.get(&path).await;
                assert!([200, 400, 422].contains(&answer.status().as_u16()), "{path}: {}", answer.text());
            }
        }
        for body in [r#"{"cnpj":"11222333000181","name":"a\u0000b","state":"SP"}"#,
            r#"{"cnpj":"11222333000181","name":"a","state":"SP","partners":[{"name":"\u0000"}]}"#]
        {
            let sent = app.post("/api/companies").header("content-type", "application/json");
            assert_eq!(sent.body(body).await.status(), 422);
        }
    }
}

on_both! {
    async fn names_are_stored_without_surrounding_blanks(app) {
        let mut sent = company(ONE, " One ", "SP");
        sent["partners"] = json!([{ "name": " Ana " }]);
        let registered: Value = post(&app, &sent).await.json();
        assert_eq!(
            (&registered["name"], &registered["partners"][0]["name"]),
            (&json!("One"), &json!("Ana"))
        );
    }
}

on_both! {
    async fn a_body_of_another_type_is_415_and_malformed_json_is_400(app) {
        post(&app, &company(ONE, "One", "SP")).await;
        for (media_type, body, status) in
            [("text/plain", "{}", 415), ("application/json", "{", 400), ("application/json", "", 400)]
        {
            let path = format!("/api/companies/{ONE}");
            let answer = app.patch(&path).header("content-type", media_type).body(body).await;
            assert_eq!(answer.status(), status, "{}", answer.text());
            assert!(answer.is_problem());
        }
        assert_eq!(revisions(&app, ONE).await, [1]);
    }
}

on_both! {
    async fn concurrent_changes_lose_nothing(app) {
        post(&app, &company(ONE, "One", "SP")).await;
        let path = format!("/api/companies/{ONE}");
        let (name, state, partners) = (
            json!({ "name": "Two" }),
            json!({ "state": "RJ" }),
            json!({ "partners": [{ "name": "Ana" }] }),
        );
        let (one, two, three) = piton::tokio::join!(
            app.patch(&path).json(&name),
            app.patch(&path).json(&state),
            app.patch(&path).json(&partners),
        );
        assert!([one, two, three].iter().all(|answer| answer.status() == 200));
        let now: Value = app.get(&path).await.json();
        assert_eq!((&now["name"], &now["state"]), (&json!("Two"), &json!("RJ")));
        assert_eq!(now["partners"], json!([{ "name": "Ana" }]));
        assert_eq!(revisions(&app, ONE).await, [4, 3, 2, 1]);
    }
}

#[piton::test]
async fn deletes_are_refused_from_sqlite() {
    deletes_are_refused(
        &registry().await,
        &[
            "DELETE FROM companies",
            "DELETE FROM company_history",
            "INSERT OR REPLACE INTO companies SELECT * FROM companies",
            "UPDATE company_history SET action = 'insert'",
            "INSERT OR REPLACE INTO company_history SELECT cnpj, revision, 'update', at, company FROM company_history",
        ],
    )
    .await;
}

#[piton::test]
async fn deletes_are_refused_from_postgres() {
    deletes_are_refused(
        &registry_on_a_server().await,
        &[
            "DELETE FROM companies",
            "DELETE FROM company_history",
            "TRUNCATE companies CASCADE",
            "TRUNCATE company_history",
            "UPDATE company_history SET action = 'insert'",
            "INSERT INTO company_history SELECT * FROM company_history
             ON CONFLICT (cnpj, revision) DO UPDATE SET action = 'update'",
        ],
    )
    .await;
}

async fn deletes_are_refused(app: &TestApp, statements: &[&'static str]) {
    post(app, &company(ONE, "One", "SP")).await;
    let answer = app.delete(&format!("/api/companies/{ONE}")).await;
    assert_eq!(answer.status(), 405);
    assert!(!answer.header("allow").contains("DELETE") && answer.header("allow").contains("PATCH"));
    let db = app.handle().db();
    for statement in statements {
        let refused = db.run(*statement, ()).await.unwrap_err();
        assert_eq!(refused.kind(), piton::db::Kind::Refused, "{statement}: {refused}");
        assert!(refused.to_string().contains("never"), "{refused}");
    }
}

on_both! {
    async fn seeding_twice_registers_once(app) {
        let db = app.handle().db();
        assert_eq!(registry::seed::seed(&db, 300).await.unwrap(), 300);
        assert_eq!(registry::seed::seed(&db, 310).await.unwrap(), 10);
        let page: Value = app.get("/api/companies?per_page=1").await.json();
        assert_eq!(page["total"], 310);
        let company = &page["items"][0];
        let path = format!("/api/companies/{}/history", company["cnpj"].as_str().unwrap());
        assert_eq!(&app.get(&path).await.json::<Value>()[0]["company"], company);
    }
}

#[piton::test]
async fn registered_companies_survive_a_restart() {
    let folder = std::env::temp_dir().join(format!("registry-{}", piton::uuid::Uuid::new_v4()));
    let path = folder.join("kept.db").to_string_lossy().into_owned();
    let app = || registry::app().set("log.level", "critical").set("db.path", path.clone());
    let before = TestApp::new(app()).await;
    post(&before, &company(ONE, "One", "SP")).await;
    before.stop().await;
    let after = TestApp::new(app()).await;
    let shown: Value = after.get(&format!("/api/companies/{ONE}")).await.json();
    assert_eq!(shown["name"], "One");
    after.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}
