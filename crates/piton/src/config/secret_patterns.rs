//! Recognises secrets: by the name of a variable or a parameter, and by the form of a value
//! whatever its name.
//!
//! Errs on the side of hiding: a value hidden without need can be looked up, a secret that was
//! shown cannot be taken back.

use std::borrow::Cow;

use super::look_alikes::folded;
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

/// Words of other languages for a password, a key or a token, as parts of a name.
const FOREIGN_PARTS: [&str; 34] = [
    "adgangskode",
    "contrasena",
    "contrasenya",
    "kennwort",
    "losenord",
    "losung",
    "mot-de-passe",
    "mot_de_passe",
    "motdepasse",
    "passcode",
    "passord",
    "passwort",
    "salasana",
    "schlussel",
    "wachtwoord",
    "zugangsdaten",
    "ключ",
    "пароль",
    "пароля",
    "секрет",
    "токен",
    "кодовое слово",
    "κωδικός",
    "パスワード",
    "暗証番号",
    "令牌",
    "口令",
    "密码",
    "密碼",
    "密钥",
    "密鑰",
    "秘密",
    "비밀번호",
    "암호",
];

/// Those that other words hold: `desenhar` is no `senha`.
const FOREIGN_WORDS: [&str; 10] =
    ["clave", "geheim", "haslo", "heslo", "jelszo", "mdp", "parola", "senha", "sifra", "sifre"];

/// Words that end as a secret's name does and promise none.
const HARMLESS_WORDS: [&str; 30] = [
    "allpass",
    "bandpass",
    "bypass",
    "compass",
    "cookiecutter",
    "cookieless",
    "credentialed",
    "donkey",
    "encompass",
    "flunkey",
    "highpass",
    "hockey",
    "hotkey",
    "jockey",
    "lackey",
    "latchkey",
    "lowpass",
    "mickey",
    "monkey",
    "overpass",
    "passwordless",
    "secretariat",
    "secretary",
    "smokey",
    "surpass",
    "trespass",
    "turkey",
    "turnkey",
    "underpass",
    "whiskey",
];

/// What stands in keys and in addresses that are secrets; the last three are `-----BEGIN` in Base64, by how
/// many bytes stand before it.
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

/// Those of the beginnings that other names have too (`npm_config_cache`, `sk-learn`): a token goes on with
/// digits or capitals.
const AMBIGUOUS: [&str; 10] =
    ["PMAK-", "SG.", "figd_", "gsk_", "hf_", "npm_", "nvapi-", "pypi-", "sk-", "tskey-"];

/// The beginnings of AWS access key ids, of which 16 capitals and digits follow.
const ACCESS_KEY_IDS: [&str; 4] = ["ABIA", "ACCA", "AKIA", "ASIA"];

/// Programs that take a password by a flag, as the next word or as the rest of the same word.
struct Program {
    names: &'static [&'static str],
    flags: &'static [&'static str],
    /// Set if the flag takes a user too, as `user:password` or `user%password`.
    with_user: bool,
    /// The command of the program whose flag it is: `docker run -p` takes a port.
    command: Option<&'static str>,
}

const PROGRAMS: [Program; 9] = [
    program(&["mysql", "mysqladmin", "mysqldump", "mysqlimport", "mysqlsh", "mariadb"], &["-p"]),
    program(&["mysqlcheck", "mysqlshow", "mariadb-dump", "mariadb-admin", "sshpass"], &["-p"]),
    program(
        &["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "7z", "7za", "rar"],
        &["-p"],
    ),
    program(&["redis-cli", "valkey-cli", "keydb-cli"], &["-a"]),
    program(
        &["ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami", "ldapdelete", "ldappasswd"],
        &["-w"],
    ),
    program(
        &["sqlcmd", "bcp", "mosquitto_pub", "mosquitto_sub", "zip", "unzip", "ipmitool"],
        &["-P"],
    ),
    Program {
        command: Some("login"),
        ..program(&["docker", "podman", "oc", "az", "helm", "nerdctl"], &["-p"])
    },
    Program {
        with_user: true,
        ..program(
            &["curl", "http", "https", "wget"],
            &["-u", "--user", "-U", "--proxy-user", "-a", "--auth"],
        )
    },
    Program { with_user: true, ..program(&["smbclient", "rpcclient", "net"], &["-U"]) },
];

const fn program(names: &'static [&'static str], flags: &'static [&'static str]) -> Program {
    Program { names, flags, with_user: false, command: None }
}

