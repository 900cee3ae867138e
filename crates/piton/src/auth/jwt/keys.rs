//! The keys that sign tokens, and those that check them.

use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::algorithm::{JwtAlgorithm, KeyKind};
use super::claims::Claims;
use super::pem::{self, PrivateKey, PublicKey};
use super::settings::JwtSettings;
use crate::config::{Problem, Problems};
use crate::part::BoxError;

/// The keys of a service. The header of a token only selects among them.
pub(super) struct TokenKeys {
    algorithm: JwtAlgorithm,
    key_id: Option<String>,
    signer: Option<Signer>,
    verifiers: Vec<Verifier>,
    /// The headers of the tokens made here and by PyJWT 2, as they stand in a token.
    heads: [String; 2],
    /// The content of those headers.
    header: Arc<Claims>,
}

enum Signer {
    Secret(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Other(PrivateKey),
}

/// A key that checks the tokens of one algorithm. Parsed once at launch, because every request checks a token.
struct Verifier {
    algorithm: JwtAlgorithm,
    key_id: Option<String>,
    key: VerifyingKey,
}

enum VerifyingKey {
    Secret(Box<hmac::Key>),
    Public(Box<ParsedPublicKey>),
}

/// A public key as it was configured.
struct ConfiguredKey {
    setting: &'static str,
    /// The path of its file, for messages.
    place: Option<String>,
    key_id: Option<String>,
    key: PublicKey,
}

impl TokenKeys {
    /// Reads the keys that the settings name; `secret` is that of the symmetric algorithms.
    ///
    /// # Errors
    /// All keys that are missing, cannot be read, or cannot work.
    pub fn new(settings: &JwtSettings, secret: Option<&SecretString>) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let algorithm = settings.algorithm;
        let private = private_key(settings, &mut problems);
        let public = public_keys(settings, private.as_ref(), &mut problems);
        let verifiers = verifiers(settings, &public, secret, &mut problems);
        let accepted = settings.algorithms();
        for configured in &public {
            if !accepted.iter().any(|algorithm| configured.key.fits(*algorithm)) {
                problems.push(configured.unused(&accepted));
            }
        }
        let signer = match (algorithm.key_kind(), private, secret) {
            (None, _, Some(secret)) => Some(Signer::Secret(hmac_key(algorithm, secret))),
            (Some(_), Some(key), _) => Some(Signer::new(key, algorithm)),
            _ => None,
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let key_id = settings.key_id.clone();
        let keys = Self {
            algorithm,
            signer,
            verifiers,
            heads: encoded_headers(algorithm, key_id.as_deref()),
            header: Arc::new(header_claims(algorithm, key_id.as_deref())),
            key_id,
        };
        keys.check_key_pair(settings).map_err(|problem| Problems(vec![*problem]))?;
        Ok(keys)
    }

    /// Returns the `alg` of the tokens made here.
    pub const fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Returns whether tokens of this algorithm are accepted.
    pub fn accepts(&self, algorithm: JwtAlgorithm) -> bool {
        self.verifiers.iter().any(|verifier| verifier.algorithm == algorithm)
    }

    /// Returns the content of a header that equals those of the tokens made here, without parsing it.
    pub fn known_header(&self, head: &str) -> Option<&Arc<Claims>> {
        self.heads.iter().any(|known| known == head).then_some(&self.header)
    }

    /// Returns the `kid` of the tokens made here.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub const fn can_sign(&self) -> bool {
        self.signer.is_some()
    }

    /// Writes the header of a token, with the members of `more`, and the dot.
    pub fn begin(&self, more: &Claims, token: &mut String) {
        if more.is_empty() {
            token.push_str(&self.heads[0]);
        } else {
            let mut header = (*self.header).clone();
            header.extend(more.clone());
            // Set last, because a hook must not change the algorithm: the key would not fit.
            header.insert("alg".into(), json!(self.algorithm.name()));
            URL_SAFE_NO_PAD.encode_string(Value::Object(header).to_string(), token);
        }
        token.push('.');
    }

