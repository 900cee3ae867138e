//! Reads keys from PEM, and explains what is wrong with one that cannot be used.

use aws_lc_rs::rsa::{self, KeyPair as RsaKeyPair};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
    RsaParameters,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::algorithm::{JwtAlgorithm, KeyKind};

/// The sizes of RSA keys that can be used, in bits. RFC 7518, section 3.3 requires 2048.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// A key that signs.
pub(super) enum PrivateKey {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A key that checks, as DER.
pub(super) struct PublicKey {
    pub kind: KeyKind,
    /// Restriction of the key to RSASSA-PSS (RFC 4055).
    pub is_pss: bool,
    pub der: Vec<u8>,
}

impl PublicKey {
    /// Returns whether the key verifies tokens of this algorithm.
    pub fn fits(&self, algorithm: JwtAlgorithm) -> bool {
        use JwtAlgorithm::{Ps256, Ps384, Ps512};
        let is_pss = matches!(algorithm, Ps256 | Ps384 | Ps512);
        algorithm.key_kind() == Some(self.kind) && (is_pss || !self.is_pss)
    }

    /// Describes the key for messages.
    pub const fn name(&self) -> &'static str {
        match self.is_pss {
            true => "an RSA key for RSASSA-PSS alone",
            false => self.kind.name(),
        }
    }
}

/// Returns whether a key names the algorithm id-RSASSA-PSS (1.2.840.113549.1.1.10), which stands within
/// the first bytes of its DER.
fn is_pss(der: &[u8]) -> bool {
    const ID: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    der.iter().take(32).copied().collect::<Vec<_>>().windows(ID.len()).any(|bytes| bytes == ID)
}

impl PrivateKey {
    /// Reads a private key of this kind.
    ///
    /// # Errors
    /// The reason why `pem` is not such a key.
    pub fn read(kind: KeyKind, pem: &[u8]) -> Result<Self, String> {
        let (label, der) = decode(pem)?;
        match label.as_str() {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {}
            "ENCRYPTED PRIVATE KEY" => {
                return Err("the private key is encrypted: `openssl pkey -in KEY -out NEW` \
                            decrypts it"
                    .into());
            }
            _ => return Err("this is not a private key".into()),
        }
        if kind == KeyKind::Rsa && is_pss(&der) {
            return Err("this RSA key is for RSASSA-PSS alone (id-RSASSA-PSS), which cannot sign \
                        here: use a plain RSA key, with which PS256 to PS512 sign too"
                .into());
        }
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_private_key_der(algorithm, &der).map(|it| Self::Ecdsa(it.into()))
        };
        let key = match kind {
            KeyKind::Rsa if label == "RSA PRIVATE KEY" => {
                RsaKeyPair::from_der(&der).map(|pair| Self::Rsa(pair.into()))
            }
            KeyKind::Rsa => RsaKeyPair::from_pkcs8(&der).map(|pair| Self::Rsa(pair.into())),
            KeyKind::P256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyKind::P384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyKind::P521 => ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            // Unchecked, because version 1 of PKCS #8, which OpenSSL writes, has no public key to compare with.
            KeyKind::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                .map(|pair| Self::Ed25519(pair.into())),
        };
        key.map_err(|error| match error.to_string().as_str() {
            "TooSmall" => {
                "the RSA key has fewer than 2048 bits, which is too few (RFC 7518, section 3.3)"
                    .into()
            }
            "TooLarge" => "the RSA key has more than 8192 bits".into(),
            _ => format!("this is not a key of that kind: expected {}", kind.name()),
        })
    }

    /// Returns the public half.
    pub fn public(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }
}

/// Reads a public key of any kind.
///
/// # Errors
/// The reason why `pem` is not a public key, or fits no algorithm.
pub(super) fn public(pem: &[u8]) -> Result<PublicKey, String> {
    let (label, der) = decode(pem)?;
    if label.ends_with("PRIVATE KEY") {
        return Err(
            "this is the private key: `openssl pkey -in KEY -pubout` prints the public one".into(),
        );
    }
    if label == "CERTIFICATE" {
        return Err("this is a certificate: `openssl x509 -in CERTIFICATE -noout -pubkey` prints \
                    its public key"
            .into());
    }
    if label != "PUBLIC KEY" && label != "RSA PUBLIC KEY" {
        return Err("this is not a public key".into());
    }
    let is = |kind: &KeyKind| ParsedPublicKey::new(kind.parser(), &der).is_ok();
    let kind = KeyKind::ALL.into_iter().find(is).ok_or_else(|| {
        "this is not a public key for any algorithm of tokens: use RSA, P-256, P-384, P-521 or \
         Ed25519"
            .to_owned()
    })?;
    if kind == KeyKind::Rsa {
        let bits = rsa::PublicKey::from_der(&der)
            .ok()
            .and_then(|key| RsaParameters::public_modulus_len(key.as_ref()).ok())
            .ok_or("this RSA key cannot be used")?;
        if !RSA_BITS.contains(&bits) {
            let (min, max) = (RSA_BITS.start(), RSA_BITS.end());
            return Err(format!("the RSA key has {bits} bits: {min} to {max} can be used"));
        }
    }
    Ok(PublicKey { kind, is_pss: is_pss(&der), der })
}

/// Returns the label and the content of the one block that is a key.
fn decode(pem: &[u8]) -> Result<(String, Vec<u8>), String> {
    let text = std::str::from_utf8(pem).map_err(|_| "not a PEM file: it is not text")?;
    let mut rest = text;
    let mut found = None;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or("not a PEM file")?;
        let end = format!("-----END {label}-----");
        let (body, after) = after.split_once(&end).ok_or("the PEM block has no end")?;
        rest = after;
        // Skipped, because OpenSSL writes this block before the key itself.
        if label == "EC PARAMETERS" {
            continue;
        }
        // Refused, because further keys would be ignored and their tokens refused without an explanation.
        if let Some((first, _)) = &found {
            return Err(format!(
                "there are several PEM blocks, {first} and {label}: write one key a file"
            ));
        }
        found = Some(match body.contains("Proc-Type: 4,ENCRYPTED") {
            true => ("ENCRYPTED PRIVATE KEY", Vec::new()),
            false => {
                let body: String = body.split_ascii_whitespace().collect();
                (label, STANDARD.decode(body).map_err(|_| "the PEM block is not base64")?)
            }
        });
    }
    let (label, der) = found.ok_or("not a PEM file: it has no `-----BEGIN`")?;
    Ok((label.to_owned(), der))
}

/// Returns whether the text contains a PEM key, which must not be used as a secret.
pub(super) fn is_pem(text: &str) -> bool {
    // One end is enough, because a list of secrets may have been split at the lines of the key.
    text.contains("-----BEGIN ") || text.contains("-----END ")
}
