//! Finds out whether a text contains a secret, by patterns: keys, tokens, passwords on command lines,
//! and names of secrets that are followed by a value.

use std::borrow::Cow;

use super::command_lines::has_password_argument;
use super::homoglyphs::to_ascii_letters;
use super::redact_text::redact_text;
use super::secret_names::{is_name_char, name_is_secret, percent_decoded_twice};
use super::token_formats::has_token;

/// Parts of private keys and of webhooks' addresses. The last three are `-----BEGIN` in Base64, which
/// has three forms, depending on the number of bytes before it.
const SECRET_PARTS: [&str; 9] = [
    "PRIVATE KEY",
    "PuTTY-User-Key-File-",
    "AGE-SECRET-KEY-",
    "\"kty\"",
    "hooks.slack.com/",
    "/api/webhooks/",
    "LS0tLS1CRUdJTi",
    "0tLS0tQkVHSU4g",
    "LS0tLUJFR0lO",
];

/// Returns whether `text` contains a secret: a key, a token, a password in an address or a command,
/// or a secret's name with a value.
///
/// ```
/// use piton::secrets::contains_secret;
///
/// assert!(contains_secret("host=db password=x") && contains_secret("mysql -phunter2"));
/// assert!(!contains_secret("https://example.org/?page=2"));
/// ```
#[must_use]
pub fn contains_secret(text: &str) -> bool {
    matches_pattern(text) || is_redacted(text)
}

/// Returns whether `text` contains a key or a token that is known by its form, without regard to
/// names: `ghp_..`, `AKIA..`, a JSON Web Token, `Bearer ..`, a password in an address.
#[must_use]
pub fn contains_token(text: &str) -> bool {
    let readable = to_ascii_letters(text);
    SECRET_PARTS.iter().any(|part| readable.contains(part))
        || has_token(&readable)
        || is_redacted(text)
}

fn is_redacted(text: &str) -> bool {
    redact_text(text) != text
}

/// Returns whether `text` contains a secret by the patterns of this file alone, without those of
/// [`redact_text`].
pub(crate) fn matches_pattern(text: &str) -> bool {
    let decoded = percent_decoded_twice(text);
    // Both forms are needed: as written, because the words of other alphabets are lost when letters
    // are replaced, and with Latin letters, because `ｐａｓｓｗｏｒｄ` reads as `password`.
    let written = [Some(text), decoded.as_deref()].into_iter().flatten();
    let as_read = written.clone().filter(|text| !text.is_ascii()).map(to_ascii_letters);
    written.map(Cow::Borrowed).chain(as_read).any(|text| {
        let text = &*text;
        SECRET_PARTS.iter().any(|part| text.contains(part))
            || has_token(text)
            || has_named_value(text)
            || with_signs_as_letters(text).is_some_and(|text| has_named_value(&text))
            || has_password_argument(text)
    })
}

/// Replaces the signs in `p@ssword` and `pa$$word` by letters. `None` if there are none.
fn with_signs_as_letters(text: &str) -> Option<String> {
    let is_written_so = text.contains("@ss") || text.contains("@SS") || text.contains("$$");
    is_written_so.then(|| text.replace("@ss", "ass").replace("@SS", "ASS").replace("$$", "ss"))
}

/// Returns whether the text contains a secret's name and a value: `password = X`, `{"password":"X"}`,
/// `?sig=X`, `requirepass X`, `<secret>X`.
fn has_named_value(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = rest.find(is_name_char) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|letter| !is_name_char(letter)).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let sign = after.trim_start_matches(['"', '\'', '`', '\\', ']', ')', '}']);
        let is_pair =
            sign.starts_with(|sign: char| matches!(sign, '=' | ':' | '>') || sign.is_whitespace());
        if is_pair && !is_host(before, after) && name_is_secret(name) {
            return true;
        }
        rest = after;
    }
    false
}

