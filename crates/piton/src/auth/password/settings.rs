//! The section `[password]`.

use argon2::{Params, Version};

use super::argon2_parameters::{Argon2Parameters, Argon2Variant, MAX_OUTPUT_BYTES};
use crate::config::{ByteSize, Reader};
use crate::memory::{self, MemoryLimit, rounded};

/// Memory that a service needs besides its hashes: about 15 MiB after the start, and more under load.
const BASE_MEMORY_BYTES: u64 = 24 << 20;

/// A wrong setting, the reason, and the fix.
type SettingProblem = (&'static str, String, String);

/// Returns the maximum memory for hashes, within the limit of the process.
fn memory_for_hashes(limit: &MemoryLimit) -> u64 {
    limit.bytes.saturating_sub(BASE_MEMORY_BYTES)
}

/// Settings of password hashing: its costs, its memory budget, its queue.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct PasswordSettings {
    /// Costs of a hash, by the names of argon2-cffi's profiles: `rfc9106-low-memory` (argon2id,
    /// 64 MiB, 3 passes, 4 lanes), `rfc9106-high-memory` (argon2id, 2 GiB, 1 pass, 4 lanes),
    /// `pre-21.2` (argon2id, 100 MiB, 2 passes, 8 lanes), `gnar` (argon2i, 512 KiB, 2 passes, 2 lanes: Gnar
    /// Gear's) and `cheapest` (8 KiB, only for tests). The settings below override single costs.
    /// **Default: `rfc9106-low-memory`.**
    pub profile: Argon2Profile,

    /// Variant of Argon2 for new hashes: `argon2id`, `argon2i` or `argon2d`. Stored hashes of any variant are
    /// verified. **Default: the profile's.**
    pub variant: Option<Argon2Variant>,

    /// Number of passes over the memory. Raise it to make a hash take longer without more memory.
    /// **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_TIME_COST")]
    #[setting(max = 1_000_000)]
    pub time_cost: Option<u32>,

    /// Memory of one hash in KiB; at least 8 for each lane. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_MEMORY_COST")]
    #[setting(max = 1_073_741_824)]
    pub memory_cost_kib: Option<u32>,

    /// Number of lanes into which the memory is divided. It changes the hash; one thread computes all lanes
    /// nevertheless. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_PARALLELISM")]
    #[setting(min = 1, max = 16_777_215)]
    pub parallelism: Option<u32>,

    /// Length of a hash in bytes, 4 to 1024. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_HASH_LEN")]
    #[setting(min = 4, max = 1024)]
    pub hash_len: Option<u32>,

    /// Length of the random salt in bytes, 8 to 1024. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_SALT_LEN")]
    #[setting(min = 8, max = 1024)]
    pub salt_len: Option<u32>,

    /// Encoding of passwords: `utf-8` or `latin-1`. Must be the one that the stored hashes were made with.
    /// **Default: `utf-8`.**
    #[setting(alias = "{prefix}_ARGON2_ENCODING")]
    pub encoding: PasswordEncoding,

    /// Maximum memory of all hashes in progress; further ones wait. A stored hash that alone needs more is
    /// refused. Lower it if the service has less memory. If not even one hash fits into the container or
    /// the machine, the service does not start.
    /// **Default: half of the container's or machine's memory, at most `2GiB`, and at least one
    /// hash.**
    #[setting(max = "1TiB")]
    pub memory_budget: Option<ByteSize>,

    /// Maximum work of a stored hash: its memory times its passes. 64 GiB take a core about a minute. The
    /// limit prevents a forged hash from occupying a thread for hours.
    /// **Default: `64GiB`.**
    #[setting(max = "1024TiB")]
    pub work_limit: ByteSize,

    /// Maximum number of waiting passwords. Further requests get 503, as do those that would not be done
    /// before `http.timeout`. **Default: `1000`.**
    #[setting(max = 1_000_000)]
    pub max_waiting: usize,

    /// Niceness of the hashing threads, 0 to 19: with 0, many logins at once delay all other requests. Only
    /// on Linux. **Default: `10`.**
    #[setting(max = 19)]
    pub nice: u8,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            profile: Argon2Profile::default(),
            variant: None,
            time_cost: None,
            memory_cost_kib: None,
            parallelism: None,
            hash_len: None,
            salt_len: None,
            encoding: PasswordEncoding::default(),
            memory_budget: None,
            work_limit: ByteSize::mib(64 * 1024),
            max_waiting: 1000,
            nice: 10,
        }
    }
}

