//! The Lua scripts that run on Redis, and the SHA-1 by which Redis calls them.

use std::sync::OnceLock;

#[derive(Clone, Copy)]
pub(super) enum Script {
    Claim,
    ChordPart,
    Enqueue,
    Fire,
    Park,
    Relay,
    Restore,
    Settle,
    StoreUnlessFinal,
    Worker,
}

/// The SHA-1 of each script, as returned by `SCRIPT LOAD`. It is the same on every server.
static SHAS: [OnceLock<String>; Script::ALL.len()] = [const { OnceLock::new() }; Script::ALL.len()];

impl Script {
    pub const ALL: [Self; 10] = [
        Self::Claim,
        Self::ChordPart,
        Self::Enqueue,
        Self::Fire,
        Self::Park,
        Self::Relay,
        Self::Restore,
        Self::Settle,
        Self::StoreUnlessFinal,
        Self::Worker,
    ];

    pub fn source(self) -> &'static str {
        match self {
            Self::Claim => include_str!("claim.lua"),
            Self::ChordPart => include_str!("chord_part.lua"),
            Self::Enqueue => include_str!("enqueue.lua"),
            Self::Fire => include_str!("fire.lua"),
            Self::Park => include_str!("park.lua"),
            Self::Relay => include_str!("relay.lua"),
            Self::Restore => include_str!("restore.lua"),
            Self::Settle => include_str!("settle.lua"),
            Self::StoreUnlessFinal => include_str!("store_unless_final.lua"),
            Self::Worker => include_str!("worker.lua"),
        }
    }

    /// Returns the script's SHA-1; empty before the first connection.
    pub fn sha(self) -> &'static str {
        SHAS[self as usize].get().map_or("", String::as_str)
    }

    pub fn set_sha(self, sha: String) {
        let _ = SHAS[self as usize].set(sha);
    }
}
