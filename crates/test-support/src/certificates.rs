//! Certificates for test servers that use TLS.

use std::path::Path;
use std::process::Command;

/// Creates an authority (`authority.pem`), and a certificate issued by it for `localhost` and
/// `127.0.0.1` (`server.pem`, `server.key`).
///
/// # Panics
/// If `openssl` is not installed or fails.
pub fn make(folder: &Path) {
    make_for(folder, "DNS:localhost,IP:127.0.0.1");
}

/// Creates the same with these alternative names of the server.
///
/// # Panics
/// As [`make`].
pub fn make_for(folder: &Path, alternative_names: &str) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout authority.key -out authority.pem -days 2 -subj /CN=authority",
    );
    issue(folder, "server", "localhost", alternative_names);
}

/// Issues a certificate of the folder's authority (`NAME.pem`, `NAME.key`) with this common name and
/// these alternative names, such as `DNS:localhost`.
///
/// # Panics
/// As [`make`].
pub fn issue(folder: &Path, name: &str, common_name: &str, alternative_names: &str) {
    let extensions = format!("subjectAltName={alternative_names}");
    std::fs::write(folder.join("names"), extensions).expect("it is ours");
    openssl(
        folder,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr -subj /CN={common_name}"
        ),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -out {name}.pem -days 2 -extfile names"
        ),
    );
}

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {line}: {said}");
}
