//! Gnar Gear's error envelope: `{"error", "traceback"}` with status 200, for clients that expect it.
//!
//! Only the response changes: the log and the metrics keep the true status of the failure.

use serde::Serialize;

use crate::error::problem_document::ErrorReport;

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<String>,
}

/// Returns the title that Gnar Gear gives every failure: `My Gnarly App API Error`.
pub(crate) fn title(app: &str) -> String {
    let mut title = String::with_capacity(app.len() + 10);
    let mut begins = true;
    for c in app.chars() {
        // As Python's `str.title`: a letter after a character that is not a letter becomes a capital. Clients
        // match on this title.
        match c {
            '_' => title.push(' '),
            c if begins => title.extend(c.to_uppercase()),
            c => title.extend(c.to_lowercase()),
        }
        begins = !c.is_alphabetic();
    }
    title + " API Error"
}

/// Returns the body for a failure.
pub(crate) fn render(failure: &ErrorReport<'_>, title: &str, show_inside: bool) -> Vec<u8> {
    let envelope = match failure.detail.filter(|_| failure.plain) {
        Some(detail) => Envelope { error: detail, traceback: None },
        None => {
            let traceback = show_inside.then(|| traceback(failure, title));
            Envelope { error: title, traceback }
        }
    };
    serde_json::to_vec(&envelope).expect("an envelope holds nothing but text")
}

/// Returns the title, the detail, the causes and the line of code, one below the other.
fn traceback(failure: &ErrorReport<'_>, title: &str) -> String {
    let mut text = format!("{title}:\n{}", failure.status);
    let mut line = |part: &str| {
        text.push('\n');
        text.push_str(part);
    };
    if let Some(detail) = failure.detail {
        line(detail);
    }
    for fault in failure.field_errors {
        let place = fault.pointer.as_deref().or(fault.parameter.as_deref()).unwrap_or_default();
        line(&format!("{place}: {}", fault.detail));
    }
    if let Some(debug_info) = &failure.debug_info {
        debug_info.chain.iter().for_each(|cause| line(cause));
        if let Some(location) = &debug_info.location {
            line(&format!("  at {location}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::error::Error;

    #[test]
    fn the_title_is_pythons() {
        assert_eq!(title("piste"), "Piste API Error");
        assert_eq!(title("my_gnarly_app"), "My Gnarly App API Error");
        assert_eq!(title("off-piste2go"), "Off-Piste2Go API Error");
    }

    #[test]
    fn a_traceback_is_included_only_if_error_details_are_shown() {
        let error = Error::not_found("no such user");
        let failure = ErrorReport::of(&error);
        let shown = String::from_utf8(render(&failure, "Piste API Error", true)).unwrap();
        assert_eq!(
            shown,
            r#"{"error":"Piste API Error","traceback":"Piste API Error:\n404 Not Found\nno such user"}"#
        );
        let hidden =
            render(&ErrorReport::new(StatusCode::NOT_FOUND, Some("x")), "Piste API Error", false);
        assert_eq!(hidden, br#"{"error":"Piste API Error"}"#);
    }
}
