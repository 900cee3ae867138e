//! Recognises secrets: by the name of a variable or a parameter, and by the form of a value
//! whatever its name.
//!
//! Errs on the side of hiding: a value hidden without need can be looked up, a secret that was
//! shown cannot be taken back.

use std::borrow::Cow;

use super::{mask, redact};

/// Words that mark a secret where they stand alone: between signs, digits and changes of case.
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

/// Words that mark a secret also at the end of a longer word: `PGPASS`, `APPKEY`.
const ENDINGS: [&str; 4] = ["auth", "key", "pass", "pwd"];

/// Texts inside keys and addresses that are secrets. The last three are `-----BEGIN` in Base64, at
/// each of its three alignments.
const PARTS: [&str; 9] = [
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

/// Prefixes of tokens with a known form.
const TOKENS: [&str; 49] = [
    "AIza",
    "ATATT3",
    "GOCSPX-",
    "PMAK-",
    "SG.",
    "dckr_pat_",
    "dop_v1_",
    "doo_v1_",
    "dor_v1_",
    "figd_",
    "gho_",
    "ghp_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glcbt-",
    "gldt-",
    "glft-",
    "gloas-",
    "glpat-",
    "glptt-",
    "glrt-",
    "glsa_",
    "gsk_",
    "hf_",
    "hvb.",
    "hvs.",
    "lin_api_",
    "npm_",
    "nvapi-",
    "pypi-",
    "rk_live_",
    "rk_test_",
    "rubygems_",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "sntrys_",
    "sq0atp-",
    "sq0csp-",
    "tskey-",
    "whsec_",
    "xapp-",
    "ya29.",
];

/// Prefixes of AWS access key ids, followed by 16 capitals and digits.
const ACCESS_KEY_IDS: [&str; 4] = ["ABIA", "ACCA", "AKIA", "ASIA"];

/// Programs that take a password by a flag, as the next word or as the rest of the same word.
struct Program {
    names: &'static [&'static str],
    flags: &'static [&'static str],
    /// Set if the flag takes a user too, as `user:password` or `user%password`.
    with_user: bool,
}

const PROGRAMS: [Program; 8] = [
    program(&["mysql", "mysqladmin", "mysqldump", "mysqlimport", "mysqlsh", "mariadb"], &["-p"]),
    program(&["mariadb-dump", "mariadb-admin", "sshpass", "docker", "podman", "oc"], &["-p"]),
    program(&["mongo", "mongosh", "mongodump", "mongorestore", "az", "7z", "7za", "rar"], &["-p"]),
    program(&["redis-cli", "valkey-cli", "keydb-cli"], &["-a"]),
    program(&["ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"], &["-w"]),
    program(
        &["sqlcmd", "bcp", "mosquitto_pub", "mosquitto_sub", "zip", "unzip", "ipmitool"],
        &["-P"],
    ),
    Program {
        names: &["curl", "http", "https", "wget"],
        flags: &["-u", "--user", "-U", "--proxy-user", "-a", "--auth"],
        with_user: true,
    },
    Program { names: &["smbclient", "rpcclient", "net"], flags: &["-U"], with_user: true },
];

const fn program(names: &'static [&'static str], flags: &'static [&'static str]) -> Program {
    Program { names, flags, with_user: false }
}

/// Texts after `-p` with letters and digits that are not passwords.
const HARMLESS: [&str; 7] = ["rint0", "kcs12", "bkdf2", "kcs7", "kcs8", "python2", "python3"];

/// Returns whether the name of a variable, of a parameter, or of a part of a value marks a secret.
/// Lookalike letters count as the letters that they resemble: `ｐａｓｓｗｏｒｄ` in full width is
/// `password`.
#[must_use]
pub fn names_secret(name: &str) -> bool {
    let name = &*folded(name);
    let promises =
        |word: &str| WORDS.contains(&word) || ENDINGS.iter().any(|ending| word.ends_with(ending));
    let lower = name.to_lowercase();
    redact::names_secret(&lower)
        || lower.contains("ed25519")
        || words(name)
            .iter()
            .any(|word| promises(word) || word.strip_suffix('s').is_some_and(promises))
}

