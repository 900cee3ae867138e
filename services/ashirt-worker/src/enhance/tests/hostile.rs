//! ReadError files: never a panic, never a control character, never a text too long.

use std::fs;

use super::{ALL, EnhanceError, check, check_reason, files};

fn try_all(media: &[u8], what: &str) {
    for (name, enhance) in ALL {
        match enhance(&mut &*media) {
            Ok(text) => check(&text),
            Err(EnhanceError::Unsupported(reason)) => check_reason(&reason),
            Err(EnhanceError::Read(error)) => panic!("{name} of {what}: {error}"),
        }
    }
}

fn each_file(mut act: impl FnMut(&[u8], &str)) {
    for (folder, _) in ALL {
        for file in files(folder) {
            act(&fs::read(&file).unwrap(), &file.display().to_string());
        }
    }
}

#[test]
fn files_that_break_off_anywhere_are_harmless() {
    each_file(|media, name| {
        for end in (0..media.len()).step_by(media.len() / 300 + 1) {
            try_all(&media[..end], &format!("the first {end} bytes of {name}"));
        }
    });
}

#[test]
fn files_with_changed_bytes_are_harmless() {
    let mut chance = fastrand::Rng::with_seed(6);
    each_file(|media, name| {
        for round in 0..150 {
            let mut media = media.to_vec();
            for _ in 0..chance.usize(1..8) {
                let at = chance.usize(..media.len());
                media[at] = chance.u8(..);
            }
            try_all(&media, &format!("{name}, round {round}"));
        }
    });
}

#[test]
fn output_of_any_bytes_is_harmless() {
    let mut chance = fastrand::Rng::with_seed(7);
    let pieces = [
        "\u{1b}[", "\u{1b}]", "\u{1b}P", "?1049h", "?1049l", ";", "65535", "1", "b", "J", "S", "L",
        "r", "H", "@",
    ];
    for _ in 0..300 {
        let mut cast = String::from("{\"version\": 2, \"width\": 20, \"height\": 5}\n");
        for at in 0..20 {
            let mut data = String::new();
            for _ in 0..chance.usize(..30) {
                match chance.u8(..4) {
                    0 => data.push(chance.char('\0'..='\u{3000}')),
                    1 => data.push_str("\r\n日本"),
                    _ => data.push_str(pieces[chance.usize(..pieces.len())]),
                }
            }
            let data: String =
                data.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
            cast.push_str(&format!("[{at}, \"o\", \"{data}\"]\n"));
            if chance.u8(..5) == 0 {
                let (cols, rows) = (chance.usize(..300), chance.usize(..100));
                cast.push_str(&format!("[{at}, \"r\", \"{cols}x{rows}\"]\n"));
            }
        }
        try_all(cast.as_bytes(), &cast);
    }
}

#[test]
fn depth_is_harmless() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let (open, close) = (open.repeat(200_000), close.repeat(200_000));
        let har = format!("{{\"log\": {{\"x\": {open}1{close}, \"entries\": []}}}}");
        assert_eq!(super::har(&mut har.as_bytes()).unwrap(), "no requests\n");
        try_all(har.as_bytes(), "a deep file");
        try_all(open.as_bytes(), "a file that only opens");
    }
}
