//! Parts: started when asked for, in order, connected with patience, stopped in reverse.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use piton::config::{Config, Problems};
use piton::http::get;
use piton::part::{self, BoxError, Dependencies, Health, Launch, Part};
use piton::prelude::*;
use piton::testing::{TestApp, TestServer};

/// What happened, in order; attached to the app so that parts find it.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Lets a test decide when the part can connect.
#[derive(Clone, Default)]
struct Reachable(Arc<AtomicBool>);

macro_rules! diarist {
    ($name:ident, $label:literal, needs $($need:ident)?) => {
        #[derive(Clone)]
        struct $name(Diary);

        impl Part for $name {
            const NAME: &'static str = $label;
            type Settings = ();

            fn dependencies(_dependencies: &mut Dependencies) {
                $(_dependencies.add::<$need>();)?
            }

            async fn start(_: (), launch: &Launch) -> Result<Self, part::Error> {
                let diary = launch.provided::<Diary>().next().expect("the test attaches one").clone();
                diary.note(concat!("start ", $label));
                Ok(Self(diary))
            }

            async fn run(&self, stop: piton::Stop) {
                stop.stopped().await;
                self.0.note(concat!("end of work ", $label));
            }

            async fn stop(&self) {
                self.0.note(concat!("stop ", $label));
            }
        }

        piton::part!($name);
    };
}

diarist!(Ground, "ground", needs);
diarist!(House, "house", needs Ground);
diarist!(Unused, "unused", needs);

async fn visit(_house: House) -> &'static str {
    "welcome"
}

fn app() -> App {
    App::new("parts").blueprints(["none"]).set("log.level", "critical")
}

#[piton::test]
async fn parts_start_after_what_they_need_stop_in_reverse_and_only_when_asked_for() {
    let diary = Diary::default();
    let app = TestApp::new(app().provide(diary.clone()).route(get("/", visit))).await;
    assert_eq!(app.get("/").await.text(), "welcome");
    assert_eq!(diary.all(), ["start ground", "start house"]);
    app.stop().await;
    let all = diary.all();
    assert_eq!(all[4..], ["stop house", "stop ground"], "{all:?}");
}

#[piton::test]
async fn a_part_is_had_without_a_route_by_saying_with() {
    let diary = Diary::default();
    let app = TestApp::new(app().provide(diary.clone()).enable::<Unused>()).await;
    let _: Unused = app.handle().part();
    assert_eq!(diary.all(), ["start unused"]);
}

#[piton::test]
async fn a_part_with_a_condition_starts_with_its_dependencies_where_the_settings_meet_it() {
    let started_on = async |port: u16| {
        let diary = Diary::default();
        // Enabled twice, as by an attribute.
        let app = app().provide(diary.clone()).route(get("/", async || "ok")).enable::<House>();
        let has_port = |config: &Config| {
            config.read::<piton::HttpSettings>("http", &mut Problems::new()).port == 8080
        };
        let app = TestApp::new(app.enable_if::<House>(has_port).set("http.port", port)).await;
        assert_eq!(app.get("/").await.text(), "ok");
        diary.all()
    };
    assert_eq!(started_on(8080).await, ["start ground", "start house"]);
    assert!(started_on(8081).await.is_empty());
}

/// Needs a server that a test switches on.
#[derive(Clone)]
struct Remote(Reachable);

impl Part for Remote {
    const NAME: &'static str = "remote";
    const CRITICAL: bool = true;
    type Settings = ();

    async fn start(_: (), launch: &Launch) -> Result<Self, part::Error> {
        Ok(Self(launch.provided::<Reachable>().next().cloned().unwrap_or_default()))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        if self.0.0.load(Ordering::SeqCst) { Ok(()) } else { Err("nobody answers".into()) }
    }

    async fn health(&self) -> Health {
        if self.0.0.load(Ordering::SeqCst) { Health::Up } else { Health::Down("gone".into()) }
    }
}

piton::part!(Remote);

async fn ask(_remote: Remote) -> &'static str {
    "answer"
}