/// Returns whether the text between these is a host with its port:
/// `https://auth.example.org:8443/`.
fn is_host(before: &str, after: &str) -> bool {
    let leads = before.ends_with("://") || before.ends_with('@');
    let port = after.strip_prefix(':').filter(|_| leads);
    let rest =
        port.map(|port| (port, port.trim_start_matches(|digit: char| digit.is_ascii_digit())));
    rest.is_some_and(|(port, rest)| {
        port != rest && !rest.starts_with(|c| is_name_char(c) || c == '@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_holds_a_secret_is_known_by_its_look() {
        for text in [
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOY",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t",
            "PuTTY-User-Key-File-3: ssh-ed25519",
            "AGE-SECRET-KEY-1QQQ",
            r#"{"kty":"RSA","d":"X"}"#,
            "host=db password = X",
            "password='HUN TER'",
            r#"{"password":"X"}"#,
            r#"{"a": "{\"password\" : \"X\"}"}"#,
            "password: X",
            "Password:\n  X",
            r#"{"auths":{"hub.example":{"auth":"bWU6cHc="}}}"#,
            "[default]\naws_secret_access_key = X",
            "Server=db;Uid=me;Pwd=X;",
            "AccountName=lab;AccountKey=X",
            "https://example.org/blob?sv=2026&sig=X",
            "https://example.org/?page=2&api_key=X",
            "user[password]=X",
            "machine db login me password X",
            "requirepass X",
            "<secret>X</secret>",
            "spring.datasource.password=X",
            "password:12345",
            "https://password:X",
            "${DB_PASS:-X}",
            "ghp_0123456789abcdef",
            "use github_pat_0123456789abcdef here",
            "xoxb-0123456789-abc",
            "sk_live_0123456789",
            "[glpat-0123456789abc]",
            "https://hooks.slack.com/services/T0/B0/X",
            "AKIAIOSFODNN7EXAMPLE",
            "keys: ASIAIOSFODNN7EXAMPLE.",
            "mysql -uroot -phunter2 lab",
            "/usr/bin/mysqldump -p hunter lab",
            "app -phunter2",
            "app --password=hunter",
            "app --password hunter",
            "sshpass -phunter ssh lab",
            "[\"mysql\", \"-phunter\"]",
            "redis-cli -a hunter",
            "curl -u me:hunter https://example.org",
            "curl --user me:hunter https://example.org",
            "sqlcmd -S db -U sa -P hunter",
            "ｐａｓｓｗｏｒｄ＝hunter",
            "pass\u{200b}word=hunter",
            "p\u{430}ssw\u{43e}rd=hunter",
            "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝: hunter",
            "ⓟⓐⓢⓢⓦⓞⓡⓓ=hunter",
            "password%3Dhunter",
            "%2570assword%253Dhunter",
            "a=1&%70assword=hunter",
            "xoxe.xoxp-1-0123456789",
            "xoxc-0123456789-abc",
            "hf_0123456789abcdef",
            "Ci0tLS0tQkVHSU4gUFJJVkFURSBLRVk",
            "ICAtLS0tLUJFR0lOIFBSSVZBVEU",
            "key_AKIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLE-x",
            "x.ghp_0123456789abcdef",
            "pássword=hunter",
            "ᴘᴀssᴡᴏʀᴅ=hunter",
            "passw0rd=hunter",
            "p@ssword=hunter",
            "Passwort: hunter",
            "senha=hunter",
            "пароль=hunter",
            "密码：hunter",
            "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
            "https://api.telegram.org/bot123456789:AAHdq/getMe",
            "docker login -u me -p hunter",
            "cargo -phunter2",
            "mysql -pprofile2",
            "npm_0123456789abcdefABCDEF",
        ] {
            assert!(matches_pattern(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_visible() {
        for text in [
            "postgres.lab.svc.cluster.local",
            "5432",
            "lab",
            "",
            "https://example.org/path?page=2",
            "https://auth.example.org:8443/realms/lab",
            "redis://auth:6379/0",
            "jdbc:postgresql://db:5432/lab?ssl=true",
            "sorting=asc",
            "author=me",
            r#"{"page": 2, "sort": "asc"}"#,
            "/run/secrets/db",
            "/usr/local/bin:/usr/bin:/bin",
            "de_DE.UTF-8",
            "2026-11-21T10:00:00Z",
            "AKIA",
            "AKIAIOSFODNN7EXAMPLE2",
            "ASIAN",
            "me@example.org",
            "ssh -p 22 me@lab",
            "docker run -p 8080:80/tcp -p 127.0.0.1:9:9 nginx",
            "virtualenv -p python3 .",
            "cargo test -p off-piste",
            "find . -print0",
            "mkdir -p /var/lib/lab",
            "nginx -p /etc/nginx -c lab.conf",
            "openssl pkcs12 -pbkdf2",
            "psql -p 5432 -U lab",
            "curl -u lab https://example.org",
            "100%",
            "50%25",
            "Grüße aus Köln",
            "пароль",
            "task-1, disk-2, npm_x",
            "Lab Mock Server",
            "cargo test -p piton2",
            "cargo build -p serde1",
            "tsc -p tsconfig1",
            "kubectl -p patch1",
            "docker compose -p project1 up",
            "-profile2",
            "-parallel4",
            "-prefix1",
            "-preset5",
            "java -parameters8",
            "rsync -partial1",
            "protoc -plugin3x",
            "gcc -pg1x2y3",
            "monkey=banana",
            "compass=north",
            "tokenizer=bert",
            "npm_config_cache",
            "npm_lifecycle_event",
            "hf_home_directory",
            "sk-learn-models",
            "2026-11-21T10:00:00.123456:abc",
        ] {
            assert!(!matches_pattern(text), "{text}");
        }
    }
}
