//! A reading as a page: one file, with its style in it, that works without a network and without scripts.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::pieces::{Piece, pieces};
use super::{GroupReading, Mask, Place, Reading, State, VariableReading};
use crate::secrets::REDACTED;

/// Escapes by the end of its name.
const NAME: &str = "page.html";
const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// A longer value gets a box of its own that scrolls: a key of 4 kB would push all others away.
const LONG_CHARS: usize = 1_200;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(syntax.expect("the delimiters are the usual ones"));
    templates.add_template(NAME, TEMPLATE).expect("tests render it");
    templates
});

/// The style is ours, or is not used; nothing else is loaded, run, sent or framed.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("words and Base64")
});

pub(super) fn policy() -> HeaderValue {
    POLICY.clone()
}

pub(super) fn html(reading: &Reading) -> String {
    let template = TEMPLATES.get_template(NAME).expect("it has been added");
    template.render(Serde(Page::of(reading))).expect("tests render all that it knows")
}

/// What the template is given.
#[derive(Serialize)]
struct Page<'a> {
    style: &'static str,
    title: &'a str,
    about: Option<&'a str>,
    warning: Option<&'a str>,
    alarm: Option<&'a str>,
    mask: &'static str,
    json_at: Option<&'a str>,
    all: usize,
    there: usize,
    groups: Vec<Group<'a>>,
}

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    description: &'a str,
    all: usize,
    there: usize,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// Where a long one is broken into lines.
    name_parts: Vec<&'a str>,
    state: State,
    pieces: Vec<Piece>,
    /// How many bytes of the value are in none of them.
    rest: usize,
    /// Whether only a part of the value is hidden.
    partly: bool,
    long: bool,
    why: Option<&'a str>,
    source: Option<&'a Place>,
    /// Of the environment there is one: it is said what it is, and not which.
    at_parts: Vec<&'a str>,
}

impl<'a> Page<'a> {
    fn of(reading: &'a Reading) -> Self {
        let (all, there) = reading.counts();
        Self {
            style: STYLE,
            title: &reading.title,
            about: reading.about.as_deref(),
            warning: reading.warning.as_deref(),
            alarm: reading.alarm.as_deref(),
            mask: match reading.mask {
                Mask::None => "Values are shown as they are, secrets too.",
                Mask::Secrets => "Secrets are hidden.",
                Mask::All => "All values are hidden.",
            },
            json_at: reading.json_at.as_deref(),
            all,
            there,
            groups: reading.groups.iter().map(Group::of).collect(),
        }
    }
}

impl<'a> Group<'a> {
    fn of(group: &'a GroupReading) -> Self {
        let (all, there) = group.counts();
        Self {
            name: &group.name,
            description: &group.description,
            all,
            there,
            rows: group.variables.iter().map(Row::of).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn of(variable: &'a VariableReading) -> Self {
        let value = variable.value.as_deref().unwrap_or_default();
        let (pieces, rest) = pieces(value);
        let place = variable.source.as_ref().filter(|source| source.kind != "environment");
        Self {
            name: &variable.name,
            name_parts: variable.name.split_inclusive('_').collect(),
            state: variable.state,
            pieces,
            rest,
            partly: value != REDACTED,
            long: value.chars().nth(LONG_CHARS).is_some(),
            why: variable.why.as_deref(),
            source: variable.source.as_ref(),
            at_parts: place.map(|it| it.at.split_inclusive('/').collect()).unwrap_or_default(),
        }
    }
}
