//! The work-flow tool: a card for a company, by which people there go on with it.
//!
//! It is asked over GraphQL in the form of Pipefy. On a developer's machine where no address is set,
//! cards are made up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use piton::config::{HttpUrl, Reader};
use piton::prelude::*;
use piton::secrecy::{ExposeSecret, SecretString};
use piton::serde_json::{Value, json};

use crate::models::Company;

/// What the tool answers: the card that it has made.
pub type Opened<'a> = Pin<Box<dyn Future<Output = Result<Card>> + Send + 'a>>;

/// Makes cards.
pub trait Cards: Send + Sync + 'static {
    /// Makes a card for the company.
    fn open<'a>(&'a self, company: &'a Company) -> Opened<'a>;
}

/// A card of the work-flow tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    /// Its id there.
    pub id: String,
    /// Where people see it.
    pub url: String,
}

/// The tool that cards are made in: that of the settings, or a double.
#[derive(Clone)]
pub struct Workflow(Arc<dyn Cards>);

impl Workflow {
    /// Makes cards in `cards`.
    #[must_use]
    pub fn new(cards: impl Cards) -> Self {
        Self(Arc::new(cards))
    }

    /// Makes them in the tool that the settings name.
    #[must_use]
    pub fn as_configured() -> Self {
        Self::new(AsConfigured)
    }

    /// Makes a card for the company.
    ///
    /// # Errors
    /// 404 if no tool is configured; 502 if it refuses, 503 if it does not answer: then the card may
    /// have been made all the same.
    pub async fn open(&self, company: &Company) -> Result<Card> {
        self.0.open(company).await
    }
}

/// The work-flow tool.
#[derive(Clone, Debug, Default, Settings)]
#[setting(check = Self::check)]
pub struct WorkflowSettings {
    /// The address of its GraphQL, such as `https://api.pipefy.com/graphql`. **Default: none; on a
    /// developer's machine cards are made up then.**
    pub url: Option<HttpUrl>,
    /// The token that it asks for. **Default: none.**
    pub token: Option<SecretString>,
    /// The id of the pipe that cards are made in. **Default: none.**
    pub pipe: Option<String>,
}

impl WorkflowSettings {
    fn check(&self, from: &mut Reader<'_>) {
        if self.url.is_none() {
            return;
        }
        if self.token.is_none() {
            from.refuse("token", "missing: the tool lets nobody in without", "a token of its own");
        }
        if self.pipe.is_none() {
            from.refuse(
                "pipe",
                "missing: a card is made in a pipe",
                "the id in the pipe's address",
            );
        }
    }
}

/// The one that the settings of the running app name.
struct AsConfigured;

impl Cards for AsConfigured {
    fn open<'a>(&'a self, company: &'a Company) -> Opened<'a> {
        Box::pin(async move {
            let app = piton::app();
            let settings = app.state::<WorkflowSettings>().unwrap_or_default();
            match &settings.url {
                Some(url) => over_graphql(&app.external(), url.as_str(), &settings, company).await,
                None if app.environment().is_local() => Ok(made_up(company)),
                None => Err(Error::not_found("no work-flow tool is configured here")),
            }
        })
    }
}

fn made_up(company: &Company) -> Card {
    let id = format!("local-{}", company.cnpj);
    Card { url: format!("http://localhost/cards/{id}"), id }
}

const CREATE: &str =
    "mutation($input: CreateCardInput!) { createCard(input: $input) { card { id url } } }";

/// What GraphQL answers: with status 200, also where it refuses.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Option<Vec<Refusal>>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

async fn over_graphql(
    external: &External,
    url: &str,
    settings: &WorkflowSettings,
    company: &Company,
) -> Result<Card> {
    let token = settings.token.as_ref().map_or("", |token| token.expose_secret());
    let body = json!({ "query": CREATE, "variables": { "input": input(settings, company) } });
    let answer = external.post(url).bearer(token).json(&body).send().await?;
    let answer: Answer = answer.error_for_status()?.json().await?;
    made(&answer.data["createCard"]["card"]).ok_or_else(|| {
        let refusals = answer.errors.unwrap_or_default().into_iter();
        let said: Vec<_> = refusals.map(|refusal| refusal.message).collect();
        let why = if said.is_empty() { "it answered no card".to_owned() } else { said.join("; ") };
        Error::new(StatusCode::BAD_GATEWAY, "the work-flow tool made no card").caused_by(why)
    })
}

/// The card, if there is one. GraphQL's `ID` may be a number too.
fn made(card: &Value) -> Option<Card> {
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
