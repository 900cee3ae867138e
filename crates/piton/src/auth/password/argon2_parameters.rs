//! The parameters of Argon2: its variant, its costs, the lengths of salt and output.

use argon2::{Algorithm, Argon2, Params, Version};

use super::error::{Error, Kind};

/// Maximum length of a salt and of a hash, in bytes.
pub(super) const MAX_OUTPUT_BYTES: u32 = 1024;

/// The parameters of a hash, as in argon2-cffi's `Parameters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Argon2Parameters {
    pub variant: Argon2Variant,
    pub version: Version,
    /// Passes over the memory.
    pub time_cost: u32,
    pub memory_cost_kib: u32,
    /// Lanes of the memory. They change the hash; here one thread computes all of them.
    pub parallelism: u32,
    pub hash_len: u32,
    pub salt_len: u32,
}

impl Argon2Parameters {
    /// Returns the hash function.
    ///
    /// # Errors
    /// [`Kind::InvalidHash`] if a parameter is out of Argon2's range.
    pub fn argon2(&self) -> Result<Argon2<'static>, Error> {
        let params = Params::new(self.memory_cost_kib, self.time_cost, self.parallelism, None)
            .map_err(|error| Error::new(Kind::InvalidHash, error.to_string()))?;
        Ok(Argon2::new(self.variant.algorithm(), self.version, params))
    }

    /// Returns the memory that one hash needs.
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_cost_kib) * 1024
    }

    /// Returns the memory that one hash processes in all its passes.
    pub fn work_bytes(&self) -> u64 {
        self.memory_bytes().saturating_mul(u64::from(self.time_cost))
    }
}

crate::setting_enum! {
    /// The variants of Argon2 (RFC 9106).
    pub enum Argon2Variant: default Argon2id {
        /// Resists side channels and brute force: RFC 9106 recommends it.
        Argon2id = "argon2id" | "id",
        /// Resists side channels best: Gnar Gear uses it.
        Argon2i = "argon2i" | "i",
        /// Resists brute force best, and side channels least.
        Argon2d = "argon2d" | "d",
    }
}

impl Argon2Variant {
    /// Returns the variant with this name, as hashes have it: in lower case.
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
