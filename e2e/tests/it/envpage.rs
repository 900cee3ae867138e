//! The environment page as a browser shows it, on a phone and on a desk, by day and by night; and the
//! secrets that Kubernetes mounts and rotates under it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use test_support::node;
use test_support::service::{self, Service};

const EVIL: &str = "<script>window.pwned=1</script>";

/// A folder of secrets as kubelet mounts it: each file is a link into `..data`, and that a link to the
/// folder of a generation.
struct Mounted {
    folder: tempfile::TempDir,
    generations: usize,
}

impl Mounted {
    fn new(secrets: &[(&str, &str)]) -> Self {
        let mut mounted = Self { folder: tempfile::tempdir().unwrap(), generations: 0 };
        mounted.rotate(secrets);
        for (name, _) in secrets {
            symlink(Path::new("..data").join(name), mounted.path().join(name)).unwrap();
        }
        mounted
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a new generation in the place of the old one, at one blow; the links of secrets that are in it
    /// no more go after that.
    fn rotate(&mut self, secrets: &[(&str, &str)]) {
        let old = format!("..generation_{}", self.generations);
        self.generations += 1;
        let new = format!("..generation_{}", self.generations);
        fs::create_dir(self.path().join(&new)).unwrap();
        for (name, value) in secrets {
            fs::write(self.path().join(&new).join(name), value).unwrap();
        }
        symlink(&new, self.path().join("..data_tmp")).unwrap();
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).unwrap();
        let _ = fs::remove_dir_all(self.path().join(old));
        for link in fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap()) {
            if link.path().is_symlink() && !link.path().exists() {
                fs::remove_file(link.path()).unwrap();
            }
        }
    }
}

/// The page with these variables and the secrets in `folder`.
async fn start(folder: &Path, variables: &[(&str, &str)], log: Option<&Path>) -> Service {
    let port = test_support::free_port();
    let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()];
    let folders = [("PITON_PAGE_SECRET_FOLDERS", folder.to_str().unwrap())];
    let variables = [&folders, variables].concat();
    let service = Service::spawn("envpage", port, &arguments, &variables, log);
    service.ready().await;
    service
}

/// `[state, value]` of a variable.
async fn variable(service: &Service, name: &str) -> Value {
    let body = test_support::http_client::get(service.port, "/variables.json").await.unwrap().body;
    let json: Value = serde_json::from_slice(&body).unwrap();
    let groups = json["groups"].as_array().unwrap();
    let mut all = groups.iter().flat_map(|group| group["variables"].as_array().unwrap());
    let found = all.find(|variable| variable["name"] == name).unwrap();
    json!([found["state"], found["value"]])
}

/// Returns the findings of Chromium and axe about the page.
async fn look(service: &Service) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let page = format!("http://127.0.0.1:{}/", service.port);
    let arguments = [&*page, folder.path().to_str().unwrap()];
    let looked = node::script("browser", "panel.js", &arguments).await;
    assert!(looked.succeeded, "{}", looked.output);
    let seen: Value = serde_json::from_str(&looked.last_line).unwrap();
    assert_eq!(seen["strangers"], json!([]), "the page asks nobody else");
    assert_eq!(seen["complaints"], json!([]), "the page keeps to its own policy");
    let views = seen["views"].as_object().unwrap();
    assert_eq!(views.len(), 8);
    let asked = seen["asked"].as_array().unwrap();
    assert!(asked.iter().all(|url| *url == *page), "the page is all there is: {asked:?}");
    assert_eq!(asked.len(), views.len() + 1);
    for (name, view) in views {
        assert_eq!(view["violations"], json!([]), "{name}");
        assert_eq!(view["unsure"], json!([]), "{name}");
        let passed = view["passed"].as_array().unwrap();
        for rule in ["color-contrast", "target-size", "region", "th-has-data-cells"] {
            assert!(passed.contains(&json!(rule)), "axe has looked for {rule}: {passed:?}");
        }
        assert!(view["too_wide"].as_i64().unwrap() <= 0, "{name}: {}", view["too_wide"]);
        assert_eq!(view["cut_off"], json!([]), "{name}");
        assert_eq!(view["pwned"], "undefined", "{name}");
        assert_eq!(view["first_key_reaches"], "Skip to the variables", "{name}");
        assert_eq!(view["rows"], view["rowheaders"], "{name}: a stack of rows is a table still");
        assert!(folder.path().join(format!("{name}.png")).metadata().unwrap().len() > 5_000);
    }
    assert_ne!(views["360-light"]["ground"], views["360-dark"]["ground"]);
    seen
}

