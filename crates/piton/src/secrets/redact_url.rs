//! Redacts the secrets of a URL: users and passwords, parameters that grant access, tokens, and paths that
//! are secrets themselves.
//!
//! By hand instead of by a URL parser, because a URL in a log is often cut off, not encoded, or holds what the
//! standard forbids, and a parser would refuse it or take a part of the password for the host.

use super::find_secret::{contains_secret, contains_token};
use super::redacted::REDACTED;
use super::secret_names::{name_is_secret, percent_decoded};

/// Names of parameters that grant access although they contain no word for a secret: of OAuth and OpenID
/// Connect, SAML and WS-Federation, sessions, and signed URLs. Compared without `_` and `-`.
const SECRET_PARAMETERS: [&str; 27] = [
    "assertion",
    "authcode",
    "bearer",
    "clientassertion",
    "code",
    "codeverifier",
    "csrf",
    "hdnea",
    "hdnts",
    "nonce",
    "oauthverifier",
    "otac",
    "phpsessid",
    "samlart",
    "samlrequest",
    "samlresponse",
    "sess",
    "session",
    "sessionstate",
    "sid",
    "sign",
    "ticket",
    "tkn",
    "tok",
    "verifier",
    "wresult",
    "xsrf",
];

/// Words before `code` in the names of codes that grant access, unlike `country_code`.
const CODE_PREFIXES: [&str; 23] = [
    "access",
    "activation",
    "auth",
    "authorization",
    "backup",
    "confirm",
    "confirmation",
    "device",
    "email",
    "invitation",
    "invite",
    "login",
    "mfa",
    "pairing",
    "pass",
    "recovery",
    "reset",
    "security",
    "sms",
    "unlock",
    "user",
    "verification",
    "verify",
];

/// Schemes of addresses that have an `@` but no password.
const MAIL_SCHEMES: [&str; 10] =
    ["acct", "cid", "im", "mailto", "mid", "news", "pres", "sip", "sips", "xmpp"];

/// Returns the URL for display: `***` replaces users and passwords, the values of parameters whose names
/// mark a secret (in path, query and fragment), tokens that are known by their form, and the secret part of
/// webhooks. A URL that was cut off should end with `…`, so that half of a password is recognised.
///
/// ```
/// use piton::secrets::redact_url;
///
/// let url = "https://me:pa/ss@h/a;jsessionid=x?sig=a/b%3D&page=2";
/// assert_eq!(redact_url(url), "https://***@h/a;jsessionid=***?sig=***&page=2");
/// ```
#[must_use]
pub fn redact_url(url: &str) -> String {
    without_tokens(&without_userinfo(url))
}

/// Returns the authority of a URL, whose text is given from after its `//`.
fn authority(text: &str) -> &str {
    let end = text.find(['/', '?', '#', '\\', ' ', '&', '"', '\'', '<', '>']);
    &text[..end.unwrap_or(text.len())]
}

/// Redacts the userinfo (RFC 3986, section 3.2.1), as `https://***@host`: after each `//` or `\\\\`, and after a scheme without
/// slashes. A user without a password is redacted too, because it may be a token.
fn without_userinfo(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    if let Some((scheme, after)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
        safe.push_str(&text[..=scheme.len()]);
        let has_slashes = after.starts_with("//") || after.contains("://");
        let has_slashes = has_slashes || after.starts_with("\\\\");
        let is_mail = MAIL_SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let credentials = after[..end].rfind('@').filter(|_| !has_port(after));
        rest = match credentials {
            Some(at) if !has_slashes && (!is_mail || authority(after).contains(':')) => {
                safe.push_str(REDACTED);
                &after[at..]
            }
            _ => after,
        };
    }
    while let Some(at) = [rest.find("//"), rest.find("\\\\")].into_iter().flatten().min() {
        let (before, after) = rest.split_at(at + 2);
        safe.push_str(before);
        rest = match credentials_end(after) {
            Some(end) => {
                safe.push_str(REDACTED);
                &after[end..]
            }
            None => after,
        };
    }
    safe.push_str(rest);
    safe
}

