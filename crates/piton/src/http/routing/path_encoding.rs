//! Percent-encodes the paths of routes, and normalizes those of requests to the same form (RFC 3986, section 6.2.2).
//!
//! Clients encode characters that a URL cannot contain, and axum compares the path as it was sent. So a route `/straße`
//! that is not encoded would match no request.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use http::{Request, Uri};
use percent_encoding::percent_encode_byte;

/// Percent-encodes the path of a route, except for its parameters in braces.
///
/// # Errors
/// No client sends such a path. The message says why, and what to write instead.
pub(crate) fn encode_route_path(path: &str) -> Result<Cow<'_, str>, String> {
    let encoded = if path.bytes().all(is_plain) {
        Cow::Borrowed(path)
    } else {
        encode_characters(path)?.into()
    };
    let segments = || encoded.strip_prefix('/').unwrap_or(&encoded).split('/');
    if let Some(dots) = segments().find(|segment| matches!(*segment, "." | "..")) {
        return Err(format!("clients resolve `{dots}` before they send a path: leave it out"));
    }
    let last = segments().count() - 1;
    if segments().take(last).any(str::is_empty) {
        return Err(
            "the path has an empty segment, which proxies remove: write one `/` instead of two"
                .into(),
        );
    }
    Ok(encoded)
}

/// Encodes `path`, or returns it unchanged if that is not possible. Then [`encode_route_path`] fails at launch.
pub(crate) fn encode_or_keep(path: Cow<'static, str>) -> Cow<'static, str> {
    if path.bytes().all(is_plain) || find_foreign_parameter(&path).is_some() {
        return path;
    }
    match encode_route_path(&path).map(Cow::into_owned) {
        Ok(encoded) => encoded.into(),
        Err(_) => path,
    }
}

/// Returns the first segment that is a parameter in the syntax of another framework, such as `:id` or `<id>`.
pub(crate) fn find_foreign_parameter(path: &str) -> Option<&str> {
    path.split('/').find(|segment| segment.starts_with([':', '*', '<']))
}

/// Returns whether clients send `byte` in one form only.
fn is_plain(byte: u8) -> bool {
    is_unreserved(byte) || byte == b'/'
}

/// Returns whether `byte` is unreserved (RFC 3986, section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Returns whether a path may contain `byte` unencoded: `pchar` (RFC 3986, section 3.3) and the slash.
fn is_path_character(byte: u8) -> bool {
    is_plain(byte) || b"!$&'()*+,;=:@".contains(&byte)
}

/// Encodes the literal text of a path.
fn encode_characters(path: &str) -> Result<String, String> {
    let mut encoded = String::with_capacity(path.len() * 2);
    let mut rest = path;
    while let Some(character) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            push_encoded(&mut encoded, if character == '{' { b'{' } else { b'}' });
            rest = after;
        } else if character == '{' {
            // Braces that do not parse are kept, because the router rejects them with a message of its own.
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            encoded.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if let Some(byte) = leading_triplet(rest) {
            push_normal(&mut encoded, byte);
            rest = &rest[3..];
        } else {
            push_literal(&mut encoded, character)?;
            rest = &rest[character.len_utf8()..];
        }
    }
    Ok(encoded)
}

/// Adds a character of the literal text.
///
/// # Errors
/// Clients do not send it unencoded in a path.
fn push_literal(encoded: &mut String, character: char) -> Result<(), String> {
    match character {
        '?' => Err("a path ends before `?`: parameters of the query are an argument of the handler, `Query<..>`, \
                    and a question mark in the path is written `%3F`"
            .into()),
        '#' => Err("clients do not send the part after `#`: a hash in the path is written `%23`".into()),
        character if character.is_control() => {
            Err(format!("the path contains the control character {character:?}: remove it"))
        }
        '\\' => Err("clients send `\\` as `/`: a backslash in the path is written `%5C`".into()),
        '}' => {
            encoded.push('}');
            Ok(())
        }
        character => {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                if is_path_character(byte) {
                    encoded.push(byte.into());
                } else {
                    push_encoded(encoded, byte);
                }
            }
            Ok(())
        }
    }
}

/// Returns the first byte of `text` if it is percent-encoded.
fn leading_triplet(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Adds a byte that was percent-encoded, unencoded if a path may contain it so. Some clients encode `'` or `:`, which
/// RFC 3986 allows in a path, and others do not.
fn push_normal(encoded: &mut String, byte: u8) {
    if is_path_character(byte) && byte != b'/' {
        encoded.push(byte.into());
    } else {
        push_encoded(encoded, byte);
    }
}

/// Returns whether clients send the literal text of a route's path in more than one form, so that the paths of requests
/// must be normalized.
pub(crate) fn has_encodable_literals(path: &str) -> bool {
    let mut is_literal = true;
    path.bytes().any(|byte| {
        match byte {
            b'{' => is_literal = false,
            b'}' => is_literal = true,
            _ => return is_literal && !is_plain(byte),
        }
        false
    })
}

/// Returns why the parameters of a route's path are invalid: a name is invalid or used twice.
pub(crate) fn parameter_problem(path: &str) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for after in path.split('{').skip(1) {
        let name = after.split('}').next()?.trim_start_matches('*');
        if names.contains(&name) {
            return Some(format!("two parameters are named `{{{name}}}`: rename one of them"));
        }
        if name.contains([':', '?', '<', '>', '=']) {
            return Some(format!(
                "`{{{name}}}` is the syntax of another framework: write a parameter as `{{name}}` or \
                 `{{*rest}}`; its type is in the handler"
            ));
        }
        let is_name_character = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        if !name.chars().all(is_name_character) {
            return Some(format!("`{{{name}}}` is not a valid name: use letters, digits and `_`"));
        }
        names.push(name);
    }
    None
}

