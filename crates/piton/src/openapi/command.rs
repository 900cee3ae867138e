//! The command `openapi`: prints the document, writes the files, or reports whether they are up to date and
//! which changes break clients.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, value_parser};
use serde_json::Value;

use super::app_openapi::document_of_description;
use super::breaking::{self, ApiChange};
use super::document::DocumentOutput;
use super::export::{DOCUMENT_FILE, ExportFile, export_files};
use super::stable_json;
use crate::app::{AppDescription, Arguments, Command, LaunchError, print};

pub(super) fn command() -> Command {
    Command::new("openapi", "Print the OpenAPI document, or write it with its Postman collection")
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("Write openapi.json, postman_collection.json and a .http file there"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Compare the files in the folder (dist unless --out) with the code: exit code 1 if they differ"),
        )
        .inspect(inspect)
}

fn inspect(app: &AppDescription<'_>, arguments: &Arguments) -> Result<(), LaunchError> {
    let output = document_of_description(app)?;
    let folder = arguments.get_one::<PathBuf>("out");
    if arguments.get_flag("check") {
        let folder = folder.map_or(Path::new("dist"), PathBuf::as_path);
        return check(app, &output, folder);
    }
    match folder {
        Some(folder) => write(&export_files(&output.document, app.name()), folder)?,
        None => print(&stable_json::pretty(&output.document))?,
    }
    uncovered_routers(app).iter().for_each(|line| eprintln!("note: {line}"));
    Ok(())
}

fn write(files: &[ExportFile], folder: &Path) -> Result<(), LaunchError> {
    let failed = |path: &Path, error: &io::Error| {
        LaunchError::Fault(format!("{}: {error}", path.display()).into())
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for file in files {
        let path = folder.join(&file.name);
        std::fs::write(&path, &file.text).map_err(|error| failed(&path, &error))?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(())
}

/// Returns a line for each router that the document does not cover.
fn uncovered_routers(app: &AppDescription<'_>) -> Vec<String> {
    let line = |place| format!("the router mounted at {place} is not in the document");
    app.mounts().map(line).collect()
}

fn check(
    app: &AppDescription<'_>,
    output: &DocumentOutput,
    folder: &Path,
) -> Result<(), LaunchError> {
    let mut report = String::new();
    let mut list = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            report += &format!("{title}:\n");
            lines.iter().for_each(|line| report += &format!("  {line}\n"));
        }
    };
    list("Types without a schema", &output.undocumented);
    list("Not in the document", &uncovered_routers(app));
    let stale = stale(&export_files(&output.document, app.name()), folder);
    let (changes, unread) = match changes(&folder.join(DOCUMENT_FILE), &output.document) {
        Ok(changes) => (changes, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    list("Breaking changes are not known", &unread.into_iter().collect::<Vec<_>>());
    let of = |breaking: bool| -> Vec<String> {
        let of_kind = changes.iter().filter(|change| change.breaking == breaking);
        of_kind.map(|change| change.text.clone()).collect()
    };
    list("Changes that break clients", &of(true));
    list("Changes that break no clients", &of(false));
    print(&report)?;
    if stale.is_empty() {
        return print(&format!("{} is up to date\n", folder.display()));
    }
    let (name, folder) = (app.name(), folder.display());
    let stale = stale.join(", ");
    let fix = format!("{name} openapi --out {folder}");
    Err(LaunchError::Fault(format!("not up to date: {stale}\n    fix: {fix}").into()))
}

fn stale(files: &[ExportFile], folder: &Path) -> Vec<String> {
    let differs = |file: &&ExportFile| {
        std::fs::read_to_string(folder.join(&file.name)).ok().as_ref() != Some(&file.text)
    };
    let path = |file: &ExportFile| folder.join(&file.name).display().to_string();
    files.iter().filter(differs).map(path).collect()
}

/// Returns the changes since the document was written; none if there is no document.
///
/// # Errors
/// The reason why the document cannot be read.
fn changes(path: &Path, now: &Value) -> Result<Vec<ApiChange>, String> {
    let unread = |why: &dyn std::fmt::Display| format!("{} cannot be read: {why}", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(&error)),
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(before) if before["paths"].is_object() => Ok(breaking::changes(&before, now)),
        Ok(_) => Err(unread(&"not an OpenAPI document")),
        Err(error) => Err(unread(&error)),
    }
}
