//! What looks like a secret: by the name of a variable, and by a value whatever it is called.
//!
//! Rather one too many than one too few: who wants to see it sets the mask.

use crate::config::redact;

/// Words that promise a secret where they stand alone: between signs, digits and changes of case.
const WORDS: [&str; 22] = [
    "cert",
    "cred",
    "dsa",
    "dsn",
    "ecdsa",
    "hmac",
    "jwt",
    "otp",
    "pat",
    "pem",
    "pfx",
    "pin",
    "psk",
    "pswd",
    "pw",
    "rsa",
    "salt",
    "sas",
    "seed",
    "sig",
    "signature",
    "totp",
];

/// Words that promise one also where another is glued before them: `PGPASS`, `APPKEY`.
const ENDINGS: [&str; 4] = ["auth", "key", "pass", "pwd"];

/// What stands in keys and in addresses that are secrets, the last one where `-----BEGIN` is in Base64.
const PARTS: [&str; 7] = [
    "PRIVATE KEY",
    "PuTTY-User-Key-File-",
    "AGE-SECRET-KEY-",
    "\"kty\"",
    "hooks.slack.com/",
    "/api/webhooks/",
    "LS0tLS1CRUdJTi",
];

/// How tokens of those who give their tokens a look begin.
const TOKENS: [&str; 28] = [
    "AIza",
    "SG.",
    "dop_v1_",
    "gho_",
    "ghp_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "gldt-",
    "glpat-",
    "glrt-",
    "hvs.",
    "npm_",
    "pypi-",
    "rk_live_",
    "rk_test_",
    "shpat_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "whsec_",
    "xapp-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxs-",
    "ya29.",
];

/// Whether the name of a variable, or of a part of a value, promises a secret.
pub(super) fn names_secret(name: &str) -> bool {
    let promises =
        |word: &str| WORDS.contains(&word) || ENDINGS.iter().any(|ending| word.ends_with(ending));
    let lower = name.to_lowercase();
    redact::names_secret(&lower)
        || lower.contains("ed25519")
        || words(name)
            .iter()
            .any(|word| promises(word) || word.strip_suffix('s').is_some_and(promises))
}

/// Whether the value is a key or a token, or holds one, or says of a part of it that it is a secret.
pub(super) fn holds_secret(text: &str) -> bool {
    PARTS.iter().any(|part| text.contains(part)) || holds_token(text) || holds_pair(text)
}

/// `dbPass2` is `db` and `pass`.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut before) = (vec![String::new()], ' ');
    for letter in name.chars() {
        if !letter.is_alphabetic() || (before.is_lowercase() && letter.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphabetic()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')
}

fn holds_token(text: &str) -> bool {
    const LEAST_BYTES: usize = 8;
    text.split(|letter| !is_of_name(letter)).any(|word| {
        let rest = TOKENS.iter().find_map(|start| word.strip_prefix(start));
        rest.is_some_and(|rest| rest.len() >= LEAST_BYTES)
    })
}

/// `password = X`, `{"password":"X"}`, `?sig=X`, `requirepass X`, `<secret>X`.
fn holds_pair(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = rest.find(is_of_name) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|letter| !is_of_name(letter)).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let sign = after.trim_start_matches(['"', '\'', '`', '\\', ']', ')', '}']);
        let is_pair =
            sign.starts_with(|sign: char| matches!(sign, '=' | ':' | '>') || sign.is_whitespace());
        if is_pair && !is_host(before, after) && names_secret(name) {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether what stands between these is a host with its port: `https://auth.example.org:8443/`.
fn is_host(before: &str, after: &str) -> bool {
    let leads = before.ends_with("://") || before.ends_with('@');
    let port = after.strip_prefix(':').filter(|_| leads);
    let behind =
        port.map(|port| (port, port.trim_start_matches(|digit: char| digit.is_ascii_digit())));
    behind.is_some_and(|(port, behind)| {
        port != behind && !behind.starts_with(|c| is_of_name(c) || c == '@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_promises_a_secret_by_a_word_in_it_or_by_its_end() {
        for name in [
            "DBPASS",
            "SMTPPASS",
            "PGPASS",
            "dbPass",
            "DB_PASS1",
            "KEY2",
            "APPKEY",
            "SSHKEY",
            "ACCESSKEY",
            "MASTERKEY",
            "MASTERKEYS",
            "PRIVATEKEY",
            "REDISAUTH",
            "CREDS",
            "DB PASS",
            "id_rsa",
            "id_ed25519",
            "AccountKey",
            "accessKeyId",
            "SIG",
            "Pwd",
            "MYPWD",
            "auths",
            "API_KEYS",
            "PGPASSWORD",
            "TLS_CERTS",
            "AZURE_SAS",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in [
            "KEYBOARD",
            "AUTHOR",
            "POSTGRES_USER",
            "POSTGRES_HOST",
            "POSTGRES_DB",
            "REDIS_PORT",
            "PATH",
            "HOME",
            "LANG",
            "PINNED",
            "SORTING",
            "PASSENGERS",
            "REGION",
            "",
        ] {
            assert!(!names_secret(name), "{name}");
        }
    }

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
        ] {
            assert!(holds_secret(text), "{text}");
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
            "AKIAIOSFODNN7EXAMPLE",
            "me@example.org",
            "task-1, disk-2, npm_x",
            "Lab Mock Server",
        ] {
            assert!(!holds_secret(text), "{text}");
        }
    }
}