/// Adds a byte percent-encoded.
fn push_encoded(encoded: &mut String, byte: u8) {
    encoded.push_str(percent_encode_byte(byte));
}

/// Normalizes the path of `request` to the form of route paths: `%c3%9f` becomes `%C3%9F`.
pub(crate) fn normalize_request<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let is_normal = path.bytes().all(is_path_character);
    if let (false, Some(path)) = (is_normal, normalize_path(path))
        && let Some(uri) = with_path(request.uri(), &path)
    {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns the normal form of a path, or `None` if it has that form.
fn normalize_path(path: &str) -> Option<String> {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(character) = rest.chars().next() {
        if let Some(byte) = leading_triplet(rest) {
            push_normal(&mut normal, byte);
            rest = &rest[3..];
            continue;
        }
        // Encoded here because some clients send `|` and a lone `%` unencoded.
        let (now, after) = rest.split_at(character.len_utf8());
        for byte in now.bytes() {
            match is_path_character(byte) {
                true => normal.push(byte.into()),
                false => push_encoded(&mut normal, byte),
            }
        }
        rest = after;
    }
    (normal != path).then_some(normal)
}

/// Replaces the path of a URI.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn literals_are_encoded_and_parameters_are_not() {
        for (path, wanted) in [
            ("/", "/"),
            ("/users/{id}", "/users/{id}"),
            ("/straße", "/stra%C3%9Fe"),
            ("/stra%c3%9fe/{größe}", "/stra%C3%9Fe/{größe}"),
            ("/a b/{*rest}", "/a%20b/{*rest}"),
            ("/%61%2d%2Fb", "/a-%2Fb"),
            ("/100%", "/100%25"),
            ("/50%/x%2", "/50%25/x%252"),
            ("/a:b@c!$&'()*+,;=~", "/a:b@c!$&'()*+,;=~"),
            (r#"/"x"|^`<>[]"#, "/%22x%22%7C%5E%60%3C%3E%5B%5D"),
            ("/a%5Cb/a%27b%3b", "/a%5Cb/a'b;"),
            ("/{{x}}/{id}.json", "/%7Bx%7D/{id}.json"),
            ("/日本/", "/%E6%97%A5%E6%9C%AC/"),
            ("/a%3Fb%23", "/a%3Fb%23"),
        ] {
            assert_eq!(encode_route_path(path).unwrap(), wanted, "{path}");
            assert_eq!(encode_route_path(wanted).unwrap(), wanted, "{path} again");
        }
    }

    #[test]
    fn a_path_that_no_client_sends_is_rejected_with_the_reason() {
        for (path, reason) in [
            ("/search?q={q}", "`Query<..>`"),
            ("/a#b", "`%23`"),
            ("/a/../b", "`..`"),
            ("/a/%2E%2e/b", "`..`"),
            ("/./a", "`.`"),
            ("//a", "one `/`"),
            ("/a//b", "one `/`"),
            ("/a//", "one `/`"),
            (r"/a\b", "`%5C`"),
            ("/a\nb", "control character"),
            ("/a\u{0}", "control character"),
        ] {
            let why = encode_route_path(path).expect_err(path);
            assert!(why.contains(reason), "{path}: {why}");
        }
    }

    #[test]
    fn names_of_parameters_are_checked() {
        for path in ["/{id}/{other}", "/{*rest}", "/{größe}", "/a", "/{user-id}.json"] {
            assert_eq!(parameter_problem(path), None, "{path}");
        }
        for (path, reason) in [
            ("/{id}/x/{id}", "two parameters are named `{id}`"),
            ("/{a:int}", "another framework"),
            ("/{a?}", "another framework"),
            ("/{na me}", "not a valid name"),
        ] {
            let why = parameter_problem(path).expect(path);
            assert!(why.contains(reason), "{path}: {why}");
        }
    }

    #[test]
    fn only_literals_are_encodable() {
        assert!(
            !has_encodable_literals("/users/{größe}") && !has_encodable_literals("/a-b/{id}.json")
        );
        assert!(
            has_encodable_literals("/stra%C3%9Fe")
                && has_encodable_literals("/a;b")
                && has_encodable_literals("/tasks:run")
        );
    }

    #[test]
    fn a_request_path_is_normalized() {
        for (sent, wanted) in [
            ("/stra%c3%9fe?q=%c3", "/stra%C3%9Fe?q=%c3"),
            ("/stra%C3%9fe", "/stra%C3%9Fe"),
            ("/stra\u{df}e", "/stra%C3%9Fe"),
            ("/%61", "/a"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%", "/a%25"),
            ("/a%27b%3B|[^]", "/a'b;%7C%5B%5E%5D"),
            ("/plain?x", "/plain?x"),
        ] {
            let request = Request::builder().uri(sent.as_bytes()).body(Body::empty()).unwrap();
            assert_eq!(normalize_request(request).uri().to_string(), wanted, "{sent}");
        }
    }
}
