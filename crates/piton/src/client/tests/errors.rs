//! Errors name the target and the reason, and hold no secrets.

use std::error::Error as _;

use serde::Serializer;

use super::*;

/// Returns the text of the error and of all its causes, by `Display` and by `Debug`.
fn all_of(error: &Error) -> String {
    let mut all = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(cause) = next {
        all.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    all
}

#[piton::test]
async fn no_error_holds_a_secret() {
    let app = app().set("client.retries", 0).set("client.connect_timeout", "1s");
    let app = caller(app).await;
    let external = app.handle().external();
    let reserved = ReservedAddress::new();
    let address = reserved.address;
    let breaks = Scripted::new(&["break"]).await;
    let hangs = Scripted::new(&["hang"]).await;
    let loops = Scripted::new(&[&answer("302 Found", "location: /?token=hunter2\r\n", "")]).await;
    let plain = Scripted::new(&[&ok("")]).await;
    let with = |at: &SocketAddr| format!("http://user:hunter2@{at}/hunter2?token=hunter2#hunter2");
    let short = std::time::Duration::from_millis(50);
    let calls = [
        (external.get(&with(&address)), Kind::Connect),
        // A connection failure, because the server waits for a request, and the client for a certificate.
        (external.get(&with(&plain.address).replace("http://", "https://")), Kind::Connect),
        (external.get(&with(&breaks.address)), Kind::ConnectionLost),
        (external.get(&with(&hangs.address)).timeout(short), Kind::Timeout),
        (external.get(&with(&loops.address)), Kind::Redirect),
        (external.get("http://user:hunter2@/x"), Kind::Invalid),
        (external.get("ftp://user:hunter2@host/x?hunter2"), Kind::Invalid),
        (external.get("hunter2"), Kind::Invalid),
        (external.get("http://127.0.0.1:1/").header("x-a", "hunter2\n"), Kind::Invalid),
        (external.get("http://127.0.0.1:1/").bearer("hunter2\n"), Kind::Invalid),
    ];
    for (call, kind) in calls {
        assert!(!format!("{call:?}").contains("hunter2"), "{call:?}");
        let error = call.body("hunter2").send().await.unwrap_err();
        let all = all_of(&error);
        assert_eq!(error.kind(), kind, "{all}");
        assert!(!all.contains("hunter2") && !all.contains("token="), "{all}");
    }
}

#[piton::test]
async fn the_message_names_the_target_and_the_reason() {
    let reserved = ReservedAddress::new();
    let address = reserved.address;
    let app = app().set("client.peers.off-piste", address.to_string()).set("client.retries", 0);
    let app = caller(app).await;
    let error = app.handle().peer("off-piste").unwrap().get("/").send().await.unwrap_err();
    assert_eq!(error.to_string(), "peer off-piste: connection refused");
    assert_eq!((error.kind(), error.peer()), (Kind::Connect, Some("off-piste")));
    assert!(error.source().is_some());
}

struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("hunter2"))
    }
}

#[piton::test]
async fn a_body_that_does_not_serialize_is_reported_by_send() {
    let server = Scripted::new(&[&ok("")]).await;
    let app = caller(app()).await;
    let get = || app.handle().external().get(&server.url("/"));
    for (call, why) in [
        (get().json(&Unwritable), "the body does not serialize as JSON"),
        (get().form(&Unwritable), "the body does not serialize as a form"),
        (get().query(&Unwritable), "the query does not serialize"),
        (get().header("a b", "x"), "invalid header name"),
    ] {
        let error = call.send().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(error.to_string(), format!("host 127.0.0.1: {why}"));
    }
    assert_eq!(server.count(), 0);
}

#[piton::test]
async fn a_path_of_a_peer_cannot_lead_elsewhere() {
    let server = Scripted::new(&[&ok("")]).await;
    let app = caller(app().set("client.peers.near", server.address.to_string())).await;
    let near = app.handle().peer("near").unwrap();
    for path in ["//evil.invalid/x", "@evil.invalid", "http://evil.invalid/", "\\\\evil.invalid"] {
        assert_eq!(near.get(path).send().await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(server.count(), 4);
    let error = near.get("files/../secret").send().await.unwrap_err();
    assert_eq!(error.to_string(), "peer near: the path holds `..`");
}

#[test]
fn settings_that_could_never_work_are_refused_with_their_names() {
    use crate::config::{Config, Section};

    static CLIENT: Section = Section::of::<ClientSettings>("client");
    let loader = Config::loader("PITON")
        .code("client.timeout", "0s", "x")
        .code("client.user_agent", "a\nb", "x")
        .code("client.peers.off-piste", "http://user:hunter2@host:80", "x")
        .code("client.proxy", "ftp://user:hunter2@host", "x");
    let (config, _) = loader.load(&[&CLIENT]);
    let problems = config.check(&[&CLIENT], &[&CLIENT]);
    let mut keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
    keys.sort_unstable();
    let expected =
        ["client.peers.off-piste", "client.proxy", "client.timeout", "client.user_agent"];
    assert_eq!(keys, expected, "{problems}");
    assert!(!problems.report("caller").contains("hunter2"), "{problems}");
    let loader = Config::loader("PITON").code("client.refuse_private", true, "x").code(
        "client.proxy",
        "socks5h://user:hunter2@127.0.0.1:9050",
        "x",
    );
    let (config, _) = loader.load(&[&CLIENT]);
    let problems = config.check(&[&CLIENT], &[&CLIENT]);
    assert_eq!(problems[0].key, "client.refuse_private", "{problems}");
    let described = config.describe(&[&CLIENT]);
    assert!(!format!("{described:?}").contains("hunter2"), "{described:?}");
}

#[test]
fn a_password_in_the_address_of_a_peer_is_not_shown_even_without_a_scheme() {
    use crate::config::{Config, Section};

    static CLIENT: Section = Section::of::<ClientSettings>("client");
    let env = [("PITON_CLIENT_PEERS", "billing=h:1,off-piste=user:hunter2@host:80")];
    for loader in [
        Config::loader("PITON").code("client.peers.off-piste", "user:hunter2@host:80", "x"),
        Config::loader("PITON").env(env),
    ] {
        let (config, _) = loader.load(&[&CLIENT]);
        let problems = config.check(&[&CLIENT], &[&CLIENT]);
        let all = format!("{} {:?}", problems.report("caller"), config.describe(&[&CLIENT]));
        assert_eq!(problems[0].key, "client.peers.off-piste", "{problems}");
        assert!(!all.contains("hunter2") && all.contains("***@host:80"), "{all}");
    }
}