crate::setting_enum! {
    /// Sets of costs: those of argon2-cffi, and that of Gnar Gear.
    pub enum Argon2Profile: default Rfc9106LowMemory {
        /// The second recommendation of RFC 9106, and the default of argon2-cffi.
        Rfc9106LowMemory = "rfc9106-low-memory" | "rfc_9106_low_memory",
        /// The first recommendation of RFC 9106: 2 GiB for each hash.
        Rfc9106HighMemory = "rfc9106-high-memory" | "rfc_9106_high_memory",
        /// argon2-cffi's default from 18.2 to 21.1.
        Pre21_2 = "pre-21.2" | "pre_21_2",
        /// The costs that Gnar Gear documents.
        Gnar = "gnar",
        /// Costs for tests only.
        Cheapest = "cheapest",
    }
}

crate::setting_enum! {
    /// Encodings of passwords, by Python's names.
    pub enum PasswordEncoding: default Utf8 {
        /// All characters.
        Utf8 = "utf-8" | "utf8" | "utf_8",
        /// The first 256 characters of Unicode, one byte each.
        Latin1 = "latin-1" | "latin1" | "latin_1" | "iso-8859-1" | "iso8859-1",
    }
}

impl Argon2Profile {
    pub(super) const fn parameters(self) -> Argon2Parameters {
        let rfc9106 = Argon2Parameters {
            variant: Argon2Variant::Argon2id,
            version: Version::V0x13,
            time_cost: 3,
            memory_cost_kib: 64 * 1024,
            parallelism: 4,
            hash_len: 32,
            salt_len: 16,
        };
        match self {
            Self::Rfc9106LowMemory => rfc9106,
            Self::Rfc9106HighMemory => {
                Argon2Parameters { time_cost: 1, memory_cost_kib: 2 << 20, ..rfc9106 }
            }
            Self::Pre21_2 => Argon2Parameters {
                time_cost: 2,
                memory_cost_kib: 100 * 1024,
                parallelism: 8,
                hash_len: 16,
                ..rfc9106
            },
            Self::Gnar => Argon2Parameters {
                variant: Argon2Variant::Argon2i,
                time_cost: 2,
                memory_cost_kib: 512,
                parallelism: 2,
                hash_len: 16,
                ..rfc9106
            },
            Self::Cheapest => Argon2Parameters {
                time_cost: 1,
                memory_cost_kib: 8,
                parallelism: 1,
                hash_len: 4,
                salt_len: 8,
                ..rfc9106
            },
        }
    }
}

impl PasswordSettings {
    /// Returns the costs in force.
    pub(super) fn parameters(&self) -> Argon2Parameters {
        let profile = self.profile.parameters();
        Argon2Parameters {
            variant: self.variant.unwrap_or(profile.variant),
            version: profile.version,
            time_cost: self.time_cost.unwrap_or(profile.time_cost),
            memory_cost_kib: self.memory_cost_kib.unwrap_or(profile.memory_cost_kib),
            parallelism: self.parallelism.unwrap_or(profile.parallelism),
            hash_len: self.hash_len.unwrap_or(profile.hash_len),
            salt_len: self.salt_len.unwrap_or(profile.salt_len),
        }
    }

    /// Returns the settings that differ from the defaults, for the log.
    pub(super) fn non_default_values(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut chosen = serde_json::Map::new();
        let mut add = |name: &str, value: Option<serde_json::Value>| {
            chosen.extend(value.map(|value| (name.to_owned(), value)));
        };
        let profile = Some(self.profile).filter(|profile| *profile != Argon2Profile::default());
        add("profile", profile.map(|profile| profile.name().into()));
        add("type", self.variant.map(|variant| variant.name().into()));
        add("time_cost", self.time_cost.map(Into::into));
        add("memory_cost", self.memory_cost_kib.map(Into::into));
        add("parallelism", self.parallelism.map(Into::into));
        add("hash_len", self.hash_len.map(Into::into));
        add("salt_len", self.salt_len.map(Into::into));
        let encoding =
            Some(self.encoding).filter(|encoding| *encoding != PasswordEncoding::default());
        add("encoding", encoding.map(|encoding| encoding.name().into()));
        chosen
    }

