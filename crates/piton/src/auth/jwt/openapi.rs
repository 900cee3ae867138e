//! The security schemes of tokens, for OpenAPI documents.

use serde_json::{Value, json};

use super::setting_types::TokenLocation;
use super::settings::JwtSettings;
use super::tokens::Tokens;
use crate::config::{Config, Problems};
use crate::http::SecuritySchemes;
use crate::part::Part;

/// All locations, in the order of their bits in a scheme.
const LOCATIONS: [TokenLocation; 4] = [
    TokenLocation::Headers,
    TokenLocation::Cookies,
    TokenLocation::QueryString,
    TokenLocation::Json,
];

/// The bit of schemes that take refresh tokens, next to the bits of the locations.
const REFRESH: usize = 16;

/// Registers a scheme for each set of locations. The empty set stands for those of the settings.
macro_rules! schemes {
    ($($bits:literal $name:literal),+ $(,)?) => {
        /// The names of the schemes, by their bits.
        const SCHEMES: [&str; 32] = [$($name),+];

        $(inventory::submit! {
            SecuritySchemes { scheme: $name, ways: ways::<$bits>, open: |_| false }
        })+
    };
}

schemes! {
    0 "bearer", 1 "bearer:1", 2 "bearer:2", 3 "bearer:3", 4 "bearer:4", 5 "bearer:5",
    6 "bearer:6", 7 "bearer:7", 8 "bearer:8", 9 "bearer:9", 10 "bearer:10", 11 "bearer:11",
    12 "bearer:12", 13 "bearer:13", 14 "bearer:14", 15 "bearer:15", 16 "bearer:refresh",
    17 "bearer:17", 18 "bearer:18", 19 "bearer:19", 20 "bearer:20", 21 "bearer:21",
    22 "bearer:22", 23 "bearer:23", 24 "bearer:24", 25 "bearer:25", 26 "bearer:26",
    27 "bearer:27", 28 "bearer:28", 29 "bearer:29", 30 "bearer:30", 31 "bearer:31",
}

/// Returns the scheme of a route that takes tokens from these locations.
pub(super) fn scheme(locations: Option<&[TokenLocation]>, refresh: bool) -> &'static str {
    let bit = |location: &TokenLocation| {
        LOCATIONS.iter().position(|it| it == location).map_or(0, |at| 1 << at)
    };
    let bits = locations.unwrap_or_default().iter().map(bit).fold(0, |all, bit| all | bit);
    SCHEMES[bits + if refresh { REFRESH } else { 0 }]
}

/// Returns the ways of a scheme, by the settings.
fn ways<const BITS: usize>(config: &Config) -> Vec<(&'static str, Value)> {
    let settings: JwtSettings = config.read(Tokens::NAME, &mut Problems::new());
    let refresh = BITS & REFRESH != 0;
    let locations: Vec<TokenLocation> = match BITS & (REFRESH - 1) {
        0 => settings.location.clone(),
        bits => {
            let is_set = |at: &usize| bits & (1 << at) != 0;
            (0..LOCATIONS.len()).filter(is_set).map(|at| LOCATIONS[at]).collect()
        }
    };
    locations.iter().map(|location| way(*location, refresh, &settings)).collect()
}

fn way(location: TokenLocation, refresh: bool, settings: &JwtSettings) -> (&'static str, Value) {
    let pick = |access: &'static str, other: &'static str| if refresh { other } else { access };
    match location {
        TokenLocation::Headers => ("bearer", in_header(settings)),
        TokenLocation::Cookies => {
            let name =
                if refresh { &settings.refresh_cookie_name } else { &settings.access_cookie_name };
            let (cookie, header) = match refresh {
                true => (&settings.refresh_csrf_cookie_name, &settings.refresh_csrf_header_name),
                false => (&settings.access_csrf_cookie_name, &settings.access_csrf_header_name),
            };
            let description = match settings.cookie_csrf_protect {
                true => format!(
                    "A token in a cookie. A request that changes something must send the value of \
                     the cookie `{cookie}` in the header `{header}`."
                ),
                false => "A token in a cookie.".into(),
            };
            let way = json!({
                "type": "apiKey", "in": "cookie", "name": name, "description": description,
                "x-value": "<token>",
            });
            (pick("cookie", "refresh_cookie"), way)
        }
        TokenLocation::QueryString => {
            let description = match settings.query_string_value_prefix.as_str() {
                "" => "A token that identifies the caller.".into(),
                prefix => format!("`{prefix}` and a token that identifies the caller."),
            };
            let way = json!({
                "type": "apiKey", "in": "query", "name": settings.query_string_name,
                "description": description,
                "x-value": format!("{}<token>", settings.query_string_value_prefix),
            });
            ("query", way)
        }
        TokenLocation::Json => {
            let key = if refresh { &settings.refresh_json_key } else { &settings.json_key };
            // OpenAPI has no scheme for bodies: `x-member` names the member for tools that know it.
            let description = format!("A token in the member `{key}` of the JSON body.");
            let way = json!({
                "type": "http", "scheme": "bearer", "description": description,
                "x-member": key, "x-value": "<token>",
            });
            (pick("json_member", "refresh_json_member"), way)
        }
    }
}

fn in_header(settings: &JwtSettings) -> Value {
    let is_bearer = settings.header_name.eq_ignore_ascii_case("authorization")
        && settings.header_type.eq_ignore_ascii_case("bearer");
    if is_bearer {
        return json!({
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token that identifies the caller.",
        });
    }
    let description = match settings.header_type.as_str() {
        "" => "A token that identifies the caller.".into(),
        scheme => format!("`{scheme}` and a token that identifies the caller."),
    };
    let value = match settings.header_type.as_str() {
        "" => "<token>".to_owned(),
        scheme => format!("{scheme} <token>"),
    };
    json!({
        "type": "apiKey", "in": "header", "name": settings.header_name,
        "description": description, "x-value": value,
    })
}