    /// Adds the signature to the token.
    ///
    /// # Errors
    /// There is only a public key.
    pub fn sign(&self, token: &mut String) -> Result<(), BoxError> {
        const MISSING: &str = "no token can be signed: neither `jwt.private_key_file` nor \
                               `jwt.private_key` is set, and a public key only checks";
        let signature = self.signer.as_ref().ok_or(MISSING)?.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, token);
        Ok(())
    }

    /// Returns whether one of the keys has signed `message`: the one that `key_id` names and those
    /// without a name, or, if it names none, any of the algorithm's.
    pub fn check(
        &self,
        algorithm: JwtAlgorithm,
        key_id: Option<&str>,
        signature: &[u8],
        message: &[u8],
    ) -> bool {
        let names = |it: &Verifier| key_id.is_some() && it.key_id.as_deref() == key_id;
        let is_known = self.verifiers.iter().any(names);
        let fitting = self.verifiers.iter().filter(|it| it.algorithm == algorithm);
        // Keys without a name check tokens of any `kid`, because an earlier secret has none, and its tokens have
        // the `kid` of the current one if `jwt.key_id` has not been changed with it.
        let mut fitting = fitting.filter(|it| !is_known || it.key_id.is_none() || names(it));
        fitting.any(|verifier| verifier.key.check(signature, message))
    }

    /// Signs and verifies a message, so that keys that do not belong together are found at launch.
    fn check_key_pair(&self, settings: &JwtSettings) -> Result<(), Box<Problem>> {
        const MESSAGE: &[u8] = b"piton";
        let Some(signer) = &self.signer else { return Ok(()) };
        let private = settings.private_setting();
        let fix = format!("configure a key for {}", self.algorithm);
        let problem =
            |setting: &str, why: String| Box::new(Problem::new(setting, why, fix.clone()));
        let signature = signer.sign(MESSAGE);
        let signature = signature.map_err(|error| problem(private, error.to_string()))?;
        let own = self.verifiers.iter().filter(|it| it.algorithm == self.algorithm);
        if own.take(1).any(|verifier| verifier.key.check(&signature, MESSAGE)) {
            return Ok(());
        }
        let why = match (&settings.private_key_file, &settings.public_key_file) {
            (Some(private), Some(public)) => {
                let (private, public) = (private.display(), public.display());
                format!("the two key files do not belong together: {private}, {public}")
            }
            _ => "the public key does not belong to the private key".to_owned(),
        };
        Err(problem(settings.public_setting(), why))
    }
}

impl Signer {
    fn new(key: PrivateKey, algorithm: JwtAlgorithm) -> Self {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            JwtAlgorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
            JwtAlgorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
            JwtAlgorithm::Ps256 => &signature::RSA_PSS_SHA256,
            JwtAlgorithm::Ps384 => &signature::RSA_PSS_SHA384,
            JwtAlgorithm::Ps512 => &signature::RSA_PSS_SHA512,
            _ => &signature::RSA_PKCS1_SHA256,
        };
        match key {
            PrivateKey::Rsa(pair) => Self::Rsa(pair, encoding),
            other => Self::Other(other),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::Secret(key) => hmac::sign(key, message).as_ref().to_vec(),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)?;
                signature
            }
            Self::Other(PrivateKey::Ecdsa(pair)) => pair.sign(&random, message)?.as_ref().to_vec(),
            Self::Other(PrivateKey::Ed25519(pair)) => pair.sign(message).as_ref().to_vec(),
            Self::Other(PrivateKey::Rsa(_)) => return Err("an RSA key without its padding".into()),
        })
    }
}

