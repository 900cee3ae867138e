//! `client.refuse_private` refuses private addresses of external hosts; the proxy.

use super::*;

async fn guarded() -> TestApp {
    caller(app().set("client.refuse_private", true).set("client.retries", 0)).await
}

#[piton::test]
async fn private_addresses_are_refused_in_every_notation() {
    let server = Scripted::new(&[&ok("")]).await;
    let app = guarded().await;
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"]
    {
        let url = format!("http://{host}:{port}/");
        let error = app.handle().external().get(&url).send().await.unwrap_err();
        assert_eq!(error.kind(), Kind::PrivateAddress, "{host}: {error:?}");
        assert!(error.to_string().contains("private"), "{error}");
    }
    assert_eq!(server.count(), 0);
    assert!(app.handle().snapshots()["client"]["failing"].as_object().unwrap().is_empty());
}

#[piton::test]
async fn private_addresses_are_allowed_without_the_setting_and_for_peers() {
    let server = Scripted::new(&[&ok("")]).await;
    let near = app().set("client.refuse_private", true);
    let near = caller(near.set("client.peers.near", server.address.to_string())).await;
    assert_eq!(near.handle().peer("near").unwrap().get("/").send().await.unwrap().status(), 200);
    let open = caller(app()).await;
    let url = format!("http://localhost:{}/", server.address.port());
    assert_eq!(open.handle().external().get(&url).send().await.unwrap().status(), 200);
}

/// Starts a SOCKS proxy that answers each connection with the same text, and records the target.
async fn socks(text: String) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let noted = seen.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut hello = [0; 3];
            socket.read_exact(&mut hello).await.unwrap();
            socket.write_all(&[5, 0]).await.unwrap();
            let mut head = [0; 4];
            socket.read_exact(&mut head).await.unwrap();
            let host = if head[3] == 3 {
                let length = socket.read_u8().await.unwrap();
                let mut name = vec![0; length.into()];
                socket.read_exact(&mut name).await.unwrap();
                String::from_utf8(name).unwrap()
            } else {
                std::net::Ipv4Addr::from_bits(socket.read_u32().await.unwrap()).to_string()
            };
            let port = socket.read_u16().await.unwrap();
            noted.lock().unwrap().push(format!("{host}:{port}"));
            socket.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            read_request(&mut socket).await;
            socket.write_all(text.as_bytes()).await.unwrap();
        }
    });
    (address, seen)
}

#[piton::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let near = Scripted::new(&[&ok("secret")]).await;
    for host in ["127.0.0.1", "localhost"] {
        let location = format!("location: http://{host}:{}/\r\n", near.address.port());
        // The proxy stands in for the public internet, because tests make no calls to it.
        let (proxy, seen) = socks(answer("302 Found", &location, "")).await;
        let app = app().set("client.refuse_private", true).set("client.retries", 0);
        let app = caller(app.set("client.proxy", format!("socks5://{proxy}"))).await;
        let external = app.handle().external();
        let error = external.get("http://198.41.0.4/").send().await.unwrap_err();
        assert_eq!(error.kind(), Kind::PrivateAddress, "{error:?}");
        let target = format!("it redirects to `http://{host}:{}/`", near.address.port());
        assert!(error.to_string().contains(&target), "{error}");
        assert_eq!(*seen.lock().unwrap(), ["198.41.0.4:80"]);
        let error = external.get(&format!("http://{host}/")).send().await.unwrap_err();
        assert_eq!((error.kind(), near.count()), (Kind::PrivateAddress, 0), "{error:?}");
    }
}

#[piton::test]
async fn a_socks5h_proxy_resolves_the_names() {
    let (proxy, seen) = socks(ok("by the proxy")).await;
    let app = caller(app().set("client.proxy", format!("socks5h://{proxy}"))).await;
    let call = app.handle().external().get("http://hidden.onion:81/");
    assert_eq!(call.send().await.unwrap().text().await.unwrap(), "by the proxy");
    assert_eq!(*seen.lock().unwrap(), ["hidden.onion:81"]);
}

#[piton::test]
async fn the_proxy_is_used_for_external_hosts_and_not_for_peers() {
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