#[tokio::test]
async fn everybody_can_read_the_page_and_it_needs_no_network_and_no_script() {
    let mounted = Mounted::new(&[("CSRF_SECRET", "of a file\n"), ("POSTGRES_DB", "lab ")]);
    let variables = [("POSTGRES_PASSWORD", EVIL), ("POSTGRES_USER", "lab"), ("REDIS_HOST", "")];
    let service = start(mounted.path(), &variables, None).await;
    let seen = look(&service).await;
    let texts = seen["views"].as_object().unwrap().values().chain([&seen["without_scripts"]]);
    for view in texts {
        assert_eq!(
            (&view["title"], &view["heading"]),
            (&json!("Lab Mock Server"), &json!("Lab Mock Server"))
        );
        let text = view["text"].as_str().unwrap();
        let warning = "Do not use this in any production context.";
        for said in [warning, EVIL, "of a file", "None", "empty", "POSTGRES_DB", "3 of 5"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert_eq!((&view["rows"], text.matches("None").count()), (&json!(8), 3), "{text}");
    }
    assert_eq!(seen["views"]["360-light"]["tables"], 3);
}

#[tokio::test]
async fn what_is_hidden_long_broken_or_alarming_keeps_nobody_out_either() {
    let (long, large) = ("x".repeat(4_000), "x".repeat(70_000));
    let mounted = Mounted::new(&[("LONG", &long), ("LARGE", &large)]);
    let groups = json!([
        { "name": "Unbroken".repeat(8), "vars": ["LONG", "LARGE", "A_NAME".repeat(20), "TURNED"] },
        { "name": "Hidden", "description": "word ".repeat(60), "vars": ["A_SECRET", "A_URL"] },
        { "name": "Empty", "vars": [] },
    ]);
    let groups = groups.to_string();
    let log = tempfile::NamedTempFile::new().unwrap();
    let variables = [
        ("PITON_PAGE_GROUPS", &*groups),
        ("PITON_PAGE_FORCE_PRODUCTION", "true"),
        ("ENVIRONMENT", "production"),
        ("A_SECRET", "hunter2-hunter2"),
        ("A_URL", "postgres://me:hunter2-hunter2@db/lab"),
        ("TURNED", "\u{202e}gpj.exe"),
        ("LARGE_FILE", ""),
    ];
    let service = start(mounted.path(), &variables, Some(log.path())).await;
    let seen = look(&service).await;
    let text = seen["without_scripts"]["text"].as_str().unwrap();
    for said in
        ["This is production", "larger than 64KiB", "U+202E", "set, hidden", "a part is hidden"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("hunter2"));
    let log = fs::read_to_string(log.path()).unwrap();
    assert!(log.contains("WARN") && log.contains("Showing the environment in production"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn a_rotated_secret_is_shown_at_the_next_request() {
    let mut mounted = Mounted::new(&[("CSRF_SECRET", "first"), ("REDIS_PORT", "6379")]);
    let service = start(mounted.path(), &[("REDIS_PORT", "6380")], None).await;
    assert_eq!(variable(&service, "CSRF_SECRET").await, json!(["set", "first"]));
    assert_eq!(variable(&service, "REDIS_PORT").await, json!(["set", "6380"]));
    mounted.rotate(&[("CSRF_SECRET", "second"), ("REDIS_PORT", "6379")]);
    assert_eq!(variable(&service, "CSRF_SECRET").await, json!(["set", "second"]));
    mounted.rotate(&[("REDIS_PORT", "6379")]);
    assert_eq!(variable(&service, "CSRF_SECRET").await, json!(["missing", null]));
    fs::remove_file(mounted.path().join("..data")).unwrap();
    symlink("..data/CSRF_SECRET", mounted.path().join("CSRF_SECRET")).unwrap();
    assert_eq!(variable(&service, "CSRF_SECRET").await, json!(["unreadable", null]));
}

#[tokio::test]
async fn in_production_it_ends_with_2_and_says_why() {
    let ended = service::run("envpage", &[], &[("ENVIRONMENT", "production")]).await;
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("a page of secrets must not run in production"), "{said}");
}