#[piton::test]
async fn an_unreachable_server_does_not_keep_the_service_from_starting() {
    let reachable = Reachable::default();
    let server = TestServer::start(app().provide(reachable.clone()).route(get("/", ask))).await;
    let get = |path: &'static str| crate::serving::get(server.address(), path);
    let answer = get("/").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    assert!(answer.contains("`remote` is not ready yet"), "{answer}");
    assert!(get("/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(get("/livez").await.starts_with("HTTP/1.1 200"));

    reachable.0.store(true, Ordering::SeqCst);
    crate::serving::wait_for(|| async { get("/readyz").await.starts_with("HTTP/1.1 200") }).await;
    assert!(get("/").await.ends_with("answer"));

    reachable.0.store(false, Ordering::SeqCst);
    assert!(
        get("/readyz").await.starts_with("HTTP/1.1 503"),
        "a critical part that is down fails readiness"
    );
    server.stop().await;
}

/// Connects at once, and needs [`Remote`].
#[derive(Clone)]
struct Dependent(Diary);

impl Part for Dependent {
    const NAME: &'static str = "dependent";
    type Settings = ();

    fn dependencies(dependencies: &mut Dependencies) {
        dependencies.add::<Remote>();
    }

    async fn start(_: (), launch: &Launch) -> Result<Self, part::Error> {
        Ok(Self(launch.provided::<Diary>().next().expect("the test attaches one").clone()))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        self.0.note("connect");
        Ok(())
    }

    async fn run(&self, stop: piton::Stop) {
        self.0.note("run");
        stop.stopped().await;
    }
}

piton::part!(Dependent);

#[piton::test]
async fn a_part_connects_and_runs_once_what_it_dependencies_is_connected() {
    let (reachable, diary) = (Reachable::default(), Diary::default());
    let app = app().provide(reachable.clone()).provide(diary.clone()).enable::<Dependent>();
    let server = TestServer::start(app).await;
    let health = |name: &'static str| {
        let handle = server.handle().clone();
        async move { handle.health().await.into_iter().find(|part| part.name == name).unwrap().health }
    };
    // The failure is recorded only after the first attempt, so wait for it.
    crate::serving::wait_for(|| async {
        health("remote").await == Health::Down("nobody answers".into())
    })
    .await;
    assert_eq!(health("dependent").await, Health::Down("waits for `remote` to connect".into()));
    assert_eq!(diary.all(), Vec::<String>::new());
    reachable.0.store(true, Ordering::SeqCst);
    crate::serving::wait_for(|| async { diary.all() == ["connect", "run"] }).await;
    assert_eq!(health("dependent").await, Health::Up);
    server.stop().await;
}

/// A part that fails permanently once the test says so.
#[derive(Clone)]
struct Hopeless(Reachable, Diary);

impl Part for Hopeless {
    const NAME: &'static str = "hopeless";
    type Settings = ();

    async fn start(_: (), launch: &Launch) -> Result<Self, part::Error> {
        let reachable = launch.provided::<Reachable>().next().cloned().unwrap_or_default();
        Ok(Self(reachable, launch.provided::<Diary>().next().cloned().unwrap_or_default()))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        self.1.note("connect");
        if !self.0.0.load(Ordering::SeqCst) {
            return Err("nobody answers".into());
        }
        Err(part::Permanent::new("the schema does not fit").into())
    }
}

piton::part!(Hopeless);

#[piton::test]
async fn a_part_that_waiting_does_not_help_ends_the_service() {
    let (reachable, diary) = (Reachable::default(), Diary::default());
    let app = app().provide(reachable.clone()).provide(diary.clone()).enable::<Hopeless>();
    let server = TestServer::start(app).await;
    crate::serving::wait_for(|| async { diary.all().len() > 1 }).await;
    assert!(!server.has_ended(), "a server that is away is waited for");
    reachable.0.store(true, Ordering::SeqCst);
    let error = server.ended().await.expect_err("it cannot go on");
    assert_eq!(error.exit().code(), 2);
    let report = error.report("parts");
    assert!(
        report.contains("waiting does not help: `hopeless`: the schema does not fit"),
        "{report}"
    );
}

/// A part whose settings do not add up.
#[derive(Clone)]
struct Picky;

impl Part for Picky {
    const NAME: &'static str = "picky";
    type Settings = ();

    async fn start(_: (), _: &Launch) -> Result<Self, part::Error> {
        Err(part::Problem::new("picky.mood", "the mood is wrong", "change it").into())
    }
}

piton::part!(Picky);

#[piton::test]
async fn a_part_that_refuses_its_settings_stops_the_start_and_those_before_it() {
    let diary = Diary::default();
    let app = app().provide(diary.clone()).enable::<Ground>().enable::<Picky>();
    let error = app.into_router().await.expect_err("the part refuses");
    assert!(error.report("parts").contains("picky.mood"), "{error:?}");
    assert_eq!(diary.all(), ["start ground", "stop ground"]);
}
