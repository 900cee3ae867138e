//! Choices of the section `[db]`.

crate::setting_enum! {
    /// The encryption of the connection to a PostgreSQL server, as libpq's `sslmode`.
    pub enum Tls: default Prefer {
        /// Not encrypted.
        Disable = "disable",
        /// Encrypted, if the server can.
        Prefer = "prefer",
        /// Encrypted, without verifying the server.
        Require = "require",
        /// Encrypted, and the server's certificate is signed by a trusted authority.
        VerifyCa = "verify-ca",
        /// Encrypted, and the certificate is also for this host.
        VerifyFull = "verify-full",
    }
}

crate::setting_enum! {
    /// The migrations newer than the program that it accepts in a database.
    pub enum AcceptNewer: default Compatible {
        /// Migrations marked `-- backward-compatible`.
        Compatible = "compatible",
        /// All migrations.
        Any = "any",
        /// No migration.
        None = "none",
    }
}

crate::setting_enum! {
    /// The role of the PostgreSQL server that a service uses, as libpq's `target_session_attrs`.
    pub enum SessionTarget: default Any {
        /// The first server that accepts a connection.
        Any = "any",
        /// A server whose sessions can write.
        ReadWrite = "read-write",
        /// A server whose sessions cannot write.
        ReadOnly = "read-only",
        /// A server that is not a standby.
        Primary = "primary",
        /// A standby.
        Standby = "standby",
        /// A standby, or any if there is none.
        PreferStandby = "prefer-standby",
    }
}

crate::setting_enum! {
    /// The moments at which SQLite waits for the disk, as its `PRAGMA synchronous`.
    pub enum Synchronous: default Normal {
        /// At checkpoints.
        Normal = "normal",
        /// At each commit.
        Full = "full",
        /// At each commit, and for the folder's entries.
        Extra = "extra",
    }
}

crate::setting_enum! {
    /// The pooler between a service and its PostgreSQL server.
    pub enum PgBouncer: default Auto {
        /// Detected when the service connects.
        Auto = "auto",
        /// No pooler.
        Off = "off",
        /// A pooler that assigns a server connection to each client.
        Session = "session",
        /// A pooler that assigns a server connection to each transaction.
        Transaction = "transaction",
    }
}
