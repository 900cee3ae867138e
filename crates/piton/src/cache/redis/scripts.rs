//! The Lua scripts that run on Redis, and the SHA-1 by which Redis calls them.

use std::sync::OnceLock;

const ENTRY_HEADER: &str = include_str!("entry_header.lua");

/// The script of the first command on each connection. It is sent whole instead of by its SHA-1, as no
/// script has been loaded then.
pub(super) const HANDSHAKE: &str =
    concat!("local prefix = ARGV[1]\n", include_str!("handshake.lua"));

#[derive(Clone, Copy)]
pub(super) enum Script {
    Get,
    GetOrLease,
    StoreComputed,
    Set,
    ReleaseLease,
}

const ALL: [(Script, &str); 5] = [
    (Script::Get, include_str!("get.lua")),
    (Script::GetOrLease, include_str!("get_or_lease.lua")),
    (Script::StoreComputed, include_str!("store_computed.lua")),
    (Script::Set, include_str!("set.lua")),
    (Script::ReleaseLease, include_str!("release_lease.lua")),
];

/// The SHA-1 of each script, as returned by `SCRIPT LOAD`. It is the same on every server.
static SHAS: [OnceLock<String>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];

impl Script {
    /// Returns the script's SHA-1; empty before the first connection.
    pub fn sha(self) -> &'static str {
        SHAS[self as usize].get().map_or("", String::as_str)
    }

    pub fn set_sha(self, sha: String) {
        let _ = SHAS[self as usize].set(sha);
    }

    /// Iterates over the scripts with their whole source.
    pub fn all() -> impl Iterator<Item = (Self, String)> {
        ALL.into_iter().map(|(script, source)| (script, format!("{ENTRY_HEADER}\n{source}")))
    }
}