    /// Returns the maximum memory of all hashes together, in a process that may use `limit` in all.
    pub(super) fn memory_budget(&self, limit: Option<&MemoryLimit>) -> ByteSize {
        const MAX_DEFAULT: ByteSize = ByteSize::mib(2048);
        let half = limit.map_or(MAX_DEFAULT, |limit| ByteSize::bytes(limit.bytes / 2));
        let one = ByteSize::bytes(self.parameters().memory_bytes());
        self.memory_budget.unwrap_or_else(|| MAX_DEFAULT.min(half).max(one))
    }

    /// Refuses a hash, or a budget, that needs more than the process may use.
    fn check_against_limit(&self, limit: &MemoryLimit) -> Option<SettingProblem> {
        let (one, room) = (self.parameters().memory_bytes(), memory_for_hashes(limit));
        if one > room {
            let name = if self.memory_cost_kib.is_some() { "memory_cost_kib" } else { "profile" };
            let why = format!(
                "one hash needs {}, and {limit}, of which the rest of the service needs {}",
                ByteSize::bytes(one),
                ByteSize::bytes(BASE_MEMORY_BYTES),
            );
            return Some((name, why, self.cheaper_costs_fix(one, room)));
        }
        let budget = self.memory_budget.filter(|budget| budget.as_u64() > room)?;
        let why = format!(
            "{budget} is more than is available: {limit}, of which the rest of the service needs {}",
            ByteSize::bytes(BASE_MEMORY_BYTES),
        );
        Some(("memory_budget", why, format!("password.memory_budget={}", rounded(room))))
    }

    fn cheaper_costs_fix(&self, one: u64, room: u64) -> String {
        /// OWASP's minimum for Argon2id with two passes.
        const MIN_KIB: u64 = 19 * 1024;
        let larger = rounded(one + BASE_MEMORY_BYTES + (1 << 20) - 1);
        let cheaper = if MIN_KIB << 10 <= room && self.parameters().time_cost >= 2 {
            format!("password.memory_cost_kib={MIN_KIB}")
        } else {
            format!("password.profile={}", Argon2Profile::Gnar.name())
        };
        format!(
            "{cheaper} (accounts whose stored hash needs more memory than password.memory_budget \
             then cannot log in), or a memory limit of {larger} or more"
        )
    }

    fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems(memory::limit()) {
            from.refuse(name, why, fix);
        }
    }

    /// Returns settings that parse but cannot work in a process that may use `limit` in all: the
    /// setting, the reason, and the fix.
    pub(super) fn problems(&self, limit: Option<&MemoryLimit>) -> Vec<SettingProblem> {
        let all = self.parameters();
        let mut problems = Vec::new();
        let mut refuse = |wrong: bool, name, why: &str, fix: String| {
            if wrong {
                problems.push((name, why.to_owned(), fix));
            }
        };
        let lanes = all.parallelism.clamp(Params::MIN_P_COST, Params::MAX_P_COST);
        refuse(all.time_cost == 0, "time_cost", "a hash needs at least one pass", "1".into());
        refuse(
            all.parallelism != lanes,
            "parallelism",
            "expected 1 to 16777215 lanes",
            lanes.to_string(),
        );
        let least = lanes * 8;
        let name = if self.memory_cost_kib.is_none() && self.parallelism.is_some() {
            "parallelism"
        } else {
            "memory_cost_kib"
        };
        refuse(
            all.memory_cost_kib < least,
            name,
            "each lane needs 8 KiB of memory",
            format!("password.memory_cost_kib={least}, or fewer lanes"),
        );
        let long = |least, length: u32| length < least || length > MAX_OUTPUT_BYTES;
        refuse(long(4, all.hash_len), "hash_len", "expected 4 to 1024 bytes", "32".into());
        refuse(long(8, all.salt_len), "salt_len", "expected 8 to 1024 bytes", "16".into());
        let one = ByteSize::bytes(all.memory_bytes());
        refuse(
            self.memory_budget.is_some_and(|budget| one > budget),
            "memory_budget",
            &format!("one hash needs {one}"),
            format!("{one}, or a smaller password.memory_cost_kib"),
        );
        let work = ByteSize::bytes(all.work_bytes());
        refuse(
            work > self.work_limit,
            "work_limit",
            &format!("one hash processes {work}"),
            format!("{work}, or a smaller password.time_cost"),
        );
        refuse(
            self.max_waiting == 0,
            "max_waiting",
            "every password that is not hashed at once would be refused",
            "1000".into(),
        );
        refuse(self.nice > 19, "nice", "expected 0 to 19", "10".into());
        problems.extend(limit.and_then(|limit| self.check_against_limit(limit)));
        problems
    }
}
