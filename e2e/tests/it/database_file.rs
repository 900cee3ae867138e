//! Tests the database file of the built registry: its address, other things in its place, and
//! changes to it while the service runs.

use std::path::Path;

use test_support::http_client::{Connection, get};
use test_support::service::{self, Service};
use test_support::{free_port, wait_for};

use super::company;

async fn register(port: u16, number: u32) -> u16 {
    let mut connection = Connection::open(port).await.unwrap();
    connection.request("POST", "/api/companies", &company(number)).await.unwrap().status
}

async fn total(port: u16) -> u64 {
    get(port, "/api/companies?per_page=1").await.unwrap().json()["total"].as_u64().unwrap()
}

#[tokio::test]
async fn an_address_that_could_be_read_in_two_ways_is_refused_with_the_fix() {
    for (address, text) in [
        ("sqlite:///app.db", "DATABASE_URL=sqlite:/app.db"),
        ("sqlite::memory:", "in-memory database"),
        ("sqlite:app.db?mode=memory", "in-memory database"),
        ("sqlite:app.db?mode=ro", "mode=ro"),
        ("sqlite://localhost/app.db", "no host"),
        ("sqlite:", "no file is named"),
        ("sqlite:data/", "a folder"),
        ("sqlite:~/app.db", "expanded by shells"),
        ("file:app.db", "`file:` addresses"),
        ("sqlite:/x/app.db&mode=rw", "start with `?`"),
        ("sqlite: x/app.db", "whitespace"),
    ] {
        let variables = [("DATABASE_URL", address)];
        let output = service::run("registry", &["--port", "0"], &variables).await;
        let report = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{address}: {report}");
        assert!(report.contains("db.url") && report.contains("fix: "), "{report}");
        assert!(report.contains("DATABASE_URL") && report.contains(text), "{address}: {report}");
    }
}

#[tokio::test]
async fn what_is_not_the_path_of_a_file_is_refused_without_its_password() {
    for path in [
        "postgres://a:hunter2xyz@h/d",
        "a:hunter2xyz@h/d",
        "host=h password=hunter2xyz",
        " data/app.db",
        "'data/app.db'",
        "data/${NAME}.db",
        "data/app.db&mode=rw",
    ] {
        let output = service::run("registry", &["--port", "0"], &[("PITON_DB_PATH", path)]).await;
        let report = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{path}: {report}");
        assert!(report.contains("PITON_DB_PATH") && report.contains("fix: "), "{report}");
        assert!(!report.contains("hunter2xyz"), "{report}");
    }
}

#[tokio::test]
async fn each_form_of_an_address_opens_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my app.db");
    let path = file.display().to_string();
    let encoded = path.replace(' ', "%20");
    let forms = [
        format!("sqlite:{encoded}"),
        format!("sqlite://{}?mode=rwc", encoded.replacen('/', "//", 1)),
        format!("sqlite:{path}?mode=rw"),
    ];
    for (index, address) in forms.iter().enumerate() {
        let port = free_port();
        let setting = format!("db.url={address}");
        let service = Service::start("registry", port, &["--set", &setting]).await;
        let index = u32::try_from(index).unwrap();
        assert_eq!(total(port).await, u64::from(index), "{address}");
        assert_eq!(register(port, index + 1).await, 201);
        service.signal("TERM").await;
        service.ended().await;
    }
    assert!(file.exists());
}

#[tokio::test]
async fn what_is_no_database_ends_the_launch_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("notes"), "these are notes, not a database\n".repeat(100)).unwrap();
    for (path, text) in [
        (at("folder"), "is a folder, not a file"),
        (at("notes"), "file is not a database"),
        (at("notes/x.db"), "is not a folder"),
    ] {
        let setting = format!("db.path={}", path.display());
        for verb in [[].as_slice(), &["migrate", "status"], &["migrate", "up"]] {
            let arguments = [&["--port", "0", "--set", &setting], verb].concat();
            let output = service::run("registry", &arguments, &[]).await;
            let report = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{verb:?}: {report}");
            assert!(
                report.contains(&path.display().to_string()) || text == "is not a folder",
                "{report}"
            );
            assert!(report.contains(text), "{report}");
        }
    }
}

async fn is_moved_and_back(service: &Service, file: &Path, elsewhere: &Path) {
    let port = service.port;
    std::fs::rename(file, elsewhere).unwrap();
    // No write to the moved file is acknowledged, not even the first.
    for number in 100..110 {
        assert_eq!(register(port, number).await, 503);
    }
    assert!(service.is_ready(false).await);
    let health = get(port, "/health").await.unwrap().json().to_string();
    assert!(health.contains("was moved or deleted while it was in use"), "{health}");
    assert!(!file.exists());
    std::fs::rename(elsewhere, file).unwrap();
    service.ready().await;
}

#[tokio::test]
async fn a_file_that_is_taken_away_takes_no_write_into_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (file, elsewhere) = (folder.path().join("app.db"), folder.path().join("moved.db"));
    let setting = format!("db.path={}", file.display());
    let port = free_port();
    let service = Service::start("registry", port, &["--set", &setting]).await;
    for number in 1..=10 {
        assert_eq!(register(port, number).await, 201);
    }
    is_moved_and_back(&service, &file, &elsewhere).await;
    wait_for("a write", || async { register(port, 50).await == 201 }).await;
    assert!(total(port).await >= 11);

    std::fs::remove_file(&file).unwrap();
    assert_eq!(register(port, 60).await, 503);
    assert!(service.is_ready(false).await);
    assert!(!file.exists(), "no empty file takes its place");
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_status_of_migrations_exits_with_1_where_something_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let setting = format!("db.path={}", folder.path().join("app.db").display());
    let arguments = ["--set", &setting, "migrate", "status"];
    let fresh = service::run("registry", &arguments, &[]).await;
    assert_eq!(fresh.status.code(), Some(0), "{fresh:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is created");
    let off = [&["--set", "db.migrate=false"], arguments.as_slice()].concat();
    let pending = service::run("registry", &off, &[]).await;
    assert_eq!(pending.status.code(), Some(1), "{pending:?}");
    let releases = |release: &'static str, verb: &'static str| {
        let setting = format!("db.path={}", folder.path().join("notes.db").display());
        async move {
            let arguments = [["--set", &setting].as_slice(), &["migrate", verb]].concat();
            service::run("examples/releases", &arguments, &[("RELEASE", release)]).await
        }
    };
    assert_eq!(releases("3", "up").await.status.code(), Some(0));
    assert_eq!(releases("3", "status").await.status.code(), Some(0));
    let older = releases("1", "status").await;
    assert_eq!(older.status.code(), Some(1));
    let text = String::from_utf8(older.stdout).unwrap();
    assert!(text.contains("0003 renamed") && text.contains("will not become ready"), "{text}");
}
