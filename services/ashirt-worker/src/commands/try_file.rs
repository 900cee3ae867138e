//! `ashirt-worker try file.har` prints the worker's response for a local file.

use std::io::Read;
use std::path::{Path, PathBuf};

use piton::LaunchError;
use piton::clap::builder::PossibleValuesParser;
use piton::clap::{Arg, value_parser};
use piton::prelude::*;

use crate::actions::{self, EvidenceInput};
use crate::ashirt::storable;
use crate::protocol::{WorkerResponse, content_type};

/// Creates the command.
pub(crate) fn try_file() -> Command {
    Command::new("try", "Print the worker's response for a local file")
        .arg(
            Arg::new("file")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("HAR file, asciinema recording, codeblock or image"),
        )
        .arg(
            Arg::new("type")
                .long("type")
                .value_name("TYPE")
                .value_parser(PossibleValuesParser::new(actions::content_types()))
                .help("Content type [default: guessed from its name and first bytes]"),
        )
        .run(|_, arguments| async move {
            let file = arguments.get_one::<PathBuf>("file").expect("it is required").clone();
            print_description(file, arguments.get_one::<String>("type").map(String::as_str)).await
        })
}

async fn print_description(file: PathBuf, chosen: Option<&str>) -> Result<(), LaunchError> {
    let shown = file.display().to_string();
    let head = read_start(&file).map_err(|error| fault(format!("read {shown}: {error}")))?;
    let content_type = chosen.or_else(|| guess_content_type(&file, &head)).ok_or_else(|| {
        let types = actions::content_types().collect::<Vec<_>>().join(", ");
        fault(format!(
            "cannot guess the content type of {shown}\n    fix: set --type to one of {types}"
        ))
    })?;
    let response = actions::process(&EvidenceInput::from_file(content_type, file)).await;
    match &response {
        WorkerResponse::Processed(text) => piton::print(&whole_line(&storable(text))),
        WorkerResponse::Deferred => piton::print("The response would follow later, as metadata.\n"),
        WorkerResponse::Rejected(why) => Err(fault(format!("rejected as {content_type}: {why}"))),
        WorkerResponse::Error(why) => Err(fault(format!("failed: {why}"))),
    }
}

fn fault(why: String) -> LaunchError {
    LaunchError::Fault(why.into())
}

fn whole_line(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// Reads the beginning of the file: enough to recognize its type.
fn read_start(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(file)?.take(4096).read_to_end(&mut head)?;
    Ok(head)
}

/// Guesses the content type of a file by its name, or else by its first bytes.
fn guess_content_type(file: &Path, head: &[u8]) -> Option<&'static str> {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match &*extension.to_ascii_lowercase() {
        "har" => return Some(content_type::HTTP_REQUEST_CYCLE),
        "cast" | "asciicast" => return Some(content_type::TERMINAL_RECORDING),
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp" | "tif" | "tiff" | "avif" | "heic" => {
            return Some(content_type::IMAGE);
        }
        _ => {}
    }
    let text = String::from_utf8_lossy(head);
    let has = |word: &str| text.contains(word);
    if [&b"\x89PNG"[..], b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM"]
        .iter()
        .any(|magic| head.starts_with(magic))
    {
        Some(content_type::IMAGE)
    } else if has("\"contentSubtype\"") || has("\"content\"") && !has("\"log\"") {
        Some(content_type::CODEBLOCK)
    } else if has("\"log\"") {
        Some(content_type::HTTP_REQUEST_CYCLE)
    } else if has("\"version\"") && has("\"width\"") || has("\"term\"") {
        Some(content_type::TERMINAL_RECORDING)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_or_its_first_bytes() {
        for (name, head, expected) in [
            ("a.HAR", "", Some("http-request-cycle")),
            ("a.cast", "", Some("terminal-recording")),
            ("a.jpeg", "", Some("image")),
            ("evidence", "\u{89}PNG", None),
            ("evidence", "GIF89a", Some("image")),
            ("a.json", "{\"contentSubtype\":\"python\",\"content\":\"x\"}", Some("codeblock")),
            (
                "a.json",
                "{\"log\":{\"version\":\"1.2\",\"entries\":[]}}",
                Some("http-request-cycle"),
            ),
            (
                "a.json",
                "{\"version\": 2, \"width\": 80, \"height\": 24}",
                Some("terminal-recording"),
            ),
            ("notes.txt", "hello", None),
        ] {
            assert_eq!(
                guess_content_type(Path::new(name), head.as_bytes()),
                expected,
                "{name} {head}"
            );
        }
        assert_eq!(guess_content_type(Path::new("x"), b"\x89PNG\r\n"), Some("image"));
    }
}
