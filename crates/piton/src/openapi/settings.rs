//! The section `[openapi]`.

use crate::config::Reader;

/// The OpenAPI document and the page that shows it.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct OpenApiSettings {
    /// When the document and Swagger UI are served: `always`, `development` (not in production) or
    /// `never`. **Default: `always`.**
    pub serve: Serve,

    /// Where the document is. **Default: `/api/openapi.json`.**
    pub document_path: String,

    /// Where Swagger UI is. **Default: `/api/doc`.**
    pub ui_path: String,
}

impl Default for OpenApiSettings {
    fn default() -> Self {
        Self {
            serve: Serve::default(),
            document_path: "/api/openapi.json".into(),
            ui_path: "/api/doc".into(),
        }
    }
}

crate::setting_enum! {
    /// When the document is served.
    pub enum Serve: default Always {
        /// In development and in production.
        Always = "always",
        /// In development alone.
        Development = "development",
        /// Not at all.
        Never = "never",
    }
}

impl OpenApiSettings {
    pub(super) fn is_served(&self, production: bool) -> bool {
        match self.serve {
            Serve::Always => true,
            Serve::Development => !production,
            Serve::Never => false,
        }
    }

    fn check(&self, from: &mut Reader<'_>) {
        for (name, path) in [("document_path", &self.document_path), ("ui_path", &self.ui_path)] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
            if !path.starts_with('/') || path.len() < 2 || !path.chars().all(plain) {
                let why = "expected a path of letters, digits and `-_.~`";
                from.refuse(name, why, "a path that begins with `/`, such as `/api/doc`");
            } else if path.ends_with('/') {
                from.refuse(name, "it ends with `/`", "leave that away");
            }
        }
        if self.document_path == self.ui_path {
            let why = "the document is there already";
            from.refuse("ui_path", why, "take another path than `openapi.document_path`");
        }
    }
}
