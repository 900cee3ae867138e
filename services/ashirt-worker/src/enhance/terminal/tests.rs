//! Recordings, and what a terminal makes of them.

use super::describe;

/// Returns the transcript of the output, on 20 columns and 4 rows.
fn shown(output: &str) -> String {
    let data: String = output.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
    let cast =
        format!("{{\"version\": 2, \"width\": 20, \"height\": 4}}\n[1, \"o\", \"{data}\"]\n");
    let text = describe(&mut cast.as_bytes()).unwrap();
    text.split_once("\n\n").unwrap().1.to_owned()
}

fn of(cast: &str) -> String {
    describe(&mut cast.as_bytes()).unwrap()
}

#[test]
fn what_is_overwritten_is_gone_and_what_scrolls_away_is_not() {
    assert_eq!(shown("10%\r50%\r100%\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6"), "100%\n1\n2\n3\n4\n5\n6\n");
    assert_eq!(shown("abc\u{8}\u{8}X\u{1b}[K\r\n"), "aX\n");
}

#[test]
fn a_line_that_goes_on_in_the_next_row_is_one_line() {
    assert_eq!(
        shown("0123456789012345678901234567890123456789\r\nx"),
        "0123456789012345678901234567890123456789\nx\n"
    );
}

#[test]
fn clearing_the_screen_keeps_what_was_there() {
    assert_eq!(shown("before\r\n\u{1b}[2J\u{1b}[Hafter"), "before\nafter\n");
    assert_eq!(shown("before\r\n\u{1b}cafter"), "before\nafter\n");
}

#[test]
fn a_full_screen_program_leaves_the_transcript_alone() {
    assert_eq!(
        shown("a\r\n\u{1b}[?1049h\u{1b}[2Jeditor\r\n\r\n\r\n\r\n\r\n\u{1b}[?1049lb"),
        "a\nb\n"
    );
}

#[test]
fn titles_and_colours_are_no_text() {
    assert_eq!(
        shown(
            "\u{1b}]0;title\u{7}\u{1b}[1;38;2;1;2;3mred\u{1b}[0m\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\"
        ),
        "redlink\n"
    );
}

#[test]
fn sizes_that_no_terminal_has_are_harmless() {
    for (width, height) in
        [("0", "0"), ("99999999999999999999", "1e300"), ("-1", "null"), ("\"x\"", "1")]
    {
        let text = of(&format!(
            "{{\"version\": 2, \"width\": {width}, \"height\": {height}}}\n[1, \"o\", \"hello\"]\n"
        ));
        assert!(text.ends_with("\n\nhello\n"), "{text}");
    }
}

#[test]
fn times_add_up_in_the_first_and_the_third_format_only() {
    for (version, expected) in [(2, "3.0 s"), (3, "6.0 s")] {
        let text = of(&format!(
            "{{\"version\": {version}}}\n[1, \"o\", \"\"]\n[2, \"o\", \"\"]\n[3, \"m\", \"here\\n\"]\n"
        ));
        assert!(
            text.starts_with(&format!("terminal recording (asciicast {version}), {expected}")),
            "{text}"
        );
        assert!(text.contains(&format!("mark at {expected}: here\\n")), "{text}");
    }
    let text = of(r#"{"version": 1, "stdout": [[1, "a"], [2, "b"], "broken", [3, "c"]]}"#);
    assert!(
        text.contains("asciicast 1), 6.0 s") && text.contains("not readable: 1 line"),
        "{text}"
    );
    assert!(text.ends_with("\nabc\n"), "{text}");
}

#[test]
fn a_recording_that_breaks_off_gives_what_stands_before() {
    for cast in [
        "{\"version\": 2}\n[1, \"o\", \"hello\\r\\nwor",
        "{\"version\": 1, \"stdout\": [[1, \"hello\\r\\nwor",
    ] {
        let text = of(cast);
        assert!(
            text.contains("the recording breaks off") && text.ends_with("\n\nhello\nwor\n"),
            "{text}"
        );
    }
}

#[test]
fn a_broken_line_does_not_take_the_next_with_it() {
    let text = of(
        "{\"version\": 2}\r\n[1, \"o\", \"a\n[1, \"o\", \"b\"]\r\n\r\nnonsense\n{}\n[]\n[1, \"o\", \"c\", 4]\n[\"x\", \"o\", \"d\"]\n",
    );
    assert!(text.contains("not readable: 5 lines"), "{text}");
    assert!(text.ends_with("\n\nabc\n"), "{text}");
}

#[test]
fn json_that_is_no_recording_is_unfit() {
    for json in ["{}", r#"{"version": 9}"#, r#"{"log": {"version": "1.2"}}"#, r#"{"version": "2"}"#]
    {
        let reason = describe(&mut json.as_bytes()).unwrap_err().to_string();
        assert!(reason.contains("no version of asciicast"), "{reason}");
    }
}
