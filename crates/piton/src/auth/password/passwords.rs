//! `Passwords`: the part that hashes and checks passwords.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use secrecy::SecretSlice;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::argon2_parameters::Argon2Parameters;
use super::error::{self, Error, Kind};
use super::hash_pool::{HashJob, HashPool, PoolLimits};
use super::metrics::{HashCounts, HashOperation, PasswordMetrics, PoolLoad};
use super::phc_string::StoredHash;
use super::settings::{PasswordEncoding, PasswordSettings};
use crate::config::ByteSize;
use crate::handle::Handle;
use crate::launch_steps::Step;
use crate::memory;
use crate::metrics::Metrics;
use crate::part::{self, Launch, Part};
use crate::support::log_throttle::LogThrottle;

/// Maximum length of a password in bytes, because waiting passwords are held in memory.
pub(super) const MAX_PASSWORD_BYTES: usize = 64 * 1024;

/// Hashes passwords and checks them. Cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    parameters: Argon2Parameters,
    encoding: PasswordEncoding,
    work_limit_bytes: u64,
    memory_budget_bytes: u64,
    /// The hash that is checked for users that do not exist.
    dummy_hash: StoredHash,
    counts: HashCounts,
    pool: HashPool,
}

impl Passwords {
    /// Hashes a password with a new random salt. Returns a PHC string, such as
    /// `$argon2id$v=19$m=65536,t=3,p=4$..`, to be stored; [`check`](Self::check) needs nothing else.
    ///
    /// Cancel safe: a future that is dropped while it waits never computes the hash.
    ///
    /// # Errors
    /// [`Kind::Empty`], [`Kind::TooLong`] and [`Kind::Encoding`] say what is wrong with the password;
    /// [`Kind::Busy`] is temporary: try again later.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let password = self.bytes(password)?;
        let parameters = self.0.parameters;
        let salt = random(parameters.salt_len)?;
        let operation = HashOperation::Hash;
        let job = HashJob { operation, parameters, salt: salt.clone(), password };
        let hash = self.0.pool.run(job).await?;
        Ok(StoredHash { parameters, salt, hash }.text())
    }

    /// Returns whether `hash` was made of `password`. Returns `false` where [`verify`](Self::verify) returns
    /// an error, and logs the error unless the password is to blame.
    pub async fn check(&self, hash: &str, password: &str) -> bool {
        let outcome = self.verify(hash, password).await;
        if let Err(error) = &outcome {
            log(error);
        }
        outcome.is_ok()
    }

    /// Checks a password, and returns the reason if it does not match.
    ///
    /// Cancel safe: a future that is dropped while it waits never computes the hash.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] if the password is wrong; [`Kind::InvalidHash`] and [`Kind::TooCostly`] if the hash
    /// cannot be used; otherwise those of [`hash`](Self::hash).
    pub async fn verify(&self, hash: &str, password: &str) -> Result<(), Error> {
        let stored = StoredHash::read(hash)?;
        self.verify_stored(stored, password).await
    }

    /// Computes a hash as [`check`](Self::check) does, with the costs of the settings, and returns `false`.
    /// Call it for users that do not exist, so that the response time does not tell who does.
    pub async fn check_dummy(&self, password: &str) -> bool {
        // The result is ignored, because it could match: one password in 2^32 does with the cheapest profile.
        if let Err(error) = self.verify_stored(self.0.dummy_hash.clone(), password).await {
            log(&error);
        }
        false
    }

    /// Checks the password of a login: `hash` is the user's, or `None` if the user does not exist. Neither
    /// the time it takes nor the error under load tells whether the user exists: an unknown user, and one
    /// whose hash is cheaper than the settings, cost as much as a known one.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// # async fn f(passwords: Passwords, hash: Option<String>) -> Result<()> {
    /// match passwords.login(hash.as_deref(), "correct horse").await {
    ///     Ok(()) => {}
    ///     Err(error) if error.is_wrong_password() => {
    ///         return Err(Error::unauthorized("wrong user or password"));
    ///     }
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify); [`Kind::Mismatch`] if there is no such user.
    pub async fn login(&self, hash: Option<&str>, password: &str) -> Result<(), Error> {
        let Some(hash) = hash else {
            self.verify_stored(self.0.dummy_hash.clone(), password).await?;
            return Err(Error::new(Kind::Mismatch, MISMATCH));
        };
        let outcome = self.verify(hash, password).await;
        let wrong = matches!(&outcome, Err(error) if error.kind() == Kind::Mismatch);
        if wrong && self.needs_rehash(hash) {
            self.verify_stored(self.0.dummy_hash.clone(), password).await?;
        }
        outcome
    }

    /// Returns true if `hash` is malformed or has other parameters than the settings. Call it after a
    /// successful check, when the password is at hand to be hashed again.
    #[must_use]
    pub fn needs_rehash(&self, hash: &str) -> bool {
        StoredHash::read(hash).map_or(true, |stored| stored.parameters != self.0.parameters)
    }

    async fn verify_stored(&self, stored: StoredHash, password: &str) -> Result<(), Error> {
        let password = self.bytes(password)?;
        let StoredHash { parameters, salt, hash } = stored;
        self.check_cost(&parameters)?;
        let operation = HashOperation::Check;
        let computed = self.0.pool.run(HashJob { operation, parameters, salt, password }).await?;
        if bool::from(computed.ct_eq(&hash)) {
            Ok(())
        } else {
            Err(Error::new(Kind::Mismatch, MISMATCH))
        }
    }

    fn check_cost(&self, parameters: &Argon2Parameters) -> Result<(), Error> {
        let too_costly = |need: &str, bytes: u64, name: &str, limit: u64| {
            let (bytes, limit) = (ByteSize::bytes(bytes), ByteSize::bytes(limit));
            let text = format!(
                "a stored hash needs {bytes} of {need}, which is more than {name} ({limit}): \
                 accounts with such a hash cannot log in until that is raised"
            );
            Err(Error::new(Kind::TooCostly, text))
        };
        let (memory, work) = (parameters.memory_bytes(), parameters.work_bytes());
        if memory > self.0.memory_budget_bytes {
            let limit = self.0.memory_budget_bytes;
            return too_costly("memory", memory, "password.memory_budget", limit);
        }
        if work > self.0.work_limit_bytes {
            return too_costly("work", work, "password.work_limit", self.0.work_limit_bytes);
        }
        Ok(())
    }

    /// Encodes the password for Argon2.
    fn bytes(&self, password: &str) -> Result<SecretSlice<u8>, Error> {
        if password.is_empty() {
            return Err(Error::new(Kind::Empty, error::EMPTY));
        }
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(Error::new(Kind::TooLong, "the password is longer than 64 KiB"));
        }
        let bytes = match self.0.encoding {
            PasswordEncoding::Utf8 => Some(password.as_bytes().to_vec()),
            PasswordEncoding::Latin1 => password.chars().map(|c| u8::try_from(c).ok()).collect(),
        };
        let why = "the password has characters that password.encoding does not have";
        bytes.map(SecretSlice::from).ok_or_else(|| Error::new(Kind::Encoding, why))
    }

    pub(super) fn load(&self) -> PoolLoad {
        self.0.pool.load()
    }

    /// Creates the part with settings that have been checked.
    pub(super) fn new(settings: &PasswordSettings) -> Result<Self, Error> {
        let parameters = settings.parameters();
        let memory_budget_bytes = settings.memory_budget(memory::limit()).as_u64();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = memory_budget_bytes / parameters.memory_bytes().max(1);
        let limits = PoolLimits {
            memory_bytes: memory_budget_bytes,
            max_waiting: settings.max_waiting,
            threads: usize::try_from(at_once).unwrap_or(cores).clamp(1, cores),
            nice: settings.nice,
        };
        let counts = HashCounts::default();
        let dummy_hash = StoredHash {
            parameters,
            salt: random(parameters.salt_len)?,
            hash: random(parameters.hash_len)?,
        };
        Ok(Self(Arc::new(Inner {
            parameters,
            encoding: settings.encoding,
            work_limit_bytes: settings.work_limit.as_u64(),
            memory_budget_bytes,
            dummy_hash,
            pool: HashPool::new(limits, counts.clone()),
            counts,
        })))
    }
}

