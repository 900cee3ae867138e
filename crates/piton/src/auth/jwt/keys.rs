//! What signs tokens and what checks them.

use std::path::Path;

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
    algorithm: Algorithm,
    sign: Option<EncodingKey>,
    check: Vec<DecodingKey>,
}

impl Keys {
    /// The keys that the settings name; `secret` is the one of the symmetric algorithms.
    pub fn new(
        settings: &JwtSettings,
        secret: Option<&SecretString>,
    ) -> Result<Self, Box<Problem>> {
        // One provider for the whole process, whatever other crates bring; a second time is no error.
        let _ = CryptoProvider::install_default(&aws_lc::DEFAULT_PROVIDER);
        let algorithm = algorithm(settings.algorithm);
        let (sign, check) = match secret {
            Some(secret) => {
                let bytes = |secret: &SecretString| secret.expose_secret().as_bytes().to_vec();
                let all = std::iter::once(secret).chain(&settings.previous_secret_keys);
                let check = all.map(|secret| DecodingKey::from_secret(&bytes(secret))).collect();
                (Some(EncodingKey::from_secret(&bytes(secret))), check)
            }
            None => pair(settings, algorithm)?,
        };
        let keys = Self { name: settings.algorithm.name(), algorithm, sign, check };
        keys.try_out().map_err(|why| {
            let key = if keys.sign.is_some() { "private_key_file" } else { "public_key_file" };
            let fix = format!("name a PEM file with a key for {}", keys.name);
            Box::new(Problem::new(format!("jwt.{key}"), why, fix))
        })?;
        Ok(keys)
    }

    /// The `alg` of the tokens that are taken.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn can_sign(&self) -> bool {
        self.sign.is_some()
    }

    /// The signature of `message` as it stands in a token.
    pub fn sign(&self, message: &[u8]) -> Result<String, BoxError> {
        let key = self.sign.as_ref().ok_or(
            "no token can be signed: `jwt.private_key_file` is not set, and the public key only checks",
        )?;
        Ok(crypto::sign(message, key, self.algorithm)?)
    }

    /// Whether one of the keys has signed `message`. The comparison takes the same time wherever they
    /// differ.
    pub fn check(&self, signature: &str, message: &[u8]) -> bool {
        self.check
            .iter()
            .any(|key| crypto::verify(signature, message, key, self.algorithm).unwrap_or_default())
    }

    /// Keys that do not fit their algorithm, or each other, are found now and not by the first token.
    fn try_out(&self) -> Result<(), String> {
        const MESSAGE: &[u8] = b"piton";
        if self.sign.is_none() {
            // A wrong key and a wrong signature cannot be told apart, but what is no key at all can.
            let signature = "AAAA";
            let first = self.check.first().ok_or("there is no key")?;
            return crypto::verify(signature, MESSAGE, first, self.algorithm)
                .map(drop)
                .map_err(|error| error.to_string());
        }
        let signature = self.sign(MESSAGE).map_err(|error| error.to_string())?;
        if self.check(&signature, MESSAGE) {
            return Ok(());
        }
        Err("the two key files do not belong together".into())
    }
}

/// The keys of the files.
fn pair(
    settings: &JwtSettings,
    algorithm: Algorithm,
) -> Result<(Option<EncodingKey>, Vec<DecodingKey>), Box<Problem>> {
    let sign = match &settings.private_key_file {
        Some(path) => Some(read("private_key_file", path, |pem| private(algorithm, pem))?),
        None => None,
    };
    let check = match (&settings.public_key_file, &sign) {
        (Some(path), _) => read("public_key_file", path, |pem| public(algorithm, pem))?,
        (None, Some(sign)) => {
            let jwk = Jwk::from_encoding_key(sign, algorithm);
            jwk.and_then(|jwk| DecodingKey::from_jwk(&jwk)).map_err(|error| {
                let fix = "name the public key's file too";
                let why = format!("it is not in the private one: {error}");
                Box::new(Problem::new("jwt.public_key_file", why, fix))
            })?
        }
        (None, None) => {
            let problem = Problem::new("jwt.private_key_file", "is not set", "name a PEM file");
            return Err(Box::new(problem));
        }
    };
    Ok((sign, vec![check]))
}

fn read<K>(
    key: &str,
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<K, jsonwebtoken::errors::Error>,
) -> Result<K, Box<Problem>> {
    let problem = |why: String| {
        let why = format!("{}: {why}", path.display());
        Box::new(Problem::new(format!("jwt.{key}"), why, "name a PEM file"))
    };
    let pem = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    parse(&pem).map_err(|error| problem(format!("this is not a key of that kind: {error}")))
}

fn private(algorithm: Algorithm, pem: &[u8]) -> Result<EncodingKey, jsonwebtoken::errors::Error> {
    match algorithm.family() {
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
        _ => EncodingKey::from_rsa_pem(pem),
    }
}

fn public(algorithm: Algorithm, pem: &[u8]) -> Result<DecodingKey, jsonwebtoken::errors::Error> {
    match algorithm.family() {
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
        _ => DecodingKey::from_rsa_pem(pem),
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
