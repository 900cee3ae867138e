//! Paths and methods as logs and error documents may show them: without the secrets in their segments, such
//! as the token of an activation link, and not as long as a client can make them.

use std::borrow::Cow;

use http::Method;

use super::request_context::RequestContext;
use super::stack_config::StackConfig;
use crate::secrets::key_is_secret;

/// Replaces a path segment that may be a secret.
const HIDDEN: &str = "***";

/// Maximum number of segments of an unmatched path that are logged.
const MAX_SEGMENTS: usize = 16;

/// Maximum length of a path in bytes, and of a method: a head of `http.header_limit` would be a line of its size.
const MAX_BYTES: usize = 1 << 10;

impl StackConfig {
    /// Returns the request's path with `***` for secrets. One above 1 KiB ends with `…`.
    pub(super) fn path_for_log<'a>(&self, request: &'a RequestContext) -> Cow<'a, str> {
        shortened(self.path_without_secrets(request))
    }

    fn path_without_secrets<'a>(&self, request: &'a RequestContext) -> Cow<'a, str> {
        match self.metrics.pattern(request.current.path.get()) {
            // `/activate//TOKEN` is no link of `/activate/{token}`, and a `/{*rest}` takes it.
            Some(pattern) if pattern.contains("{*") && !pattern.split('/').any(has_secret_name) => {
                self.unmatched_path_for_log(request.path())
            }
            Some(pattern) => without_secrets(request.path(), &pattern),
            None => self.unmatched_path_for_log(request.path()),
        }
    }

    /// Returns a path that no route has matched, or only one that takes any path. If some route has
    /// a secret in its path, `***` stands for each segment that no route spells out: the link of an
    /// e-mail with a `/` too many, in capitals or behind a prefix still holds its token.
    #[cold]
    fn unmatched_path_for_log<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let mut segments: Vec<(&str, bool)> = path
            .split('/')
            .take(MAX_SEGMENTS + 1)
            .map(|segment| (segment, segment.is_empty()))
            .collect();
        let is_cut = segments.len() > MAX_SEGMENTS;
        segments.truncate(MAX_SEGMENTS);
        let mut has_secrets = false;
        self.metrics.each_pattern(|pattern| {
            for spelled in pattern.split('/') {
                has_secrets |= has_secret_name(spelled);
                for (segment, is_shown) in &mut segments {
                    *is_shown |= !spelled.contains('{') && segment.eq_ignore_ascii_case(spelled);
                }
            }
        });
        if !has_secrets {
            return Cow::Borrowed(path);
        }
        let shown =
            segments.iter().map(|(segment, is_shown)| if *is_shown { segment } else { HIDDEN });
        Cow::Owned(shown.chain(is_cut.then_some(HIDDEN)).collect::<Vec<_>>().join("/"))
    }
}

/// Returns the method. One above 1 KiB, which no service has, ends with `…`.
pub(super) fn method_for_log(method: &Method) -> Cow<'_, str> {
    shortened(Cow::Borrowed(method.as_str()))
}

fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= MAX_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_BYTES);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Returns whether a segment of a pattern has a parameter with a secret's name, such as `{token}`.
fn has_secret_name(segment: &str) -> bool {
    let names = segment.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| name.trim_start_matches('*')).any(key_is_secret)
}

/// Returns `path` with `***` for each parameter of `pattern` that has a secret's name, such as
/// `{token}`, and for the whole match of a `{*token}`.
fn without_secrets<'a>(path: &'a str, pattern: &str) -> Cow<'a, str> {
    if !pattern.split('/').any(has_secret_name) {
        return Cow::Borrowed(path);
    }
    let mut shown = Vec::new();
    let mut patterns = pattern.split('/').chain(std::iter::repeat(""));
    for (segment, spelled) in path.split('/').zip(&mut patterns) {
        if !has_secret_name(spelled) {
            shown.push(segment);
            continue;
        }
        shown.push(HIDDEN);
        if spelled.contains("{*") {
            break;
        }
    }
    Cow::Owned(shown.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_or_method_is_cut_off_between_two_characters() {
        let (fits, long) = ("/".repeat(MAX_BYTES), format!("x{}", "ä".repeat(MAX_BYTES)));
        assert_eq!(shortened(Cow::Borrowed(&fits)), fits);
        let cut = shortened(Cow::Borrowed(&long));
        assert_eq!(cut, format!("x{}…", "ä".repeat((MAX_BYTES - 1) / 2)));
        let method = Method::from_bytes("X".repeat(30_000).as_bytes()).unwrap();
        assert_eq!(method_for_log(&method).len(), MAX_BYTES + '…'.len_utf8());
        assert_eq!(method_for_log(&Method::GET), "GET");
    }

    #[test]
    fn a_parameter_with_a_secrets_name_is_not_for_the_log() {
        for (path, pattern, shown) in [
            ("/user/activate/1b2c", "/user/activate/{token}", "/user/activate/***"),
            ("/reset/1b2c/done", "/reset/{reset_token}/done", "/reset/***/done"),
            ("/user/7", "/user/{id}", "/user/7"),
            ("/token/7", "/token/{id}", "/token/7"),
            ("/x/1b2c/3d4e", "/x/{*token}", "/x/***"),
            ("/x/1b2c.html", "/x/{token}.html", "/x/***"),
        ] {
            assert_eq!(without_secrets(path, pattern), shown);
        }
    }
}
