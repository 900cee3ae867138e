//! What signs tokens and what checks them.

use std::path::Path;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{self, CryptoProvider, aws_lc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretString};

use super::settings::{JwtAlgorithm, JwtSettings};
use crate::config::Problem;
use crate::part::BoxError;

/// The keys of one algorithm. There is no other way to be taken: what a token says of itself only has
/// to agree.
pub(super) struct Keys {
    name: &'static str,
    /// The heads of the tokens made here and by PyJWT 2, as they stand in a token.
    heads: [String; 2],
    kind: Kind,
}

enum Kind {
    /// The first signs, all check. They are made ready once: a request checks one token and signs the
    /// next.
    Secrets(Vec<hmac::Key>),
    Pair(Box<Pair>),
}

struct Pair {
    algorithm: Algorithm,
    sign: Option<EncodingKey>,
    check: DecodingKey,
}

impl Keys {
    /// The keys that the settings name; `secret` is the one of the symmetric algorithms.
    pub fn new(
        settings: &JwtSettings,
        secret: Option<&SecretString>,
    ) -> Result<Self, Box<Problem>> {
        // One provider for the whole process, whatever other crates bring; a second time is no error.
        let _ = CryptoProvider::install_default(&aws_lc::DEFAULT_PROVIDER);
        let kind = match secret {
            Some(secret) => {
                let all = std::iter::once(secret).chain(&settings.previous_secret_keys);
                let key = |secret: &SecretString| {
                    hmac::Key::new(hash(settings.algorithm), secret.expose_secret().as_bytes())
                };
                Kind::Secrets(all.map(key).collect())
            }
            None => Kind::Pair(Box::new(pair(settings, algorithm(settings.algorithm))?)),
        };
        let name = settings.algorithm.name();
        let heads = [
            format!(r#"{{"typ":"JWT","alg":"{name}"}}"#),
            format!(r#"{{"alg":"{name}","typ":"JWT"}}"#),
        ];
        let keys = Self { name, heads: heads.map(|head| URL_SAFE_NO_PAD.encode(head)), kind };
        keys.try_out().map_err(|why| {
            let key = if keys.can_sign() { "private_key_file" } else { "public_key_file" };
            let fix = format!("name a PEM file with a key for {}", keys.name);
            Box::new(Problem::new(format!("jwt.{key}"), why, fix))
        })?;
        Ok(keys)
    }

    /// The `alg` of the tokens that are taken.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The head of the tokens made here, as it stands in them.
    pub fn head(&self) -> &str {
        &self.heads[0]
    }

    /// Whether this is the head of a token signed as those here are, without having to read it.
    pub fn knows(&self, head: &str) -> bool {
        self.heads.iter().any(|known| known == head)
    }

    pub fn can_sign(&self) -> bool {
        match &self.kind {
            Kind::Secrets(_) => true,
            Kind::Pair(pair) => pair.sign.is_some(),
        }
    }

    /// Adds to the token what signs it.
    pub fn sign(&self, token: &mut String) -> Result<(), BoxError> {
        match &self.kind {
            Kind::Secrets(keys) => {
                let tag = hmac::sign(&keys[0], token.as_bytes());
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(tag, token);
            }
            Kind::Pair(pair) => {
                let key = pair.sign.as_ref().ok_or(
                    "no token can be signed: `jwt.private_key_file` is not set, and the public key only checks",
                )?;
                let signature = crypto::sign(token.as_bytes(), key, pair.algorithm)?;
                token.push('.');
                token.push_str(&signature);
            }
        }
        Ok(())
    }

    /// Whether one of the keys has signed `message`. The comparison takes the same time wherever they
    /// differ.
    pub fn check(&self, signature: &[u8], message: &[u8]) -> bool {
        match &self.kind {
            Kind::Secrets(keys) => {
                keys.iter().any(|key| hmac::verify(key, message, signature).is_ok())
            }
            Kind::Pair(pair) => {
                let signature = URL_SAFE_NO_PAD.encode(signature);
                crypto::verify(&signature, message, &pair.check, pair.algorithm).unwrap_or_default()
            }
        }
    }

    /// Keys that do not fit their algorithm, or each other, are found now and not by the first token.
    fn try_out(&self) -> Result<(), String> {
        const MESSAGE: &str = "piton";
        let Kind::Pair(pair) = &self.kind else { return Ok(()) };
        let Some(sign) = &pair.sign else {
            // A wrong key and a wrong signature cannot be told apart, but what is no key at all can.
            return crypto::verify("AAAA", MESSAGE.as_bytes(), &pair.check, pair.algorithm)
                .map(drop)
                .map_err(|error| error.to_string());
        };
        let signed = crypto::sign(MESSAGE.as_bytes(), sign, pair.algorithm);
        let signature = signed.map_err(|error| error.to_string())?;
        match crypto::verify(&signature, MESSAGE.as_bytes(), &pair.check, pair.algorithm) {
            Ok(true) => Ok(()),
            Ok(false) => Err("the two key files do not belong together".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The keys of the files.
fn pair(settings: &JwtSettings, algorithm: Algorithm) -> Result<Pair, Box<Problem>> {
    let sign = match &settings.private_key_file {
        Some(path) => Some(read("private_key_file", path, |pem| private(algorithm, pem))?),
        None => None,
    };
    let check = match (&settings.public_key_file, &sign) {
        (Some(path), _) => read("public_key_file", path, |pem| public(algorithm, pem))?,
        (None, Some(sign)) => {
            let jwk = Jwk::from_encoding_key(sign, algorithm);
            jwk.and_then(|jwk| DecodingKey::from_jwk(&jwk)).map_err(|error| {
                let fix = format!("name a key for {}", settings.algorithm);
                let why = format!("this is not a key of that kind: {error}");
                Box::new(Problem::new("jwt.private_key_file", why, fix))
            })?
        }
        (None, None) => {
            let problem = Problem::new("jwt.private_key_file", "is not set", "name a PEM file");
            return Err(Box::new(problem));
        }
    };
    Ok(Pair { algorithm, sign, check })
}

fn read<K>(
    key: &str,
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<K, String>,
) -> Result<K, Box<Problem>> {
    let problem = |why: String| {
        let why = format!("{}: {why}", path.display());
        Box::new(Problem::new(format!("jwt.{key}"), why, "name a PEM file"))
    };
    let pem = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    parse(&pem).map_err(problem)
}

fn private(algorithm: Algorithm, pem: &[u8]) -> Result<EncodingKey, String> {
    let key = match algorithm.family() {
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
        _ => EncodingKey::from_rsa_pem(pem),
    };
    match key {
        Err(_) if has(pem, "BEGIN EC PRIVATE KEY") => Err(
            "it is in the older form of `openssl ecparam`: `openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW` makes the one that is read".into(),
        ),
        Err(_) if !has(pem, "PRIVATE KEY") => Err("this is no private key".into()),
        other => other.map_err(|error| format!("this is not a key of that kind: {error}")),
    }
}

fn public(algorithm: Algorithm, pem: &[u8]) -> Result<DecodingKey, String> {
    if has(pem, "PRIVATE KEY") {
        return Err(
            "this is the private key: `openssl pkey -in KEY -pubout` prints the public one".into(),
        );
    }
    let key = match algorithm.family() {
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
        _ => DecodingKey::from_rsa_pem(pem),
    };
    key.map_err(|error| format!("this is not a key of that kind: {error}"))
}

fn has(pem: &[u8], label: &str) -> bool {
    pem.windows(label.len()).any(|found| found == label.as_bytes())
}

const fn hash(algorithm: JwtAlgorithm) -> hmac::Algorithm {
    match algorithm {
        JwtAlgorithm::Hs384 => hmac::HMAC_SHA384,
        JwtAlgorithm::Hs512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    }
}

const fn algorithm(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::Hs384 => Algorithm::HS384,
        JwtAlgorithm::Hs512 => Algorithm::HS512,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::Rs384 => Algorithm::RS384,
        JwtAlgorithm::Rs512 => Algorithm::RS512,
        JwtAlgorithm::Ps256 => Algorithm::PS256,
        JwtAlgorithm::Ps384 => Algorithm::PS384,
        JwtAlgorithm::Ps512 => Algorithm::PS512,
        JwtAlgorithm::Es256 => Algorithm::ES256,
        JwtAlgorithm::Es384 => Algorithm::ES384,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}
