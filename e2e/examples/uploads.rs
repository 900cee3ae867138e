//! A service that takes and gives files of any size, for the tests of its memory.

use piton::http::{Download, Multipart};
use piton::prelude::*;

/// The folder of the files, below the working directory.
const FOLDER: &str = "files";

/// Saves every file of a form, and returns the number of its bytes.
#[post("/files/{number}")]
#[limits(body = "1GiB", timeout = "10m")]
async fn upload(Path(number): Path<u32>, mut form: Multipart) -> Result<String> {
    let mut size = 0;
    while let Some(part) = form.next_part().await? {
        size += part.save_to(format!("{FOLDER}/{number}")).await?;
    }
    Ok(size.to_string())
}

/// Sends a file.
#[get("/files/{number}")]
async fn download(Path(number): Path<u32>) -> Result<Download> {
    Download::file(format!("{FOLDER}/{number}")).await
}

/// Lists the names in the folder, unfinished files included.
#[get("/names")]
async fn names() -> Result<Json<Vec<String>>> {
    let names = std::fs::read_dir(FOLDER)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    Ok(Json(names.collect::<Result<_>>()?))
}

fn main() -> piton::Exit {
    if let Err(error) = std::fs::create_dir_all(FOLDER) {
        eprintln!("{FOLDER} cannot be created: {error}");
    }
    piton::new_app!().run()
}
