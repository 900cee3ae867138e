//! Forms with files: part by part, into a struct, and what is left of those that break off.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use piton::config::ByteSize;
use piton::http::{FormPart, Multipart, MultipartForm, RouteLimits, Upload, post};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::serving::wait_for;

const BOUNDARY: &str = "-----a boundary-7";

/// A part of a form: name, name of the file, content.
type Field<'a> = (&'a str, Option<&'a str>, &'a [u8]);

fn form(fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in fields {
        let file = file.map(|file| format!("; filename=\"{file}\"\r\nContent-Type: image/x-test"));
        let file = file.unwrap_or_default();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn content_type() -> String {
    format!("multipart/form-data; boundary=\"{BOUNDARY}\"")
}

#[derive(Clone)]
struct Folder(PathBuf);

/// Lists every part with its size.
async fn list(mut form: Multipart) -> Result<Json<Vec<Value>>> {
    let mut parts = Vec::new();
    while let Some(part) = form.next_part().await? {
        let (name, file, kind) = (
            part.name().to_owned(),
            part.file_name().map(str::to_owned),
            part.content_type().map(str::to_owned),
        );
        parts.push(json!([name, file, kind, part.bytes().await?.len()]));
    }
    Ok(Json(parts))
}

/// Saves every file, under its name.
async fn save(State(folder): State<Folder>, mut form: Multipart) -> Result<String> {
    let mut sizes = Vec::new();
    while let Some(part) = form.next_part().await? {
        let path = folder.0.join(part.file_name().unwrap_or("unnamed"));
        sizes.push(part.save_to(path).await?.to_string());
    }
    Ok(sizes.join(","))
}

async fn save_new(State(folder): State<Folder>, mut form: Multipart) -> Result<NoContent> {
    while let Some(part) = form.next_part().await? {
        part.limit(ByteSize::kib(100)).save_new(folder.0.join("new")).await?;
    }
    Ok(NoContent)
}

/// Skips every part but the last, which is text.
async fn last(mut form: Multipart) -> Result<String> {
    while let Some(part) = form.next_part().await? {
        if part.name() == "last" {
            return part.text().await;
        }
    }
    Ok(String::new())
}

#[derive(Deserialize, JsonSchema)]
struct Photo {
    title: String,
    stars: Option<u8>,
    #[serde(default)]
    tags: Vec<String>,
    photo: Upload,
    #[serde(default)]
    more: Vec<Upload>,
    preview: Option<Upload>,
}

async fn photo(
    State(folder): State<Folder>,
    MultipartForm(new): MultipartForm<Photo>,
) -> Result<Json<Value>> {
    let read = std::fs::read_to_string(new.photo.path())?;
    let answer = json!({
        "title": new.title,
        "stars": new.stars,
        "tags": new.tags,
        "photo": [new.photo.file_name(), new.photo.content_type(), new.photo.size(), read],
        "more": new.more.iter().map(Upload::size).collect::<Vec<_>>(),
        "preview": new.preview.is_some(),
    });
    new.photo.persist(folder.0.join("photo")).await?;
    Ok(Json(answer))
}

fn app(folder: &FilePath) -> App {
    let large = RouteLimits::new().body(ByteSize::mib(20));
    App::new("uploads")
        .no_scan()
        .set("log.level", "critical")
        .set("http.uploads.folder", folder.to_str().unwrap())
        .state(Folder(folder.to_owned()))
        .route(post("/list", list))
        .route(post("/save", save).limits(large))
        .route(post("/new", save_new))
        .route(post("/last", last).limits(large))
        .route(post("/photo", photo).describe(piton::describe!(photo)))
}

async fn send(app: &TestApp, path: &str, fields: &[Field<'_>]) -> TestResponse {
    app.post(path).header("content-type", &content_type()).body(form(fields)).await
}

fn names(folder: &FilePath) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn detail(answer: &TestResponse) -> String {
    answer.json::<Value>()["detail"].as_str().unwrap_or_default().to_owned()
}

#[piton::test]
async fn parts_are_read_one_by_one_with_safe_names() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let answer = send(
        &app,
        "/list",
        &[("a", None, b"text"), ("b", Some("../../x.png"), b"12345"), ("c", Some(""), b"")],
    )
    .await;
    let expected = json!([
        ["a", null, null, 4],
        ["b", "x.png", "image/x-test", 5],
        ["c", null, "image/x-test", 0]
    ]);
    assert_eq!(answer.json::<Value>(), expected);
    assert_eq!(send(&app, "/list", &[]).await.text(), "[]");
}

#[piton::test]
async fn a_part_that_is_not_read_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let large = vec![b'\r'; 3 << 20];
    let answer =
        send(&app, "/last", &[("a", Some("x"), &large), ("last", None, "äß".as_bytes())]).await;
    assert_eq!(answer.text(), "äß");
}

#[piton::test]
async fn a_saved_file_is_whole_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let content: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 251) as u8).collect();
    let answer =
        send(&app, "/save", &[("f", Some("a.bin"), &content), ("f", Some("b.bin"), b"")]).await;
    assert_eq!((answer.status().as_u16(), answer.text()), (200, "5000000,0".to_owned()));
    assert_eq!(std::fs::read(folder.path().join("a.bin")).unwrap(), content);
    assert_eq!(names(folder.path()), ["a.bin", "b.bin"]);
    send(&app, "/save", &[("f", Some("a.bin"), b"shorter")]).await;
    assert_eq!(std::fs::read(folder.path().join("a.bin")).unwrap(), b"shorter");
}

