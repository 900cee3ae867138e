//! Swagger UI: its files, embedded, and the page that loads them. Nothing of it comes from elsewhere,
//! and the page may talk to nobody but the service.
//!
//! `cargo xtask swagger-ui VERSION` brings another version of the files in `ui/`.

use std::hash::{Hash, Hasher};
use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderName, HeaderValue, header};
use serde_json::json;

use super::OpenApiSettings;

/// The version of Swagger UI in `ui/`; a test compares it with `ui/VERSION`.
pub(super) const VERSION: &str = "5.35.0";

const SCRIPT: &[u8] = include_bytes!("ui/swagger-ui-bundle.js.gz");
const STYLE: &[u8] = include_bytes!("ui/swagger-ui.css.gz");
const ICON: &[u8] = include_bytes!("ui/favicon-32x32.png");

/// Something to serve.
pub(super) struct Asset {
    pub media_type: &'static str,
    pub gzip: Bytes,
    /// A weak one: it stands for the compressed form and for the plain one.
    pub etag: String,
}

impl Asset {
    /// What has been compressed before.
    fn of_gzip(media_type: &'static str, gzip: Bytes) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        gzip.hash(&mut hasher);
        Self { media_type, etag: format!("W/\"{:016x}\"", hasher.finish()), gzip }
    }

    pub fn of_text(media_type: &'static str, text: impl AsRef<[u8]>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_ref()).expect("a vector takes everything");
        let gzip = encoder.finish().expect("a vector takes everything");
        Self::of_gzip(media_type, gzip.into())
    }

    /// As it is, for the few clients that do not take gzip.
    pub fn plain(&self) -> Bytes {
        let mut plain = Vec::new();
        let mut decoder = GzDecoder::new(&*self.gzip);
        decoder.read_to_end(&mut plain).expect("what was compressed here can be read again");
        plain.into()
    }
}

/// The page and its files, each with its path.
pub(super) struct Page {
    pub assets: Vec<(String, Asset)>,
    pub policy: HeaderValue,
}

impl Page {
    pub fn new(settings: &OpenApiSettings, title: String, servers: &[String]) -> Self {
        let at = &settings.ui_path;
        let base = at.rsplit('/').next().unwrap_or_default();
        let file = |name: &str| format!("{at}/{VERSION}/{name}");
        let assets = vec![
            (at.clone(), Asset::of_text("text/html; charset=utf-8", html(&title, base))),
            (format!("{at}/init.js"), Asset::of_text("text/javascript", init(settings))),
            (file("swagger-ui-bundle.js"), Asset::of_gzip("text/javascript", SCRIPT.into())),
            (file("swagger-ui.css"), Asset::of_gzip("text/css", STYLE.into())),
            (file("favicon.png"), Asset::of_text("image/png", ICON)),
        ];
        Self { assets, policy: policy(servers) }
    }
}

/// Scripts and styles are ours or are not run; nobody frames the page, and it sends to nobody else.
fn policy(servers: &[String]) -> HeaderValue {
    let servers: String = servers.iter().map(|server| format!(" {server}")).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'{servers}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("origins are letters, digits and punctuation")
}

pub(super) fn headers(policy: &HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_SECURITY_POLICY, policy.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

/// Every address is relative, so that it works behind a proxy that adds a path of its own.
fn html(title: &str, base: &str) -> String {
    let title = escaped(title);
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{base}/{VERSION}/swagger-ui.css">
<link rel="icon" type="image/png" href="{base}/{VERSION}/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{base}/{VERSION}/swagger-ui-bundle.js"></script>
<script src="{base}/init.js"></script>
</body>
</html>
"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn init(settings: &OpenApiSettings) -> String {
    let up = "../".repeat(settings.ui_path.matches('/').count() - 1);
    let url = format!("{up}{}", settings.document_path.trim_start_matches('/'));
    let options = json!({
        "url": url,
        "dom_id": "#swagger-ui",
        "deepLinking": true,
        "displayRequestDuration": true,
        "tryItOutEnabled": true,
        // Neither does it ask a stranger whether the document is right ..
        "validatorUrl": null,
        // .. nor does it leave keys in the browser.
        "persistAuthorization": false,
        "layout": "BaseLayout",
    });
    format!(
        "'use strict';\n\
         const dark = window.matchMedia('(prefers-color-scheme: dark)');\n\
         const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);\n\
         dark.addEventListener('change', follow);\n\
         follow();\n\
         const options = {options};\n\
         options.url = new URL(options.url, window.location.href).href;\n\
         options.presets = [SwaggerUIBundle.presets.apis];\n\
         window.ui = SwaggerUIBundle(options);\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_files() {
        assert_eq!(include_str!("ui/VERSION").lines().next(), Some(VERSION));
        let script = Asset::of_gzip("text/javascript", SCRIPT.into()).plain();
        let text = String::from_utf8_lossy(&script);
        assert!(text.contains(&format!("\"{VERSION}\"")), "the bundle knows its own version");
    }

    #[test]
    fn the_document_is_found_from_wherever_the_page_is() {
        for (ui, document, url) in [
            ("/api/doc", "/api/openapi.json", "../api/openapi.json"),
            ("/doc", "/openapi.json", "openapi.json"),
        ] {
            let settings = OpenApiSettings {
                document_path: document.into(),
                ui_path: ui.into(),
                ..OpenApiSettings::default()
            };
            assert!(init(&settings).contains(&format!("\"url\":\"{url}\"")), "{ui}");
        }
    }

    #[test]
    fn a_title_is_text() {
        assert!(html("<b>&\"", "doc").contains("<title>&lt;b&gt;&amp;&quot;</title>"));
    }
}
