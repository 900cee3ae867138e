//! Steps: run in order, each replaceable and extendable.

use std::sync::{Arc, Mutex};

use piton::http::get;
use piton::part::{self, Launch, Part};
use piton::prelude::*;
use piton::testing::TestApp;

async fn ok() -> &'static str {
    "ok"
}

fn app() -> App {
    App::new("steps").blueprints(["none"]).set("log.level", "critical").route(get("/", ok))
}

#[piton::test]
async fn hooks_run_around_every_step_in_gnars_order() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut app = app();
    for step in Step::ALL {
        let (before, after) = (seen.clone(), seen.clone());
        app = app
            .before(step, move |_| async move {
                before.lock().unwrap().push(format!("before {step}"));
            })
            .after(step, move |_| async move {
                after.lock().unwrap().push(format!("after {step}"));
            });
    }
    TestApp::new(app).await;
    let expected: Vec<String> = Step::ALL
        .iter()
        .flat_map(|step| [format!("before {step}"), format!("after {step}")])
        .collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[piton::test]
async fn a_replaced_step_may_do_what_it_would_have_done() {
    let app = app().configure_routes(|setup| async move {
        setup.route(get("/added", ok));
        setup.default(Step::ConfigureRoutes).await
    });
    let app = TestApp::new(app).await;
    assert_eq!(app.get("/added").await.text(), "ok");
    assert_eq!(app.get("/").await.text(), "ok");
}

#[piton::test]
async fn preconfig_may_set_settings_and_postconfig_may_add_a_layer() {
    let app = app().preconfig(|setup| async move { setup.set("production", true) }).postconfig(
        |setup| async move {
            let name = axum::http::HeaderName::from_static("x-layer");
            let value = axum::http::HeaderValue::from_static("there");
            setup.map_router(|router| {
                router.layer(axum::middleware::map_response(
                    move |mut answer: axum::response::Response| {
                        answer.headers_mut().insert(name.clone(), value.clone());
                        std::future::ready(answer)
                    },
                ))
            });
        },
    );
    let app = TestApp::new(app).await;
    assert!(app.handle().production());
    assert_eq!(app.get("/").await.header("x-layer"), "there");
}

#[piton::test]
async fn a_step_that_fails_keeps_the_app_from_starting() {
    let app = app().postconfig(|_| async { Err::<(), _>(std::io::Error::other("no such luck")) });
    let error = app.into_router().await.expect_err("the step fails");
    assert!(error.report("steps").contains("no such luck"));
    assert_eq!(error.exit().code(), 1);
}

#[derive(Clone)]
struct Late;

impl Part for Late {
    const NAME: &'static str = "late";
    const STEP: Step = Step::ConfigureDatabase;
    type Settings = ();

    async fn start(_: (), _: &Launch) -> Result<Self, part::Error> {
        Ok(Self)
    }
}

piton::part!(Late);

#[piton::test]
async fn a_replaced_step_that_forgets_its_parts_is_refused_with_the_fix() {
    let app = app().enable::<Late>().configure_database(|_| async {});
    let error = app.into_router().await.expect_err("the part is not started");
    assert!(error.report("steps").contains("setup.default(Step::ConfigureDatabase)"), "{error:?}");
}
