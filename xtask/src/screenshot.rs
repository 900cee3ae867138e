//! `cargo xtask screenshot`: takes the pictures in `docs/images` again.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::time::Duration;

use crate::command::{self, Cmd, Result};
use crate::{install, node};

const HELP: &str = "\
Takes the pictures in docs/images again, in Chromium: Swagger UI of the registry, and the environment page.

Usage: cargo xtask screenshot
";

const KEY: &str = "not-a-secret-of-anybody";

/// `cargo xtask screenshot`.
///
/// # Errors
/// When a service or Chromium cannot be started, or a page does not work.
pub fn main(args: &[String]) -> Result<ExitCode> {
    if !args.is_empty() {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    }
    install::debian(&[("chromium", "chromium")])?;
    node::all()?;
    Cmd::new("cargo build --quiet --package registry --package envpage").run()?;
    let work = command::root().join("target/screenshot");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    fs::create_dir_all(command::root().join("docs/images"))?;
    swagger_ui(&work)?;
    environment_page(&work)?;
    fs::remove_dir_all(&work)?;
    Ok(ExitCode::SUCCESS)
}

/// Takes pictures of Swagger UI of the registry, with some companies.
fn swagger_ui(work: &Path) -> Result<()> {
    Cmd::new("").arg(program("registry")).arg("seed").dir(work).run()?;
    let service = Service::start("registry", work, &[("API_KEY", KEY)])?;
    let page = format!("http://127.0.0.1:{}/api/doc", service.port);
    browser(
        "swagger-ui.js",
        &[&page, &work.display().to_string(), KEY, "companies/companies_list"],
    )?;
    keep(&work.join("swagger-ui-light.png"), "swagger-ui.png")?;
    keep(&work.join("swagger-ui-dark.png"), "swagger-ui-dark.png")
}

/// Takes pictures of the environment page, with an example of each kind of value.
fn environment_page(work: &Path) -> Result<()> {
    let secrets = work.join("secrets");
    fs::create_dir(&secrets)?;
    fs::write(secrets.join("POSTGRES_PASSWORD"), "correct horse battery staple\n")?;
    fs::write(secrets.join("CSRF_SECRET"), "8d7f1c-not-a-secret ")?;
    let variables = [
        ("PITON_PAGE_SECRET_FOLDERS", "secrets"),
        ("POSTGRES_USER", "lab"),
        ("POSTGRES_HOST", "postgres.lab.svc.cluster.local"),
        ("POSTGRES_PORT", "5432"),
        ("REDIS_HOST", ""),
    ];
    let service = Service::start("envpage", work, &variables)?;
    let page = format!("http://127.0.0.1:{}/", service.port);
    browser("panel.js", &[&page, &work.display().to_string()])?;
    for view in ["360-light", "360-dark", "1280-light", "1280-dark"] {
        keep(&work.join(format!("{view}.png")), &format!("envpage-{view}.png"))?;
    }
    Ok(())
}

/// Runs a script that takes pictures in Chromium.
fn browser(script: &str, arguments: &[&str]) -> Result<()> {
    let root = command::root();
    let command = Cmd::new("node").arg(root.join("e2e/node/browser").join(script));
    let command = arguments.iter().fold(command, |command, argument| command.arg(argument));
    command.env("NODE_PATH", root.join("target/node/browser/node_modules")).run()
}

/// Copies a picture to the documentation.
fn keep(picture: &Path, name: &str) -> Result<()> {
    fs::copy(picture, command::root().join("docs/images").join(name))?;
    Ok(())
}

fn program(name: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or(command::root().join("target"), Into::into);
    target.join("debug").join(name)
}

/// A running service. Stopped when dropped.
struct Service {
    child: Child,
    port: u16,
}

impl Service {
    fn start(name: &str, folder: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let command = Cmd::new("").arg(program(name)).arg("--port").arg(port.to_string());
        let command =
            variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let child = command.dir(folder).std().stdout(Stdio::null()).spawn()?;
        let mut service = Self { child, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(ended) = service.child.try_wait()? {
                return Err(format!("{name} ended with {ended}").into());
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