fn random(length: u32) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; length as usize];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            Err(Error::new(Kind::Other, format!("the system returns no random numbers: {error}")))
        }
    }
}

/// The message of argon2-cffi for a wrong password.
const MISMATCH: &str = "The password does not match the supplied hash";

/// Limits the log lines about a full queue: whoever floods the login would write one with each request.
static BUSY_LOG: LazyLock<LogThrottle> = LazyLock::new(LogThrottle::default);

/// Logs an error that `check` reports to its caller only as `false`.
fn log(error: &Error) {
    match error.kind() {
        Kind::Mismatch | Kind::Empty | Kind::TooLong | Kind::Encoding => {}
        Kind::Busy => {
            if let Some(count) = BUSY_LOG.pass() {
                tracing::warn!(%error, count, "Passwords were not checked and are reported as wrong");
            }
        }
        _ => tracing::error!(%error, "A password could not be checked and is reported as wrong"),
    }
}

impl Part for Passwords {
    const NAME: &'static str = "password";
    const STEP: Step = Step::ConfigurePassword;

    type Settings = PasswordSettings;

    async fn start(settings: PasswordSettings, _: &Launch) -> Result<Self, part::Error> {
        let passwords = Self::new(&settings)?;
        tracing::info!("Argon2 PasswordHasher instantiated with {}", describe_settings(&settings));
        Ok(passwords)
    }

