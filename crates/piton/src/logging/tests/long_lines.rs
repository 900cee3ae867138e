//! Lines and fields that are too long.

use super::*;

#[test]
fn a_long_line_is_cut_at_64_kib_with_a_mark_and_stays_json() {
    let long = ["é\"\n🦀".repeat(40_000), "x".repeat(1 << 20), "\u{1}".repeat(1 << 17)];
    for text in &long {
        for style in [LineStyle::Human, LineStyle::Coloured, LineStyle::Json] {
            let line = fixed(style, Some("r-1"), || {
                info!(text, other = ?text, number = 7, list = ?vec![text], "Says {text}");
            });
            assert!(line.len() <= MAX_LINE_BYTES, "{style:?}: {}", line.len());
            assert!(line.contains("…[cut]") && line.contains("r-1") && line.ends_with('\n'));
            if style == LineStyle::Json {
                let value: Value = serde_json::from_str(&line).expect("a cut line is JSON");
                assert!(value["message"].as_str().is_some_and(|said| said.ends_with("…[cut]")));
                assert_eq!((&value["number"], &value["line_cut"]), (&json!(7), &Value::Null));
            }
        }
        let lines = in_python("%(message)s %(message)s %(levelname)s", || info!(text, "{text}"));
        assert!(lines[0].len() <= MAX_LINE_BYTES && lines[0].contains("…[cut]"));
    }
}

#[test]
fn a_long_field_leaves_space_for_the_others() {
    let long = "x".repeat(1 << 20);
    let value = json(|| info!(long, status = 200, "hi"));
    assert!(value["long"].as_str().is_some_and(|text| text.ends_with("x…[cut]")));
    assert_eq!((&value["status"], &value["line_cut"]), (&json!(200), &Value::Null));
}

#[test]
fn fields_that_do_not_fit_are_left_out_and_marked() {
    let long = "x".repeat(1 << 17);
    let l = long.as_str();
    let line = fixed(LineStyle::Json, Some("r-1"), || {
        info!(
            a = l,
            b = l,
            c = l,
            d = l,
            e = l,
            f = l,
            g = l,
            h = l,
            i = l,
            j = l,
            k = l,
            m = l,
            "hi"
        );
    });
    let value: Value = serde_json::from_str(&line).expect("a cut line is JSON");
    assert!(line.len() <= MAX_LINE_BYTES && value["a"].is_string());
    assert_eq!((&value["line_cut"], &value["request_id"]), (&json!(true), &json!("r-1")));
    assert_eq!(value["m"], Value::Null);
}
