//! Bare hyper: `hyper-edge 5001 [CERTIFICATE KEY]` listens on 127.0.0.1:5001 until SIGTERM. It speaks HTTP/1 and
//! HTTP/2, over TLS if it is given a certificate.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

/// Body of `/large`.
static LARGE: [u8; 64 << 10] = [b'x'; 64 << 10];

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (kind, body) = match request.uri().path() {
        "/large" => ("application/octet-stream", Bytes::from_static(&LARGE)),
        _ => ("text/plain; charset=utf-8", Bytes::from_static(b"Hello, world!")),
    };
    let response = Response::builder().header("content-type", kind).body(Full::new(body));
    Ok(response.expect("a valid response"))
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let server = auto::Builder::new(TokioExecutor::new());
    // Errors are ignored, because clients of a benchmark end their connections as they like.
    let _ = server.serve_connection(TokioIo::new(stream), service_fn(respond)).await;
}

fn acceptor(certificate: &str, key: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificate).expect("the certificate can be read");
    let chain = chain.collect::<Result<_, _>>().expect("the certificate is valid");
    let key = PrivateKeyDer::from_pem_file(key).expect("the key can be read");
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key fits the certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port: u16 = arguments[0].parse().expect("the first argument is a port");
    let acceptor = arguments.get(2).map(|key| acceptor(&arguments[1], key));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let mut term = signal(SignalKind::terminate()).expect("SIGTERM can be listened to");
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.expect("a connection").0,
            _ = term.recv() => return,
        };
        stream.set_nodelay(true).expect("a socket takes options");
        match acceptor.clone() {
            None => tokio::spawn(serve(stream)),
            Some(acceptor) => tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream).await;
                }
            }),
        };
    }
}
