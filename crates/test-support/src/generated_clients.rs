//! Runs the registry and piste, with all that they need, for clients generated from their OpenAPI
//! documents.
//!
//! Each tool of `e2e/python`, `e2e/node` and `e2e/java` gets the same JSON file with the services'
//! addresses, keys and documents.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::http_client::{self, Connection};
use crate::moto::{Boto3, Moto};
use crate::node::{self, ProcessOutput};
use crate::programs::{python, run_to_end};
use crate::python::workspace;
use crate::service::{self, Service};

/// Key that signs the tokens of piste and of its peer.
const JWT_SECRET: &str = "the-key-of-the-generated-clients-32-bytes";

/// API key of the registry with all scopes.
pub const API_KEY: &str = "the-key-of-the-generated-clients";

/// Number of messages that piste has stored.
pub const MESSAGES: usize = 3;

/// A fresh registry, a fresh piste with a few messages, its peer, and their documents.
#[derive(Debug)]
pub struct ServicesUnderTest {
    folder: TempDir,
    registry: Service,
    piste: Service,
    _off_piste: Service,
}

impl ServicesUnderTest {
    /// Starts the services and waits until they are ready.
    ///
    /// # Panics
    /// If one does not start, or `cargo xtask python` has not been run.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (registry, (piste, off_piste)) =
            tokio::join!(start_registry(folder.path()), start_piste(folder.path()));
        let services = Self { folder, registry, piste, _off_piste: off_piste };
        for name in ["registry", "piste"] {
            let out = services.path(name);
            let files = run(name, &["openapi", "--out", &out], &[]).await;
            assert!(!files.is_empty(), "{name} writes its documents");
        }
        services.write().await;
        services
    }

    /// Returns the path of the JSON file that the scripts read.
    #[must_use]
    pub fn file(&self) -> String {
        self.path("services.json")
    }

    /// Returns the folder with the document, the collection and the `.http` file of `registry` or
    /// `piste`.
    #[must_use]
    pub fn documents(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the URL of `registry` or `piste`.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let service = if name == "registry" { &self.registry } else { &self.piste };
        format!("http://127.0.0.1:{}", service.port)
    }

    /// Signs a user up at piste, activates the account and logs in; returns the token.
    ///
    /// # Panics
    /// If piste does not let the user in.
    pub async fn token(&self, email: &str) -> String {
        let mut connection = Connection::open(self.piste.port).await.expect("it listens");
        let user = json!({ "email": email, "password": "correct horse" }).to_string();
        let signed_up = connection.request("POST", "/user/signup", &user).await;
        assert_eq!(signed_up.expect("it answers").status, 200);
        let log = std::fs::read_to_string(self.path("piste.log")).expect("it has a log");
        let (_, letter) = log.split_once(&format!("activate {email} at")).expect("a letter");
        let (_, path) = letter.split_once("/user/activate/").expect("a link");
        let path = format!("/user/activate/{}", &path[..36]);
        let activated = connection.request("GET", &path, "").await.expect("it answers");
        assert_eq!(activated.status, 200);
        let answer = connection.request("POST", "/user/login", &user).await.expect("it answers");
        answer.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Starts validating proxies in front of both services. The file then has their addresses as
    /// `prism`.
    ///
    /// # Panics
    /// If Prism is not installed or does not start.
    pub async fn with_proxies(&self) -> [Prism; 2] {
        let document = |name: &str| self.documents(name).join("openapi.json");
        self.with_proxies_of([&document("registry"), &document("piste")]).await
    }

    /// Starts proxies as [`with_proxies`](Self::with_proxies) does, with other documents.
    ///
    /// # Panics
    /// As [`with_proxies`](Self::with_proxies).
    pub async fn with_proxies_of(&self, [registry, piste]: [&Path; 2]) -> [Prism; 2] {
        let spawn = |name: &str, document: &Path| Prism::spawn(document, &self.url(name), &[]);
        let proxies = [spawn("registry", registry), spawn("piste", piste)];
        let mut content = self.read();
        for (name, proxy) in ["registry", "piste"].into_iter().zip(&proxies) {
            proxy.ready().await;
            content[name]["prism"] = proxy.url().into();
        }
        std::fs::write(self.file(), content.to_string()).expect("the folder is ours");
        proxies
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn read(&self) -> Value {
        let text = std::fs::read_to_string(self.file()).expect("it has been written");
        serde_json::from_str(&text).expect("it is JSON")
    }

    async fn write(&self) {
        let document = |name: &str| self.documents(name).join("openapi.json");
        let [known, unknown] = self.looked_up().await;
        let content = json!({
            "registry": {
                "url": self.url("registry"),
                "document": document("registry"),
                "key": API_KEY,
                "reader_key": self.key("reader", "companies:read").await,
                "writer_key": self.key("writer", "companies:write").await,
                "known": known,
                "unknown": unknown,
            },
            "piste": {
                "url": self.url("piste"),
                "document": document("piste"),
                "log": self.path("piste.log"),
            },
        });
        std::fs::write(self.file(), content.to_string()).expect("the folder is ours");
    }

    /// Creates an API key of the registry with one scope.
    async fn key(&self, name: &str, scope: &str) -> String {
        let database = database(self.folder.path(), "registry");
        let variables = [("API_KEY", API_KEY), ("DATABASE_URL", &database)];
        run("registry", &["keys", "create", name, "--scope", scope], &variables).await
    }

    /// Returns a CNPJ that the simulated register knows, and one that it does not: about one in
    /// ten.
    async fn looked_up(&self) -> [String; 2] {
        let mut connection = Connection::open(self.registry.port).await.expect("it listens");
        let mut found = [None, None];
        for number in 1.. {
            let cnpj = crate::cnpj(number);
            let path = format!("/api/register/{cnpj}");
            let answer = connection.request_with("GET", &path, &[("x-api-key", API_KEY)], "").await;
            let status = answer.expect("it answers").status;
            let place = match status {
                200 => &mut found[0],
                404 => &mut found[1],
                other => panic!("the register answered {other}"),
            };
            place.get_or_insert(cnpj);
            if let [Some(known), Some(unknown)] = &found {
                return [known.clone(), unknown.clone()];
            }
        }
        unreachable!("numbers do not end")
    }
}

/// The service of `e2e/examples/forms.rs`, which responds with the form that it has read.
#[derive(Debug)]
pub struct FormsService {
    folder: TempDir,
    _service: Service,
}

impl FormsService {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it has not been built or does not start.
    pub async fn start() -> Self {
        let (program, port) = ("examples/forms", crate::free_port());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()];
        let log = folder.path().join("log");
        let service = Service::spawn(program, port, &arguments, &[], Some(&log));
        service.ready().await;
        let forms = Self { folder, _service: service };
        let document = forms.path("openapi.json");
        let written = run(program, &["openapi"], &[]).await;
        let content = json!({
            "forms": { "url": format!("http://127.0.0.1:{port}"), "document": document },
        });
        std::fs::write(document, written).expect("the folder is ours");
        std::fs::write(forms.file(), content.to_string()).expect("the folder is ours");
        forms
    }

    /// The JSON file that the scripts read.
    #[must_use]
    pub fn file(&self) -> String {
        self.path("services.json")
    }

    /// Returns the path of its OpenAPI document.
    #[must_use]
    pub fn document(&self) -> String {
        self.path("openapi.json")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }
}

