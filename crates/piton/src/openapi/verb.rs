//! The verb `openapi`: prints the document, writes the files, or says whether they are up to date and
//! what would break clients.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, value_parser};
use serde_json::Value;

use super::breaking::{self, Change};
use super::document::Made;
use super::files::{self, DOCUMENT, File};
use super::{json, of_outline};
use crate::app::{Arguments, LaunchError, Outline, Verb};

pub(super) fn verb() -> Verb {
    Verb::new("openapi", "Print the OpenAPI document, or write it with its Postman collection")
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
        .look(look)
}

fn look(app: &Outline<'_>, arguments: &Arguments) -> Result<(), LaunchError> {
    let made = of_outline(app)?;
    let folder = arguments.get_one::<PathBuf>("out");
    if arguments.get_flag("check") {
        let folder = folder.map_or(Path::new("dist"), PathBuf::as_path);
        return check(app, &made, folder);
    }
    match folder {
        Some(folder) => write(&files::all(&made.document, app.name()), folder)?,
        None => say(&json::pretty(&made.document))?,
    }
    outside(app).iter().for_each(|line| eprintln!("note: {line}"));
    Ok(())
}

/// To standard output; whoever stops reading it early (`| head`) is not an error.
fn say(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn write(files: &[File], folder: &Path) -> Result<(), LaunchError> {
    let failed = |path: &Path, error: &io::Error| {
        LaunchError::Fault(format!("{}: {error}", path.display()).into())
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for file in files {
        let path = folder.join(&file.name);
        std::fs::write(&path, &file.text).map_err(|error| failed(&path, &error))?;
        say(&format!("{}\n", path.display()))?;
    }
    Ok(())
}

/// What the document does not know of.
fn outside(app: &Outline<'_>) -> Vec<String> {
    let line = |place| format!("the router mounted at {place} is outside of the document");
    app.mounts().map(line).collect()
}

fn check(app: &Outline<'_>, made: &Made, folder: &Path) -> Result<(), LaunchError> {
    let mut report = String::new();
    let mut list = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            report += &format!("{title}:\n");
            lines.iter().for_each(|line| report += &format!("  {line}\n"));
        }
    };
    list("These types say nothing of themselves", &made.undocumented);
    list("Outside of the document", &outside(app));
    let stale = stale(&files::all(&made.document, app.name()), folder);
    let (changes, unread) = match changes(&folder.join(DOCUMENT), &made.document) {
        Ok(changes) => (changes, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    list("What would break clients cannot be told", &unread.into_iter().collect::<Vec<_>>());
    let of = |breaking: bool| -> Vec<String> {
        let of_kind = changes.iter().filter(|change| change.breaking == breaking);
        of_kind.map(|change| change.text.clone()).collect()
    };
    list("Changes that break clients", &of(true));
    list("Changes that break nobody", &of(false));
    say(&report)?;
    if stale.is_empty() {
        return Ok(say(&format!("{} is up to date\n", folder.display()))?);
    }
    let (name, folder) = (app.name(), folder.display());
    let stale = stale.join(", ");
    let fix = format!("{name} openapi --out {folder}");
    Err(LaunchError::Fault(format!("not up to date: {stale}\n    fix: {fix}").into()))
}

fn stale(files: &[File], folder: &Path) -> Vec<String> {
    let differs = |file: &&File| {
        std::fs::read_to_string(folder.join(&file.name)).ok().as_ref() != Some(&file.text)
    };
    let path = |file: &File| folder.join(&file.name).display().to_string();
    files.iter().filter(differs).map(path).collect()
}

/// What has changed since the document was written; nothing where there is none. Of one that cannot be
/// read: why.
fn changes(path: &Path, now: &Value) -> Result<Vec<Change>, String> {
    let unread = |why: &dyn std::fmt::Display| format!("{} cannot be read: {why}", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(&error)),
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(before) if before["paths"].is_object() => Ok(breaking::changes(&before, now)),
        Ok(_) => Err(unread(&"it is no OpenAPI document")),
        Err(error) => Err(unread(&error)),
    }
}