/// The beginnings of options that start with `-p` and may go on with a number: `-profile2`, `-print0`. Without
/// the `p`.
const OPTIONS: [&str; 71] = [
    "acceptance",
    "ackage",
    "age",
    "aint",
    "air",
    "alette",
    "anel",
    "arallel",
    "aram",
    "arent",
    "arse",
    "art",
    "ass1",
    "ass2",
    "atch",
    "ath",
    "attern",
    "ause",
    "ayload",
    "bkdf",
    "dest",
    "edantic",
    "eer",
    "erf",
    "eriod",
    "erm",
    "g",
    "hase",
    "hp",
    "id",
    "ic",
    "ie",
    "ing",
    "ipe",
    "ixel",
    "kcs",
    "latform",
    "lay",
    "lot",
    "lugin",
    "oint",
    "olicy",
    "oll",
    "ool",
    "ort",
    "osix",
    "ost",
    "ower",
    "re",
    "rimary",
    "rint",
    "rior",
    "rivate",
    "roc",
    "rod",
    "rof",
    "rog",
    "roj",
    "rompt",
    "rop",
    "rot",
    "rov",
    "roxy",
    "seudo",
    "thread",
    "ub",
    "ull",
    "ush",
    "y2",
    "y3",
    "ython",
];

/// Returns whether the name of a variable, of a parameter, or of a part of a value promises a secret.
/// Letters that only look like others count as those: `ｐａｓｓｗｏｒｄ` in full width is `password`, and so is
/// `passw0rd`.
#[must_use]
pub fn names_secret(name: &str) -> bool {
    let own = (!name.is_ascii()).then(|| name.to_lowercase());
    if own.is_some_and(|own| FOREIGN_PARTS.iter().any(|part| own.contains(part))) {
        return true;
    }
    let folded = folded(name);
    let name = &*without_harmless_words(&folded);
    let promises = |word: &str| {
        WORDS.contains(&word)
            || FOREIGN_WORDS.contains(&word)
            || ENDINGS.iter().any(|ending| word.ends_with(ending))
    };
    let lower = name.to_lowercase();
    redact::names_secret(&lower)
        || (lower.contains(|c: char| c.is_ascii_digit())
            && redact::names_secret(&with_digits_as_letters(&lower)))
        || FOREIGN_PARTS.iter().any(|part| lower.contains(part))
        || lower.contains("ed25519")
        || words(name).any(|word| {
            let word = word.to_lowercase();
            promises(&word) || word.strip_suffix('s').is_some_and(promises)
        })
}

/// `passw0rd`, `s3cret`, `t0ken`.
fn with_digits_as_letters(name: &str) -> String {
    let letter = |c| match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        c => c,
    };
    name.chars().map(letter).collect()
}

/// Returns the name with a space in the place of each word that only ends, or begins, as a secret's name does.
fn without_harmless_words(name: &str) -> Cow<'_, str> {
    let is_harmless = |word: &str| {
        let word = word.to_lowercase();
        let one = word.strip_suffix("es").filter(|it| HARMLESS_WORDS.contains(it));
        let one = one.or_else(|| word.strip_suffix('s')).unwrap_or(&word);
        word.starts_with("tokeni")
            || HARMLESS_WORDS.contains(&one)
            || HARMLESS_WORDS.contains(&word.as_str())
    };
    if !words(name).any(is_harmless) {
        return Cow::Borrowed(name);
    }
    let (mut safe, mut done) = (String::with_capacity(name.len()), 0);
    for word in words(name) {
        // A slice of `name`, so that what stands between the words is known.
        let start = done + name[done..].find(word).unwrap_or_default();
        safe.push_str(&name[done..start]);
        safe.push_str(if is_harmless(word) { " " } else { word });
        done = start + word.len();
    }
    safe.push_str(&name[done..]);
    Cow::Owned(safe)
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
    let decoded = percent_decoded(text);
    // Both as it is written, for words of other alphabets, and as it reads.
    let written = [Some(text), decoded.as_deref()].into_iter().flatten();
    let as_read = written.clone().filter(|text| !text.is_ascii()).map(folded);
    written.map(Cow::Borrowed).chain(as_read).any(|text| {
        let text = &*text;
        PARTS.iter().any(|part| text.contains(part))
            || has_token(text)
            || has_pair(text)
            || with_signs_as_letters(text).is_some_and(|text| has_pair(&text))
            || has_command(text)
    })
}

/// The text that `%70assword%3DX` stands for, once more if that is encoded again; `None` where nothing is.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let decoded = decoded_once(&decoded_once(text));
    (decoded != text).then_some(decoded)
}

/// Returns the text with each `%41` replaced by its byte. A `%` without two digits stays.
pub(super) fn decoded_once(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `p@ssword`, `pa$$word`; `None` where nothing is written so.
fn with_signs_as_letters(text: &str) -> Option<String> {
    let is_written_so = text.contains("@ss") || text.contains("@SS") || text.contains("$$");
    is_written_so.then(|| text.replace("@ss", "ass").replace("@SS", "ASS").replace("$$", "ss"))
}

/// `dbPass2` is `db` and `Pass`.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|letter: char| !letter.is_alphabetic()).flat_map(|run| {
        let mut rest = run;
        std::iter::from_fn(move || {
            let mut before = ' ';
            let boundary = rest.char_indices().find(|(_, letter)| {
                let is_boundary = before.is_lowercase() && letter.is_uppercase();
                before = *letter;
                is_boundary
            });
            let (word, next) = rest.split_at(boundary.map_or(rest.len(), |(at, _)| at));
            rest = next;
            (!word.is_empty()).then_some(word)
        })
    })
}

pub(super) fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')
}

