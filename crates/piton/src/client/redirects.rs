//! Redirects: how many are followed, and how their targets are shown in errors.

use std::fmt;
use std::sync::Arc;

use http::header;
use parking_lot::Mutex;
use reqwest::{Response, Url, redirect};

use super::private_addresses::{AddressGuard, PrivateAddress};
use crate::secrets::{redact_text, redact_url};

tokio::task_local! {
    /// The last redirect target of the request in flight, without secrets. If it is set, the first
    /// server has answered.
    pub(super) static REDIRECTED: Arc<Mutex<Option<String>>>;
}

/// The error of a redirect to a target that is neither `http` nor `https`.
#[derive(Debug)]
pub(super) struct Unfollowable;

impl fmt::Display for Unfollowable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the target is neither http nor https")
    }
}

impl std::error::Error for Unfollowable {}

/// Returns the policy that follows up to `max` redirects, and none that `guard` refuses.
pub(super) fn redirect_policy(max: usize, guard: Option<AddressGuard>) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        if max == 0 {
            return attempt.stop();
        }
        // Compared with `>`, because `previous` begins with the URL of the call itself.
        record(attempt.url());
        if attempt.previous().len() > max {
            return attempt.error("too many redirects");
        }
        if !is_web(attempt.url()) {
            return attempt.error(Unfollowable);
        }
        if guard.as_ref().is_some_and(|guard| guard.check(attempt.url()).is_err()) {
            return attempt.error(PrivateAddress);
        }
        attempt.follow()
    })
}

fn record(target: &Url) {
    let _ = REDIRECTED.try_with(|it| {
        *it.lock() = Some(shown(target));
    });
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Returns the redirect target of a response that reqwest returned because it cannot follow it: the
/// target is not a URL, or not one that a request can be sent to.
pub(super) fn unfollowable(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    let target = std::str::from_utf8(location.as_bytes()).ok();
    let target = target.and_then(|target| response.url().join(target).ok());
    match target {
        None => Some(shown_text(&String::from_utf8_lossy(location.as_bytes()))),
        Some(target) if is_web(&target) && http::Uri::try_from(target.as_str()).is_ok() => None,
        Some(target) => Some(shown(&target)),
    }
}

/// Returns a redirect's target as it may be shown. Users, passwords, queries, fragments and secrets of the
/// path are removed, because the server may have put secrets into them; of a target without a host only
/// the scheme is left.
fn shown(target: &Url) -> String {
    if target.cannot_be_a_base() {
        return format!("{}:…", target.scheme());
    }
    let mut bare = target.clone();
    // Cannot fail, because only a URL without a host has neither user nor password.
    let _ = (bare.set_username(""), bare.set_password(None));
    let query = if bare.query().is_some() { "?…" } else { "" };
    bare.set_query(None);
    bare.set_fragment(None);
    shown_text(bare.as_str()) + query
}

/// Does the same as [`shown`] for text that is not a URL.
fn shown_text(target: &str) -> String {
    const MAX_CHARS: usize = 200;
    let (bare, rest) = match target.find(['?', '#']) {
        Some(at) => (&target[..at], "?…"),
        None => (target, ""),
    };
    // Paths are masked too, because of `;jsessionid=..`, tokens, and webhooks that are secrets as a whole.
    let bare = redact_url(bare);
    let bare = redact_text(&bare);
    // Handled here, because `//user:password@` has no scheme, so the mask does not take it for an address.
    let bare = match bare.rsplit_once('@') {
        Some((_, host)) if !bare.contains("***@") => format!("***@{host}"),
        _ if bare.starts_with("//***@") => bare[2..].to_owned(),
        _ => bare.into_owned(),
    };
    let mut text: String = bare.chars().take(MAX_CHARS).flat_map(visible).collect();
    if bare.chars().count() > MAX_CHARS {
        text.push('…');
    }
    text + rest
}

fn visible(c: char) -> impl Iterator<Item = char> {
    let plain = c.is_alphanumeric() || c.is_ascii_graphic() || matches!(c, ' ' | '…');
    let escaped = (!plain).then(|| c.escape_unicode());
    escaped.into_iter().flatten().chain(plain.then_some(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_shown_without_its_secrets() {
        for (target, expected) in [
            ("https://u:hunter2@h:8443/a?token=hunter2#hunter2", "https://h:8443/a?…"),
            ("https://h/#hunter2", "https://h/"),
            ("data:text/html,hunter2", "data:…"),
            ("javascript:hunter2", "javascript:…"),
            ("file:///etc/passwd", "file:///etc/passwd"),
            ("https://h/a;jsessionid=hunter2", "https://h/a;jsessionid=***"),
            ("https://h/access_token=hunter2/x", "https://h/access_token=***/x"),
            ("https://h/hooks/hunter2", "https://h/hooks/***"),
            ("https://h/bot123:AAHhunter2/getMe", "https://h/***/getMe"),
            ("https://h/eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.hunter2/x", "https://h/***/x"),
        ] {
            assert_eq!(shown(&Url::parse(target).expect(target)), expected);
        }
        for (text, expected) in [
            ("http://u:hunter2@:x/?hunter2", "http://***@:x/?…"),
            ("//u:hunter2@h:x", "***@h:x"),
            ("http://\u{202e}\u{7}", r"http://\u{202e}\u{7}"),
        ] {
            assert_eq!(shown_text(text), expected);
        }
        assert_eq!(shown_text(&"x".repeat(10_000)).chars().count(), 201);
    }
}