fn database(folder: &Path, name: &str) -> String {
    format!("sqlite:{}", folder.join(name).with_extension("db").display())
}

async fn start_registry(folder: &Path) -> Service {
    let port = crate::free_port();
    let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()];
    let variables = [("API_KEY", API_KEY), ("DATABASE_URL", &database(folder, "registry"))];
    let log = folder.join("registry.log");
    let service = Service::spawn("registry", port, &arguments, &variables, Some(&log));
    service.ready().await;
    service
}

/// Starts piste in development mode, where mails are logged, and its peer.
async fn start_piste(folder: &Path) -> (Service, Service) {
    let (port, peer_port) = (crate::free_port(), crate::free_port());
    let secret = ("GNAR_JWT_SECRET_KEY", JWT_SECRET);
    let arguments = ["--host", "127.0.0.1", "--port", &peer_port.to_string()];
    let log = folder.join("off-piste.log");
    let off_piste = Service::spawn("off-piste", peer_port, &arguments, &[secret], Some(&log));

    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.ask(&json!({ "op": "create", "queue": "gnar-queue" }));
    let bodies: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
    boto3.ask(&json!({ "op": "send", "queue": "gnar-queue", "bodies": bodies }));
    let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()];
    let variables = [
        secret,
        ("DATABASE_URL", &database(folder, "piste")),
        ("GNAR_OFF_PISTE_SERVICE_PORT", &format!("127.0.0.1:{peer_port}")),
        ("GNAR_SQS_ENDPOINT_URL", &moto.url()),
        ("GNAR_SQS_REGION_NAME", "us-east-1"),
        ("GNAR_SQS_ACCESS_KEY_ID", "id"),
        ("GNAR_SQS_SECRET_ACCESS_KEY", "secret"),
    ];
    let log = folder.join("piste.log");
    let piste = Service::spawn("piste", port, &arguments, &variables, Some(&log));
    piste.ready().await;
    off_piste.ready().await;
    crate::wait_for("the messages", || async {
        let answer = http_client::get(port, "/messages").await;
        answer.is_ok_and(|answer| answer.json().as_array().is_some_and(|it| it.len() == MESSAGES))
    })
    .await;
    // moto may stop now, because all messages of the queue have been read.
    (piste, off_piste)
}