/// Persists the upload under a name in a folder, without replacing a file there.
async fn persist_new(State(folder): State<Folder>, mut form: Multipart) -> Result<NoContent> {
    while let Some(part) = form.next_part().await? {
        let path = folder.0.join(part.file_name().unwrap_or("unnamed"));
        part.save_to_temp_file().await?.persist_new(path).await?;
    }
    Ok(NoContent)
}

#[piton::test]
async fn an_upload_is_persisted_once_under_a_new_name() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path()).route(post("/keep", persist_new))).await;
    assert_eq!(send(&app, "/keep", &[("f", Some("a"), b"one")]).await.status(), 204);
    assert_eq!(send(&app, "/keep", &[("f", Some("a"), b"two")]).await.status(), 409);
    assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"one");
    assert_eq!(names(folder.path()), ["a"]);
}

#[piton::test]
async fn a_folder_for_uploads_that_is_not_there_is_refused_at_launch() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let (listener, (_trigger, stop)) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), piton::Stop::new());
    let report = app(&missing).serve(listener, stop).await.unwrap_err().report("uploads");
    assert!(report.contains("http.uploads.folder"), "{report}");
    assert!(report.contains(&format!("mkdir -p {}", missing.display())), "{report}");
}

#[piton::test]
async fn a_file_that_exists_is_409_where_it_must_not_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    assert_eq!(send(&app, "/new", &[("f", Some("a"), b"one")]).await.status(), 204);
    assert_eq!(send(&app, "/new", &[("f", Some("a"), b"two")]).await.status(), 409);
    assert_eq!(std::fs::read(folder.path().join("new")).unwrap(), b"one");
    assert_eq!(names(folder.path()), ["new"]);
}

