//! Downloads: files, bytes and streams, with ranges and conditions.

use std::time::{Duration, SystemTime};

use piton::http::{Download, ETag, get, route};
use piton::prelude::*;
use piton::testing::{TestApp, TestResponse};

const TEXT: &str = "0123456789";

#[derive(Clone)]
struct Files(std::path::PathBuf);

mod attributes {
    use super::*;

    #[get("/file/{name}")]
    async fn file(State(files): State<Files>, Path(name): Path<String>) -> Result<Download> {
        Download::file(files.0.join(name)).await
    }
}

async fn bytes() -> Download {
    Download::bytes(TEXT).name("Größe.txt").etag(ETag::strong(7)).inline()
}

async fn stream() -> Download {
    let pieces = ["01", "23"].map(Ok::<_, std::io::Error>);
    Download::stream(futures_util::stream::iter(pieces)).name("a.csv").size(4)
}

/// Returns the app, and the folder of its files. They were changed long ago.
async fn app() -> (TestApp, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.txt");
    std::fs::write(&file, TEXT).unwrap();
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
    let app = App::new("it").blueprints(["downloads::attributes"]).set("log.level", "critical");
    let app = app.state(Files(folder.path().to_owned()));
    let both = [piton::axum::http::Method::GET, piton::axum::http::Method::POST];
    let app = app.route(route(&both, "/bytes", bytes)).route(get("/stream", stream));
    (TestApp::new(app).await, folder)
}

async fn ask(app: &TestApp, headers: &[(&str, &str)]) -> TestResponse {
    let mut request = app.get("/file/report.txt");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.await
}

#[piton::test]
async fn a_file_has_its_type_its_name_and_its_validators() {
    let (app, _folder) = app().await;
    let answer = ask(&app, &[]).await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, TEXT));
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "10"),
        ("content-disposition", "attachment; filename=\"report.txt\""),
        ("accept-ranges", "bytes"),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("etag").starts_with('"'), "strong: {}", answer.header("etag"));
}

#[piton::test]
async fn a_range_is_206_and_one_behind_the_end_is_416() {
    let (app, _folder) = app().await;
    let answer = ask(&app, &[("range", "bytes=2-4")]).await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (206, "234"));
    assert_eq!(answer.header("content-range"), "bytes 2-4/10");
    assert_eq!(answer.header("content-length"), "3");
    let answer = ask(&app, &[("range", "bytes=-1")]).await;
    assert_eq!((&*answer.text(), answer.header("content-range")), ("9", "bytes 9-9/10"));
    let answer = ask(&app, &[("range", "bytes=10-")]).await;
    assert_eq!((answer.status().as_u16(), answer.header("content-range")), (416, "bytes */10"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let answer = ask(&app, &[("range", "bytes=0-1,3-4")]).await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, TEXT));
}

#[piton::test]
async fn conditions_give_304_and_412_and_guard_a_range() {
    let (app, _folder) = app().await;
    let whole = ask(&app, &[]).await;
    let (etag, date) = (whole.header("etag"), whole.header("last-modified"));
    let answer = ask(&app, &[("if-none-match", etag)]).await;
    assert_eq!((answer.status().as_u16(), &*answer.text(), answer.header("etag")), (304, "", etag));
    assert_eq!(ask(&app, &[("if-modified-since", date)]).await.status(), 304);
    assert_eq!(ask(&app, &[("if-match", "\"x\"")]).await.status(), 412);
    assert_eq!(ask(&app, &[("if-match", etag)]).await.status(), 200);
    let range = ("range", "bytes=0-1");
    assert_eq!(ask(&app, &[range, ("if-range", etag)]).await.status(), 206);
    assert_eq!(ask(&app, &[range, ("if-range", "\"x\"")]).await.text(), TEXT);
}

#[piton::test]
async fn head_has_the_headers_and_no_body() {
    let (app, _folder) = app().await;
    let answer = app.request(piton::axum::http::Method::HEAD, "/file/report.txt").await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, ""));
    assert_eq!(answer.header("content-length"), "10");
}

#[piton::test]
async fn what_is_no_file_is_404() {
    let (app, folder) = app().await;
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for name in ["none", "folder"] {
        assert_eq!(app.get(&format!("/file/{name}")).await.status(), 404, "{name}");
    }
}

#[piton::test]
async fn bytes_have_ranges_too_and_conditions_apply_to_reads_alone() {
    let (app, _folder) = app().await;
    let answer = app.get("/bytes").header("range", "bytes=8-").await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (206, "89"));
    let disposition = "inline; filename=\"Gr__e.txt\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt";
    assert_eq!(answer.header("content-disposition"), disposition);
    assert_eq!(app.get("/bytes").header("if-none-match", "\"7\"").await.status(), 304);
    let answer =
        app.post("/bytes").header("range", "bytes=8-").header("if-none-match", "\"7\"").await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, TEXT));
}

#[piton::test]
async fn a_stream_is_sent_whole() {
    let (app, _folder) = app().await;
    let answer = app.get("/stream").header("range", "bytes=0-0").await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, "0123"));
    assert_eq!(answer.header("content-length"), "4");
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
}

#[cfg(feature = "openapi")]
#[piton::test]
async fn the_documented_headers_of_a_download_are_those_that_it_has() {
    let documented = App::new("it").blueprints(["downloads::attributes"]).state(Files("".into()));
    let document = documented.openapi_document().unwrap();
    let response = &document["paths"]["/file/{name}"]["get"]["responses"]["200"];
    let (app, _folder) = app().await;
    let answer = ask(&app, &[]).await;
    let headers = response["headers"].as_object().unwrap();
    assert!(headers.contains_key("Content-Disposition"), "{headers:?}");
    for name in headers.keys() {
        assert!(!answer.header(name).is_empty(), "{name}");
    }
}