impl VerifyingKey {
    /// Verifies a signature, in constant time.
    fn check(&self, signature: &[u8], message: &[u8]) -> bool {
        match self {
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl ConfiguredKey {
    fn verifier(&self, algorithm: JwtAlgorithm) -> Option<Verifier> {
        let key = ParsedPublicKey::new(algorithm.verification(), &self.key.der).ok()?;
        let key = VerifyingKey::Public(Box::new(key));
        Some(Verifier { algorithm, key_id: self.key_id.clone(), key })
    }

    /// Returns the problem of a key that none of the algorithms can use.
    fn unused(&self, algorithms: &[JwtAlgorithm]) -> Problem {
        let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
        let names = names.join(", ");
        let place = self.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let why = format!("{place}this is {}, which {names} cannot use", self.key.name());
        let fix = format!("configure a key for {names}, or `jwt.algorithm` for the key");
        Problem::new(format!("jwt.{}", self.setting), why, fix)
    }
}

/// Returns the keys that verify tokens, for each accepted algorithm.
fn verifiers(
    settings: &JwtSettings,
    public: &[ConfiguredKey],
    secret: Option<&SecretString>,
    problems: &mut Problems,
) -> Vec<Verifier> {
    let mut verifiers = Vec::new();
    for algorithm in settings.algorithms() {
        let Some(kind) = algorithm.key_kind() else {
            verifiers.extend(secret_verifiers(settings, algorithm, secret));
            continue;
        };
        let count = verifiers.len();
        let fitting = public.iter().filter(|it| it.key.fits(algorithm));
        verifiers.extend(fitting.filter_map(|it| it.verifier(algorithm)));
        let is_configured = public.iter().any(|it| it.key.kind == kind);
        // Reported only if no other key has a problem, which would be the cause of this one.
        if verifiers.len() == count && !is_configured && problems.is_empty() {
            problems.push(missing_key(algorithm, settings));
        }
    }
    verifiers
}

/// Returns the headers of the tokens made here and by PyJWT 2, as they are encoded in a token. They differ
/// in the order of their members.
fn encoded_headers(algorithm: JwtAlgorithm, key_id: Option<&str>) -> [String; 2] {
    let name = algorithm.name();
    let kid = key_id.map(|id| format!(r#","kid":{}"#, Value::from(id))).unwrap_or_default();
    let own = format!(r#"{{"typ":"JWT","alg":"{name}"{kid}}}"#);
    let py_jwt = format!(r#"{{"alg":"{name}"{kid},"typ":"JWT"}}"#);
    [own, py_jwt].map(|header| URL_SAFE_NO_PAD.encode(header))
}

/// Returns the content of those headers.
fn header_claims(algorithm: JwtAlgorithm, key_id: Option<&str>) -> Claims {
    let mut header = Claims::new();
    header.insert("typ".into(), "JWT".into());
    header.insert("alg".into(), algorithm.name().into());
    header.extend(key_id.map(|id| ("kid".into(), id.into())));
    header
}

fn hmac_key(algorithm: JwtAlgorithm, secret: &SecretString) -> Box<hmac::Key> {
    Box::new(hmac::Key::new(algorithm.hmac(), secret.expose_secret().as_bytes()))
}

/// Returns the verifiers of the current and the previous secrets.
fn secret_verifiers<'a>(
    settings: &'a JwtSettings,
    algorithm: JwtAlgorithm,
    secret: Option<&'a SecretString>,
) -> impl Iterator<Item = Verifier> + 'a {
    let verifier = move |secret: &SecretString, key_id| {
        let key = VerifyingKey::Secret(hmac_key(algorithm, secret));
        Verifier { algorithm, key_id, key }
    };
    // Filtered, because `key_id` names the signing key, which is not the secret with an asymmetric algorithm.
    let key_id = settings.key_id.clone().filter(|_| settings.algorithm.is_symmetric());
    let current = secret.map(|secret| verifier(secret, key_id));
    let previous = settings.previous_secret_keys.iter().map(move |it| verifier(it, None));
    current.into_iter().chain(previous)
}

/// Returns the problem of an algorithm without a key.
fn missing_key(algorithm: JwtAlgorithm, settings: &JwtSettings) -> Problem {
    let kind = algorithm.key_kind().map_or("a secret", KeyKind::name);
    let why = format!("{algorithm} needs {kind}, and none is configured");
    let setting = match algorithm == settings.algorithm {
        true => settings.public_setting(),
        false => "jwt.decode_algorithms",
    };
    let fix = format!("add the key to `jwt.previous_public_key_files`, or leave {algorithm} out");
    let fix = if algorithm == settings.algorithm { "name a PEM file".to_owned() } else { fix };
    Problem::new(setting, why, fix)
}

/// Reads the private key, if the algorithm needs one and one is configured.
fn private_key(settings: &JwtSettings, problems: &mut Problems) -> Option<PrivateKey> {
    let kind = settings.algorithm.key_kind()?;
    let fix = format!("configure {} (PEM) for {}", kind.name(), settings.algorithm);
    let (setting, place, pem) = match (&settings.private_key_file, &settings.private_key) {
        (Some(path), _) => ("private_key_file", Some(path), std::fs::read(path)),
        (None, Some(text)) => ("private_key", None, Ok(text.pem())),
        (None, None) => return None,
    };
    let key = pem.map_err(|error| error.to_string()).and_then(|pem| PrivateKey::read(kind, &pem));
    key.map_err(|why| {
        let place = place.map(|path| format!("{}: ", path.display())).unwrap_or_default();
        problems.push(Problem::new(format!("jwt.{setting}"), format!("{place}{why}"), fix));
    })
    .ok()
}

/// Reads the public keys, the current one first.
fn public_keys(
    settings: &JwtSettings,
    private: Option<&PrivateKey>,
    problems: &mut Problems,
) -> Vec<ConfiguredKey> {
    let mut keys = Vec::new();
    let current = settings.key_id.clone().filter(|_| !settings.algorithm.is_symmetric());
    match (&settings.public_key_file, &settings.public_key) {
        (Some(path), _) => {
            let place = path.display().to_string();
            keys.extend(public_key_file("public_key_file", &place, current, problems));
        }
        (None, Some(text)) => match pem::public(&text.pem()) {
            Ok(key) => {
                let setting = "public_key";
                keys.push(ConfiguredKey { setting, place: None, key_id: current, key });
            }
            Err(why) => problems.push(Problem::new("jwt.public_key", why, PUBLIC_KEY_FIX)),
        },
        (None, None) => {
            if let (Some(private), Some(kind)) = (private, settings.algorithm.key_kind()) {
                let key = PublicKey { kind, is_pss: false, der: private.public() };
                let setting = "private_key_file";
                keys.push(ConfiguredKey { setting, place: None, key_id: current, key });
            }
        }
    }
    for entry in &settings.previous_public_key_files {
        let (key_id, place) = match entry.split_once('=') {
            Some((key_id, path)) => (Some(key_id.trim().to_owned()), path.trim()),
            None => (None, entry.trim()),
        };
        keys.extend(public_key_file("previous_public_key_files", place, key_id, problems));
    }
    keys
}

const PUBLIC_KEY_FIX: &str = "configure a public key (PEM)";

fn public_key_file(
    setting: &'static str,
    place: &str,
    key_id: Option<String>,
    problems: &mut Problems,
) -> Option<ConfiguredKey> {
    let pem = std::fs::read(place).map_err(|error| error.to_string());
    match pem.and_then(|pem| pem::public(&pem)) {
        Ok(key) => Some(ConfiguredKey { setting, place: Some(place.to_owned()), key_id, key }),
        Err(why) => {
            let why = format!("{place}: {why}");
            problems.push(Problem::new(format!("jwt.{setting}"), why, PUBLIC_KEY_FIX));
            None
        }
    }
}
