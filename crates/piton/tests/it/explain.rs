//! Tests that the effect of every attribute appears in the calls of `routes --explain`.

use piton::axum::http::request::Parts;
use piton::http::{Guard, GuardFuture, Operation};
use piton::prelude::*;
use piton::testing::TestApp;

/// A guard that implements `explain`.
pub struct Only(pub &'static str);

impl Guard for Only {
    fn describe(&self, _: &mut Operation) {}

    fn check<'a>(&'a self, head: &'a mut Parts, _: &'a Handle) -> GuardFuture<'a> {
        let allowed = head.headers.get("x-day").is_some_and(|day| day == self.0);
        let refusal = || Error::forbidden(format!("come back on {}", self.0));
        Box::pin(std::future::ready(allowed.then_some(()).ok_or_else(refusal)))
    }
}

/// A guard that is printed as the path of its type.
pub struct Closed;

impl Guard for Closed {
    fn describe(&self, operation: &mut Operation) {
        operation.security("bearer");
    }

    fn check<'a>(&'a self, _: &'a mut Parts, _: &'a Handle) -> GuardFuture<'a> {
        Box::pin(std::future::ready(Err(Error::forbidden("closed"))))
    }
}

pub mod days {
    pub use super::Only;
    use piton::prelude::*;

    pub const TUESDAY: &str = "tuesday";

    piton::blueprint!("/days", tag = "days", guard = Only("monday"));

    /// Says what \ "is" done.
    #[get("/work")]
    pub async fn work() -> &'static str {
        "work"
    }

    #[get("/open")]
    #[public]
    #[errors(409 = "It is \"taken\".", 410)]
    pub async fn open() -> impl axum::response::IntoResponse {
        "open"
    }

    #[route("/own", methods = ["GET", "PUT"])]
    #[protected(guard = Only(TUESDAY))]
    pub async fn own(Path(()): Path<()>) -> String {
        "own".to_owned()
    }

    #[get("/both")]
    #[protected(guard = Only(TUESDAY))]
    #[post("/both")]
    pub async fn both() -> &'static str {
        "both"
    }

    pub mod later {
        use piton::prelude::*;

        piton::blueprint!("/later");

        #[delete("/")]
        pub async fn remove() -> NoContent {
            NoContent
        }
    }
}

fn by_attributes() -> App {
    App::new("it").blueprints(["explain::days"])
}

/// Returns the printed calls without comments, because those contain line numbers, and without the tasks of other
/// modules of this crate.
fn calls(app: &App) -> String {
    let text = app.explain();
    let is_left_out =
        |line: &str| ["//", ".task(", ".cron("].iter().any(|start| line.starts_with(start));
    let lines = text.lines().filter(|line| !is_left_out(line.trim_start()));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Returns the app of a printed file, and the file's text.
macro_rules! both {
    ($file:literal) => {
        (include!($file), include_str!($file))
    };
}

#[test]
fn every_attribute_stands_in_the_printed_call_which_compiles() {
    use crate as it;
    let (app, text) = both!("explained.rs");
    assert_eq!(calls(&by_attributes()), text);
    let table = |app: &App| -> Vec<String> {
        let outline = app.describe().unwrap();
        let routes = outline.routes().iter();
        routes
            .map(|it| format!("{} {} {} {:?} {}", it.method, it.path, it.handler, it.tag, it.doc))
            .collect()
    };
    assert_eq!(table(&app), table(&by_attributes()));
}

#[piton::test]
async fn printed_and_written_routes_let_the_same_callers_in() {
    use crate as it;
    let (printed, _) = both!("explained.rs");
    for app in [by_attributes(), printed] {
        let app = TestApp::new(app.set("log.level", "critical")).await;
        for (path, day, status) in [
            ("/days/work", "monday", 200),
            ("/days/work", "tuesday", 403),
            ("/days/open", "", 200),
            ("/days/own", "tuesday", 200),
            ("/days/own", "monday", 403),
        ] {
            let answer = app.get(path).header("x-day", day).await;
            assert_eq!(answer.status(), status, "{path} on {day}");
        }
        // One attribute guards two routes.
        assert_eq!(app.get("/days/both").await.status(), 403);
        assert_eq!(app.post("/days/both").await.status(), 403);
        assert_eq!(app.post("/days/both").header("x-day", "tuesday").await.status(), 200);
        assert_eq!(app.delete("/days/later").await.status(), 403);
        assert_eq!(app.delete("/days/later").header("x-day", "monday").await.status(), 204);
    }
}

#[test]
fn a_guard_that_cannot_be_printed_is_not_left_out() {
    async fn handler() {}
    let by_hand = |route| App::new("it").no_scan().route(route).explain();
    // The path of a tuple struct is not a guard, so this text does not compile.
    let text = by_hand(piton::http::get("/x", handler).guard(Only("friday")));
    assert!(text.contains(".guard(it::explain::Only)"), "{text}");
    let text = by_hand(piton::http::get("/x", handler).guard(Closed).unlisted());
    assert!(text.contains(".guard(it::explain::Closed)\n        .unlisted())"), "{text}");
    assert!(text.contains("Made by hand"), "{text}");
}

#[cfg(feature = "openapi")]
mod document {
    use super::*;

    fn document(route: piton::http::Route) -> piton::serde_json::Value {
        let app = App::new("it").no_scan().route(route).openapi(OpenApi::new());
        app.openapi_document().unwrap()["paths"]["/x"]["get"].clone()
    }

    async fn handler(Path(()): Path<()>) {}

    #[test]
    fn a_route_by_hand_keeps_its_guard_in_the_document() {
        let route = piton::http::get("/x", handler).guard(Closed);
        assert_eq!(document(route)["security"][0]["bearer"], piton::serde_json::json!([]));
    }

    #[test]
    fn what_the_document_cannot_know_of_a_route_is_listed() {
        let undocumented = |route| {
            let app = App::new("it").no_scan().route(route);
            let outline = app.describe().unwrap();
            outline.routes()[0].operation.undocumented_types().join(", ")
        };
        let route = || piton::http::get("/x", handler);
        assert!(undocumented(route()).contains("describe!"));
        let described = || route().describe(piton::describe!(handler));
        assert_eq!(undocumented(described()), "");
        assert_eq!(undocumented(described().guard(Closed)), "");
        assert_eq!(undocumented(described().guard(Only("friday"))), "it::explain::Only");
    }
}