#[piton::test]
async fn each_limit_is_413_and_names_the_part_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path()).set("http.uploads.max_parts", 3)).await;
    let large = vec![0; 1_200_000];
    let answer = send(&app, "/list", &[("photo", None, &large)]).await;
    assert_eq!(
        (answer.status().as_u16(), &*detail(&answer)),
        (413, "the part `photo` is larger than 1MiB")
    );
    let answer = send(&app, "/new", &[("photo", None, &large)]).await;
    assert_eq!(
        (answer.status().as_u16(), &*detail(&answer)),
        (413, "the part `photo` is larger than 100KiB")
    );
    let answer = send(&app, "/list", &[("a", None, &b""[..]); 4]).await;
    assert_eq!(
        (answer.status().as_u16(), &*detail(&answer)),
        (413, "the form has more than 3 parts")
    );
    let answer = send(&app, "/save", &[("f", Some("a"), &vec![0; 21 << 20])]).await;
    assert_eq!(answer.status(), 413);
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[piton::test]
async fn a_body_that_is_no_such_form_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let answer = app.post("/list").header("content-type", "application/json").body("{}").await;
    assert_eq!((answer.status().as_u16(), answer.header("accept")), (415, "multipart/form-data"));
    assert_eq!(app.post("/list").await.status(), 415);
    for malformed in ["", ";", "; boundary", "; boundary=\"a", "; boundary=a b"] {
        let content_type = format!("multipart/form-data{malformed}");
        let answer = app.post("/list").header("content-type", &content_type).body("x").await;
        assert_eq!(answer.status(), 400, "{content_type}");
    }
    let whole = form(&[("photo", Some("a"), b"0123456789")]);
    for length in [0, 10, 40, whole.len() - 40, whole.len() - 20] {
        let answer = app
            .post("/save")
            .header("content-type", &content_type())
            .body(whole[..length].to_vec())
            .await;
        assert_eq!(answer.status(), 400, "{length}");
    }
    let unnamed =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n--{BOUNDARY}--\r\n");
    let answer = app.post("/list").header("content-type", &content_type()).body(unnamed).await;
    assert_eq!(
        (answer.status().as_u16(), &*detail(&answer)),
        (400, "part 1 of the form has no `name` in its `content-disposition`")
    );
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[piton::test]
async fn headers_and_preambles_without_an_end_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let pieces = |start: String| {
        let rest = futures_util::stream::repeat("x".repeat(16 << 10));
        let rest = futures_util::StreamExt::take(rest, 900);
        let all = futures_util::StreamExt::chain(
            futures_util::stream::once(std::future::ready(start)),
            rest,
        );
        piton::axum::body::Body::from_stream(futures_util::StreamExt::map(
            all,
            Ok::<_, std::io::Error>,
        ))
    };
    for start in [format!("--{BOUNDARY}\r\nX-Long: "), "a preamble ".to_owned()] {
        let answer =
            app.post("/save").header("content-type", &content_type()).body(pieces(start)).await;
        assert_eq!(answer.status(), 431, "{}", answer.text());
    }
}

#[piton::test]
async fn a_form_is_read_into_a_struct() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let fields: [Field<'_>; 8] = [
        ("title", None, "Küste & mehr, 100%".as_bytes()),
        ("stars", None, b"4"),
        ("tags", None, b"a,b"),
        ("tags", None, b"c"),
        ("photo", Some("sea.jpg"), b"the sea"),
        ("more", Some("1"), b"1"),
        ("more", Some("2"), b"22"),
        ("preview", Some(""), b""),
    ];
    let answer = send(&app, "/photo", &fields).await;
    let expected = json!({
        "title": "Küste & mehr, 100%",
        "stars": 4,
        "tags": ["a,b", "c"],
        "photo": ["sea.jpg", "image/x-test", 7, "the sea"],
        "more": [1, 2],
        "preview": false,
    });
    assert_eq!(answer.json::<Value>(), expected);
    assert_eq!(names(folder.path()), ["photo"], "uploads that were not persisted are deleted");
}

#[piton::test]
async fn a_form_that_does_not_match_is_422_with_all_fields_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let fields: [Field<'_>; 3] =
        [("stars", None, b"many"), ("photo", None, b"no file"), ("more", Some("x"), b"x")];
    let answer = send(&app, "/photo", &fields).await;
    assert_eq!(answer.status(), 422);
    let problem: Value = answer.json();
    let mut pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["#/photo", "#/stars", "#/title"], "{problem}");
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[derive(Deserialize, JsonSchema)]
struct Profile {
    title: String,
    #[serde(default)]
    tags: Vec<String>,
    stars: Option<u8>,
    #[serde(default)]
    agree: bool,
    photo: Upload,
}

async fn profile(MultipartForm(new): MultipartForm<Profile>) -> Json<Value> {
    let size = new.photo.size();
    Json(json!([new.title, new.tags, new.stars, new.agree, size]))
}

