//! Work in the background: what starts it, what it does, and how its state is read.

use piton::Error;
use piton::tasks::State;
use registry::services::register::{
    CompanyRegister, FindCompany, RegisterFuture, RegisteredCompany,
};
use registry::services::workflow::Workflow;

use super::*;

/// A register that knows one company, and is not available for another.
struct Register;

impl FindCompany for Register {
    fn find(&self, cnpj: registry::converters::Cnpj) -> RegisterFuture<'_> {
        let found = match cnpj.as_str() {
            ONE => Ok(Some(RegisteredCompany {
                cnpj,
                name: "PADARIA SOUZA LTDA".into(),
                trade_name: None,
                state: Some(registry::converters::State::Rj),
                standing: Some("ATIVA".into()),
                partners: vec!["Ana Souza".into()],
            })),
            OTHER => Err(Error::unavailable("the register is closed at night")),
            _ => Ok(None),
        };
        Box::pin(std::future::ready(found))
    }
}

async fn with_register() -> TestApp {
    let app = registry::app_with(CompanyRegister::new(Register), Workflow::as_configured());
    TestApp::new(app.set("log.level", "critical")).await
}

async fn status(app: &TestApp, accepted: &TestResponse) -> Value {
    assert_eq!(accepted.status(), 202, "{}", accepted.text());
    app.get(accepted.header("location")).await.json()
}

#[piton::test]
async fn a_company_is_enriched_from_the_register() {
    let app = with_register().await;
    post(&app, &company(ONE, "Padaria", "SP")).await;
    let accepted = app.post(&format!("/api/companies/{ONE}/enrich")).await;
    assert_eq!(status(&app, &accepted).await["state"], "queued");
    app.run_tasks().await;
    let ended = status(&app, &accepted).await;
    assert_eq!(ended["result"], json!({ "cnpj": ONE, "changed": true, "revision": 2 }));
    let changed: Value = app.get(&format!("/api/companies/{ONE}")).await.json();
    assert_eq!(changed["name"], "PADARIA SOUZA LTDA");
    assert_eq!(
        (&changed["state"], &changed["partners"][0]["name"]),
        (&json!("RJ"), &json!("Ana Souza"))
    );
    // A second time changes nothing, because a task may run more than once.
    let again = app.post(&format!("/api/companies/{ONE}/enrich")).await;
    app.run_tasks().await;
    assert_eq!(status(&app, &again).await["result"]["changed"], false);
}

#[piton::test]
async fn a_company_that_is_not_registered_is_not_enriched() {
    let app = with_register().await;
    assert_eq!(app.post(&format!("/api/companies/{ONE}/enrich")).await.status(), 404);
    assert!(app.run_tasks().await.is_empty());
}

#[piton::test]
async fn an_unavailable_register_is_asked_again_and_an_unknown_company_is_not() {
    let app = with_register().await;
    let unknown = "00000000000191";
    for cnpj in [OTHER, unknown] {
        post(&app, &company(cnpj, "Padaria", "SP")).await;
        app.post(&format!("/api/companies/{cnpj}/enrich")).await;
    }
    let states: Vec<State> = app.run_tasks().await.iter().map(|ran| ran.state).collect();
    assert_eq!(states, [State::Retrying, State::Failed]);
}

on_both! {
    async fn the_report_counts_the_companies_of_every_state(app) {
        for (cnpj, state) in [(ONE, "SP"), (OTHER, "SP"), ("00000000000191", "RJ")] {
            post(&app, &company(cnpj, "Padaria", state)).await;
        }
        let accepted = app.post("/api/reports/states").await;
        app.run_tasks().await;
        let ended = status(&app, &accepted).await;
        assert_eq!(ended["result"], json!({ "companies": 3, "states": { "RJ": 1, "SP": 2 } }));
    }

    async fn the_export_has_every_company_and_tells_how_far_it_is(app) {
        for number in 1..=3 {
            let name = format!("Padaria \"{number}\", Ltda");
            post(&app, &company(&test_support::cnpj(number), &name, "SP")).await;
        }
        let accepted = app.post("/api/reports/export").await;
        app.run_tasks().await;
        let ended = status(&app, &accepted).await;
        assert_eq!(ended["progress"], json!({ "done": 3, "of": 3 }));
        assert_eq!(ended["result"]["companies"], 3);
        let csv = std::fs::read_to_string(ended["result"]["file"].as_str().unwrap()).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "cnpj,name,state,partners,revision,created_at,updated_at");
        assert_eq!(lines.len(), 4);
        assert!(lines[1].contains(",\"Padaria \"\"1\"\", Ltda\",SP,"), "{}", lines[1]);
    }
}
