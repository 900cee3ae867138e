//! TLS as sslyze finds it: no old protocol, no weak cipher, no renegotiation, no compression.

use serde_json::Value;
use test_support::{certificates, programs};

use super::edges_service;

/// Cipher suites without forward secrecy or without authenticated encryption.
const WEAK: [&str; 8] =
    ["_CBC_", "_RC4_", "_3DES_", "_DES_", "_NULL_", "_EXPORT_", "_anon_", "TLS_RSA_"];

async fn scan(min_version: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let mut settings = edges_service::tls_settings(folder.path()).to_vec();
    settings.push(format!("http.tls.min_version={min_version}"));
    let service = edges_service::start_with(folder.path(), &settings).await;
    let port = service.port.to_string();
    let ran = programs::python("sslyze", "scan.py", &["127.0.0.1", &port]).await;
    assert!(ran.succeeded, "{}", ran.output);
    serde_json::from_str(&ran.last_line).unwrap()
}

fn accepted(found: &Value, protocol: &str) -> Vec<String> {
    let suites = found["accepted"][protocol].as_array().unwrap();
    suites.iter().map(|suite| suite.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only http"]
async fn sslyze_finds_no_old_protocol_no_weak_cipher_and_no_vulnerability() {
    let found = scan("1.2").await;
    println!("{found}");
    for old in ["SSL 2.0", "SSL 3.0", "TLS 1.0", "TLS 1.1"] {
        assert!(accepted(&found, old).is_empty(), "{found}");
    }
    for protocol in ["TLS 1.2", "TLS 1.3"] {
        let suites = accepted(&found, protocol);
        assert!(!suites.is_empty(), "{found}");
        let weak = suites.iter().find(|suite| WEAK.iter().any(|part| suite.contains(part)));
        assert_eq!(weak, None);
    }
    assert_eq!(found["vulnerable"], serde_json::json!([]));
    let found = scan("1.3").await;
    assert!(accepted(&found, "TLS 1.2").is_empty(), "{found}");
    assert!(!accepted(&found, "TLS 1.3").is_empty(), "{found}");
}
