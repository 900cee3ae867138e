//! Tests of the external services: with doubles, and over HTTP with servers of the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use piton::http::{get, post};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestServer};
use registry::converters::Cnpj;
use registry::services::register::{
    CompanyRegister, FindCompany, RegisterFuture, RegisteredCompany,
};
use registry::services::workflow::Workflow;

use super::{ONE, OTHER, company};

/// A register with one company, which counts the queries.
#[derive(Clone, Default)]
struct Double(Arc<AtomicU32>);

impl FindCompany for Double {
    fn find(&self, cnpj: Cnpj) -> RegisterFuture<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let known = RegisteredCompany {
            cnpj,
            name: "OPEN KNOWLEDGE BRASIL".into(),
            trade_name: None,
            state: Some(registry::converters::State::Sp),
            standing: Some("ATIVA".into()),
            partners: vec![],
        };
        Box::pin(std::future::ready(Ok((cnpj.as_str() == ONE).then_some(known))))
    }
}

fn quiet(app: App) -> App {
    app.set("log.level", "critical")
}

#[piton::test]
async fn a_company_is_looked_up_in_the_double_of_the_register() {
    let double = Double::default();
    let app = registry::app_with(CompanyRegister::new(double.clone()), Workflow::as_configured());
    let app = TestApp::new(quiet(app)).await;
    let found: Value = app.get(&format!("/api/register/{ONE}")).await.json();
    assert_eq!((&found["name"], &found["state"]), (&json!("OPEN KNOWLEDGE BRASIL"), &json!("SP")));
    let unknown = app.get(&format!("/api/register/{OTHER}")).await;
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().contains("knows no company 12ABC34501DE35"), "{}", unknown.text());
    assert_eq!(app.get("/api/register/11222333000182").await.status(), 422);
    assert_eq!(double.0.load(Ordering::Relaxed), 2);
}

/// BrasilAPI, as its own documents show it.
async fn brasil_api(Path(cnpj): Path<String>) -> Result<Json<Value>> {
    match &*cnpj {
        ONE => Ok(Json(json!({
            "cnpj": ONE, "razao_social": "OPEN KNOWLEDGE BRASIL", "uf": "SP",
            "nome_fantasia": "REDE PELO CONHECIMENTO LIVRE", "descricao_situacao_cadastral": "ATIVA",
            "cnae_fiscal": 9_430_800, "qsa": [{ "nome_socio": "FERNANDA CAMPAGNUCCI PEREIRA" }],
        }))),
        "00000000000191" => Err(Error::internal("the register is broken")),
        _ => Err(Error::not_found("CNPJ não encontrado.")),
    }
}

async fn server(route: piton::http::Route) -> TestServer {
    TestServer::start(quiet(App::new("elsewhere").blueprints(["none"]).route(route))).await
}

#[piton::test]
async fn the_register_is_queried_over_http_in_the_form_of_brasil_api() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let counts = move |cnpj: Path<String>| {
        counted.fetch_add(1, Ordering::Relaxed);
        brasil_api(cnpj)
    };
    let register = server(get("/api/cnpj/v1/{cnpj}", counts)).await;
    let url = register.url("/api/cnpj/v1");
    let app = TestApp::new(quiet(registry::app()).set("register.url", url)).await;
    let found: Value = app.get(&format!("/api/register/{ONE}")).await.json();
    assert_eq!(
        found,
        json!({
            "cnpj": ONE, "name": "OPEN KNOWLEDGE BRASIL", "trade_name": "REDE PELO CONHECIMENTO LIVRE",
            "state": "SP", "standing": "ATIVA", "partners": ["FERNANDA CAMPAGNUCCI PEREIRA"],
        })
    );
    assert_eq!(app.get(&format!("/api/register/{OTHER}")).await.status(), 404);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    for _ in 0..3 {
        assert_eq!(app.get(&format!("/api/register/{ONE}")).await.status(), 200);
        assert_eq!(app.get(&format!("/api/register/{OTHER}")).await.status(), 404);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2, "both answers are remembered");
    let broken = app.get("/api/register/00000000000191").await;
    assert_eq!(broken.status(), 502, "{}", broken.text());
}

/// Pipefy's `createCard`, which answers with 200 also where it refuses.
async fn pipefy(headers: piton::axum::http::HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    assert_eq!(headers["authorization"], "Bearer its-own-token");
    let input = &body["variables"]["input"];
    assert_eq!((&input["pipe_id"], &input["title"]), (&json!("301"), &json!("One")));
    assert!(body["query"].as_str().is_some_and(|query| query.contains("createCard")));
    if input["fields_attributes"][0]["field_value"] == ONE {
        let card = json!({ "id": 77, "url": "https://app.pipefy.com/open-cards/77" });
        return Json(json!({ "data": { "createCard": { "card": card } }, "errors": null }));
    }
    Json(json!({ "data": { "createCard": null }, "errors": [{ "message": "Permission denied" }] }))
}

#[piton::test]
async fn a_card_is_created_in_the_workflow_tool_and_an_error_with_200_is_detected() {
    let tool = server(post("/graphql", pipefy)).await;
    let app = quiet(registry::app())
        .set("workflow.url", tool.url("/graphql"))
        .set("workflow.token", "its-own-token")
        .set("workflow.pipe", "301");
    let app = TestApp::new(app).await;
    for cnpj in [ONE, OTHER] {
        app.post("/api/companies").json(&company(cnpj, "One", "SP")).await;
    }
    let opened = app.post(&format!("/api/companies/{ONE}/card")).await;
    assert_eq!(opened.status(), 201, "{}", opened.text());
    assert_eq!(opened.header("location"), "https://app.pipefy.com/open-cards/77");
    assert_eq!(opened.json::<Value>()["id"], "77");
    let refused = app.post(&format!("/api/companies/{OTHER}/card")).await;
    assert_eq!(refused.status(), 502);
    assert_eq!(app.post("/api/companies/00000000000191/card").await.status(), 404);
}

#[piton::test]
async fn both_are_made_up_on_a_developers_machine_only() {
    let local = TestApp::new(quiet(registry::app())).await;
    let path = format!("/api/register/{ONE}");
    let first = local.get(&path).await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.text(), local.get(&path).await.text());
    local.post("/api/companies").json(&company(ONE, "One", "SP")).await;
    assert_eq!(local.post(&format!("/api/companies/{ONE}/card")).await.status(), 201);
}
