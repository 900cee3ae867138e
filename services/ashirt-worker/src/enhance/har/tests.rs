//! HAR files as tools write them, and as they should not.

use super::describe;

fn of(json: &str) -> String {
    describe(&mut json.as_bytes()).unwrap()
}

fn entries(entries: &str) -> String {
    of(&format!("{{\"log\": {{\"entries\": [{entries}]}}}}"))
}

#[test]
fn no_entries_are_a_result() {
    assert_eq!(entries(""), "no requests\n");
}

#[test]
fn a_byte_order_mark_is_no_hindrance() {
    assert_eq!(of("\u{feff} \r\n{\"log\": {\"entries\": []}}"), "no requests\n");
}

#[test]
fn half_a_surrogate_pair_is_no_hindrance() {
    let text = entries(
        r#"{"request": {"url": "http://a/\ud800\"x\ud83d\ude00\udc00"}, "response": {"content": {"text": "\ud800"}}}"#,
    );
    assert!(text.contains("http://a/\u{fffd}\"x😀\u{fffd}"), "{text}");
}

#[test]
fn bytes_that_are_no_utf8_are_no_hindrance() {
    let text = describe(&mut &b"{\"log\": {\"entries\": [{\"request\": {\"url\": \"http://a/\xff\xe2\x82x\"}}]}}"[..]).unwrap();
    assert!(text.contains("http://a/\u{fffd}\u{fffd}x"), "{text}");
}

#[test]
fn what_is_of_another_type_is_left_open() {
    let text = entries(
        r#"{"startedDateTime": 5, "time": "x", "request": {"url": "http://a/", "method": null, "headers": {}, "bodySize": "9"},
            "response": {"status": "200", "content": [1, {"a": 2}], "headers": [1, "x", {"name": {}}], "redirectURL": false}}"#,
    );
    assert!(text.starts_with("1 request to 1 host, 0 bytes received\n"), "{text}");
    assert!(text.contains("methods: (no method) (1)\nstatuses: no answer (1)\n"), "{text}");
}

#[test]
fn an_entry_without_a_url_is_counted() {
    let text =
        entries(r#"{}, null, [1], "x", {"request": null}, {"request": {"url": "http://a/"}}"#);
    assert!(
        text.contains("1 request to 1 host") && text.contains("not readable: 5 entries\n"),
        "{text}"
    );
}

#[test]
fn a_file_that_breaks_off_gives_what_stands_before() {
    let text = of(
        r#"{"log": {"entries": [{"request": {"url": "http://a/"}, "response": {"status": 200}}, {"requ"#,
    );
    assert!(text.contains("the file breaks off: what follows is what stands before"), "{text}");
    assert!(
        text.contains(
            " 200 http://a/
"
        ),
        "{text}"
    );
    let text = of(r#"{"log": {"entries": [{"request": {"url": "http://a/"}}, !!!"#);
    assert!(text.contains("the file is no longer JSON at byte 56"), "{text}");
}

#[test]
fn a_token_of_a_url_stands_nowhere_in_the_summary() {
    let text = entries(
        r#"{"request": {"url": "https://h/a?access_token=hunter2"},
            "response": {"status": 302, "redirectURL": "https://i/?X-Amz-Signature=hunter2",
                         "_error": "refused https://u:hunter2@h/"}}"#,
    );
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        text.contains("https://h/a?access_token=*** -> https://i/?X-Amz-Signature=***"),
        "{text}"
    );
}

#[test]
fn control_characters_of_a_url_are_made_visible() {
    let text =
        entries(r#"{"request": {"url": "http://a/\u0000\u001b[31m\n\u202ex", "method": "G\tT"}}"#);
    assert!(
        text.contains(r"http://a/\u{0}\u{1b}[31m\n\u{202e}x") && text.contains(r"G\tT"),
        "{text}"
    );
}

#[test]
fn times_of_all_offsets_become_utc() {
    let text = entries(
        r#"{"startedDateTime": "2024-05-01T01:00:00.5+02:00", "time": 60000, "request": {"url": "http://a/"}},
           {"startedDateTime": "2024-04-30T22:30:00+0000", "request": {"url": "http://a/"}}"#,
    );
    assert!(text.contains(", 2024-04-30 22:30:00 to 23:01:00 UTC (31 min 01 s)"), "{text}");
}

#[test]
fn json_that_is_no_har_is_unfit() {
    for (json, expected) in [
        ("{}", "it has no log.entries"),
        (r#"{"log": []}"#, "it has no log.entries"),
        (r#"{"log": {"entries": {}}}"#, "it has no log.entries"),
        (r#"{"log": {"pages": ["#, "it breaks off"),
        (r#"{"log" 1}"#, "it is no longer JSON at byte 7"),
        ("[1]", "it begins with “[1]”"),
    ] {
        let reason = describe(&mut json.as_bytes()).unwrap_err().to_string();
        assert_eq!(reason, format!("not a HAR file: {expected}"));
    }
}
