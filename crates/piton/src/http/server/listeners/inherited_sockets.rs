//! The sockets that a service manager hands over (`LISTEN_FDS`, sd_listen_fds(3)): connections wait in
//! them while the service is started again.

use std::env;

use listenfd::ListenFd;
use parking_lot::Mutex;

/// The sockets that this process was handed, until they are taken.
static RECEIVED: Mutex<Vec<InheritedSocket>> = Mutex::new(Vec::new());

/// A socket that was handed over.
#[derive(Debug)]
pub(super) struct InheritedSocket {
    /// The name that the service manager gives it, or the number of its file descriptor.
    pub names: [String; 2],
    pub listener: InheritedListener,
}

/// A listening socket of either kind.
#[derive(Debug)]
pub(super) enum InheritedListener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// Receives the sockets that were handed to this process, and hides the variables from its children.
/// Call it once, at the start of the process.
pub(crate) fn receive_inherited_sockets() {
    let names = env::var_os("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<String> = names.to_string_lossy().split(':').map(str::to_owned).collect();
    let mut handed = ListenFd::from_env();
    let received = (0..handed.len()).filter_map(|index| {
        let listener = take(&mut handed, index)?;
        let name = names.get(index).cloned().unwrap_or_default();
        Some(InheritedSocket { names: [name, (3 + index).to_string()], listener })
    });
    RECEIVED.lock().extend(received);
}

fn take(handed: &mut ListenFd, index: usize) -> Option<InheritedListener> {
    // An error says that the socket is of another kind.
    if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
        return Some(InheritedListener::Tcp(listener));
    }
    let listener = handed.take_unix_listener(index).ok().flatten()?;
    Some(InheritedListener::Unix(listener))
}

/// Takes the received socket `name`, which is a name or a number.
pub(super) fn take_inherited(name: &str) -> Option<InheritedSocket> {
    let mut received = RECEIVED.lock();
    let index =
        received.iter().position(|socket| socket.names.iter().any(|known| known == name))?;
    Some(received.remove(index))
}

/// Takes all received sockets.
pub(super) fn take_all_inherited() -> Vec<InheritedSocket> {
    std::mem::take(&mut RECEIVED.lock())
}
