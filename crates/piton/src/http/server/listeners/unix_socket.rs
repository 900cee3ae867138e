//! Listens on Unix sockets: their files, modes and owners.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::listen_address::UnixAddress;

/// Connections that wait to be accepted, as many as tokio lets wait for TCP.
const BACKLOG: i32 = 1024;

/// Binds the socket. Replaces the file of a socket on which no process listens any more.
///
/// # Errors
/// Another program listens on it, something else has that path, or the file's owner cannot be set. The
/// text ends with the fix.
pub(super) fn bind(address: &UnixAddress) -> Result<(UnixListener, SocketFile), String> {
    remove_stale(&address.path)?;
    let failed = |error: &dyn std::fmt::Display, fix: &str| {
        format!("listen on {address}: {error}\n    fix: {fix}")
    };
    let owner = find_id(address.owner.as_deref(), "/etc/passwd")
        .map_err(|why| failed(&why, "name a user of this machine, or its number"))?;
    let group = find_id(address.group.as_deref(), "/etc/group")
        .map_err(|why| failed(&why, "name a group of this machine, or its number"))?;
    let listen = || -> io::Result<(UnixListener, SocketFile)> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(&address.path)?)?;
        let file = SocketFile::of(&address.path)?;
        // Before `listen`, so that nobody connects while the file still has the mode of the umask.
        fs::set_permissions(&address.path, fs::Permissions::from_mode(address.mode))?;
        if owner.or(group).is_some() {
            chown(&address.path, owner, group)?;
        }
        socket.listen(BACKLOG)?;
        Ok((UnixListener::from_std(socket.into())?, file))
    };
    listen().map_err(|error| {
        let fix = match error.kind() {
            io::ErrorKind::NotFound => "create the folder first",
            io::ErrorKind::PermissionDenied => {
                "the process's user has to own the folder, and only an administrator gives files away"
            }
            _ => "see `http.listen`",
        };
        failed(&error, fix)
    })
}

/// Removes the file of a socket on which no process listens.
///
/// # Errors
/// A process listens on it, or it is not a socket.
fn remove_stale(path: &Path) -> Result<(), String> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let shown = path.display();
    if !found.file_type().is_socket() {
        return Err(format!(
            "listen on unix:{shown}: there is a file that is not a socket\n    fix: remove it, or name another path"
        ));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| {
                format!("listen on unix:{shown}: the file of a program that has ended cannot be removed: {error}\n    fix: remove it")
            })
        }
        // Also if connecting is not allowed, because a program may listen then.
        _ => Err(format!(
            "listen on unix:{shown}: the address is in use\n    fix: stop the other program, or name another path"
        )),
    }
}

/// Returns the number of a user or group by its number or its name in `file`.
fn find_id(name: Option<&str>, file: &str) -> Result<Option<u32>, String> {
    let Some(name) = name else { return Ok(None) };
    if let Ok(id) = name.parse() {
        return Ok(Some(id));
    }
    // The file alone: asking the system's name services needs `unsafe`.
    let lines = fs::read_to_string(file).unwrap_or_default();
    let id = lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    });
    id.map(Some).ok_or_else(|| format!("`{name}` is not in {file}"))
}

/// The file of a bound socket. Removes it on drop, unless another program has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device, inode and time of creation: another socket may have got the same inode.
    identity: (u64, u64, i64, i64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), identity: identity(&found) })
    }

    /// Removes the file, so that clients find no server instead of one that is about to end.
    pub fn remove(&self) {
        let is_own =
            fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity);
        if is_own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(found: &fs::Metadata) -> (u64, u64, i64, i64) {
    (found.dev(), found.ino(), found.mtime(), found.mtime_nsec())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(path: &Path) -> UnixAddress {
        UnixAddress { path: path.to_owned(), mode: 0o640, owner: None, group: None }
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_its_file_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let owner = fs::metadata(folder.path()).unwrap().uid();
        let own = UnixAddress { owner: Some(owner.to_string()), ..address(&path) };
        let (listener, file) = bind(&own).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        let client = UnixStream::connect(&path).unwrap();
        listener.accept().await.unwrap();
        drop((client, listener, file));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn only_a_socket_without_a_program_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let (listener, first) = bind(&address(&path)).unwrap();
        let why = bind(&address(&path)).unwrap_err();
        assert!(why.contains("the address is in use"), "{why}");
        drop(listener);
        let (_listener, second) = bind(&address(&path)).unwrap();
        // Not the first's file any more.
        drop(first);
        assert!(path.exists());
        drop(second);
        fs::write(&path, "a text").unwrap();
        let why = bind(&address(&path)).unwrap_err();
        assert!(why.contains("not a socket"), "{why}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a text");
    }

    #[tokio::test]
    async fn a_missing_folder_or_user_is_named_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let why = bind(&address(&folder.path().join("none/a.sock"))).unwrap_err();
        assert!(why.contains("create the folder first"), "{why}");
        let path = folder.path().join("a.sock");
        let own = UnixAddress { owner: Some("no-such-user".into()), ..address(&path) };
        let why = bind(&own).unwrap_err();
        assert!(why.contains("`no-such-user` is not in /etc/passwd"), "{why}");
        assert_eq!(find_id(Some("root"), "/etc/passwd"), Ok(Some(0)));
        assert!(!path.exists());
    }
}
