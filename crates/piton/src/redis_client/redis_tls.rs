//! [`RedisTls`]: the setting of TLS to a Redis server.

crate::setting_enum! {
    /// TLS to a Redis server.
    pub enum RedisTls: default Verify {
        /// No TLS.
        Disable = "disable",
        /// Encrypted; the certificate is not verified.
        Require = "require",
        /// Encrypted, and the certificate is verified.
        Verify = "verify",
    }
}