/// Returns whether `text` contains a secret: a key, a token, a password in an address or a command,
/// or a secret's name with a value.
#[must_use]
pub fn holds_secret(text: &str) -> bool {
    has_look(text) || is_masked(text)
}

/// Returns whether `text` contains a key or a token that is known by its form, whatever its name:
/// `ghp_..`, `AKIA..`, a JSON Web Token, `Bearer ..`, a password in an address.
#[must_use]
pub fn holds_token(text: &str) -> bool {
    let folded = folded(text);
    PARTS.iter().any(|part| folded.contains(part)) || has_token(&folded) || is_masked(text)
}

fn is_masked(text: &str) -> bool {
    mask::text(text) != text
}

/// Does the same as [`holds_secret`], without the masking of sentences and addresses.
pub(crate) fn has_look(text: &str) -> bool {
    let text = &*folded(text);
    let decoded = percent_decoded(text);
    [Some(text), decoded.as_deref()].into_iter().flatten().any(|text| {
        PARTS.iter().any(|part| text.contains(part))
            || has_token(text)
            || has_pair(text)
            || has_command(text)
    })
}

/// Returns `text` as a reader sees it: without invisible characters, and with lookalike letters of
/// other blocks and alphabets as Latin ones. Not for display.
fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(as_seen).collect())
}

fn as_seen(c: char) -> Option<char> {
    const LATIN: [char; 52] = {
        let (mut letters, mut at) = (['A'; 52], 0_u8);
        while at < 26 {
            letters[at as usize] = (b'A' + at) as char;
            letters[at as usize + 26] = (b'a' + at) as char;
            at += 1;
        }
        letters
    };
    let offset = |first: u32, letters: &[char]| {
        letters.get((u32::from(c) - first) as usize % letters.len()).copied()
    };
    match c {
        _ if c.is_ascii() => Some(c),
        // Soft hyphen, combining marks, joiners, marks of direction, variation selectors, tags.
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' => None,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => None,
        '\u{e0000}'..='\u{e0fff}' => None,
        // Full-width forms, then circled and mathematical letters.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xff01 + 0x21),
        '\u{24b6}'..='\u{24e9}' => offset(0x24b6, &LATIN),
        '\u{1d400}'..='\u{1d6a3}' => offset(0x1d400, &LATIN),
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        'а' | 'α' => Some('a'),
        'е' | 'ε' => Some('e'),
        'о' | 'ο' => Some('o'),
        'р' | 'ρ' => Some('p'),
        'с' | 'ϲ' => Some('c'),
        'у' | 'γ' => Some('y'),
        'х' | 'χ' => Some('x'),
        'і' | 'ι' | 'ı' => Some('i'),
        'ѕ' | 'ſ' => Some('s'),
        'ј' => Some('j'),
        'һ' => Some('h'),
        'ԁ' => Some('d'),
        'ԝ' | 'ω' => Some('w'),
        'к' | 'κ' => Some('k'),
        'т' | 'τ' => Some('t'),
        'ν' => Some('v'),
        'п' | 'η' => Some('n'),
        'υ' => Some('u'),
        'А' | 'Α' => Some('A'),
        'В' | 'Β' => Some('B'),
        'Е' | 'Ε' => Some('E'),
        'Н' | 'Η' => Some('H'),
        'І' | 'Ι' => Some('I'),
        'К' | 'Κ' => Some('K'),
        'М' | 'Μ' => Some('M'),
        'Ν' => Some('N'),
        'О' | 'Ο' => Some('O'),
        'Р' | 'Ρ' => Some('P'),
        'С' => Some('C'),
        'Ѕ' => Some('S'),
        'Т' | 'Τ' => Some('T'),
        'У' | 'Υ' => Some('Y'),
        'Х' | 'Χ' => Some('X'),
        c => Some(c),
    }
}

/// Decodes `%70assword%3DX`, and once more if the result is encoded again. `None` where nothing is
/// encoded.
fn percent_decoded(text: &str) -> Option<String> {
    let once = |text: &str| {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, behind)) = rest.split_first() {
            let digits = behind.get(..2).filter(|_| *first == b'%');
            let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { &behind[2..] } else { behind };
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    if !text.contains('%') {
        return None;
    }
    let decoded = once(&once(text));
    (decoded != text).then(|| folded(&decoded).into_owned())
}

