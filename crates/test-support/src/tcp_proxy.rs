//! A TCP proxy whose target can be changed, like a name or a virtual address that moves to another
//! server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A proxy on a free port of the loopback. Stopped when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    target: Arc<AtomicU16>,
    /// The number of times that the open connections were cut.
    cuts: watch::Sender<u32>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy that forwards connections to `target`.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let target = Arc::new(AtomicU16::new(target));
        let cuts = watch::Sender::new(0);
        let (now, cut) = (target.clone(), cuts.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, now.load(Ordering::Relaxed), cut.clone()));
            }
        });
        Self { port, target, cuts, task }
    }

    /// Returns the port of the proxy.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends new connections to another target. Open connections keep theirs.
    pub fn switch(&self, target: u16) {
        self.target.store(target, Ordering::Relaxed);
    }

    /// Closes the connections that are open.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(mut client: TcpStream, target: u16, mut cut: watch::Receiver<u32>) {
    cut.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = cut.changed() => {}
    }
}