#[piton::test]
async fn a_file_in_a_field_of_text_is_422_and_its_key_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).route(post("/profile", profile));
    let app = TestApp::new(app).await;
    let fields: [Field<'_>; 5] = [
        ("title", Some("title.txt"), b"x"),
        ("tags", None, b"a"),
        ("tags", Some("tag.txt"), b"b"),
        ("stars", Some("stars.txt"), b"3"),
        ("photo", Some("sea.jpg"), b"the sea"),
    ];
    let answer = send(&app, "/profile", &fields).await;
    assert_eq!(answer.status(), 422, "{}", answer.text());
    let problem: Value = answer.json();
    let mut errors: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap()))
        .collect();
    errors.sort_unstable();
    assert_eq!(
        errors.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        ["#/stars", "#/tags", "#/title"]
    );
    assert_eq!(errors[2].1, "expected text, not a file");
    assert!(!problem.to_string().contains("upload-"), "{problem}");

    let fields: [Field<'_>; 4] = [
        ("title", None, b"Sea"),
        ("agree", None, b"on"),
        ("photo", Some("sea.jpg"), b"the sea"),
        ("unknown", Some("other.txt"), b"ignored"),
    ];
    let answer = send(&app, "/profile", &fields).await;
    assert_eq!(answer.json::<Value>(), json!(["Sea", [], null, true, 7]), "{}", answer.text());
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[piton::test]
async fn progress_is_reported_as_the_part_arrives() {
    async fn counted(State(seen): State<Arc<AtomicU64>>, mut form: Multipart) -> Result<NoContent> {
        let part: FormPart<'_> = form.next_part().await?.unwrap();
        let report = seen.clone();
        let part = part.on_progress(move |bytes| {
            assert!(report.swap(bytes, Ordering::Relaxed) < bytes);
        });
        drop(part.save_to_temp_file().await?);
        Ok(NoContent)
    }
    let (folder, seen) = (tempfile::tempdir().unwrap(), Arc::new(AtomicU64::new(0)));
    let app =
        TestApp::new(app(folder.path()).state(seen.clone()).route(post("/counted", counted))).await;
    assert_eq!(send(&app, "/counted", &[("f", Some("a"), &[7; 300_000])]).await.status(), 204);
    assert_eq!(seen.load(Ordering::Relaxed), 300_000);
    assert!(names(folder.path()).is_empty());
}

async fn begin_upload(server: &TestServer, name: &str, sent: usize, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /save HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n",
        content_type()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![0; sent]).await.unwrap();
    stream
}

#[piton::test]
async fn a_client_that_goes_away_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(app(folder.path())).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        clients.push(begin_upload(&server, &number.to_string(), 300_000, 10_000_000).await);
    }
    let is_writing = async || {
        let all = names(folder.path());
        all.len() == 20 && all.iter().all(|name| name.starts_with(".upload-"))
    };
    wait_for(is_writing).await;
    drop(clients);
    wait_for(async || names(folder.path()).is_empty()).await;
    server.stop().await;
}

#[piton::test]
async fn a_hundred_uploads_at_once_take_little_of_the_budget() {
    const SIZE: usize = 5_000_000;
    let folder = tempfile::tempdir().unwrap();
    // 8 MiB would hold the kept part of a single large body, and not of a hundred.
    let app = app(folder.path()).set("http.memory_budget", "8MiB").set("http.body_limit", "1MiB");
    let server = TestServer::start(app).await;
    let uploads = (0..100).map(|number| {
        let address = server.address();
        async move {
            let body = form(&[("f", Some(&*number.to_string()), &vec![number; SIZE])]);
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST /save HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
                content_type(),
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&SIZE.to_string()), "{answer}");
        }
    });
    futures_util::future::join_all(uploads).await;
    assert_eq!(names(folder.path()).len(), 100);
    for number in [0, 99] {
        let saved = std::fs::read(folder.path().join(number.to_string())).unwrap();
        assert!(saved.len() == SIZE && saved.iter().all(|byte| *byte == number));
    }
    server.stop().await;
}

#[cfg(feature = "openapi")]
#[piton::test]
async fn the_document_has_the_fields_of_a_form() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::new(app(folder.path())).await;
    let document = app.handle().openapi_document();
    let content =
        &document["paths"]["/photo"]["post"]["requestBody"]["content"]["multipart/form-data"];
    let reference = content["schema"]["$ref"].as_str().unwrap();
    let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    assert_eq!(schema["properties"]["photo"], json!({ "type": "string", "format": "binary" }));
    assert_eq!(schema["required"], json!(["title", "photo"]));
}
