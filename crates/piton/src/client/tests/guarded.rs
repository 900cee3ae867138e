//! `client.refuse_private`: strangers' URLs do not lead to what is near. And the proxy.

use super::*;

async fn guarded() -> TestApp {
    caller(app().set("client.refuse_private", true).set("client.retries", 0)).await
}

#[piton::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let server = Scripted::new(&[&ok("")]).await;
    let app = guarded().await;
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"]
    {
        let url = format!("http://{host}:{port}/");
        let error = app.handle().external().get(&url).send().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Refused, "{host}: {error:?}");
        assert!(error.to_string().contains("private"), "{error}");
    }
    assert_eq!(server.count(), 0);
    assert!(app.handle().snapshots()["client"]["failing"].as_object().unwrap().is_empty());
}

#[piton::test]
async fn without_the_setting_and_for_peers_they_are_not() {
    let server = Scripted::new(&[&ok("")]).await;
    let near = app().set("client.refuse_private", true);
    let near = caller(near.set("client.peers.near", server.address.to_string())).await;
    assert_eq!(near.handle().peer("near").unwrap().get("/").send().await.unwrap().status(), 200);
    let open = caller(app()).await;
    let url = format!("http://localhost:{}/", server.address.port());
    assert_eq!(open.handle().external().get(&url).send().await.unwrap().status(), 200);
}

#[test]
fn a_redirect_to_a_private_address_is_refused() {
    // No test reaches a public server, so the policy's own part is asked: what it looks at.
    let guard = super::super::guard::Guard { proxy: None };
    for url in ["http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data"] {
        assert!(guard.check(&Url::parse(url).unwrap()).is_err(), "{url}");
    }
}

#[piton::test]
async fn a_redirect_is_looked_at_like_the_first_url() {
    let near = Scripted::new(&[&ok("secret")]).await;
    // The proxy is the only way out of here that a test has; it may be near.
    let location = format!("location: {}\r\n", near.url("/"));
    let proxy = Scripted::new(&[&answer("302 Found", &location, "")]).await;
    let guard = super::super::guard::Guard { proxy: None };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(super::super::guard::redirects(5, Some(guard)))
        .build()
        .unwrap();
    let error = client.get(proxy.url("/")).send().await.unwrap_err();
    let error = Error::of(error, &Who::Host("x".into()));
    assert_eq!((error.kind(), near.count()), (Kind::Refused, 0), "{error:?}");
}

#[piton::test]
async fn the_proxy_is_for_strangers_and_not_for_peers() {
    let proxy = Scripted::new(&[&ok("by the proxy")]).await;
    let near = Scripted::new(&[&ok("near")]).await;
    let at = format!("http://user:secret@{}", proxy.address);
    let app =
        caller(app().set("client.proxy", at).set("client.peers.near", near.address.to_string()));
    let app = app.await;
    let answer = app.handle().external().get("http://stranger.invalid/x").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "by the proxy");
    assert!(proxy.seen()[0].starts_with("GET http://stranger.invalid/x HTTP/1.1"));
    assert!(header(&proxy.seen()[0], "proxy-authorization").is_some());
    let answer = app.handle().peer("near").unwrap().get("/").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "near");
    let shown = format!("{:?}", app.handle().settings());
    assert!(!shown.contains("user:secret"), "{shown}");
}
