//! Passwords that the real argon2-cffi hashed pass here, and those hashed here pass there.

use piton::auth::password::{Kind, Passwords};
use piton::prelude::*;
use piton::serde_json::{Value, from_str, json};
use piton::testing::TestApp;
use test_support::python::Dialogue;

/// The profiles, and how many hashes are made of each. The costly ones take a tenth of a second and more
/// on either side.
const PROFILES: [(&str, usize); 5] = [
    ("cheapest", 80),
    ("gnar", 80),
    ("rfc9106-low-memory", 25),
    ("pre-21.2", 14),
    ("rfc9106-high-memory", 1),
];

fn ask(python: &mut Dialogue, question: &Value) -> Value {
    from_str(&python.ask(&question.to_string())).unwrap()
}

/// Of all lengths and alphabets.
fn password(number: usize) -> String {
    let letters = ["a", "Z", "7", " ", "ß", "é", "☃", "🔑", "\"", "\\", "\n", "\u{0}", "日"];
    let length = 1 + number * 7 % 90;
    (0..length).map(|index| letters[(number * 31 + index * index) % letters.len()]).collect()
}

async fn app(profile: &str) -> TestApp {
    let app = App::new("passwords").blueprints(["none"]).set("log.level", "critical");
    TestApp::new(app.enable::<Passwords>().set("password.profile", profile)).await
}

#[piton::test]
async fn hashes_pass_between_argon2_cffi_and_us_both_ways() {
    let mut python = Dialogue::start("argon2", "check.py", &[], &[]);
    for (profile, count) in PROFILES {
        let app = app(profile).await;
        let passwords = app.handle().argon2();
        for password in (0..count).map(password) {
            let question = json!({ "profile": profile, "password": password });
            let theirs = ask(&mut python, &question);
            let theirs = theirs.as_str().unwrap();
            assert!(passwords.verify(theirs, &password).await.is_ok(), "{theirs} {password:?}");
            assert!(!passwords.needs_rehash(theirs), "{theirs}");

            let ours = passwords.hash(&password).await.unwrap();
            let question = json!({ "hash": ours, "password": password });
            assert_eq!(ask(&mut python, &question), true, "{ours} {password:?}");
            assert_eq!(ours.len(), theirs.len());
        }
    }
}

#[piton::test]
async fn another_password_passes_on_neither_side() {
    let mut python = Dialogue::start("argon2", "check.py", &[], &[]);
    let app = app("gnar").await;
    let passwords = app.handle().argon2();
    for number in 0..20 {
        let (password, other) = (password(number), password(number + 1));
        let theirs = ask(&mut python, &json!({ "profile": "gnar", "password": password }));
        let error = passwords.verify(theirs.as_str().unwrap(), &other).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        let ours = passwords.hash(&password).await.unwrap();
        assert_eq!(ask(&mut python, &json!({ "hash": ours, "password": other })), false);
    }
}