/// Splits a name into words: `dbPass2` into `db` and `pass`.
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

pub(super) fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')
}

fn has_token(text: &str) -> bool {
    text.split(|letter| !is_of_name(letter)).any(is_token)
}

/// Returns whether a word is a token by its form.
pub(super) fn is_token(word: &str) -> bool {
    const MIN_BYTES: usize = 8;
    let rest = TOKENS.iter().find_map(|start| word.strip_prefix(start));
    let of_slack = || {
        let rest = word.strip_prefix("xox").map(|rest| rest.trim_start_matches(char::is_lowercase));
        rest.is_some_and(|rest| rest.starts_with(['-', '.']) && rest.len() > MIN_BYTES)
    };
    let word = word.trim_end_matches('.');
    rest.is_some_and(|rest| rest.len() >= MIN_BYTES) || of_slack() || is_access_key_id(word)
}

/// Returns whether a parameter of this name, which may be percent-encoded, is a secret.
pub(super) fn parameter_is_secret(name: &str) -> bool {
    names_secret(name) || percent_decoded(name).is_some_and(|name| names_secret(&name))
}

fn is_access_key_id(word: &str) -> bool {
    let rest = ACCESS_KEY_IDS.iter().find_map(|start| word.strip_prefix(start));
    rest.is_some_and(|rest| {
        rest.len() == 16 && rest.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
    })
}

/// Returns whether the text holds a command with a password: `mysql -phunter2`,
/// `redis-cli -a hunter2`, `curl -u me:hunter2`, and `-phunter2` of any program.
fn has_command(text: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "\"'`,[](){}|&;=".contains(c);
    let mut words = text.split(ends).filter(|word| !word.is_empty()).peekable();
    let mut program: Option<&Program> = None;
    while let Some(word) = words.next() {
        let name = word.rsplit('/').next().unwrap_or(word);
        if let Some(known) = PROGRAMS.iter().find(|known| known.names.contains(&name)) {
            program = Some(known);
            continue;
        }
        let next = words.peek().copied().filter(|next| !next.starts_with('-'));
        let value_of = |flag: &str| match word.strip_prefix(flag) {
            Some("") => next,
            // A long flag that goes on is another flag, so its rest is not a value.
            Some(rest) if !flag.starts_with("--") => Some(rest),
            _ => None,
        };
        let of_program = program.is_some_and(|program| {
            let is_secret = |value: &str| match program.with_user {
                true => value.contains([':', '%']),
                false => !is_port(value),
            };
            program.flags.iter().any(|flag| value_of(flag).is_some_and(is_secret))
        });
        if of_program || value_of("-p").is_some_and(is_mixed) {
            return true;
        }
    }
    false
}

/// Returns whether a value is a port: `5432`, `8080:80/tcp`, `127.0.0.1:8080:80`.
fn is_port(value: &str) -> bool {
    let number = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    number.len() < value.len() && (number.is_empty() || number.starts_with(':'))
}

/// Returns whether `value` has letters and digits and nothing of a path, an address or a name with hyphens.
fn is_mixed(value: &str) -> bool {
    const MIN_BYTES: usize = 6;
    value.len() >= MIN_BYTES
        && !HARMLESS.contains(&value)
        && value.contains(|c: char| c.is_ascii_digit())
        && value.contains(char::is_alphabetic)
        && !value.contains(['/', ':', '.', '-', '_'])
}

/// Returns whether the text holds a secret's name and a value: `password = X`, `{"password":"X"}`,
/// `?sig=X`, `requirepass X`, `<secret>X`.
fn has_pair(text: &str) -> bool {
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

/// Returns whether the text between these is a host with its port:
/// `https://auth.example.org:8443/`.
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
            "ＤＢ＿ＰＡＳＳ",
            "PASS\u{200d}WORD",
            "T\u{41e}KEN",
            "ѕесrеt",
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
            "AKIAIOSFODNN7EXAMPLE",
            "keys: ASIAIOSFODNN7EXAMPLE.",
            "mysql -uroot -phunter2 lab",
            "/usr/bin/mysqldump -p hunter lab",
            "app -phunter2",
            "app -p hunter2",
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
        ] {
            assert!(has_look(text), "{text}");
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
        ] {
            assert!(!has_look(text), "{text}");
        }
    }
}
