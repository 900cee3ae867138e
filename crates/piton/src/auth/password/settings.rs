//! The section `[password]`.

use argon2::{Params, Version};

use super::argon2_parameters::{Argon2Parameters, Argon2Variant, MAX_OUTPUT_BYTES};
use crate::config::{ByteSize, Reader};
use crate::memory::{self, MemoryLimit, rounded};

/// The memory that a service takes besides its hashes: some 15 MiB after its start, and more under
/// load.
const BASE_MEMORY_BYTES: u64 = 24 << 20;

/// A wrong setting, the reason, and the fix.
type SettingProblem = (&'static str, String, String);

/// Returns the maximum memory for hashes, of what the process may use in all.
fn memory_for_hashes(limit: &MemoryLimit) -> u64 {
    limit.bytes.saturating_sub(BASE_MEMORY_BYTES)
}

/// How passwords are hashed, and how much memory and time that may take.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct PasswordSettings {
    /// The costs of a hash, by the names of argon2-cffi's profiles: `rfc9106-low-memory` (argon2id,
    /// 64 MiB, 3 passes, 4 lanes), `rfc9106-high-memory` (argon2id, 2 GiB, 1 pass, 4 lanes),
    /// `pre-21.2` (argon2id, 100 MiB, 2 passes, 8 lanes), `gnar` (argon2i, 512 KiB, 2 passes, 2 lanes: Gnar
    /// Gear's) and `cheapest` (8 KiB, for tests alone). The settings below replace single costs.
    /// **Default: `rfc9106-low-memory`.**
    pub profile: Argon2Profile,

    /// Which Argon2: `argon2id`, `argon2i` or `argon2d`. Hashes of any of them are checked whatever
    /// is set. **Default: the profile's.**
    pub variant: Option<Argon2Variant>,

    /// How often a hash passes over its memory. Raise it to make a hash take longer when there is no
    /// more memory to spend. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_TIME_COST")]
    #[setting(max = 1_000_000)]
    pub time_cost: Option<u32>,

    /// The memory of one hash, in KiB; at least 8 for each lane. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_MEMORY_COST")]
    #[setting(max = 1_073_741_824)]
    pub memory_cost_kib: Option<u32>,

    /// The number of lanes in which the memory is filled. It changes the hash; each hash is worked
    /// on by one thread all the same. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_PARALLELISM")]
    #[setting(min = 1, max = 16_777_215)]
    pub parallelism: Option<u32>,

    /// The length of a hash in bytes, 4 to 1024. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_HASH_LEN")]
    #[setting(min = 4, max = 1024)]
    pub hash_len: Option<u32>,

    /// The length of the random salt in bytes, 8 to 1024. **Default: the profile's.**
    #[setting(alias = "{prefix}_ARGON2_SALT_LEN")]
    #[setting(min = 8, max = 1024)]
    pub salt_len: Option<u32>,

    /// How the characters of a password become bytes: `utf-8` or `latin-1`. Keep what the stored
    /// hashes were made with. **Default: `utf-8`.**
    #[setting(alias = "{prefix}_ARGON2_ENCODING")]
    pub encoding: PasswordEncoding,

    /// The most memory that all hashes worked on at one time may take; what needs more waits. A
    /// stored hash that alone needs more is refused. Lower it where the service has less memory. Where
    /// not even one hash fits into the container or the machine, the service does not start.
    /// **Default: half of the container's or machine's memory, at most `2GiB`, and at least one
    /// hash.**
    #[setting(max = "1TiB")]
    pub memory_budget: Option<ByteSize>,

    /// The most work that a stored hash may ask for: its memory, times the passes over it. 64 GiB take a
    /// core about a minute. It keeps a hash that somebody made up from holding a thread for hours.
    /// **Default: `64GiB`.**
    #[setting(max = "1024TiB")]
    pub work_limit: ByteSize,

    /// How many passwords may wait for their turn; more are answered 503, as are those whose turn would
    /// not come before `http.timeout`. **Default: `1000`.**
    #[setting(max = 1_000_000)]
    pub max_waiting: usize,

    /// By how much the threads that hash step back for all others, from 0 to 19: with 0 a rush of
    /// logins makes every other request wait. Only on Linux. **Default: `10`.**
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
    /// Costs that belong together; argon2-cffi's, and Gnar Gear's.
    pub enum Argon2Profile: default Rfc9106LowMemory {
        /// RFC 9106's second recommendation, and argon2-cffi's default.
        Rfc9106LowMemory = "rfc9106-low-memory" | "rfc_9106_low_memory",
        /// RFC 9106's first recommendation: 2 GiB a hash.
        Rfc9106HighMemory = "rfc9106-high-memory" | "rfc_9106_high_memory",
        /// argon2-cffi's default from 18.2 to 21.1.
        Pre21_2 = "pre-21.2" | "pre_21_2",
        /// What Gnar Gear documents.
        Gnar = "gnar",
        /// For tests alone.
        Cheapest = "cheapest",
    }
}

crate::setting_enum! {
    /// How characters become bytes, by Python's names.
    pub enum PasswordEncoding: default Utf8 {
        /// Every character there is.
        Utf8 = "utf-8" | "utf8" | "utf_8",
        /// One byte a character, of which there are 256.
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
    /// The costs in force.
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

    /// What is not as by default, for the line of the log that says so.
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
            "{budget} are more than there are: {limit}, of which the rest of the service needs {}",
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
        refuse(all.time_cost == 0, "time_cost", "without a pass nothing is hashed", "1".into());
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
            &format!("one hash goes through {work}"),
            format!("{work}, or a smaller password.time_cost"),
        );
        refuse(self.max_waiting == 0, "max_waiting", "nobody could ever wait", "1000".into());
        refuse(self.nice > 19, "nice", "expected 0 to 19", "10".into());
        problems.extend(limit.and_then(|limit| self.check_against_limit(limit)));
        problems
    }
}
