//! `cargo xtask screenshot`: the pictures in `docs/images`, taken anew.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};
use std::time::Duration;

use crate::run::{self, Cmd, Result};
use crate::{install, node};

const HELP: &str = "\
Takes the pictures in docs/images anew: Swagger UI of the registry, in Chromium.

Usage: cargo xtask screenshot
";

/// `cargo xtask screenshot`.
///
/// # Errors
/// When the registry or Chromium cannot be started, or the page does not work.
pub fn main(args: &[String]) -> Result<ExitCode> {
    if !args.is_empty() {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    }
    install::debian(&[("chromium", "chromium")])?;
    node::all()?;
    Cmd::new("cargo build --quiet --package registry").run()?;
    let root = run::root();
    let work = root.join("target/screenshot");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let service = Service::start(&work)?;
    let page = format!("http://127.0.0.1:{}/api/doc", service.port);
    Cmd::new("node")
        .arg(root.join("e2e/node/browser/swagger-ui.js"))
        .arg(page)
        .arg(&work)
        .arg("not-a-secret-of-anybody")
        .arg("companies/companies_list")
        .env("NODE_PATH", root.join("target/node/browser/node_modules"))
        .run()?;
    drop(service);
    fs::create_dir_all(root.join("docs/images"))?;
    for (from, to) in
        [("swagger-ui-light.png", "swagger-ui.png"), ("swagger-ui-dark.png", "swagger-ui-dark.png")]
    {
        fs::copy(work.join(from), root.join("docs/images").join(to))?;
    }
    fs::remove_dir_all(&work)?;
    Ok(ExitCode::SUCCESS)
}

/// The registry, with some companies. It is stopped when dropped.
struct Service {
    child: Child,
    port: u16,
}

impl Service {
    fn start(folder: &Path) -> Result<Self> {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(run::root().join("target"), Into::into);
        let program = target.join("debug/registry");
        Cmd::new("").arg(&program).arg("seed").dir(folder).run()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Cmd::new("")
            .arg(&program)
            .arg("--port")
            .arg(port.to_string())
            .env("API_KEY", "not-a-secret-of-anybody")
            .dir(folder)
            .std()
            .stdout(Stdio::null())
            .spawn()?;
        let mut service = Self { child, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(ended) = service.child.try_wait()? {
                return Err(format!("the registry ended with {ended}").into());
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
