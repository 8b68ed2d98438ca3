//! The file of a Unix socket: made at the start, removed at the end. What a crash has left is removed at the next
//! start, what somebody else uses never.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use mayfly_config::Loaded;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::StartError;

/// Listens at `server.unix_socket`, if that names a file.
///
/// # Errors
/// Something is in the way, or the file cannot be made; the error names who set the value.
pub fn bind(loaded: &Loaded) -> Result<Option<(UnixListener, SocketFile)>, StartError> {
    let server = &loaded.config.server;
    if server.unix_socket.is_empty() {
        return Ok(None);
    }
    let path = Path::new(&server.unix_socket);
    let permissions = u32::from_str_radix(&server.unix_socket_permissions, 8).ok();
    match listen(path, permissions, server.tcp_backlog as i32) {
        Ok(listening) => Ok(Some(listening)),
        Err(source) => Err(StartError::UnixSocket {
            place: loaded.place("server.unix_socket").clone(),
            path: server.unix_socket.clone(),
            source,
        }),
    }
}

fn listen(path: &Path, permissions: Option<u32>, backlog: i32) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::new(path)?;
    if let Some(permissions) = permissions {
        // Nobody is let in before the socket listens.
        fs::set_permissions(path, Permissions::from_mode(permissions))?;
    }
    socket.listen(backlog)?;
    Ok((socket.into(), file))
}

/// Removes a socket that nobody listens at.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?.file_type().is_socket(),
    };
    if !is_socket {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
    }
}

/// The file of a socket that this process listens at; removed when it is dropped, unless it is somebody else's by
/// then.
pub struct SocketFile {
    path: PathBuf,
    /// Device and number of the file.
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(SocketFile { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the file of the Unix socket is left behind");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
