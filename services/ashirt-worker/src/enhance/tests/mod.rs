//! Claims that hold for all four descriptions, with the files of `testdata`.

mod hostile;
mod large;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{EnhanceError, codeblock, har, image, terminal};

type Enhancement = fn(&mut dyn Read) -> Result<String, EnhanceError>;

/// The enhancements with the folder of files that are meant for them.
const ALL: [(&str, Enhancement); 4] =
    [("codeblock", codeblock), ("har", har), ("image", image), ("terminal", terminal)];

/// Files beside which a text stands that says what is in them.
const EXTENSIONS: [&str; 11] =
    ["json", "har", "cast", "png", "jpg", "gif", "webp", "avif", "bmp", "tiff", "ico"];

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let all = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = all
        .filter(|path| {
            path.extension().is_some_and(|ext| EXTENSIONS.iter().any(|known| ext == *known))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no media", folder.display());
    files
}

fn expected(media: &Path) -> PathBuf {
    let name = media.file_name().unwrap().to_string_lossy();
    media.with_file_name(format!("{name}.txt"))
}

/// No text harms whom it is shown to, and ASHIRT takes it as a whole.
fn check(text: &str) {
    let odd = text.chars().find(|char| char.is_control() && *char != '\n');
    assert_eq!(odd, None, "{text}");
    assert!(text.len() <= 65_535, "{} bytes", text.len());
}

/// A reason is a fragment that fits into a line.
fn check_reason(reason: &str) {
    assert!(!reason.chars().any(char::is_control), "{reason}");
    assert!(!reason.is_empty() && reason.len() < 300, "{reason}");
}

#[test]
fn each_file_gives_the_text_beside_it() {
    for (folder, enhance) in ALL {
        for file in files(folder) {
            let text = enhance(&mut fs::File::open(&file).unwrap()).unwrap();
            let beside = fs::read_to_string(expected(&file)).unwrap_or_default();
            let renew = "cargo test -p ashirt-worker --lib renew_the_texts -- --ignored";
            assert_eq!(text, beside, "{}: if the new text is right: {renew}", file.display());
        }
    }
}

#[test]
#[ignore = "it writes the texts that the other test compares with"]
fn renew_the_texts() {
    for (folder, enhance) in ALL {
        for file in files(folder) {
            fs::write(expected(&file), enhance(&mut fs::File::open(&file).unwrap()).unwrap())
                .unwrap();
        }
    }
}

#[test]
fn secrets_stay_in_the_files() {
    for (folder, enhance) in ALL {
        for file in files(folder) {
            let text = enhance(&mut fs::File::open(&file).unwrap()).unwrap();
            check(&text);
            assert!(!text.contains("Secret"), "{}: {text}", file.display());
        }
    }
}

#[test]
fn a_file_of_another_kind_is_unfit_with_a_reason() {
    for (own, enhance) in ALL {
        for (folder, _) in ALL.iter().filter(|(folder, _)| *folder != own) {
            for file in files(folder) {
                match enhance(&mut fs::File::open(&file).unwrap()) {
                    Err(EnhanceError::Unsupported(reason)) => check_reason(&reason),
                    other => panic!("{own} of {}: {other:?}", file.display()),
                }
            }
        }
    }
}

#[test]
fn what_a_file_is_instead_is_said() {
    for (media, reason) in [
        (&b""[..], "the file is empty"),
        (b"\x1f\x8b\x08\0\0", "compressed with gzip, unpack it first"),
        (b"PK\x03\x04abc", "a ZIP archive"),
        (b"\r\n<!DOCTYPE html><html>Secret", "an HTML page"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "nothing but zeros"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "begins with the bytes 7f454c4602010100"),
        (b"GET / HTTP/1.1\r\nAuthorization: Secret", "begins with"),
        ("\u{202e}abcdefghijkl".as_bytes(), "begins with"),
    ] {
        for (name, enhance) in ALL {
            let said = enhance(&mut &*media).unwrap_err().to_string();
            assert!(said.contains(reason), "{name}: {said}");
            assert!(!said.contains("Secret") && !said.contains('\u{202e}'), "{name}: {said}");
            check_reason(&said);
        }
    }
}

/// Media whose reader fails after so many bytes.
struct Failing<'m> {
    media: &'m [u8],
    left: usize,
}

impl Read for Failing<'_> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let step = self.left.min(piece.len()).min(7);
        if step == 0 {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "more than 64 MiB"));
        }
        self.left -= step;
        self.media.read(&mut piece[..step])
    }
}

#[test]
fn the_error_of_a_reader_comes_through_unchanged() {
    for (folder, enhance) in ALL {
        for file in files(folder) {
            let media = fs::read(&file).unwrap();
            for left in (0..media.len()).step_by(media.len() / 50 + 1) {
                match enhance(&mut Failing { media: &media, left }) {
                    Err(EnhanceError::Read(error)) => {
                        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
                        assert_eq!(error.to_string(), "more than 64 MiB");
                    }
                    // What is not JSON, or not an image, is so before its end.
                    other => panic!("{} after {left} bytes: {other:?}", file.display()),
                }
            }
        }
    }
}
