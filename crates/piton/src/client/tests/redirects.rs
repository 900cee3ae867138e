//! Redirects are followed up to the maximum, without credentials for another host.

use super::*;

#[piton::test]
async fn authorization_and_cookies_are_not_redirected_to_another_host() {
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
async fn redirects_are_followed_up_to_the_maximum() {
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
async fn a_call_whose_redirect_cannot_be_followed_is_not_retried() {
    let reserved = ReservedAddress::new();
    let location = format!("location: http://{}/\r\n", reserved.address);
    let first = Scripted::new(&[&answer("303 See Other", &location, "")]).await;
    let app = caller(app()).await;
    let call = app.handle().external().post(&first.url("/")).body("order");
    assert_eq!(call.send().await.unwrap_err().kind(), Kind::Connect);
    assert_eq!(first.count(), 1, "the first host has taken the order");
}

#[piton::test]
async fn a_redirect_that_cannot_be_followed_is_an_error_that_names_its_target() {
    for (location, named) in [
        ("file:///etc/passwd", "`file:///etc/passwd`"),
        ("data:text/html,hunter2", "`data:…`"),
        ("data:80", "`data:…`"),
        ("DATA:,hunter2", "`data:…`"),
        ("javascript:alert('hunter2')", "`javascript:…`"),
        ("mailto:hunter2@h", "`mailto:…`"),
        ("ftp://u:hunter2@h/x?sig=hunter2#hunter2", "`ftp://h/x?…`"),
        ("gopher://h:70/1", "`gopher://h:70/1`"),
        ("http://", "`http://`"),
        ("http://[::1", "`http://[::1`"),
        ("http://u:hunter2@h:99999/", "`http://***@h:99999/`"),
        ("//u:hunter2@h:x/", "`***@h:x/`"),
    ] {
        let server =
            Scripted::new(&[&answer("302 Found", &format!("location: {location}\r\n"), "")]).await;
        let app = caller(app()).await;
        let error = app.handle().external().get(&server.url("/")).send().await.unwrap_err();
        assert_eq!((error.kind(), server.count()), (Kind::Redirect, 1), "{location}: {error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(named) && !text.contains("hunter2"), "{location}: {text}");
        let answered = crate::http::Error::from(error);
        assert_eq!(answered.status(), 502, "{location}");
        let none = caller(super::app().set("client.redirects", 0)).await;
        let answer = none.handle().external().get(&server.url("/")).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{location}");
    }
}

#[piton::test]
async fn a_redirect_in_a_circle_or_to_a_dead_host_names_its_target() {
    for location in ["/again?token=hunter2", ""] {
        let again = answer("302 Found", &format!("location: {location}\r\n"), "");
        let server = Scripted::new(&[&again]).await;
        let app = caller(app()).await;
        let error = app.handle().external().get(&server.url("/")).send().await.unwrap_err();
        assert_eq!((error.kind(), server.count()), (Kind::Redirect, 6), "{error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("too many redirects, the last to `http://") && !text.contains("hunter2"),
            "{text}"
        );
    }
    let reserved = ReservedAddress::new();
    let location = format!("location: http://u:hunter2@{}/x?hunter2\r\n", reserved.address);
    let server = Scripted::new(&[&answer("302 Found", &location, "")]).await;
    let app = caller(app().set("client.retries", 0)).await;
    let error = app.handle().external().get(&server.url("/")).send().await.unwrap_err();
    let text = format!("{error} {error:?}");
    let named = format!("after a redirect to `http://{}/x?…`", reserved.address);
    assert!(text.contains(&named) && !text.contains("hunter2"), "{text}");
}

#[piton::test]
async fn a_response_that_only_looks_like_a_redirect_is_returned() {
    for (status, headers) in [
        ("302 Found", ""),
        ("300 Multiple Choices", "location: data:,x\r\n"),
        ("304 Not Modified", "location: data:,x\r\n"),
        ("201 Created", "location: data:,x\r\n"),
    ] {
        let server = Scripted::new(&[&answer(status, headers, "")]).await;
        let app = caller(app()).await;
        let answer = app.handle().external().get(&server.url("/")).send().await.unwrap();
        assert_eq!(answer.status().as_str(), &status[..3]);
    }
}