/// Returns the position of the `@` after the credentials, if there are any.
fn credentials_end(text: &str) -> Option<usize> {
    let authority = authority(text);
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let next_url = text[..end].find("://").unwrap_or(end);
    let named = authority.split('@').next().unwrap_or_default();
    // A `:` is followed by a port or by a password, and people paste passwords unencoded, with characters
    // that should end an authority (RFC 3986, section 3.2).
    let has_password = named.rsplit(']').next().is_some_and(|name| name.contains(':'));
    if has_password && (authority.contains('@') || !has_port(authority_port(text))) {
        let last = text[..next_url].rfind('@').or_else(|| text[..end].rfind('@'));
        if last.is_some() {
            return last;
        }
        return text.ends_with('…').then_some(text.len());
    }
    let cut = || authority.ends_with('…').then_some(authority.len());
    authority.rfind('@').or_else(cut)
}

/// Returns the text after the `:` of `host:port`.
fn authority_port(text: &str) -> &str {
    let host_end = if text.starts_with('[') { text.find(']').unwrap_or(0) } else { 0 };
    text[host_end..].split_once(':').map_or("", |(_, port)| port)
}

/// Returns whether a text begins with a port: `8080/a`.
fn has_port(text: &str) -> bool {
    let after = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let ends = |c| "/\\&\"'<> ".contains(c);
    (1..=5).contains(&(text.len() - after.len())) && (after.is_empty() || after.starts_with(ends))
}

/// Redacts the values of parameters that grant access, and tokens that are known by their form. The text
/// before the path stays.
fn without_tokens(text: &str) -> String {
    let start = text.find("//").map_or(0, |at| at + 2);
    let start = start + authority(&text[start..]).len();
    let (before, after) = text.split_at(start);
    let (path, query) = after.split_at(after.find(['?', '#']).unwrap_or(after.len()));
    let mut safe = before.to_owned();
    safe.push_str(&without_tokens_in_path(before, path));
    let mut rest = query;
    while let Some(sign) = rest.chars().next().filter(|_| !rest.is_empty()) {
        // The sign stays outside of the part, because it ended the one before.
        safe.push(sign);
        let part = &rest[sign.len_utf8()..];
        let (part, next) = part.split_at(parameter_end(part));
        safe.push_str(&without_value(part));
        rest = next;
    }
    safe
}

/// Returns where a parameter ends. A value may contain `/` and `?` (RFC 3986, section 3.4), and `;` unless a
/// name follows.
fn parameter_end(text: &str) -> usize {
    let ends = |(at, sign): &(usize, char)| match sign {
        '&' | '#' => true,
        ';' => {
            let after = &text[at + 1..];
            let of_name = |c: char| c.is_alphanumeric() || "_-.[]%".contains(c);
            let value = after.trim_start_matches(of_name);
            value.len() < after.len() && value.starts_with('=')
        }
        _ => false,
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}

fn without_tokens_in_path(before: &str, path: &str) -> String {
    const ENDS: [char; 4] = ['/', '&', ';', ','];
    let (path, secret) = path.split_at(secret_start(before, path));
    let mut safe = String::with_capacity(path.len());
    for piece in path.split_inclusive(ENDS) {
        let bare = piece.strip_suffix(ENDS).unwrap_or(piece);
        safe.push_str(&without_value(bare));
        safe.push_str(&piece[bare.len()..]);
    }
    if !secret.is_empty() {
        safe.push_str(REDACTED);
    }
    safe
}

/// Returns where the secret part of a webhook's path begins, or the length of the path. The whole path is
/// searched, because no piece of it alone is recognisable.
fn secret_start(before: &str, path: &str) -> usize {
    let host = before.rsplit(['/', '@']).next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let secret_after = |lead: &str| {
        let start = lower.find(lead)? + lead.len();
        // A number stays visible, because it is an id in an API that manages webhooks.
        let first = path[start..].split('/').next().unwrap_or_default();
        let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
        let last = start + first.len() + 1;
        match lead {
            "/webhooks/" if is_number && path.len() > last => Some(last),
            "/webhooks/" => None,
            "/hooks/" | "/api/webhooks/" if is_number => None,
            _ => (start < path.len()).then_some(start),
        }
    };
    let of_slack = || {
        let start = lower.find("/services/t")? + "/services/".len();
        let mut pieces = path[start..].split('/').skip(1);
        pieces.next().filter(|piece| piece.starts_with('B'))?;
        pieces.next().filter(|piece| !piece.is_empty()).map(|_| start)
    };
    let of_host = || (host.eq_ignore_ascii_case("hooks.slack.com") && path.len() > 1).then_some(1);
    let leads = ["/api/webhooks/", "/webhooks/", "/webhookb2/", "/hooks/catch/", "/hooks/"];
    let found = leads.into_iter().filter_map(secret_after).chain(of_slack()).chain(of_host());
    found.min().unwrap_or(path.len())
}

/// Returns `name=***` if the name or the value is a secret, and `***` for a part that is a token or contains a
/// secret's name and value (`api_key:X`, `{"access_token":"X"}`).
fn without_value(part: &str) -> String {
    let hidden_after = |at: usize| match part.len() {
        length if length == at + 1 => part.to_owned(),
        _ => format!("{}{REDACTED}", &part[..=at]),
    };
    for (at, _) in part.match_indices('=') {
        if grants_access(&part[..at]) {
            return hidden_after(at);
        }
    }
    if let Some(at) = part.find('=') {
        let value = decoded(&part[at + 1..]);
        let is_secret = contains_secret(&value) || has_secret_pair(&value);
        return if is_secret { hidden_after(at) } else { part.to_owned() };
    }
    let text = decoded(part);
    if contains_token(&text) || has_secret_pair(&text) {
        REDACTED.to_owned()
    } else {
        part.to_owned()
    }
}

/// Returns whether a secret's name has a value: after a `=`, or after a `:` as in JSON.
fn has_secret_pair(text: &str) -> bool {
    let quotes = ['"', '\'', ' ', '\\'];
    text.match_indices(['=', ':']).any(|(at, sign)| {
        let name = text[..at].trim_end_matches(quotes);
        let has_value = text.len() > at + 1 && !text[at + 1..].starts_with("//");
        // Not a secret, because a host may be called `auth`, and a port follows it.
        let is_host = sign == ":" && name.ends_with(is_host_char) && has_port(&text[at + 1..]);
        has_value && !is_host && grants_access(name)
    })
}

fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || c == '-'
}

