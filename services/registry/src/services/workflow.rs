//! The client of the workflow tool, which creates a card for a company.
//!
//! The tool is called over GraphQL in the form of Pipefy. On a developer's machine without an
//! address, cards are made up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use piton::config::{HttpUrl, Reader};
use piton::prelude::*;
use piton::secrecy::{ExposeSecret, SecretString};
use piton::serde_json::{Value, json};

use crate::models::Company;

/// The future of a created card.
pub type CardFuture<'a> = Pin<Box<dyn Future<Output = Result<Card>> + Send + 'a>>;

/// A tool that creates cards.
pub trait CreateCard: Send + Sync + 'static {
    /// Creates a card for the company.
    fn create<'a>(&'a self, company: &'a Company) -> CardFuture<'a>;
}

/// A card of the workflow tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    /// The card's ID in the tool.
    pub id: String,
    /// The address of the card for people.
    pub url: String,
}

/// The workflow tool: the one that the settings name, or a double.
#[derive(Clone)]
pub struct Workflow(Arc<dyn CreateCard>);

impl Workflow {
    /// Creates cards with `tool`.
    #[must_use]
    pub fn new(tool: impl CreateCard) -> Self {
        Self(Arc::new(tool))
    }

    /// Creates cards in the tool that the settings name.
    #[must_use]
    pub fn as_configured() -> Self {
        Self::new(ConfiguredWorkflow)
    }

    /// Creates a card for the company.
    ///
    /// # Errors
    /// 404 if no tool is configured; 502 if it refuses, 503 if it does not respond: the card may have
    /// been created then.
    pub async fn open(&self, company: &Company) -> Result<Card> {
        self.0.create(company).await
    }
}

/// The workflow tool.
#[derive(Clone, Debug, Default, Settings)]
#[setting(check = Self::check)]
pub struct WorkflowSettings {
    /// The address of its GraphQL API, such as `https://api.pipefy.com/graphql`. **Default: none; on a
    /// developer's machine cards are made up then.**
    pub url: Option<HttpUrl>,
    /// The access token of the tool. **Default: none.**
    pub token: Option<SecretString>,
    /// The ID of the pipe in which cards are created. **Default: none.**
    pub pipe: Option<String>,
}

impl WorkflowSettings {
    fn check(&self, from: &mut Reader<'_>) {
        if self.url.is_none() {
            return;
        }
        if self.token.is_none() {
            from.refuse("token", "missing: the tool requires it", "a token of its own");
        }
        if self.pipe.is_none() {
            from.refuse(
                "pipe",
                "missing: a card is created in a pipe",
                "the ID in the pipe's address",
            );
        }
    }
}

/// The tool that the settings of the running app name.
struct ConfiguredWorkflow;

impl CreateCard for ConfiguredWorkflow {
    fn create<'a>(&'a self, company: &'a Company) -> CardFuture<'a> {
        Box::pin(async move {
            let app = piton::app();
            let settings = app.state::<WorkflowSettings>().unwrap_or_default();
            match &settings.url {
                Some(url) => call_graphql(&app.external(), url.as_str(), &settings, company).await,
                None if app.environment().is_local() => Ok(made_up_card(company)),
                None => Err(Error::not_found("no workflow tool is configured here")),
            }
        })
    }
}

fn made_up_card(company: &Company) -> Card {
    let id = format!("local-{}", company.cnpj);
    Card { url: format!("http://localhost/cards/{id}"), id }
}

const CREATE_CARD: &str =
    "mutation($input: CreateCardInput!) { createCard(input: $input) { card { id url } } }";

/// A GraphQL response. Its HTTP status is 200 also for errors.
#[derive(Deserialize)]
struct GraphQlResponse {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Option<Vec<GraphQlError>>,
}

#[derive(Deserialize)]
struct GraphQlError {
    message: String,
}

async fn call_graphql(
    external: &External,
    url: &str,
    settings: &WorkflowSettings,
    company: &Company,
) -> Result<Card> {
    let token = settings.token.as_ref().map_or("", |token| token.expose_secret());
    let body = json!({ "query": CREATE_CARD, "variables": { "input": input(settings, company) } });
    let response = external.post(url).bearer(token).json(&body).send().await?;
    let response: GraphQlResponse = response.error_for_status()?.json().await?;
    card_of(&response.data["createCard"]["card"]).ok_or_else(|| {
        let errors = response.errors.unwrap_or_default().into_iter();
        let messages: Vec<_> = errors.map(|error| error.message).collect();
        let why = match messages.is_empty() {
            true => "the response has no card".to_owned(),
            false => messages.join("; "),
        };
        Error::new(StatusCode::BAD_GATEWAY, "the workflow tool created no card").caused_by(why)
    })
}

/// Returns the card of a response, if there is one. GraphQL's `ID` may be a number too.
fn card_of(card: &Value) -> Option<Card> {
    let id = match &card["id"] {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    Some(Card { id, url: card["url"].as_str().unwrap_or_default().to_owned() })
}

fn input(settings: &WorkflowSettings, company: &Company) -> Value {
    let field = |id: &str, value: &str| json!({ "field_id": id, "field_value": value });
    json!({
        "pipe_id": settings.pipe,
        "title": company.name,
        "fields_attributes": [
            field("cnpj", company.cnpj.as_str()),
            field("state", &company.state.to_string()),
        ],
    })
}
