//! The scripts that Redis runs, and their names: the SHA-1 that it gives them.

use std::sync::OnceLock;

const HEAD: &str = include_str!("head.lua");

/// The first words on each connection. It is sent whole, as nothing has been loaded then.
pub(super) const HELLO: &str = concat!("local prefix = ARGV[1]\n", include_str!("hello.lua"));

#[derive(Clone, Copy)]
pub(super) enum Script {
    Look,
    Begin,
    Keep,
    Set,
    Release,
}

const ALL: [(Script, &str); 5] = [
    (Script::Look, include_str!("look.lua")),
    (Script::Begin, include_str!("begin.lua")),
    (Script::Keep, include_str!("keep.lua")),
    (Script::Set, include_str!("set.lua")),
    (Script::Release, include_str!("release.lua")),
];

/// What Redis calls the scripts: the same on every server, and known once one has been told them.
static NAMES: [OnceLock<String>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];

impl Script {
    /// What Redis calls it; nothing before the first connection.
    pub fn sha(self) -> &'static str {
        NAMES[self as usize].get().map_or("", String::as_str)
    }

    /// Remembers what Redis calls it.
    pub fn is_called(self, name: String) {
        let _ = NAMES[self as usize].set(name);
    }

    pub fn all() -> impl Iterator<Item = (Self, String)> {
        ALL.into_iter().map(|(script, source)| (script, format!("{HEAD}\n{source}")))
    }
}
