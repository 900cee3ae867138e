//! What is measured: a package in `bench/` that builds one server.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::run::{Cmd, Result, root};

/// One of the servers that are compared.
#[derive(Clone, Debug)]
pub struct Contender {
    /// The column's heading.
    pub name: &'static str,
    /// The package in `bench/`, and its program.
    pub package: &'static str,
    /// The program's arguments; `{port}` stands for the port.
    pub arguments: Cow<'static, str>,
    /// The environment of `cargo xtask python` whose Python it is a program for, instead of a package.
    pub python: Option<&'static str>,
    /// Variables that it is started with.
    pub variables: Vec<(String, String)>,
}

impl Contender {
    pub fn dir(&self) -> PathBuf {
        root().join("bench").join(self.package)
    }

    /// Its program as a service runs it: built for release.
    pub fn program(&self) -> PathBuf {
        match self.python {
            Some(name) => root().join("target/python").join(name).join("bin/python"),
            None => self.dir().join("target/release").join(self.package),
        }
    }

    /// Builds the program for release, as services are.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn build(&self) -> Result<()> {
        if self.python.is_some() {
            return Ok(());
        }
        // Said here, because a CARGO_TARGET_DIR of the caller's would put it elsewhere.
        Cmd::new("cargo build --release --quiet --target-dir target").dir(&self.dir()).run()
    }

    /// The arguments that make it listen on `port`.
    pub fn arguments(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        self.arguments.split_whitespace().map(|word| word.replace("{port}", &port)).collect()
    }
}
