//! A snapshot as an HTML page: one file, with its style in it, that works without a network and without
//! scripts.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::mask::Mask;
use super::snapshot::{GroupSnapshot, PanelSnapshot, ValueSource, VariableSnapshot, VariableState};
use super::visible_text::{TextSegment, visible_segments};
use crate::secrets::REDACTED;

/// The name of the template. Its `.html` makes minijinja escape all values.
const NAME: &str = "page.html";
const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// Length in characters from which a value has a box of its own that scrolls: a key of 4 kB would push all
/// others away.
const MIN_SCROLLED_CHARS: usize = 1_200;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(syntax.expect("the delimiters are the usual ones"));
    templates.add_template(NAME, TEMPLATE).expect("tests render it");
    templates
});

/// The `Content-Security-Policy`: the style is allowed by its hash; nothing else is loaded, run, sent or framed.
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

pub(super) fn html(snapshot: &PanelSnapshot) -> String {
    let template = TEMPLATES.get_template(NAME).expect("it has been added");
    template.render(Serde(PageContext::of(snapshot))).expect("tests render all that it knows")
}

/// The data of the template.
#[derive(Serialize)]
struct PageContext<'a> {
    style: &'static str,
    title: &'a str,
    about: Option<&'a str>,
    warning: Option<&'a str>,
    alarm: Option<&'a str>,
    mask: &'static str,
    json_at: Option<&'a str>,
    all: usize,
    there: usize,
    groups: Vec<GroupContext<'a>>,
}

#[derive(Serialize)]
struct GroupContext<'a> {
    name: &'a str,
    description: &'a str,
    all: usize,
    there: usize,
    rows: Vec<RowContext<'a>>,
}

#[derive(Serialize)]
struct RowContext<'a> {
    name: &'a str,
    /// The parts of the name between which a line may break.
    name_parts: Vec<&'a str>,
    state: VariableState,
    segments: Vec<TextSegment>,
    /// The number of bytes of the value that are in no segment.
    rest: usize,
    /// True if only a part of the value is hidden.
    partly: bool,
    long: bool,
    why: Option<&'a str>,
    source: Option<&'a ValueSource>,
    /// The parts of the place between which a line may break. Empty for the environment, of which there is one.
    at_parts: Vec<&'a str>,
}

impl<'a> PageContext<'a> {
    fn of(snapshot: &'a PanelSnapshot) -> Self {
        let (all, there) = snapshot.counts();
        Self {
            style: STYLE,
            title: &snapshot.title,
            about: snapshot.about.as_deref(),
            warning: snapshot.warning.as_deref(),
            alarm: snapshot.alarm.as_deref(),
            mask: match snapshot.mask {
                Mask::None => "Values are shown as they are, secrets too.",
                Mask::Secrets => "Secrets are hidden.",
                Mask::All => "All values are hidden.",
            },
            json_at: snapshot.json_at.as_deref(),
            all,
            there,
            groups: snapshot.groups.iter().map(GroupContext::of).collect(),
        }
    }
}

impl<'a> GroupContext<'a> {
    fn of(group: &'a GroupSnapshot) -> Self {
        let (all, there) = group.counts();
        Self {
            name: &group.name,
            description: &group.description,
            all,
            there,
            rows: group.variables.iter().map(RowContext::of).collect(),
        }
    }
}

impl<'a> RowContext<'a> {
    fn of(variable: &'a VariableSnapshot) -> Self {
        let value = variable.value.as_deref().unwrap_or_default();
        let (segments, rest) = visible_segments(value);
        let place = variable.source.as_ref().filter(|source| source.kind != "environment");
        Self {
            name: &variable.name,
            name_parts: variable.name.split_inclusive('_').collect(),
            state: variable.state,
            segments,
            rest,
            partly: value != REDACTED,
            long: value.chars().nth(MIN_SCROLLED_CHARS).is_some(),
            why: variable.why.as_deref(),
            source: variable.source.as_ref(),
            at_parts: place.map(|it| it.at.split_inclusive('/').collect()).unwrap_or_default(),
        }
    }
}
