//! Compatibility with argon2-cffi, and the behaviour of `Passwords`.

mod hash_pool;
mod settings;

use serde_json::Value;

use super::passwords::MAX_PASSWORD_BYTES;
use super::phc_string::StoredHash;
use super::*;
use crate::config::ByteSize;

/// Returns the hashes that argon2-cffi made; see `record.py`.
fn recorded() -> Value {
    serde_json::from_str(include_str!("recorded.json")).unwrap()
}

fn passwords(profile: &str) -> Passwords {
    with(PasswordSettings { profile: profile.parse().unwrap(), ..Default::default() })
}

fn with(settings: PasswordSettings) -> Passwords {
    assert!(settings.problems(None).is_empty(), "{:?}", settings.problems(None));
    Passwords::new(&settings).unwrap()
}

fn cheapest() -> PasswordSettings {
    PasswordSettings { profile: Argon2Profile::Cheapest, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_of_argon2_cffi_pass_with_their_password_and_no_other() {
    let passwords = passwords("cheapest");
    for made in recorded()["hashes"].as_array().unwrap() {
        let (hash, password) = (made["hash"].as_str().unwrap(), made["password"].as_str().unwrap());
        assert!(passwords.check(hash, password).await, "{hash}");
        let error = passwords.verify(hash, &format!("{password}.")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch, "{hash}");
        assert_eq!(StoredHash::read(hash).unwrap().text(), hash);
    }
}

#[test]
fn needs_rehash_agrees_with_argon2_cffi() {
    let recorded = recorded();
    for (profile, answers) in recorded["needs_rehash"].as_object().unwrap() {
        let passwords = passwords(profile);
        for (made, answer) in
            recorded["hashes"].as_array().unwrap().iter().zip(answers.as_array().unwrap())
        {
            let hash = made["hash"].as_str().unwrap();
            assert_eq!(passwords.needs_rehash(hash), answer.as_bool().unwrap(), "{profile} {hash}");
        }
        assert!(passwords.needs_rehash("no hash"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_each_profile_verifies_and_contains_its_costs() {
    let heads = [
        ("rfc9106-low-memory", "$argon2id$v=19$m=65536,t=3,p=4$"),
        ("pre-21.2", "$argon2id$v=19$m=102400,t=2,p=8$"),
        ("cheapest", "$argon2id$v=19$m=8,t=1,p=1$"),
        ("gnar", "$argon2i$v=19$m=512,t=2,p=2$"),
    ];
    for (profile, head) in heads {
        let passwords = passwords(profile);
        let hash = passwords.hash("swordfish").await.unwrap();
        assert!(hash.starts_with(head), "{hash}");
        assert!(passwords.check(&hash, "swordfish").await && !passwords.needs_rehash(&hash));
        assert!(!passwords.check(&hash, "Swordfish").await);
        assert_ne!(passwords.hash("swordfish").await.unwrap(), hash, "the salt is random");
    }
}

#[test]
fn the_default_profile_is_that_of_argon2_cffi() {
    let parameters = PasswordSettings::default().parameters();
    assert_eq!(parameters, Argon2Profile::Rfc9106LowMemory.parameters());
    let high = Argon2Profile::Rfc9106HighMemory.parameters();
    assert_eq!((high.memory_cost_kib, high.time_cost), (2_097_152, 1));
    assert_eq!((high.hash_len, high.salt_len, high.parallelism), (32, 16, 4));
}

#[tokio::test]
async fn an_empty_password_is_refused_with_the_message_of_gnar_gear() {
    let passwords = with(cheapest());
    let error = passwords.hash("").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Empty, "Password cannot be empty")
    );
    let hash = passwords.hash("x").await.unwrap();
    assert!(!passwords.check(&hash, "").await);
    let long = "x".repeat(MAX_PASSWORD_BYTES + 1);
    assert_eq!(passwords.hash(&long).await.unwrap_err().kind(), Kind::TooLong);
}

#[tokio::test]
async fn latin_1_is_one_byte_a_character() {
    let latin1 = with(PasswordSettings { encoding: PasswordEncoding::Latin1, ..cheapest() });
    let made = &recorded()["latin1"];
    let (hash, password) = (made["hash"].as_str().unwrap(), made["password"].as_str().unwrap());
    assert!(latin1.check(hash, password).await);
    assert!(!with(cheapest()).check(hash, password).await);
    assert_eq!(latin1.hash("☃").await.unwrap_err().kind(), Kind::Encoding);
}

#[tokio::test]
async fn check_dummy_does_the_work_of_a_check_and_returns_false() {
    let passwords = with(cheapest());
    assert!(!passwords.check_dummy("swordfish").await);
    assert_eq!(passwords.load().peak_memory_bytes, 8 * 1024);
    assert!(!passwords.check_dummy("").await);
}

#[tokio::test]
async fn a_hash_beyond_the_limits_is_not_started() {
    let settings = PasswordSettings {
        memory_budget: Some(ByteSize::mib(1)),
        work_limit: ByteSize::mib(16),
        ..cheapest()
    };
    let passwords = with(settings);
    for (costs, name) in [
        ("m=1025,t=1,p=1", "password.memory_budget"),
        ("m=4294967295,t=1,p=1", "password.memory_budget"),
        ("m=8,t=4294967295,p=1", "password.work_limit"),
    ] {
        let hash = format!("$argon2id$v=19${costs}$c29tZXNhbHQ$AAECAwQ");
        let error = passwords.verify(&hash, "x").await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooCostly);
        assert!(error.to_string().contains(name), "{error}");
        assert!(!passwords.check(&hash, "x").await);
    }
    let fits = "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$AAECAwQ";
    assert_eq!(passwords.verify(fits, "x").await.unwrap_err().kind(), Kind::Mismatch);
}

#[tokio::test]
async fn a_malformed_hash_does_not_match() {
    let passwords = with(cheapest());
    for hash in ["", "x", "$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ$AAECAwQ"] {
        assert!(!passwords.check(hash, "x").await);
        assert_eq!(passwords.verify(hash, "x").await.unwrap_err().kind(), Kind::InvalidHash);
    }
}
