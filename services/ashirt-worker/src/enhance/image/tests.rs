//! Pictures of Pillow, cut and lengthened.

use super::describe;
use crate::enhance::EnhanceError;

fn picture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/testdata/image/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

const WALKED: [&str; 6] =
    ["gps.jpg", "text.png", "moving.png", "moving.gif", "moving.webp", "lossless.webp"];

#[test]
fn what_is_hidden_behind_a_picture_is_found() {
    for name in WALKED {
        let mut media = picture(name);
        let whole = describe(&mut media.as_slice()).unwrap();
        assert!(!whole.contains("WARNING"), "{name}: {whole}");
        media.extend_from_slice(b"PK\x03\x04 and what else there is");
        let text = describe(&mut media.as_slice()).unwrap();
        assert!(
            text.contains("WARNING: 27 bytes after the end of the picture\n"),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_picture_that_breaks_off_gives_what_its_head_says() {
    for name in WALKED {
        let media = picture(name);
        let text = describe(&mut &media[..media.len() - 1]).unwrap();
        assert!(
            text.contains("WARNING: the picture breaks off before its end\n"),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_picture_without_its_head_is_unfit() {
    for name in WALKED {
        match describe(&mut &picture(name)[..15]) {
            Err(EnhanceError::Unsupported(reason)) => {
                assert!(reason.contains("breaks off before its size"), "{name}: {reason}");
            }
            // That of a GIF stands in its first 13 bytes.
            other => assert!(name.ends_with("gif"), "{name}: {other:?}"),
        }
    }
}

#[test]
fn a_film_is_no_picture() {
    let film = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free\0\0\0\0mdat";
    assert!(matches!(describe(&mut &film[..]), Err(EnhanceError::Unsupported(_))));
}

#[test]
fn a_size_that_nobody_can_hold_is_only_a_number() {
    let mut media = picture("text.png");
    media[16..24].fill(0xff);
    let text = describe(&mut media.as_slice()).unwrap();
    assert!(text.contains("4,294,967,295 × 4,294,967,295 pixels"), "{text}");
}

#[test]
fn the_sha256_is_that_of_the_file() {
    // `sha256sum testdata/image/small.ico`, which is walked by nobody.
    let text = describe(&mut picture("small.ico").as_slice()).unwrap();
    assert!(
        text.contains("SHA-256: 456421590f9f88faf43bfb0c50c1917e483edceb0f353d20f19c096468550ff3"),
        "{text}"
    );
}
