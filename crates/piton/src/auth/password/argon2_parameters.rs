//! The parameters of Argon2: its variant, its costs, the lengths of salt and output.

use argon2::{Algorithm, Argon2, Params, Version};

use super::error::{Error, Kind};

/// The longest salt, and the longest output, in bytes.
pub(super) const MAX_OUTPUT_BYTES: u32 = 1024;

/// What a hash costs and what it looks like: argon2-cffi's `Argon2Parameters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Argon2Parameters {
    pub variant: Argon2Variant,
    pub version: Version,
    /// Passes over the memory.
    pub time_cost: u32,
    pub memory_cost_kib: u32,
    /// Lanes of the memory: changes the hash, not how it is computed here.
    pub parallelism: u32,
    pub hash_len: u32,
    pub salt_len: u32,
}

impl Argon2Parameters {
    /// The function itself.
    ///
    /// # Errors
    /// [`Kind::InvalidHash`] where a number is out of Argon2's range.
    pub fn argon2(&self) -> Result<Argon2<'static>, Error> {
        let params = Params::new(self.memory_cost_kib, self.time_cost, self.parallelism, None)
            .map_err(|error| Error::new(Kind::InvalidHash, error.to_string()))?;
        Ok(Argon2::new(self.variant.algorithm(), self.version, params))
    }

    /// How much memory one hash needs.
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_cost_kib) * 1024
    }

    /// How much memory one hash goes through in all its passes.
    pub fn work_bytes(&self) -> u64 {
        self.memory_bytes().saturating_mul(u64::from(self.time_cost))
    }
}

crate::setting_enum! {
    /// Which Argon2.
    pub enum Argon2Variant: default Argon2id {
        /// Good against those who measure and those who have many machines.
        Argon2id = "argon2id" | "id",
        /// Gnar Gear's.
        Argon2i = "argon2i" | "i",
        /// The one that those who can measure learn most from.
        Argon2d = "argon2d" | "d",
    }
}

impl Argon2Variant {
    /// By its name, as it stands in a hash: in lower case.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Argon2id, Self::Argon2i, Self::Argon2d].into_iter().find(|one| one.name() == name)
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Argon2id => Algorithm::Argon2id,
            Self::Argon2i => Algorithm::Argon2i,
            Self::Argon2d => Algorithm::Argon2d,
        }
    }
}