/// Runs a command of a service and returns its output.
async fn run(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let ran = service::run(name, arguments, variables).await;
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{name} {arguments:?}: {errors}");
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

/// Prism in front of a service: forwards requests, and validates both directions against the
/// document.
#[derive(Debug)]
pub struct Prism {
    _child: Child,
    port: u16,
    _log: TempDir,
}

impl Prism {
    /// Starts one in front of the service at `url`. With the option `--errors` it rejects
    /// violations of the document; otherwise it reports them in the header `sl-violations`. A
    /// change of the file restarts it.
    ///
    /// # Panics
    /// If Prism is not installed.
    #[must_use]
    pub fn spawn(document: &Path, url: &str, options: &[&str]) -> Self {
        let port = crate::free_port();
        let log = tempfile::tempdir().expect("a temporary folder");
        let output = std::fs::File::create(log.path().join("log")).expect("the folder is ours");
        let program = "node_modules/@stoplight/prism-cli/dist/index.js";
        let child = Command::new("node")
            .arg(node::installed("prism").join(program))
            .arg("proxy")
            .arg(document)
            .arg(url)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(options)
            .current_dir(log.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        Self { _child: child, port, _log: log }
    }

    /// Waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    pub async fn ready(&self) {
        crate::wait_for("Prism to listen", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        })
        .await;
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Compiles the Java clients that OpenAPI Generator makes from both documents, with the callers in
/// `e2e/java`, and calls every operation.
///
/// # Panics
/// If Java or OpenAPI Generator is not installed; `cargo xtask chaos --only clients` installs both.
pub async fn java(services: &ServicesUnderTest) -> ProcessOutput {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let mut jar = String::new();
    for name in ["registry", "piste"] {
        let document = services.documents(name).join("openapi.json");
        let packages =
            format!("apiPackage={name}.api,modelPackage={name}.model,invokerPackage={name}");
        let options = format!(
            "--additional-properties=useJakartaEe=true,hideGenerationTimestamp=true,{packages}"
        );
        let document = document.to_string_lossy();
        let arguments = ["java", &document, &target(name), "--library=native", &options];
        let made = python("openapi_generator", "generate.py", &arguments).await;
        assert!(made.succeeded, "{}", made.output);
        jar = made.last_line;
    }
    let mut sources = Vec::new();
    for source in [workspace().join("e2e/java"), target("registry").into(), target("piste").into()]
    {
        java_files(&source, &mut sources);
    }
    // The generator's own jar is the class path, because it contains Jackson with its module for
    // dates, which the clients need.
    let mut compile = Command::new("javac");
    compile.args(["-nowarn", "-proc:none", "-cp", &jar, "-d", &target("classes")]).args(sources);
    let compiled = run_to_end(compile).await;
    assert!(compiled.succeeded, "javac: {}", compiled.output);
    let mut call = Command::new("java");
    call.args(["-cp", &format!("{}:{jar}", target("classes")), "tour.Main", &services.file()]);
    run_to_end(call).await
}

fn java_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it is a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => java_files(&path, found),
            false if path.extension().is_some_and(|it| it == "java") => found.push(path),
            false => {}
        }
    }
}
