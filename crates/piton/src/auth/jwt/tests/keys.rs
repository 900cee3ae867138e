//! The keys that sign and verify, of each kind and size.

use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::*;

/// The keys, made by OpenSSL when the first test asks.
const KEYS: [(&str, &[&str]); 13] = [
    ("rsa", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("rsa2", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("rsa1024", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]),
    ("pss", &["genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("p224", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"]),
    ("p256", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("p256b", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("p384", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("p521", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    ("k256", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
    ("ed25519", &["genpkey", "-algorithm", "ed25519"]),
    ("ed25519b", &["genpkey", "-algorithm", "ed25519"]),
    ("x25519", &["genpkey", "-algorithm", "x25519"]),
];

fn folder() -> &'static std::path::Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let openssl = |arguments: &[&str]| {
                let made = Command::new("openssl").args(arguments).current_dir(&folder).output();
                assert!(made.unwrap().status.success(), "{arguments:?}");
            };
            for (name, arguments) in KEYS {
                let (private, public) = (format!("{name}.pem"), format!("{name}.pub.pem"));
                openssl(&[arguments, &["-out", &private]].concat());
                openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
            }
            folder
        })
        .path()
}

fn path(name: &str) -> String {
    folder().join(format!("{name}.pem")).to_string_lossy().into_owned()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// The settings of an app without routes.
async fn tokens(settings: &[(&'static str, Value)]) -> Result<Tokens, String> {
    let app = App::new("x").set("jwt.secret_key", SECRET).route(get("/me", me));
    let app = settings.iter().fold(app, |app, (key, value)| app.set(*key, value.clone()));
    let sources = crate::app::LaunchSources::for_test();
    let launched = app.launch(sources).await.map_err(|error| error.report("x"))?;
    Ok(launched.handle.tokens())
}

const ALGORITHMS: [(&str, &str); 10] = [
    ("RS256", "rsa"),
    ("RS384", "rsa"),
    ("RS512", "rsa"),
    ("PS256", "rsa"),
    ("PS384", "rsa"),
    ("PS512", "rsa"),
    ("ES256", "p256"),
    ("ES384", "p384"),
    ("ES512", "p521"),
    ("EdDSA", "ed25519"),
];

#[crate::test]
async fn a_key_that_cannot_work_fails_the_launch_for_each_algorithm() {
    let of_each_kind = |(algorithm, _): &(&str, &str)| {
        ["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"].contains(algorithm)
    };
    for (algorithm, fits) in ALGORITHMS.into_iter().filter(of_each_kind) {
        for (name, _) in KEYS {
            let same_kind = name.trim_end_matches(['2', 'b']) == fits.trim_end_matches('2');
            // Its signatures are those of PS256 to PS512, and another test checks them.
            if name == "pss" && algorithm.starts_with("PS") {
                continue;
            }
            for (setting, value) in [
                ("jwt.private_key_file", json!(path(name))),
                ("jwt.private_key", json!(text(name))),
                ("jwt.public_key_file", json!(path(&format!("{name}.pub")))),
                ("jwt.public_key", json!(text(&format!("{name}.pub")))),
            ] {
                let settings = [("jwt.algorithm", json!(algorithm)), (setting, value)];
                match tokens(&settings).await {
                    Ok(_) => assert!(same_kind || name == fits, "{algorithm} {setting} {name}"),
                    Err(report) => {
                        assert!(!same_kind, "{algorithm} {setting} {name}: {report}");
                        assert!(report.contains(setting), "{algorithm} {name}: {report}");
                        if setting.ends_with("_file") {
                            assert!(report.contains(&format!("{name}.")), "{report}");
                        }
                        assert!(!report.contains("BEGIN P"), "{report}");
                    }
                }
            }
        }
    }
    let short = json!(path("rsa1024.pub"));
    let short = [("jwt.algorithm", json!("RS256")), ("jwt.public_key_file", short)];
    let report = tokens(&short).await.err().unwrap();
    assert!(report.contains("the RSA key has 1024 bits: 2048 to 8192 can be used"), "{report}");
    for (algorithm, private, public) in
        [("RS256", "rsa", "rsa2"), ("ES256", "p256", "p256b"), ("EdDSA", "ed25519", "ed25519b")]
    {
        let settings = [
            ("jwt.algorithm", json!(algorithm)),
            ("jwt.private_key_file", json!(path(private))),
            ("jwt.public_key_file", json!(path(&format!("{public}.pub")))),
        ];
        let report = tokens(&settings).await.err().unwrap();
        assert!(report.contains("do not belong together"), "{report}");
    }
}

#[crate::test]
async fn each_algorithm_signs_and_checks_with_files_and_with_text() {
    for (algorithm, name) in ALGORITHMS {
        let by_file =
            [("jwt.algorithm", json!(algorithm)), ("jwt.private_key_file", json!(path(name)))];
        let by_file = tokens(&by_file).await.unwrap();
        let one_line = text(&format!("{name}.pub")).replace('\n', "\\n");
        let by_text = [("jwt.algorithm", json!(algorithm)), ("jwt.public_key", json!(one_line))];
        let by_text = tokens(&by_text).await.unwrap();
        let token = by_file.access("ada").sign().unwrap();
        assert_eq!(by_file.read(&token).unwrap().subject(), "ada", "{algorithm}");
        let read = by_text.read(&token).unwrap();
        assert_eq!((read.subject(), &read.header()["alg"]), ("ada", &json!(algorithm)));
        assert!(by_text.access("ada").sign().is_err());
        let (message, signature) = token.rsplit_once('.').unwrap();
        let other = by_file.access("bob").sign().unwrap();
        let mixed = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
        assert!(by_text.read(&mixed).is_err(), "{algorithm}");
        assert!(by_text.read(&format!("{message}.")).is_err(), "{algorithm}");
    }
}

#[crate::test]
async fn keys_change_with_and_without_names() {
    let signer = |name: &str, key_id: Option<&str>| {
        let mut settings =
            vec![("jwt.algorithm", json!("RS256")), ("jwt.private_key_file", json!(path(name)))];
        settings.extend(key_id.map(|id| ("jwt.key_id", json!(id))));
        settings
    };
    let old = tokens(&signer("rsa", Some("old"))).await.unwrap();
    let nameless = tokens(&signer("rsa", None)).await.unwrap();
    let liar = tokens(&signer("rsa", Some("new"))).await.unwrap();
    let stranger = tokens(&signer("rsa", Some("unknown"))).await.unwrap();
    let mut settings = signer("rsa2", Some("new"));
    let previous = format!("old={}", path("rsa.pub"));
    settings.push(("jwt.previous_public_key_files", json!([previous])));
    let new = tokens(&settings).await.unwrap();
    assert_eq!(new.read(&old.access("ada").sign().unwrap()).unwrap().header()["kid"], "old");
    assert!(new.read(&nameless.access("ada").sign().unwrap()).is_ok());
    assert!(new.read(&stranger.access("ada").sign().unwrap()).is_ok());
    let said = new.read(&liar.access("ada").sign().unwrap()).unwrap_err().to_string();
    assert_eq!(said, "Signature verification failed", "a known name is checked with its key alone");
    let own = new.access("ada").sign().unwrap();
    assert_eq!(new.read(&own).unwrap().header()["kid"], "new");
    assert!(old.read(&own).is_err());
    // Secrets have names too.
    let named = tokens(&[("jwt.key_id", json!("a"))]).await.unwrap();
    let token = named.access("ada").sign().unwrap();
    assert_eq!(named.read(&token).unwrap().header()["kid"], "a");
    assert!(tokens(&[]).await.unwrap().read(&token).is_ok());
    let twice = format!("new={}", path("rsa.pub"));
    settings.pop();
    settings.push(("jwt.previous_public_key_files", json!([twice])));
    assert!(tokens(&settings).await.err().unwrap().contains("two keys have the `kid` new"));
}

#[crate::test]
async fn several_algorithms_are_read_each_with_a_key_of_its_kind() {
    let settings = [
        ("jwt.decode_algorithms", json!(["HS512", "RS256", "ES256", "EdDSA"])),
        ("jwt.public_key_file", json!(path("rsa.pub"))),
        ("jwt.previous_public_key_files", json!([path("p256.pub"), path("ed25519.pub")])),
    ];
    let reader = tokens(&settings).await.unwrap();
    for (algorithm, name) in [("RS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")] {
        let signer =
            [("jwt.algorithm", json!(algorithm)), ("jwt.private_key_file", json!(path(name)))];
        let token = tokens(&signer).await.unwrap().access("ada").sign().unwrap();
        assert!(reader.read(&token).is_ok(), "{algorithm}");
    }
    let long = tokens(&[("jwt.algorithm", json!("HS512"))]).await.unwrap();
    assert!(reader.read(&long.access("ada").sign().unwrap()).is_ok());
    let other = tokens(&[("jwt.algorithm", json!("HS384"))]).await.unwrap();
    assert!(reader.read(&other.access("ada").sign().unwrap()).is_err());
    assert_eq!(
        reader.read(&reader.access("ada").sign().unwrap()).unwrap().header()["alg"],
        "HS256"
    );
    let pss = [("jwt.algorithm", json!("PS256")), ("jwt.private_key_file", json!(path("rsa")))];
    let pss = tokens(&pss).await.unwrap().access("ada").sign().unwrap();
    assert!(reader.read(&pss).is_err(), "the key fits, and the algorithm is not accepted");
    // What an attacker does who has the public key: HMAC with its text.
    for text in [text("rsa.pub"), text("rsa.pub").trim().to_owned()] {
        let forged = signed(&text, &hs256(), &claims());
        assert!(reader.read(&forged).is_err());
    }
    let unused = [("jwt.previous_public_key_files", json!([path("p384.pub")]))];
    let unused = [&settings[..2], &unused[..]].concat();
    let report = tokens(&unused).await.err().unwrap();
    assert!(report.contains("ES256 needs") || report.contains("cannot use"), "{report}");
}

#[crate::test]
async fn earlier_keys_without_a_name_check_tokens_of_any_kid() {
    const OLD: &str = "an earlier secret of 32 characters, no less";
    let of =
        |secret: &str, kid: &str| [("jwt.secret_key", json!(secret)), ("jwt.key_id", json!(kid))];
    let old = tokens(&of(OLD, "a")).await.unwrap().access("ada").sign().unwrap();
    for kid in ["a", "b"] {
        let previous = [("jwt.previous_secret_keys", json!([OLD]))];
        let new = tokens(&[&of(SECRET, kid)[..], &previous].concat()).await.unwrap();
        assert!(new.read(&old).is_ok(), "{kid}");
        assert!(new.read(&new.access("ada").sign().unwrap()).is_ok(), "{kid}");
    }
    let without = tokens(&of(SECRET, "a")).await.unwrap();
    assert!(without.read(&old).is_err());
    let signer = |name: &str| {
        vec![
            ("jwt.algorithm", json!("ES256")),
            ("jwt.private_key_file", json!(path(name))),
            ("jwt.key_id", json!("a")),
        ]
    };
    let old = tokens(&signer("p256")).await.unwrap().access("ada").sign().unwrap();
    let mut settings = signer("p256b");
    settings.push(("jwt.previous_public_key_files", json!([path("p256.pub")])));
    assert!(tokens(&settings).await.unwrap().read(&old).is_ok());
}

#[crate::test]
async fn a_key_for_pss_alone_is_refused_for_other_algorithms_and_checks_its_own() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as base64;
    let public = |algorithm: &str| {
        [("jwt.algorithm", json!(algorithm)), ("jwt.public_key_file", json!(path("pss.pub")))]
    };
    let report = tokens(&public("RS256")).await.err().unwrap();
    assert!(report.contains("RSASSA-PSS alone") && report.contains("pss.pub.pem"), "{report}");
    for algorithm in ["RS256", "PS256"] {
        let private =
            [("jwt.algorithm", json!(algorithm)), ("jwt.private_key_file", json!(path("pss")))];
        let report = tokens(&private).await.err().unwrap();
        assert!(report.contains("use a plain RSA key"), "{report}");
    }
    let reader = tokens(&public("PS256")).await.unwrap();
    let header = json!({ "alg": "PS256" }).to_string();
    let message = format!("{}.{}", base64.encode(header), base64.encode(claims().to_string()));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("message"), &message).unwrap();
    let key = path("pss");
    let arguments = [
        "dgst",
        "-sha256",
        "-sigopt",
        "rsa_padding_mode:pss",
        "-sigopt",
        "rsa_pss_saltlen:32",
        "-sign",
        &key,
        "-out",
        "signature",
        "message",
    ];
    let made = Command::new("openssl").args(arguments).current_dir(&folder).output().unwrap();
    assert!(made.status.success());
    let signature = std::fs::read(folder.path().join("signature")).unwrap();
    let token = format!("{message}.{}", base64.encode(signature));
    assert_eq!(reader.read(&token).unwrap().text(), Some("ada@example.org"));
}

#[crate::test]
async fn a_file_holds_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.pem").to_string_lossy().into_owned();
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    for (first, second) in [
        (text("p256.pub"), text("p256b.pub")),
        (certificate, text("p256.pub")),
        (text("p256"), text("p256.pub")),
    ] {
        std::fs::write(&file, first + &second).unwrap();
        for setting in ["jwt.public_key_file", "jwt.private_key_file"] {
            let settings = [("jwt.algorithm", json!("ES256")), (setting, json!(file))];
            let report = tokens(&settings).await.err().unwrap();
            assert!(report.contains("one key a file") && report.contains(setting), "{report}");
        }
        let settings = [
            ("jwt.algorithm", json!("ES256")),
            ("jwt.private_key_file", json!(path("p256"))),
            ("jwt.previous_public_key_files", json!([file])),
        ];
        assert!(tokens(&settings).await.err().unwrap().contains("one key a file"));
    }
}

#[crate::test]
async fn previous_secrets_are_separated_by_lines_or_commas() {
    let (one, other) =
        ("a first secret of 32 characters or so", "another secret of 32 characters.");
    for list in
        [format!("{one}\n{other}\n"), format!("{one},\r\n{other}"), format!("{one},{other}")]
    {
        let reader = tokens(&[("jwt.previous_secret_keys", json!(list))]).await.unwrap();
        for secret in [one, other] {
            assert!(reader.read(&signed(secret, &hs256(), &claims())).is_ok(), "{list}");
        }
    }
    let mixed = format!("{one}, and more\n{other}");
    let report = tokens(&[("jwt.previous_secret_keys", json!(mixed))]).await.err().unwrap();
    assert!(report.contains("JSON array") && !report.contains(other), "{report}");
    let pem = text("p256.pub");
    let report = tokens(&[("jwt.previous_secret_keys", json!(pem))]).await.err().unwrap();
    assert!(report.contains("whoever has the public key could sign"), "{report}");
}
