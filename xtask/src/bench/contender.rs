//! Contenders: packages in `bench/` that build one server each.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::command::{Cmd, Result, root};

/// A server that is compared.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Heading of its column.
    pub name: &'static str,
    /// Name of the package in `bench/`, and of its program.
    pub package: &'static str,
    /// Arguments of the program, with `{port}` for the port.
    pub arguments: Cow<'static, str>,
    /// For a Python program: the environment of `cargo xtask python` that runs it.
    pub python: Option<&'static str>,
    /// Environment variables.
    pub variables: Vec<(String, String)>,
}

impl Contender {
    pub fn dir(&self) -> PathBuf {
        root().join("bench").join(self.package)
    }

    /// Returns the path of its release build.
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
        // Set explicitly, because the caller's CARGO_TARGET_DIR would put the program elsewhere.
        Cmd::new("cargo build --release --quiet --target-dir target").dir(&self.dir()).run()
    }

    /// Returns the arguments that make it listen on `port`.
    pub fn arguments(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        self.arguments.split_whitespace().map(|word| word.replace("{port}", &port)).collect()
    }
}