/// Returns whether the name at the end of `text` marks a parameter that grants access.
fn grants_access(text: &str) -> bool {
    let text = decoded(text).to_lowercase();
    let whole = text.rsplit(['/', '?', '&', ';', '#', '{', ',', '"', '\'', '=', ':']);
    let whole = whole.into_iter().next().unwrap_or_default();
    let last = whole.trim_end_matches([']', '[']).rsplit(['[', '.', '!']).next();
    let last = last.unwrap_or_default().replace(['_', '-'], "");
    let code = last.strip_suffix("code").or_else(|| last.strip_suffix("codes"));
    name_is_secret(whole)
        || SECRET_PARAMETERS.contains(&&*last)
        || last.ends_with("sessionid")
        || last.starts_with("aspsessionid")
        || last.ends_with("csrftoken")
        || code.is_some_and(|before| CODE_PREFIXES.contains(&before))
}

/// Decodes percent-encoding, up to four times, because redirects encode URLs within URLs.
fn decoded(text: &str) -> String {
    const MAX_ROUNDS: usize = 4;
    let mut text = text.to_owned();
    for _ in 0..MAX_ROUNDS {
        if !text.contains('%') {
            break;
        }
        text = percent_decoded(&text);
    }
    text
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::redact_url;

    #[test]
    fn a_value_in_a_query_ends_at_an_ampersand_or_a_fragment() {
        for (text, expected) in [
            ("https://h/b?sv=1&sig=h22/SEKRET%3D&se=2", "https://h/b?sv=1&sig=***&se=2"),
            ("https://h/b?Signature=a/SEKRET=&Expires=1", "https://h/b?Signature=***&Expires=1"),
            ("https://h/?access_token=a/SEKRET", "https://h/?access_token=***"),
            ("https://h/?access_token=a?SEKRET", "https://h/?access_token=***"),
            ("https://h/?access_token=a;SEKRET", "https://h/?access_token=***"),
            ("https://h/?access_token=a;SEKRET=", "https://h/?access_token=***;SEKRET="),
            ("https://h/?access_token=a;b=1", "https://h/?access_token=***;b=1"),
            ("https://h/?access_token=a//b:SEKRET", "https://h/?access_token=***"),
            ("https://h/#access_token=a/SEKRET&x=1", "https://h/#access_token=***&x=1"),
            ("https://h/#/cb?code=a/SEKRET", "https://h/#/cb?code=***"),
            ("https://h/?next=/cb?code=a/SEKRET&x=1", "https://h/?next=/cb?code=***&x=1"),
            ("https://h/?next=%2Fcb%3Fcode%3DSEKRET", "https://h/?next=***"),
            ("https://h/?q=a/b?c;d&r=e", "https://h/?q=a/b?c;d&r=e"),
        ] {
            assert_eq!(redact_url(text), expected);
        }
    }

    #[test]
    fn a_password_may_hold_what_ends_an_authority() {
        for (text, expected) in [
            ("https://user:pa/SEKRET@h/x", "https://***@h/x"),
            ("https://user:pa?SEKRET@h", "https://***@h"),
            ("https://user:pa#SEKRET@h", "https://***@h"),
            ("https://user:p@/SEKRET@h", "https://***@h"),
            ("https://user:pa\\SEKRET@h", "https://***@h"),
            ("https://user:pa&SEKRET@h", "https://***@h"),
            ("https://user:12?SEKRET@h", "https://***@h"),
            ("user:pa/SEKRET@h", "user:***@h"),
            ("https://user:pa/SEKR…", "https://***"),
            ("http://localhost:3000/@vite/client", "http://localhost:3000/@vite/client"),
            ("http://[::1]:3000/a@b", "http://[::1]:3000/a@b"),
            ("https://h/npm/vue@3", "https://h/npm/vue@3"),
            ("mailto:ann@h", "mailto:ann@h"),
        ] {
            assert_eq!(redact_url(text), expected);
        }
    }

    #[test]
    fn parameters_that_grant_access_are_known_by_their_names() {
        for name in [
            "bearer",
            "passcode",
            "sess",
            "ASPSESSIONIDQCTRSCBD",
            "_xsrf",
            "sign",
            "tok",
            "tkn",
            "invite_code",
            "activation_code",
            "verify_code",
            "confirmation_code",
            "confirmationCode",
            "client_assertion",
            "passwort",
            "senha",
            "contraseña",
            "contrase%C3%B1a",
            "ASP.NET_SessionId",
        ] {
            let shown = redact_url(&format!("https://h/?a=1&{name}=SEKRET"));
            assert_eq!(shown, format!("https://h/?a=1&{name}=***"));
        }
        for harmless in ["country_code", "zip_code", "design", "signal", "monkey", "tokenizer"] {
            let url = format!("https://h/?{harmless}=x");
            assert_eq!(redact_url(&url), url);
        }
    }

    #[test]
    fn a_path_that_is_a_secret_is_not_shown() {
        for (text, expected) in [
            ("https://hooks.slack.com/services/T00/B00/SEKRET", "https://hooks.slack.com/***"),
            ("http://h/services/T00/B00/SEKRET", "http://h/services/***"),
            (
                "https://discord.com/api/webhooks/123/SEKRET",
                "https://discord.com/api/webhooks/123/***",
            ),
            ("https://h/api/v10/webhooks/123/SEKRET", "https://h/api/v10/webhooks/123/***"),
            ("https://h/webhooks/stripe", "https://h/webhooks/stripe"),
            ("https://h/hooks/S3CR3Tq", "https://h/hooks/***"),
            ("https://h/projects/1/hooks/5/test", "https://h/projects/1/hooks/5/test"),
            (
                "https://api.telegram.org/bot123456789:AAHsekret/getMe",
                "https://api.telegram.org/***/getMe",
            ),
            ("https://h/api_key:SEKRET/x", "https://h/***/x"),
            ("https://h/access_token=SEKRET/x", "https://h/access_token=***/x"),
            ("https://h/a;jsessionid=SEKRET", "https://h/a;jsessionid=***"),
            ("https://h/{\"access_token\":\"SEKRET\"}", "https://h/***"),
            ("https://h/#{\"access_token\":\"SEKRET\"}", "https://h/#***"),
            ("https://h/%7B%22access_token%22%3A%22SEKRET%22%7D", "https://h/***"),
            ("https://h/services/list/all/x", "https://h/services/list/all/x"),
            ("https://h/a:b/c", "https://h/a:b/c"),
            ("https://h/wiki/Token%20ring", "https://h/wiki/Token%20ring"),
        ] {
            assert_eq!(redact_url(text), expected);
        }
    }
}
