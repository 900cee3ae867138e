//! Installs what a fresh Debian machine lacks: Cargo's helpers and Debian packages.
//!
//! Each function checks first, and does nothing if the program is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::command::{Cmd, Result, say, which};

/// Commands of the toolchain that the gate calls, and the component of each.
const COMPONENTS: [(&str, &str); 2] = [("fmt", "rustfmt"), ("clippy", "clippy")];

/// Installs the version of the project's image, without self-update.
const NEXTEST: &str = "cargo install cargo-nextest --locked --version 0.9.143 \
    --no-default-features --features default-no-update";

/// Script that Debian's packages ask whether they may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs `cargo fmt`, `cargo clippy` and `cargo nextest`.
///
/// # Errors
/// When an installation fails; the message is its command.
pub fn cargo_tools() -> Result<()> {
    for (command, component) in COMPONENTS {
        if !Cmd::new("cargo").arg(command).arg("--version").works() {
            Cmd::new("rustup component add").arg(component).run()?;
        }
    }
    if !Cmd::new("cargo nextest --version").works() {
        Cmd::new(NEXTEST).run()?;
    }
    Ok(())
}

/// Installs the Debian packages whose program is missing; `programs` are (program, package).
/// A service that comes with a package is not started.
///
/// # Errors
/// When `apt-get` fails or is not there; the message names the package.
pub fn debian(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| which(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() { Ok(()) } else { packages(&missing) }
}

/// Installs Debian packages. A service that comes with one is not started.
///
/// # Errors
/// When `apt-get` fails or is not there; the message names the packages.
pub fn packages(missing: &[&str]) -> Result<()> {
    if which("apt-get").is_none() {
        return Err(format!("install {} and run this again", missing.join(", ")).into());
    }
    apt_get("update --quiet --quiet").run()?;
    let _quiet = Services::keep_stopped()?;
    let install = apt_get("install --quiet --yes --no-install-recommends");
    missing.iter().fold(install, |command, package| command.arg(package)).run()
}

fn apt_get(words: &str) -> Cmd {
    let rights = if is_root() { "" } else { "sudo --non-interactive" };
    // With a lock timeout, so that another running apt is waited for.
    let line = format!(
        "{rights} env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
         -o Dpkg::Use-Pty=0 {words}"
    );
    Cmd::new(&line)
}

fn is_root() -> bool {
    Cmd::new("id -u").read().is_ok_and(|id| id.trim() == "0")
}

/// Guard that keeps Debian's packages from starting the services that they bring.
struct Services {
    ours: bool,
}

impl Services {
    fn keep_stopped() -> Result<Self> {
        if Path::new(POLICY).exists() || !is_root() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
        let services = Self { ours: true };
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(services)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            say(&format!("could not remove {POLICY}: services do not start until it is gone"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_installed_when_the_program_is_there() {
        debian(&[("sh", "a-package-that-does-not-exist")]).unwrap();
    }
}
