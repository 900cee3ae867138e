//! Certificates for test servers that use TLS.

use std::path::Path;
use std::process::Command;

/// Creates an authority (`authority.pem`), and a certificate issued by it for `localhost`
/// (`server.pem`, `server.key`).
///
/// # Panics
/// If `openssl` is not installed or fails.
pub fn make(folder: &Path) {
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").expect("it is ours");
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -days 2 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -out server.pem -days 2 -extfile names",
    ] {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
        let output = output.expect("openssl is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {line}: {said}");
    }
}
