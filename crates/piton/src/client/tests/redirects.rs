//! Redirects: followed so far, and without what is only for the first host.

use super::*;

#[piton::test]
async fn authorization_and_cookies_do_not_go_along_to_another_host() {
    let other = Scripted::new(&[&ok("other")]).await;
    let same = answer("307 Temporary Redirect", "location: /again\r\n", "");
    let away = format!("location: {}\r\n", other.url("/there"));
    let away = answer("307 Temporary Redirect", &away, "");
    let first = Scripted::new(&[&same, &away]).await;
    let app = caller(app()).await;
    let call = app.handle().external().post(&first.url("/")).bearer("secret").body("x");
    let answer = call.header("cookie", "a=b").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "other");
    let (seen, there) = (first.seen(), &other.seen()[0]);
    assert_eq!(header(&seen[1], "authorization"), Some("Bearer secret"), "the same host");
    assert_eq!(header(&seen[1], "cookie"), Some("a=b"));
    assert!(there.starts_with("POST /there ") && there.ends_with("\r\n\r\nx"), "{there}");
    assert_eq!((header(there, "authorization"), header(there, "cookie")), (None, None));
}

#[piton::test]
async fn redirects_are_followed_up_to_their_number() {
    let again = answer("302 Found", "location: /again\r\n", "");
    let server = Scripted::new(&[&again]).await;
    let few = caller(app().set("client.redirects", 2)).await;
    let error = few.handle().external().get(&server.url("/")).send().await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (Kind::Redirect, 3));
    let none = caller(app().set("client.redirects", 0)).await;
    let answer = none.handle().external().get(&server.url("/")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), server.count()), (302, 4));
}

#[piton::test]
async fn a_call_whose_redirect_leads_nowhere_is_not_made_again() {
    let nobody = Nobody::new();
    let location = format!("location: http://{}/\r\n", nobody.address);
    let first = Scripted::new(&[&answer("303 See Other", &location, "")]).await;
    let app = caller(app()).await;
    let call = app.handle().external().post(&first.url("/")).body("order");
    assert_eq!(call.send().await.unwrap_err().kind(), Kind::Connect);
    assert_eq!(first.count(), 1, "the first host has taken the order");
}

#[piton::test]
async fn a_redirect_to_another_scheme_is_not_followed() {
    let server =
        Scripted::new(&[&answer("302 Found", "location: file:///etc/passwd\r\n", "")]).await;
    let app = caller(app()).await;
    let answer = app.handle().external().get(&server.url("/")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), server.count()), (302, 1));
}