    fn snapshot(&self) -> serde_json::Value {
        let Argon2Parameters {
            time_cost, memory_cost_kib, parallelism, hash_len, salt_len, ..
        } = self.0.parameters;
        let load = self.load();
        json!({
            "variant": self.0.parameters.variant.name(),
            "time_cost": time_cost,
            "memory_cost_kib": memory_cost_kib,
            "parallelism": parallelism,
            "hash_len": hash_len,
            "salt_len": salt_len,
            "encoding": self.0.encoding.name(),
            "threads": load.threads,
            "waiting": load.waiting,
            "memory_bytes": load.memory_bytes,
            "peak_memory_bytes": load.peak_memory_bytes,
        })
    }

    fn metrics(&self, metrics: &Metrics) {
        let passwords = self.clone();
        let load = Box::new(move || passwords.load());
        metrics.collect(PasswordMetrics { counts: self.0.counts.clone(), load });
    }

    async fn stop(&self) {
        self.0.pool.stop();
    }
}

crate::part!(Passwords);

/// Formats the settings for the log as Gnar Gear does: `defaults`, or
/// `{"time_cost": 3, "memory_cost": 65536}`.
pub(super) fn describe_settings(settings: &PasswordSettings) -> Cow<'static, str> {
    let values = settings.non_default_values();
    if values.is_empty() {
        return "defaults".into();
    }
    let fields: Vec<_> =
        values.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", ")).into()
}

impl Handle {
    /// Hashes a password; see [`Passwords::hash`].
    ///
    /// # Errors
    /// Those of [`Passwords::hash`].
    ///
    /// # Panics
    /// If nothing asked for [`Passwords`]; see [`Handle::part`].
    pub async fn generate_password_hash(&self, password: &str) -> Result<String, Error> {
        self.argon2().hash(password).await
    }

    /// Returns whether `hash` was made of `password`; see [`Passwords::check`].
    ///
    /// # Panics
    /// If nothing asked for [`Passwords`]; see [`Handle::part`].
    pub async fn check_password_hash(&self, hash: &str, password: &str) -> bool {
        self.argon2().check(hash, password).await
    }

    /// Returns the passwords of the service, as a handler's argument `passwords: Passwords` does.
    ///
    /// # Panics
    /// If nothing asked for [`Passwords`]; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn argon2(&self) -> Passwords {
        self.part::<Passwords>()
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Passwords").field(&self.snapshot()).finish()
    }
}
