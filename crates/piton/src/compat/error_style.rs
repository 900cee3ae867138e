//! The settings `http.error_style` and `http.traceback`: the format of error responses, and their detail.

crate::setting_enum! {
    /// The formats of error responses.
    pub enum ErrorStyle: default Problem {
        /// A problem document (RFC 9457) with the true status.
        Problem = "problem",
        /// `{"error", "traceback"}` with status 200, as in Gnar Gear.
        Gnar = "gnar",
    }
}

crate::setting_enum! {
    /// The environments in which error responses contain causes and lines of code.
    pub enum ErrorDetail: default Auto {
        /// Development only.
        Auto = "auto",
        /// Development and production: every client can read the causes and lines of code.
        Always = "always",
        /// Neither.
        Never = "never",
    }
}

impl ErrorDetail {
    /// Returns whether responses contain causes and lines of code.
    #[must_use]
    pub const fn shown(self, production: bool) -> bool {
        match self {
            Self::Auto => !production,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_details_are_shown_in_development_by_default() {
        assert!(ErrorDetail::Auto.shown(false) && !ErrorDetail::Auto.shown(true));
        assert!(ErrorDetail::Always.shown(true) && !ErrorDetail::Never.shown(false));
    }
}