fn has_token(text: &str) -> bool {
    text.split(|letter| !is_of_name(letter)).any(is_token)
        || text.match_indices(':').any(|(at, _)| bot_token(text, at).is_some())
}

/// Returns whether a word is a token by its look, or ends with one: `key_AKIA..`.
pub(super) fn is_token(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let starts = word.match_indices(['_', '-', '.']).map(|(at, _)| at + 1);
    std::iter::once(0).chain(starts).any(|start| begins_with_token(&word[start..]))
}

fn begins_with_token(text: &str) -> bool {
    const MIN_BYTES: usize = 8;
    let of_issuer = |start: &str| {
        let Some(rest) = text.strip_prefix(start) else { return false };
        let rest = match start {
            "npm_" | "hf_" => alphanumeric_start(rest),
            _ => rest,
        };
        let looks_random = || rest.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase());
        rest.len() >= MIN_BYTES && (!AMBIGUOUS.contains(&start) || looks_random())
    };
    let of_slack = || {
        let rest = text.strip_prefix("xox").map(|rest| rest.trim_start_matches(char::is_lowercase));
        rest.is_some_and(|rest| rest.starts_with(['-', '.']) && rest.len() > MIN_BYTES)
    };
    TOKENS.iter().any(|start| of_issuer(start))
        || of_slack()
        || is_access_key_id(alphanumeric_start(text))
}

fn alphanumeric_start(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric());
    &text[..end.unwrap_or(text.len())]
}

/// Returns the range of Telegram's `123456789:AAH..`, or of `bot123:AAH..` as its paths have it, with the `:` at
/// `colon`.
pub(super) fn bot_token(text: &str, colon: usize) -> Option<(usize, usize)> {
    const MIN_BYTES: usize = 30;
    let (before, behind) = (&text[..colon], &text[colon + 1..]);
    let lead = before.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = before.len() - lead.len();
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let secret = behind.find(|c| !of_token(c)).unwrap_or(behind.len());
    let has_letter = behind[..secret].contains(|c: char| c.is_ascii_alphabetic());
    let of_path = lead.ends_with("bot") && digits >= 3;
    let alone = !lead.ends_with(is_of_name) && (6..=12).contains(&digits) && secret >= MIN_BYTES;
    let start = if of_path { lead.len() - "bot".len() } else { lead.len() };
    (has_letter && (of_path || alone)).then_some((start, colon + 1 + secret))
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

/// `mysql -phunter2`, `redis-cli -a hunter2`, `curl -u me:hunter2`, and `-phunter2` of any program: `-p hunter2` is
/// the package, the port or the path of most.
fn has_command(text: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "\"'`,[](){}|&;=".contains(c);
    let mut words = text.split(ends).filter(|word| !word.is_empty()).peekable();
    let (mut program, mut has_begun): (Option<&Program>, bool) = (None, false);
    while let Some(word) = words.next() {
        let name = word.rsplit('/').next().unwrap_or(word);
        if let Some(known) = PROGRAMS.iter().find(|known| known.names.contains(&name)) {
            (program, has_begun) = (Some(known), known.command.is_none());
            continue;
        }
        has_begun |= program.is_some_and(|program| program.command == Some(word));
        let next = words.peek().copied().filter(|next| !next.starts_with('-'));
        let value_of = |flag: &str| match word.strip_prefix(flag) {
            Some("") => next,
            // A long flag that goes on is another flag, so its rest is not a value.
            Some(rest) if !flag.starts_with("--") => Some(rest),
            _ => None,
        };
        let of_program = program.filter(|_| has_begun).is_some_and(|program| {
            let is_secret = |value: &str| match program.with_user {
                true => value.contains([':', '%']),
                false => !is_port(value),
            };
            program.flags.iter().any(|flag| value_of(flag).is_some_and(is_secret))
        });
        if of_program || word.strip_prefix("-p").is_some_and(is_attached_password) {
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

/// Returns whether what stands behind `-p` in the same word is a password: letters and digits, nothing of a path,
/// an address or a name with hyphens, and not the rest of a longer option.
fn is_attached_password(value: &str) -> bool {
    const MIN_BYTES: usize = 6;
    value.len() >= MIN_BYTES
        && value.contains(|c: char| c.is_ascii_digit())
        && value.contains(char::is_alphabetic)
        && !value.contains(['/', ':', '.', '-', '_'])
        && !OPTIONS.iter().any(|option| value.starts_with(option))
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
            "pássword",
            "ᴘᴀssᴡᴏʀᴅ",
            "PÄSSWÖRD",
            "passw0rd",
            "s3cret",
            "Passwort",
            "senha",
            "contraseña",
            "пароль",
            "密码",
            "monkeyToken",
            "tokenizer_key",
            "compass_password",
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
            "monkey",
            "MONKEYS",
            "compass",
            "compasses",
            "bypass",
            "tokenizer",
            "TOKENIZERS_PARALLELISM",
            "myTokenizer",
            "secretary",
            "desenhar",
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
            assert!(!has_look(text), "{text}");
        }
    }
}
