//! Swagger UI: its embedded files, and the page that loads them. The page loads nothing from other hosts, and
//! sends requests to the service alone.
//!
//! `cargo xtask swagger-ui VERSION` updates the files in `swagger_ui/`.

use std::hash::{Hash, Hasher};
use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderName, HeaderValue, header};
use serde_json::json;

use super::settings::OpenApiSettings;

/// The version of Swagger UI in `swagger_ui/`; a test compares it with `swagger_ui/VERSION`.
pub(super) const VERSION: &str = "5.35.0";

const SCRIPT: &[u8] = include_bytes!("swagger_ui/swagger-ui-bundle.js.gz");
const STYLE: &[u8] = include_bytes!("swagger_ui/swagger-ui.css.gz");
const ICON: &[u8] = include_bytes!("swagger_ui/favicon-32x32.png");

/// A file to serve.
pub(super) struct StaticAsset {
    pub media_type: &'static str,
    pub gzip: Bytes,
    /// A weak entity tag, because it is the same for the compressed and the plain form (RFC 9110, section 8.8.1).
    pub etag: String,
}

impl StaticAsset {
    /// Makes an asset from compressed bytes.
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

    /// Returns the decompressed bytes, for the few clients that do not accept gzip.
    pub fn plain(&self) -> Bytes {
        let mut plain = Vec::new();
        let mut decoder = GzDecoder::new(&*self.gzip);
        decoder.read_to_end(&mut plain).expect("what was compressed here can be read again");
        plain.into()
    }
}

/// The page of Swagger UI and its files, each with its path.
pub(super) struct SwaggerUiPage {
    pub assets: Vec<(String, StaticAsset)>,
    pub policy: HeaderValue,
}

impl SwaggerUiPage {
    pub fn new(settings: &OpenApiSettings, title: String, servers: &[String]) -> Self {
        let at = &settings.ui_path;
        let base = at.rsplit('/').next().unwrap_or_default();
        let file = |name: &str| format!("{at}/{VERSION}/{name}");
        let assets = vec![
            (at.clone(), StaticAsset::of_text("text/html; charset=utf-8", html(&title, base))),
            (format!("{at}/init.js"), StaticAsset::of_text("text/javascript", init(settings))),
            (file("swagger-ui-bundle.js"), StaticAsset::of_gzip("text/javascript", SCRIPT.into())),
            (file("swagger-ui.css"), StaticAsset::of_gzip("text/css", STYLE.into())),
            (file("favicon.png"), StaticAsset::of_text("image/png", ICON)),
        ];
        Self { assets, policy: content_security_policy(servers) }
    }
}

/// Returns the Content-Security-Policy: only the service's own scripts and styles run, other sites cannot frame
/// the page, and it sends requests to the service and `servers` alone.
fn content_security_policy(servers: &[String]) -> HeaderValue {
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

/// Returns the page. All URLs are relative, so that it works behind a proxy that adds a path.
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
        // No validator, because it would send the document to an external host.
        "validatorUrl": null,
        // Otherwise credentials would stay in the browser's storage.
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
        assert_eq!(include_str!("swagger_ui/VERSION").lines().next(), Some(VERSION));
        let script = StaticAsset::of_gzip("text/javascript", SCRIPT.into()).plain();
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
