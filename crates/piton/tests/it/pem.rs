//! Keys for tests, made by OpenSSL when the first test asks: no private key lies in the repository.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// What is made: `NAME.pem`, and `NAME.pub.pem` where it has a public half of its own.
const KEYS: [(&str, &[&str]); 10] = [
    ("rsa", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("rsa_pkcs1", &["rsa", "-in", "rsa.pem", "-traditional"]),
    ("p256", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("p256_sec1", &["ecparam", "-name", "prime256v1", "-genkey", "-noout"]),
    ("p384", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("p521", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    ("rsa_other", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("ed25519", &["genpkey", "-algorithm", "ed25519"]),
    ("other", &["genpkey", "-algorithm", "ed25519"]),
    ("p256_other", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
];

/// The path of `NAME.pem`; there is none for a name that is not made.
pub fn path(name: &str) -> String {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(make).path();
    folder.join(format!("{name}.pem")).to_string_lossy().into_owned()
}

/// The text of `NAME.pem`.
pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

fn make() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in KEYS {
        let (private, public) = (format!("{name}.pem"), format!("{name}.pub.pem"));
        openssl(folder.path(), &[arguments, &["-out", &private]].concat());
        openssl(folder.path(), &["pkey", "-in", &private, "-pubout", "-out", &public]);
    }
    folder
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output();
    let output = output.expect("openssl is there: apt-get install openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
