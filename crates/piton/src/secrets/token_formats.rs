//! Tokens that are known by their form: those of GitHub, GitLab, AWS, Slack, Stripe, Telegram and
//! other issuers.

use super::secret_names::is_name_char;

/// Prefixes of tokens with a known form.
const TOKEN_PREFIXES: [&str; 49] = [
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

/// Prefixes that other names have too (`npm_config_cache`, `sk-learn`): only a text that goes on with
/// digits or capitals is a token.
const AMBIGUOUS_PREFIXES: [&str; 10] =
    ["PMAK-", "SG.", "figd_", "gsk_", "hf_", "npm_", "nvapi-", "pypi-", "sk-", "tskey-"];

/// Prefixes of AWS access key ids; 16 capitals and digits follow.
const ACCESS_KEY_ID_PREFIXES: [&str; 4] = ["ABIA", "ACCA", "AKIA", "ASIA"];

/// Returns whether a text contains a token.
pub(super) fn has_token(text: &str) -> bool {
    text.split(|letter| !is_name_char(letter)).any(is_token)
        || text.match_indices(':').any(|(at, _)| bot_token(text, at).is_some())
}

/// Returns whether a word is a token, or ends with one: `key_AKIA..`.
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
        rest.len() >= MIN_BYTES && (!AMBIGUOUS_PREFIXES.contains(&start) || looks_random())
    };
    let of_slack = || {
        let rest = text.strip_prefix("xox").map(|rest| rest.trim_start_matches(char::is_lowercase));
        rest.is_some_and(|rest| rest.starts_with(['-', '.']) && rest.len() > MIN_BYTES)
    };
    TOKEN_PREFIXES.iter().any(|start| of_issuer(start))
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
    let (before, after) = (&text[..colon], &text[colon + 1..]);
    let lead = before.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = before.len() - lead.len();
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let secret = after.find(|c| !of_token(c)).unwrap_or(after.len());
    let has_letter = after[..secret].contains(|c: char| c.is_ascii_alphabetic());
    let of_path = lead.ends_with("bot") && digits >= 3;
    let alone = !lead.ends_with(is_name_char) && (6..=12).contains(&digits) && secret >= MIN_BYTES;
    let start = if of_path { lead.len() - "bot".len() } else { lead.len() };
    (has_letter && (of_path || alone)).then_some((start, colon + 1 + secret))
}

fn is_access_key_id(word: &str) -> bool {
    let rest = ACCESS_KEY_ID_PREFIXES.iter().find_map(|start| word.strip_prefix(start));
    rest.is_some_and(|rest| {
        rest.len() == 16 && rest.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
    })
}
