//! `cargo xtask swagger-ui VERSION`: vendors another version of Swagger UI into `piton`'s sources,
//! from the npm package `swagger-ui-dist`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::command::{self, Cmd, Result};

const HELP: &str = "\
Vendors a version of Swagger UI.

Usage: cargo xtask swagger-ui VERSION

Extracts the files of the npm package `swagger-ui-dist` and writes them, compressed, to
`crates/piton/src/openapi/swagger_ui`, with the package's checksum. npm verifies it against the registry's.
";

const FOLDER: &str = "crates/piton/src/openapi/swagger_ui";

/// Files that are stored compressed.
const COMPRESSED: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];
const PLAIN: [&str; 4] =
    ["favicon-32x32.png", "LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"];

/// `cargo xtask swagger-ui`.
///
/// # Errors
/// When npm, tar or gzip fail; the message is the command.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let [version] = args else {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    };
    let work = command::root().join("target/swagger-ui");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let package = format!("swagger-ui-dist@{version}");
    let packed = Cmd::new("npm pack --json --loglevel=error").arg(&package).dir(&work).read()?;
    let packed: serde_json::Value = serde_json::from_str(&packed)?;
    let said = |key: &str| packed[0][key].as_str().ok_or(format!("npm pack says no {key}"));
    Cmd::new("tar -xzf").arg(said("filename")?).dir(&work).run()?;
    let (from, to) = (work.join("package"), command::root().join(FOLDER));
    for name in COMPRESSED {
        // Without name and time, so that the same file is compressed to the same bytes.
        Cmd::new("gzip -9 --no-name --keep --force").arg(from.join(name)).run()?;
        let name = format!("{name}.gz");
        fs::copy(from.join(&name), to.join(&name))?;
    }
    PLAIN.iter().try_for_each(|name| fs::copy(from.join(name), to.join(name)).map(drop))?;
    let lines = [version, "swagger-ui-dist of the npm registry, Apache-2.0", said("integrity")?];
    fs::write(to.join("VERSION"), lines.join("\n") + "\n")?;
    fs::remove_dir_all(&work)?;
    say_what_is_left(&to, version);
    Ok(ExitCode::SUCCESS)
}

fn say_what_is_left(folder: &Path, version: &str) {
    println!("{} has version {version}; now set `VERSION` in", folder.display());
    println!(
        "crates/piton/src/openapi/swagger_ui.rs, and run the tests: the page is used in Chromium."
    );
}
