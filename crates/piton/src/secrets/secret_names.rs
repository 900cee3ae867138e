//! Names that mark a secret: of variables, parameters, settings, headers and log fields.
//!
//! Errs on the side of hiding: a value that is hidden without need can be looked up elsewhere, a
//! secret that was shown cannot be taken back.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::homoglyphs::to_ascii_letters;

/// Words that mark a secret anywhere in a name.
const SECRET_WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "api_key",
    "api-key",
    "apikey",
    "private_key",
    "secret_key",
    "access_key",
    "cookie",
    "credential",
];

/// Returns whether the name of a log field or of a header marks a secret: it contains one of
/// [`SECRET_WORDS`], in any case.
pub(crate) fn field_is_secret(field: &str) -> bool {
    let field = field.as_bytes();
    field.iter().enumerate().any(|(at, letter)| {
        // The first letters of the words come first, because this runs for each field of each log
        // line: most letters cost one comparison instead of fourteen.
        matches!(letter | 0x20, b'p' | b's' | b't' | b'a' | b'c')
            && SECRET_WORDS.iter().any(|word| {
                let part = field.get(at..at + word.len());
                part.is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
            })
    })
}

/// Returns whether the key of a setting marks a secret: it ends with one of [`SECRET_WORDS`], so
/// that `jwt.token` does and `jwt.token_ttl` does not.
pub(crate) fn key_is_secret(key: &str) -> bool {
    let key = key.strip_suffix('s').unwrap_or(key).as_bytes();
    SECRET_WORDS.iter().any(|word| {
        key.len() >= word.len()
            && key[key.len() - word.len()..].eq_ignore_ascii_case(word.as_bytes())
    })
}

/// Words that mark a secret as whole words: between signs, digits and changes of case.
const WHOLE_WORDS: [&str; 22] = [
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
const WORD_ENDINGS: [&str; 4] = ["auth", "key", "pass", "pwd"];

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

/// Words of other languages that count only as whole words, because longer words contain them:
/// `desenhar` is not `senha`.
const FOREIGN_WORDS: [&str; 10] =
    ["clave", "geheim", "haslo", "heslo", "jelszo", "mdp", "parola", "senha", "sifra", "sifre"];

/// Words that end, or begin, like the name of a secret and mark none.
const NEVER_SECRET_WORDS: [&str; 30] = [
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

/// Returns whether a name marks a secret: the name of a variable, of a parameter, or of a field in
/// a value. Letters count as those they look like: `ｐａｓｓｗｏｒｄ` in full width is `password`, and so
/// is `passw0rd`.
///
/// ```
/// use piton::secrets::name_is_secret;
///
/// assert!(name_is_secret("DB_PASS") && name_is_secret("apiKey"));
/// assert!(!name_is_secret("KEYBOARD") && !name_is_secret("POSTGRES_HOST"));
/// ```
#[must_use]
pub fn name_is_secret(name: &str) -> bool {
    let own = (!name.is_ascii()).then(|| name.to_lowercase());
    if own.is_some_and(|own| FOREIGN_PARTS.iter().any(|part| own.contains(part))) {
        return true;
    }
    let readable = to_ascii_letters(name);
    let name = &*without_never_secret_words(&readable);
    let marks_secret = |word: &str| {
        WHOLE_WORDS.contains(&word)
            || FOREIGN_WORDS.contains(&word)
            || WORD_ENDINGS.iter().any(|ending| word.ends_with(ending))
    };
    let lower = name.to_lowercase();
    field_is_secret(&lower)
        || (lower.contains(|c: char| c.is_ascii_digit())
            && field_is_secret(&with_digits_as_letters(&lower)))
        || FOREIGN_PARTS.iter().any(|part| lower.contains(part))
        || lower.contains("ed25519")
        || words(name).any(|word| {
            let word = word.to_lowercase();
            marks_secret(&word) || word.strip_suffix('s').is_some_and(marks_secret)
        })
}

/// Replaces digits by the letters they stand for: `passw0rd`, `s3cret`, `t0ken`.
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

/// Returns the name with a space in place of each of [`NEVER_SECRET_WORDS`].
fn without_never_secret_words(name: &str) -> Cow<'_, str> {
    let is_never_secret = |word: &str| {
        let word = word.to_lowercase();
        let one = word.strip_suffix("es").filter(|it| NEVER_SECRET_WORDS.contains(it));
        let one = one.or_else(|| word.strip_suffix('s')).unwrap_or(&word);
        word.starts_with("tokeni")
            || NEVER_SECRET_WORDS.contains(&one)
            || NEVER_SECRET_WORDS.contains(&word.as_str())
    };
    if !words(name).any(is_never_secret) {
        return Cow::Borrowed(name);
    }
    let (mut safe, mut done) = (String::with_capacity(name.len()), 0);
    for word in words(name) {
        // By position, so that the text between the words is copied, too.
        let start = done + name[done..].find(word).unwrap_or_default();
        safe.push_str(&name[done..start]);
        safe.push_str(if is_never_secret(word) { " " } else { word });
        done = start + word.len();
    }
    safe.push_str(&name[done..]);
    Cow::Owned(safe)
}

/// Splits a name at everything that is not a letter and at changes of case: `dbPass2` has the words
/// `db` and `Pass`.
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

/// Returns whether a character can be part of a name or of a token.
pub(super) fn is_name_char(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')
}

/// Returns whether the name of a parameter, which may be percent-encoded, marks a secret.
pub(super) fn parameter_is_secret(name: &str) -> bool {
    name_is_secret(name) || percent_decoded_twice(name).is_some_and(|name| name_is_secret(&name))
}

/// Decodes `%70assword`, and once more if that is percent-encoded too. `None` if nothing was
/// encoded.
pub(super) fn percent_decoded_twice(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let decoded = percent_decoded(&percent_decoded(text));
    (decoded != text).then_some(decoded)
}

/// Decodes each `%41`. A `%` without two digits stays, and bytes that are not UTF-8 become U+FFFD.
pub(super) fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
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
            assert!(name_is_secret(name), "{name}");
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
            assert!(!name_is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_key_that_ends_with_a_secrets_word_is_a_secret() {
        for key in ["smtp.password", "jwt.secret", "api_keys", "auth.TOKEN", "aws.secret_key"] {
            assert!(key_is_secret(key), "{key}");
        }
        for key in ["jwt.token_ttl", "http.cookie_name", "http.port", "", "s"] {
            assert!(!key_is_secret(key), "{key}");
        }
    }

    #[test]
    fn a_field_with_a_secrets_word_anywhere_in_it_is_a_secret() {
        for field in ["password", "user_password_old", "Set-Cookie", "X-Api-Key", "authorization"] {
            assert!(field_is_secret(field), "{field}");
        }
        assert!(!field_is_secret("path") && !field_is_secret("user"));
        assert!(
            SECRET_WORDS.iter().all(|word| field_is_secret(&format!("x{}", word.to_uppercase())))
        );
    }
}
