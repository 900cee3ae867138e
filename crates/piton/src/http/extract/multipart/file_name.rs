//! Names of files as clients send them, made safe for use as names and nothing else.

/// Maximum length of a name in bytes: that of Linux's file systems.
const MAX_NAME: usize = 255;

/// Maximum length of the end of a name that is kept when the name is cut off, with its dot. Longer ones are no kind of
/// file.
const MAX_EXTENSION: usize = 32;

/// Returns the last segment of what the client calls its file, without characters that mean something to a file system,
/// a shell's listing or a reader of the log. A long one is cut off before its extension. Returns `None` if nothing is left.
///
/// RFC 7578 (section 4.2) warns of paths in it; RFC 6266 (section 4.3) of more.
pub(super) fn sanitize(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe: String = last.chars().filter(|letter| !is_unsafe(*letter)).collect();
    let safe = shortened(safe.trim().trim_start_matches('.').trim_end_matches(['.', ' ']));
    (!safe.is_empty()).then_some(safe)
}

/// Returns the name with at most [`MAX_NAME`] bytes.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    let extension = if extension.len() > MAX_EXTENSION { "" } else { extension };
    let stem = &name[..name.floor_char_boundary(MAX_NAME - extension.len())];
    format!("{}{extension}", stem.trim_end_matches(['.', ' ']))
}

/// Returns whether a character is a control character, one that Windows forbids in names, or one that changes the
/// direction of text, so that `exe.gpj` reads as `jpg.exe`.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, ':' | '*' | '?' | '"' | '<' | '>' | '|')
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_path_and_nothing_that_a_system_reads_differently() {
        for (name, expected) in [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\me\\a b.txt", Some("a b.txt")),
            ("/etc/cron.d/x", Some("x")),
            ("x\0.txt", Some("x.txt")),
            ("a\r\nb", Some("ab")),
            (".htaccess", Some("htaccess")),
            ("..", None),
            ("a/", None),
            ("", None),
            (" x. ", Some("x")),
            ("photo\u{202e}gpj.exe", Some("photogpj.exe")),
            ("Größe 日本.txt", Some("Größe 日本.txt")),
            ("a:b*c?.txt", Some("abc.txt")),
        ] {
            assert_eq!(sanitize(name).as_deref(), expected, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        assert_eq!(sanitize(&"ä".repeat(200)).unwrap(), "ä".repeat(127));
        let name = sanitize(&format!("{}.tar.gz", "x".repeat(300))).unwrap();
        assert_eq!(name, format!("{}.gz", "x".repeat(252)));
        let name = sanitize(&format!("{}.pdf", "ä".repeat(300))).unwrap();
        assert_eq!(name, format!("{}.pdf", "ä".repeat(125)));
        let name = sanitize(&format!("a.{}", "x".repeat(300))).unwrap();
        assert_eq!(name, format!("a.{}", "x".repeat(253)));
        let name = sanitize(&format!("{}. .pdf", "x".repeat(250))).unwrap();
        assert_eq!(name, format!("{}.pdf", "x".repeat(250)));
    }
}
