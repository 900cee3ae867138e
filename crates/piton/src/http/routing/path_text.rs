//! Paths of routes as URLs have them: percent-encoded, in one form (RFC 3986, section 6.2.2).
//!
//! Clients encode what a URL cannot hold, and axum compares the path as it was sent: a route `/straße` that is
//! not encoded would be served by no URL.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use http::{Request, Uri};

/// Returns `path`, whose parameters are in braces, as it stands in URLs.
///
/// # Errors
/// No URL has such a path, or none that clients send as it is written. The text says why, and what to write instead.
pub(crate) fn encode(path: &str) -> Result<Cow<'_, str>, String> {
    let encoded =
        if path.bytes().all(is_plain) { Cow::Borrowed(path) } else { encoded(path)?.into() };
    let segments = || encoded.strip_prefix('/').unwrap_or(&encoded).split('/');
    if let Some(dots) = segments().find(|segment| matches!(*segment, "." | "..")) {
        return Err(format!("clients resolve `{dots}` before they send a path: leave it out"));
    }
    let last = segments().count() - 1;
    if segments().take(last).any(str::is_empty) {
        return Err(
            "it has an empty segment, which proxies remove: write one `/` instead of two".into()
        );
    }
    Ok(encoded)
}

/// Returns `path` encoded, or as it is if that is not possible: [`encode`] says why at launch.
pub(crate) fn encoded_if_possible(path: Cow<'static, str>) -> Cow<'static, str> {
    if path.bytes().all(is_plain) || foreign_parameter(&path).is_some() {
        return path;
    }
    match encode(&path).map(Cow::into_owned) {
        Ok(encoded) => encoded.into(),
        Err(_) => path,
    }
}

/// Returns the first segment that is a parameter as another framework writes it.
pub(crate) fn foreign_parameter(path: &str) -> Option<&str> {
    path.split('/').find(|segment| segment.starts_with([':', '*', '<']))
}

/// Returns whether `byte` is the same in every form of a path.
fn is_plain(byte: u8) -> bool {
    is_unreserved(byte) || byte == b'/'
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Returns whether `byte` stands in a path as it is: `pchar` of RFC 3986, and the slash.
fn is_path_character(byte: u8) -> bool {
    is_plain(byte) || b"!$&'()*+,;=:@".contains(&byte)
}

fn encoded(path: &str) -> Result<String, String> {
    let mut encoded = String::with_capacity(path.len() * 2);
    let mut rest = path;
    while let Some(character) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            push_encoded(&mut encoded, if character == '{' { b'{' } else { b'}' });
            rest = after;
        } else if character == '{' {
            // What does not parse is refused by the router, in its own words.
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

fn push_literal(encoded: &mut String, character: char) -> Result<(), String> {
    match character {
        '?' => Err("a path ends before `?`: parameters of the query are an argument of the handler, `Query<..>`, \
                    and a question mark in the path is written `%3F`"
            .into()),
        '#' => Err("clients do not send what stands behind `#`: a hash in the path is written `%23`".into()),
        character if character.is_control() => {
            Err(format!("it holds the control character {character:?}: take it out"))
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

/// Returns the byte that `text` begins with if that is percent-encoded.
fn leading_triplet(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Adds a byte that was percent-encoded: as itself if a path may hold it so. Some clients encode `'` or `:`,
/// which RFC 3986 allows in a path, and others do not.
fn push_normal(encoded: &mut String, byte: u8) {
    if is_path_character(byte) && byte != b'/' {
        encoded.push(byte.into());
    } else {
        push_encoded(encoded, byte);
    }
}

/// Returns whether clients write the literal text of a route's path in more than one form, so that
/// the paths of requests have to be brought into one.
pub(crate) fn has_forms(path: &str) -> bool {
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

/// Returns why the parameters of a route's path cannot be read: a name that is none, or is there twice.
pub(crate) fn parameter_problem(path: &str) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for after in path.split('{').skip(1) {
        let name = after.split('}').next()?.trim_start_matches('*');
        if names.contains(&name) {
            return Some(format!("two parameters are called `{{{name}}}`: name them differently"));
        }
        if name.contains([':', '?', '<', '>', '=']) {
            return Some(format!(
                "`{{{name}}}` is another framework's way to write a parameter: here it is `{{name}}` or \
                 `{{*rest}}`, and its type is the handler's"
            ));
        }
        let is_of_name = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        if !name.chars().all(is_of_name) {
            return Some(format!("`{{{name}}}` is not a name: write letters, digits and `_`"));
        }
        names.push(name);
    }
    None
}

fn push_encoded(encoded: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |digit: u8| char::from(DIGITS[usize::from(digit)]);
    encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

/// Gives the path of `request` the form that paths of routes have: `%c3%9f` becomes `%C3%9F`.
pub(crate) fn normalize<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let is_normal = path.bytes().all(is_path_character);
    if let (false, Some(path)) = (is_normal, normal(path))
        && let Some(uri) = with_path(request.uri(), &path)
    {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns the normal form of a path that was sent; `None` if it is that already.
fn normal(path: &str) -> Option<String> {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(character) = rest.chars().next() {
        if let Some(byte) = leading_triplet(rest) {
            push_normal(&mut normal, byte);
            rest = &rest[3..];
            continue;
        }
        // Some clients send `|` and a `%` alone as they are.
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
    fn what_a_url_cannot_hold_is_encoded_and_parameters_are_not() {
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
            assert_eq!(encode(path).unwrap(), wanted, "{path}");
            assert_eq!(encode(wanted).unwrap(), wanted, "{path} again");
        }
    }

    #[test]
    fn what_no_client_sends_is_refused_with_the_reason() {
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
            let why = encode(path).expect_err(path);
            assert!(why.contains(reason), "{path}: {why}");
        }
    }

    #[test]
    fn names_of_parameters_are_checked() {
        for path in ["/{id}/{other}", "/{*rest}", "/{größe}", "/a", "/{user-id}.json"] {
            assert_eq!(parameter_problem(path), None, "{path}");
        }
        for (path, reason) in [
            ("/{id}/x/{id}", "two parameters are called `{id}`"),
            ("/{a:int}", "another framework's"),
            ("/{a?}", "another framework's"),
            ("/{na me}", "not a name"),
        ] {
            let why = parameter_problem(path).expect(path);
            assert!(why.contains(reason), "{path}: {why}");
        }
    }

    #[test]
    fn only_literals_have_forms() {
        assert!(!has_forms("/users/{größe}") && !has_forms("/a-b/{id}.json"));
        assert!(has_forms("/stra%C3%9Fe") && has_forms("/a;b") && has_forms("/tasks:run"));
    }

    #[test]
    fn a_path_that_was_sent_is_compared_in_one_form() {
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
            assert_eq!(normalize(request).uri().to_string(), wanted, "{sent}");
        }
    }
}
